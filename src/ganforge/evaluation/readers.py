"""Two independent readers, who must both be sure of a picture's class before a classifier counts as wrong."""

from dataclasses import dataclass

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from ganforge.data.augmented_batches import AugmentedBatches
from ganforge.data.batches import Batches
from ganforge.data.images import ImageSet, Splits, scale
from ganforge.errors import RunFailed, UserError
from ganforge.evaluation.downstream import BLOCK
from ganforge.files import cache_folder, write_atomically
from ganforge.judge.choice import choose_judge
from ganforge.judge.judge import Judge, OnProgress
from ganforge.process_state import plain_state
from ganforge.randomness import random_generator

SURE = 0.9
"""Least probability of the class at both readers: pictures between two classes are left out, at the price of some."""
EPOCHS, BATCH, RATE = 3, 128, 2e-3
"""Training of the second reader."""


class StridedNetwork(nn.Module):
    """The second reader: strided convolutions without pools and without batch norm, unlike the judge.

    A 5×5 convolution of 24 filters and a 3×3 one of 48, both of stride 2, then dense 128.
    """

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        channels, height, width = shape
        across, down = ((side + 1) // 2 for side in (width, height))
        across, down = ((side + 1) // 2 for side in (across, down))
        self.layers = nn.Sequential(
            *(nn.Conv2d(channels, 24, 5, stride=2, padding=2), nn.ReLU()),
            *(nn.Conv2d(24, 48, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten()),
            *(nn.Linear(48 * across * down, 128), nn.ReLU(), nn.Linear(128, classes)),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, C, H, W] in 0..1 -> logits [N, classes]."""
        logits: Tensor = self.layers(images)
        return logits


@dataclass(frozen=True)
class Readers:
    """The judge and a second classifier of another architecture, both trained on the real training pictures.

    Attributes:
        numbers: the judge's number of each class of the data, int64 [K].
    """

    judge: Judge
    second: nn.Module
    numbers: Tensor

    def read(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return whether both readers are sure of the labels, bool [N], and the judge's features, float32 [N, F].

        Args:
            images: uint8 [N, C, H, W].
            labels: int64 [N], classes of the data.
        """
        by_judge, by_second, features = self._each(images, labels)
        return by_judge & by_second, features

    def either(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return whether one reader or both are sure of the labels, bool [N]."""
        by_judge, by_second, _ = self._each(images, labels)
        return by_judge | by_second

    @torch.no_grad()
    def _each(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        seen = self.judge.look(images)
        own = torch.cat([self.second(scale(block, "0..1")).softmax(1) for block in images.split(BLOCK)])
        by_second = own.gather(1, labels[:, None])[:, 0] >= SURE
        by_judge = (seen.classes == self.numbers[labels]) & (seen.confidence >= SURE)
        return by_judge, by_second, seen.features

    def log_probability(self, pixels: Tensor, labels: Tensor) -> Tensor:
        """Return the sum of both readers' log-probabilities of the labels, [N], with gradients; pixels in 0..1."""
        judge = self.judge.network(pixels).log_softmax(1).gather(1, self.numbers[labels][:, None])
        second = self.second(pixels).log_softmax(1).gather(1, labels[:, None])
        both: Tensor = (judge + second)[:, 0]
        return both


def readers_of(splits: Splits, on_progress: OnProgress | None = None) -> Readers:
    """Return the readers of these data; the second one is trained at the first call, and cached.

    Raises:
        UserError: the data have no labels, or no judge fits them.
    """
    if not splits.train.labelled:
        raise UserError(f"{splits.train.name}: has no labels, and the readers learn from labelled pictures")
    judge, why = choose_judge(splits)
    if judge is None:
        raise UserError(f"{splits.train.name}: {why}; 'ganforge judge train' trains a judge for your data")
    names = splits.train.class_names
    numbers = judge.numbered(torch.arange(len(names)), names)
    return Readers(judge, _second_reader(splits.train, on_progress), numbers)


def _second_reader(images: ImageSet, on_progress: OnProgress | None) -> nn.Module:
    file = cache_folder() / "readers" / f"strided-1-{images.fingerprint}.safetensors"
    network = StridedNetwork(images.shape, len(images.class_names))
    try:
        network.load_state_dict(load(file.read_bytes()))
    except (OSError, SafetensorError, RuntimeError):  # missing or damaged: it is trained again
        train_reader(network, images, on_progress)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(file, save(dict(network.state_dict())))
        except (OSError, RunFailed):
            pass  # the next call trains it again
    return network.eval().requires_grad_(False)


@plain_state()
def train_reader(network: nn.Module, images: ImageSet, on_progress: OnProgress | None = None) -> None:
    """Train a network on labelled pictures and on moved ones, half of each, with Adam and a rate that falls to zero."""
    random = random_generator(0, "reader")
    for parameter in network.parameters():
        bound = parameter[0].numel() ** -0.5 if parameter.ndim > 1 else 0.0
        nn.init.uniform_(parameter, -bound, bound, generator=random)
    size = min(BATCH, len(images))
    plain = Batches(images, size, "0..1", seed=0, labels=True, device=torch.device("cpu"), stream="reader")
    moved = AugmentedBatches(plain, 0, "reader", degrees=10, shear=0.15, shift=0.06, zoom=0.1)
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    steps = max(1, EPOCHS * len(images) // size)
    for step in range(steps):
        batch = (moved if step % 2 else plain)[step]
        assert batch.condition is not None
        optimizer.param_groups[0]["lr"] = RATE * (1 - step / steps)
        loss = nn.functional.cross_entropy(network(batch.images), batch.condition)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if on_progress:
            on_progress(size)


def pictures_to_learn(images: ImageSet) -> int:
    """Return how many pictures the second reader learns from, each as often as it is seen."""
    return max(1, EPOCHS * len(images) // min(BATCH, len(images))) * min(BATCH, len(images))
