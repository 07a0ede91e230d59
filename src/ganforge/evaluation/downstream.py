"""Downstream use of generated images: a small classifier and a nearest-neighbour classifier learn from them."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.data.batches import Batches
from ganforge.data.images import ImageSet, scale
from ganforge.metrics.intervals import Interval, proportion_interval
from ganforge.randomness import random_generator

NetworkKind = Callable[[tuple[int, int, int], int], nn.Module]
"""Makes a classifier for a shape [C, H, W] and a number of classes."""
EPOCHS, BATCH, RATE = 10, 128, 1e-3
BLOCK = 500


class SmallNetwork(nn.Module):
    """Classifier of the classification accuracy score: 3×3 convolutions of 32 and 64 filters, a pool, dense 128.

    The protocol of "train on generated, test on real" in docs/measuring.md: ReLU, no dropout, no augmentation.
    """

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        channels, height, width = shape
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.dense = nn.Sequential(
            nn.Linear(64 * ((height - 4) // 2) * ((width - 4) // 2), 128), nn.ReLU(), nn.Linear(128, classes)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, C, H, W] in 0..1 -> logits [N, classes]."""
        x = self.convolutions(images.contiguous(memory_format=torch.channels_last))
        logits: Tensor = self.dense(x.flatten(1))
        return logits


def train_classifier(
    images: ImageSet,
    epochs: int = EPOCHS,
    seed: int = 0,
    *,
    network: NetworkKind = SmallNetwork,
    batch_size: int = BATCH,
    rate: float = RATE,
) -> nn.Module:
    """Train a classifier on labelled images with Adam, in batches of ``batch_size``, or of all images where fewer.

    ``network`` makes it for a shape [C, H, W] and a number of classes. The arguments determine its weights.
    """
    classifier = new_classifier(network, images.shape, len(images.class_names), seed)
    optimizer = torch.optim.Adam(classifier.parameters(), rate, fused=True)
    size = min(batch_size, len(images))
    batches = Batches(images, size, "0..1", seed=seed, labels=True, device=torch.device("cpu"), stream="classifier")
    for step in range(epochs * len(images) // size):
        batch = batches[step]
        assert batch.condition is not None
        loss = F.cross_entropy(classifier(batch.images), batch.condition)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return classifier.eval()


def new_classifier(network: NetworkKind, shape: tuple[int, int, int], classes: int, seed: int) -> nn.Module:
    """Return a network with random weights, uniform in ±1/√fan-in, and offsets of zero; the arguments determine it."""
    classifier = network(shape, classes)
    random = random_generator(seed, "classifier")
    for parameter in classifier.parameters():
        bound = parameter[0].numel() ** -0.5 if parameter.ndim > 1 else 0.0
        nn.init.uniform_(parameter, -bound, bound, generator=random)
    return classifier


@torch.no_grad()
def count_correct(network: nn.Module, images: ImageSet) -> int:
    """Count the images that the network classifies as their label."""
    predictions = [network(scale(block, "0..1")).argmax(1) for block in images.images.split(BLOCK)]
    return int((torch.cat(predictions) == images.labels).sum())


def downstream_accuracy(images: ImageSet, tested: ImageSet, epochs: int = EPOCHS) -> tuple[float, Interval]:
    """Return the accuracy on ``tested`` of a classifier trained on ``images``, and its interval."""
    correct = count_correct(train_classifier(images, epochs), tested)
    return correct / len(tested), proportion_interval(correct, len(tested))


def nearest_neighbour_hits(images: ImageSet, tested: ImageSet) -> int:
    """Count the ``tested`` images with the label of their nearest neighbour in ``images`` (Euclidean, on pixels)."""
    references = images.images.flatten(1).float() / 255
    squared_norms = references.square().sum(1)
    predictions = []
    for block in (tested.images.flatten(1).float() / 255).split(BLOCK):
        # ||a - b||^2 without ||a||^2, which is the same for all b
        predictions.append(images.labels[torch.addmm(squared_norms, block, references.T, alpha=-2).argmin(1)])
    return int((torch.cat(predictions) == tested.labels).sum())
