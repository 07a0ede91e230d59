"""Our own learners: a small network, mixup, and FixMatch, which also learns from pictures without labels."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.applications.learner import Classifier
from ganforge.data.batches import Batches
from ganforge.data.images import ImageSet, scale
from ganforge.data.label_subset import repeat_to
from ganforge.data.moves import small_moves, strong_moves
from ganforge.errors import UserError
from ganforge.evaluation.downstream import NetworkKind, new_classifier
from ganforge.evaluation.told_apart import LeNet
from ganforge.randomness import random_generator

BATCH, RATE = 64, 2e-3
"""Pictures in a batch, and the first learning rate of Adam; it falls to zero along a quarter of a cosine."""
LABELLED, UNLABELLED = 32, 128
"""FixMatch: labelled and unlabelled pictures in a batch (the paper has seven times as many unlabelled ones)."""
THRESHOLD, DECAY = 0.95, 0.995
"""FixMatch: confidence from which a guess counts as a label (the paper's), and decay of the averaged weights."""
NetworkStep = Callable[[nn.Module, int], Tensor]
"""The network and the number of a step -> the loss of that step."""


@dataclass(frozen=True)
class SmallLearner:
    """A learner with a small network and Adam; the arguments of a call determine the weights of its classifier.

    Attributes:
        network: kind of network, LeNet-5 unless given.
        mixup: mix the pictures of each batch with others, x = λ xᵢ + (1 − λ) xⱼ, and their labels alike, with λ uniform
            in 0..1 (Zhang et al. 2018, arXiv:1710.09412, section 2, with α = 1).
    """

    network: NetworkKind = LeNet
    mixup: bool = False

    def __call__(
        self, images: Tensor, labels: Tensor, /, *, steps: int, seed: int, start: Classifier | None = None
    ) -> nn.Module:
        """Train a classifier on images uint8 [N, C, H, W] with labels int64 [N], all classes among them."""
        batches = _batches(images, labels, BATCH, seed)

        def loss(network: nn.Module, step: int) -> Tensor:
            batch = batches[step]
            assert batch.condition is not None
            if not self.mixup:
                return F.cross_entropy(network(batch.images), batch.condition)
            random = random_generator(seed, "mixup", step)
            share = float(torch.rand((), generator=random))
            order = torch.randperm(len(batch.images), generator=random)
            logits = network(share * batch.images + (1 - share) * batch.images[order])
            first, second = (F.cross_entropy(logits, labels) for labels in (batch.condition, batch.condition[order]))
            return share * first + (1 - share) * second

        network = _started(start) or new_classifier(self.network, _shape(images), int(labels.max()) + 1, seed)
        return _trained(network, loss, steps)


@dataclass(frozen=True)
class FixMatch:
    """A learner that also learns from pictures without labels (Sohn et al. 2020, arXiv:2001.07685).

    The loss is that of labelled pictures after small moves (equation 3), and, for unlabelled ones, equation 4:

        1/(μB) Σ 1(max q_b ≥ τ) H(argmax q_b, p(y | A(u_b))),   q_b = p(y | α(u_b)),

    with small moves α and strong moves A. The classifier has averaged weights.

    Attributes:
        unlabelled: uint8 [M, C, H, W].
        network: kind of network.
    """

    unlabelled: Tensor
    network: NetworkKind = LeNet

    def __call__(
        self, images: Tensor, labels: Tensor, /, *, steps: int, seed: int, start: Classifier | None = None
    ) -> nn.Module:
        """Train a classifier on images uint8 [N, C, H, W] with labels int64 [N], and on the unlabelled ones."""
        labelled = _batches(images, labels, LABELLED, seed)

        def loss(network: nn.Module, step: int) -> Tensor:
            random = random_generator(seed, "fixmatch", step)
            batch = labelled[step]
            drawn = torch.randint(len(self.unlabelled), (UNLABELLED,), generator=random)
            pixels = scale(self.unlabelled[drawn], "0..1")
            with torch.no_grad():
                confidence, guesses = network(small_moves(pixels, random)).softmax(1).max(1)
            both = torch.cat([small_moves(batch.images, random), strong_moves(pixels, random)])
            of_labelled, of_unlabelled = network(both).split([len(batch.images), UNLABELLED])
            sure = (confidence >= THRESHOLD).float()
            assert batch.condition is not None
            supervised = F.cross_entropy(of_labelled, batch.condition)
            unsupervised: Tensor = (sure * F.cross_entropy(of_unlabelled, guesses, reduction="none")).mean()
            return supervised + unsupervised

        network = _started(start) or new_classifier(self.network, _shape(images), int(labels.max()) + 1, seed)
        return _trained(network, loss, steps, average=True)


def _trained(network: nn.Module, loss: NetworkStep, steps: int, *, average: bool = False) -> nn.Module:
    """Take ``steps`` steps of Adam, and return the network, or with ``average`` the network of averaged weights."""
    optimizer = torch.optim.Adam(network.parameters(), RATE, fused=True)
    mean = copy.deepcopy(network)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE * math.cos(math.pi / 2 * step / steps)
        value = loss(network, step)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        if average:
            decay = min(DECAY, (1 + step) / (10 + step))
            with torch.no_grad():
                for averaged, weight in zip(mean.parameters(), network.parameters(), strict=True):
                    averaged.lerp_(weight, 1 - decay)
    return (mean if average else network).eval()


def _started(start: Classifier | None) -> nn.Module | None:
    """Return a copy of the classifier to go on from.

    Raises:
        UserError: it is no torch module.
    """
    if start is None:
        return None
    if not isinstance(start, nn.Module):
        raise UserError("the classifier to go on from is no torch module: give a learner of your own for it")
    return copy.deepcopy(start).train()


def _batches(images: Tensor, labels: Tensor, size: int, seed: int) -> Batches:
    names = tuple(map(str, range(int(labels.max()) + 1)))
    repeated = repeat_to(ImageSet(images, labels, names), size)
    return Batches(repeated, size, "0..1", seed=seed, labels=True, device=torch.device("cpu"), stream="learner")


def _shape(images: Tensor) -> tuple[int, int, int]:
    channels, height, width = images.shape[1:]
    return channels, height, width
