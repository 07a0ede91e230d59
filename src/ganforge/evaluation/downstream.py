"""What others learn from generated images: a small classifier, and the nearest neighbour."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.data.batches import Batches
from ganforge.data.images import ImageSet, scale
from ganforge.metrics.intervals import Interval, proportion_interval
from ganforge.randomness import random_generator

EPOCHS, BATCH, RATE = 10, 128, 1e-3
BLOCK = 500


class SmallNetwork(nn.Module):
    """Convolutions of 32 and 64 filters (3×3), a pool, dense 128: the classifier of the classification accuracy score.

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


def train_classifier(images: ImageSet, epochs: int = EPOCHS, seed: int = 0) -> SmallNetwork:
    """Train the small network on labelled images: Adam(1e-3), batches of 128 (fewer where there are fewer images).

    Everything follows from ``seed``; the same images give the same network.
    """
    network = SmallNetwork(images.shape, len(images.class_names))
    random = random_generator(seed, "classifier")
    for parameter in network.parameters():
        bound = parameter[0].numel() ** -0.5 if parameter.ndim > 1 else 0.0
        nn.init.uniform_(parameter, -bound, bound, generator=random)
    optimizer = torch.optim.Adam(network.parameters(), RATE, fused=True)
    size = min(BATCH, len(images))
    batches = Batches(images, size, "0..1", seed=seed, labels=True, device=torch.device("cpu"), stream="classifier")
    for step in range(epochs * len(images) // size):
        batch = batches[step]
        assert batch.labels is not None
        loss = F.cross_entropy(network(batch.images), batch.labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


@torch.no_grad()
def count_correct(network: SmallNetwork, images: ImageSet) -> int:
    """Count the images whose label the network finds."""
    found = [network(scale(block, "0..1")).argmax(1) for block in images.images.split(BLOCK)]
    return int((torch.cat(found) == images.labels).sum())


def learned(images: ImageSet, tested: ImageSet, epochs: int = EPOCHS) -> tuple[float, Interval]:
    """Return the accuracy on ``tested`` of a network that learned from ``images``, and its interval over ``tested``."""
    right = count_correct(train_classifier(images, epochs), tested)
    return right / len(tested), proportion_interval(right, len(tested))


def nearest_neighbour_hits(images: ImageSet, tested: ImageSet) -> int:
    """Count the ``tested`` images whose label is that of their nearest neighbour (pixels, Euclidean) in ``images``."""
    stock = images.images.flatten(1).float() / 255
    lengths = stock.square().sum(1)
    found = []
    for block in (tested.images.flatten(1).float() / 255).split(BLOCK):
        # ||a - b||^2 without ||a||^2, which is the same for all b
        found.append(images.labels[torch.addmm(lengths, block, stock.T, alpha=-2).argmin(1)])
    return int((torch.cat(found) == tested.labels).sum())
