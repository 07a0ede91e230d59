"""The attainable limit of content: the accuracy of a classifier that sees nothing but the condition.

No result can show the class of its true picture more often than the condition tells that class. A judge that reads the
results is compared with a classifier trained on the conditions: small pictures, known halves with their masks, grey or
damaged pictures.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.data.images import ImageSet, Splits, scale
from ganforge.data.pairs import PairRule
from ganforge.evaluation.translation import PAIR_SEED, evaluation_pairs
from ganforge.randomness import random_generator, seed_of
from ganforge.training.tuning.thread_spinning import considerate_spinning

BATCH, PEAK_RATE, WEIGHT_DECAY = 128, 4e-3, 0.02
FEWEST_STEPS = 10
"""Shortest cycle of the learning rate that torch accepts."""
WIDTH, DENSE = 64, 256
LARGEST_MAP = 8
"""Largest side of the last feature maps: larger ones are halved first."""
BLOCK = 500
EPOCHS, TINY_EPOCHS = 12, 10
TINY = 16
"""Pixels of a condition up to which an epoch is so short that more of them are affordable."""
OnEpoch = Callable[[int, int], None]
"""Called after each epoch with the number of epochs done, and of all."""


class ConditionNetwork(nn.Module):
    """Classifier of conditions of any size: 3×3 convolutions with batch norm, of stride 2 while larger than 8 pixels.

    The last two convolutions have 64 filters, each one before half as many as the next; then dense 256, with dropout.
    """

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        channels, height, width = shape
        halvings = 0
        while max(height, width) > LARGEST_MAP:
            height, width, halvings = (height + 1) // 2, (width + 1) // 2, halvings + 1
        layers: list[nn.Module] = []
        for level in reversed(range(halvings)):
            layers += _convolution(channels, WIDTH >> level, stride=2)
            channels = WIDTH >> level
        layers += [*([] if halvings else _convolution(channels, WIDTH)), *_convolution(WIDTH, WIDTH)]
        dense = [nn.Linear(WIDTH * height * width, DENSE), nn.ReLU(), nn.Dropout(0.3), nn.Linear(DENSE, classes)]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), *dense)

    def forward(self, conditions: Tensor) -> Tensor:
        """Conditions [N, C, H, W] in 0..1 -> logits [N, classes]."""
        logits: Tensor = self.layers(conditions.contiguous(memory_format=torch.channels_last))
        return logits


def _convolution(channels: int, filters: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(channels, filters, 3, stride, padding=1, bias=False), nn.BatchNorm2d(filters), nn.ReLU()]


@considerate_spinning()
def attainable_accuracy(
    rule: PairRule,
    splits: Splits,
    tested: ImageSet,
    seed: int = 0,
    epochs: int | None = None,
    on_epoch: OnEpoch | None = None,
) -> float:
    """Train a classifier on the conditions of the training pictures; return its accuracy on those of ``tested``.

    AdamW with a one-cycle learning rate. Masks and damages differ in every epoch, as in the training of a recipe. The
    network of the epoch with the best accuracy on the validation pictures is the one that counts.

    Args:
        rule: the kind of pairs.
        splits: labelled pictures; training and validation pictures are used.
        tested: labelled test pictures, whose conditions are those of `evaluation_pairs`.
        seed: of weights, order and pairs of the training.
        epochs: unless given, `EPOCHS`, or `TINY_EPOCHS` for conditions of few pixels.
        on_epoch: called after each epoch.
    """
    validation, test = (_conditions(rule, images) for images in (splits.validation, tested))
    epochs = epochs or (TINY_EPOCHS if test.shape[1] * test.shape[2] <= TINY else EPOCHS)
    # the weights and dropout are drawn from torch's global state
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_of(seed, "attainable"))
        network = ConditionNetwork(test.shape, len(splits.train.class_names))
        optimiser = torch.optim.AdamW(network.parameters(), PEAK_RATE, weight_decay=WEIGHT_DECAY, fused=True)
        steps = max(epochs * len(splits.train) // min(BATCH, len(splits.train)), FEWEST_STEPS)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_RATE, total_steps=steps + 1, pct_start=0.2)
        best, counting = -1.0, 0.0
        for epoch in range(epochs):
            conditions = _conditions(rule, splits.train, seed_of(seed, "attainable", epoch))
            order = torch.randperm(len(conditions), generator=random_generator(seed, "attainable", "order", epoch))
            _learn(network, conditions, order, optimiser, schedule)
            if (share := _accuracy(network, validation)) > best:
                best, counting = share, _accuracy(network, test)
            if on_epoch:
                on_epoch(epoch + 1, epochs)
    return counting


def _learn(
    network: ConditionNetwork,
    conditions: ImageSet,
    order: Tensor,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.OneCycleLR,
) -> None:
    """Train for one epoch, without its last incomplete batch."""
    network.train()
    size = min(BATCH, len(order))
    for rows in order.split(size)[: len(order) // size]:
        loss = F.cross_entropy(network(scale(conditions.gather(rows), "0..1")), conditions.labels[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()


def _conditions(rule: PairRule, images: ImageSet, seed: int = PAIR_SEED) -> ImageSet:
    """Return the conditions with the classes of their pictures; small pictures at their own size."""
    condition = rule.compact(evaluation_pairs(rule, images, seed).condition)
    return ImageSet(condition, images.labels, images.class_names, f"conditions of {images.name}")


@torch.no_grad()
def _accuracy(network: ConditionNetwork, conditions: ImageSet) -> float:
    network.eval()
    classes = [network(scale(block, "0..1")).argmax(1) for block in conditions.images.split(BLOCK)]
    return float((torch.cat(classes) == conditions.labels).double().mean())
