"""Told apart: the share of single pictures that a fresh classifier tells rightly as real or result."""

import statistics

import torch
from torch import Tensor, nn

from ganforge.data.images import ImageSet
from ganforge.evaluation.downstream import count_correct, train_classifier
from ganforge.judge.judge import OnProgress
from ganforge.metrics.intervals import Interval, proportion_interval
from ganforge.randomness import random_generator

LEARNED, TESTED, EPOCHS, SEEDS = 4000, 2000, 5, 3
"""Results, and as many real pictures, to learn from; pictures of both to test on; epochs; classifiers that count."""
BATCH, RATE = 64, 2e-3
"""Fixed beforehand. With them LeNet-5 tells as many results of an L1 network as a network with 20 times its weights."""


class LeNet(nn.Module):
    """LeNet-5 (LeCun et al. 1998, figure 2) with ReLU and maximum pooling, for any picture of 4 pixels a side or more.

    5×5 convolutions of 6 and 16 filters on padded maps, each with a pool; dense 120 and 84.
    """

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        channels, height, width = shape
        self.layers = nn.Sequential(
            *(nn.Conv2d(channels, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(6, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
            *(nn.Linear(16 * (height // 4) * (width // 4), 120), nn.ReLU()),
            *(nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, classes)),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, C, H, W] in 0..1 -> logits [N, classes]."""
        logits: Tensor = self.layers(images)
        return logits


def told_apart(real: Tensor, results: Tensor, on_progress: OnProgress | None = None) -> tuple[float, Interval]:
    """Return the share of single pictures that fresh classifiers tell rightly, and its interval; .5: none of them.

    Each of three classifiers learns from 4,000 results and as many real pictures, five epochs, and is tested on 1,000
    of each. A classifier sees a picture alone, never a condition; real pictures and results are of different
    conditions, so a result is never compared with its own true picture. With fewer pictures the numbers shrink alike.
    The interval is that of a share of the tested pictures of one classifier.

    Args:
        real, results: uint8 [N, C, H, W], with row i of both for the same condition; of more rows in one, the first.
        on_progress: called after each classifier with the number of pictures it has learned from.
    """
    pictures_of_both = min(len(real), len(results))
    count = pictures_to_learn(pictures_of_both) // (8 * SEEDS)
    correct = []
    for seed in range(SEEDS):
        order = torch.randperm(pictures_of_both, generator=random_generator("told apart", seed))
        real_rows, result_rows = order[: 10 * count].split(5 * count)
        pictures = torch.cat([real[real_rows], results[result_rows]])
        labels = torch.cat([torch.zeros(5 * count, dtype=torch.int64), torch.ones(5 * count, dtype=torch.int64)])
        learn = torch.cat([torch.arange(4 * count), 5 * count + torch.arange(4 * count)])
        test = torch.cat([torch.arange(4 * count, 5 * count), torch.arange(9 * count, 10 * count)])
        both = ImageSet(pictures, labels, ("real", "result"), "told apart")
        network = train_classifier(both.select(learn), EPOCHS, seed, network=LeNet, batch_size=BATCH, rate=RATE)
        correct.append(count_correct(network, both.select(test)))
        if on_progress:
            on_progress(len(learn))
    mean = statistics.fmean(correct)
    return mean / (2 * count), proportion_interval(round(mean), 2 * count)


def pictures_to_learn(count: int) -> int:
    """Return how many pictures the classifiers of `told_apart` learn from, with ``count`` results."""
    return SEEDS * 8 * (min(count, 2 * LEARNED + TESTED) // 10)
