"""A reader of pictures that no judge knows: a small network, trained on the run's labels in seconds, else random."""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.data.images import ImageSet, scale
from ganforge.evaluation.features import Features
from ganforge.process_state import plain_state
from ganforge.randomness import random_generator, seed_of

SIDE = 32
"""Largest height and width that the network sees; larger pictures are reduced to it by area means."""
WIDTHS = (16, 32, 64)
FEATURES = 64
BATCH, STEPS, EPOCHS = 64, 300, 100
"""Training: so many steps, or epochs where these are fewer steps."""
PEAK_RATE = 8e-3
BLOCK = 250

Source = Literal["judge", "labels", "random"]
"""Where features come from: a judge, a small network trained on the labels, or the same network with random weights."""


class SmallNetwork(nn.Module):
    """Three convolutions with stride 2 and a dense layer: 0.4 million multiplications for a digit."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        inputs = (channels, *WIDTHS[:-1])
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in zip(inputs, WIDTHS, strict=True))
        self.dense = nn.Linear(WIDTHS[-1] * 4, FEATURES)
        self.logits = nn.Linear(FEATURES, classes)

    def activations(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return pooled early activations [N, 9 · 16], features [N, 64] and logits [N, classes] of pixels in [0, 1]."""
        height, width = (min(side, SIDE) for side in pixels.shape[2:])
        x = F.adaptive_avg_pool2d(pixels, (height, width)) - 0.5
        x = early = torch.relu(self.layers[0](x))
        for layer in self.layers[1:]:
            x = torch.relu(layer(x))
        features = torch.relu(self.dense(F.adaptive_avg_pool2d(x, 2).flatten(1)))
        return F.adaptive_avg_pool2d(early, 3).flatten(1), features, self.logits(features)


@dataclass(frozen=True)
class SmallReader:
    """Features of pictures by a small network; with labels also classes.

    Attributes:
        network: the frozen network.
        source: "labels" or "random".
        class_names: names of the classes that it reads; empty for random weights.
    """

    network: SmallNetwork
    source: Source
    class_names: tuple[str, ...] = ()

    @plain_state()
    @torch.no_grad()
    def look(self, images: Tensor, labels: Tensor | None = None) -> Features:
        """Return the features of uint8 images [N, C, H, W]; ``labels`` are indices of ``class_names``."""
        blocks = [self.network.activations(scale(block, "0..1")) for block in images.cpu().split(BLOCK)]
        early, features, logits = (torch.cat(parts) for parts in zip(*blocks, strict=True))
        if not self.class_names:
            return Features(features, spread_features=early)
        confidence, classes = logits.softmax(1).max(1)
        return Features(features, classes, confidence, early, labels)

    def look_at_set(self, images: ImageSet) -> Features:
        """Return the features of real images, with their labels if all have one and classes are read."""
        return self.look(images.images, images.labels if images.labelled and self.class_names else None)


@plain_state()
def small_reader(train: ImageSet, seed: int = 0) -> SmallReader:
    """Return a reader for pictures like the training images: trained on labels of two or more classes, else random.

    Images and seed determine the weights (with the number of threads); torch's global random state is unchanged.
    """
    classes = len(train.class_names) if train.labelled and len(train.labels.unique()) > 1 else 0
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_of(seed, "small reader"))
        network = SmallNetwork(train.shape[0], max(classes, 1)).eval()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if not classes:
        return SmallReader(network.requires_grad_(False), "random")
    _train(network, train, seed)
    return SmallReader(network.requires_grad_(False), "labels", train.class_names)


def _train(network: SmallNetwork, train: ImageSet, seed: int) -> None:
    batch = min(BATCH, len(train))
    steps = min(STEPS, EPOCHS * (len(train) // batch))
    optimiser = torch.optim.AdamW(network.parameters(), lr=PEAK_RATE, weight_decay=0.02, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_RATE, total_steps=steps + 1, pct_start=0.2)
    for step in range(steps):
        rows = torch.randint(len(train), (batch,), generator=random_generator(seed, "small reader", step))
        logits = network.activations(scale(train.gather(rows), "0..1"))[2]
        loss = F.cross_entropy(logits, train.labels[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
