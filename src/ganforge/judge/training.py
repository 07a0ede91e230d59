"""Training of a judge, on any labelled images of 8 to 64 pixels a side."""

import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.data.images import ImageSet, Splits, scale
from ganforge.data.kinds import Signals
from ganforge.errors import UserError
from ganforge.judge.augmentation import Distortion, corrupt, distort, mirror_and_shift, no_class_images
from ganforge.judge.files import Card, name_layers, save_judge
from ganforge.judge.network import JudgeNetwork, fitting_layers
from ganforge.process_state import plain_state
from ganforge.randomness import random_generator, seed_of
from ganforge.training.tuning.thread_spinning import considerate_spinning

BATCH = 128
NONSENSE = 16
NONSENSE_WEIGHT = 0.1
PEAK_RATE = 4e-3
WEIGHT_DECAY = 0.02
EMA_DECAY = 0.998
TRIAL_STEPS = 9
"""Steps that are timed to estimate the duration of a training."""
MOST_EPOCHS, FEW_STEPS = 100, 3000
"""Largest number of epochs, or of steps where that allows more epochs."""


OnStep = Callable[[int, int, float], None]
"""Called after every step with the steps done, all steps and the loss."""


@plain_state()
def train_judge(
    splits: Splits, epochs: int = 20, seed: int = 1, flip: bool = False, on_step: OnStep | None = None
) -> JudgeNetwork:
    """Train a classifier on ``splits.train`` and return it frozen, with averaged weights.

    AdamW with a one-cycle learning rate and cross-entropy without label smoothing, so that confidence stays a
    probability. Every image is augmented: distorted and corrupted, or mirrored and shifted where mirrored images keep
    their class (``flip``). Splits, epochs, seed, torch version and thread count determine the weights; torch's global
    random state is unchanged.

    Raises:
        UserError: no judge can be trained on the images: wrong size or channels, too few, or not all labelled.
    """
    refuse_what_cannot_be_judged(splits)
    return _train(splits.train, epochs * (len(splits.train) // BATCH), seed, flip, on_step)


@considerate_spinning()
def _train(train: ImageSet, steps: int, seed: int, flip: bool, on_step: OnStep | None) -> JudgeNetwork:
    network, averaged = _fresh_network(train, seed), _fresh_network(train, seed)
    optimiser = torch.optim.AdamW(network.parameters(), lr=PEAK_RATE, weight_decay=WEIGHT_DECAY, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_RATE, total_steps=steps + 1, pct_start=0.2)
    for step in range(steps):
        rows = _batch(len(train), step, seed)
        logits = network(_augmented(scale(train.gather(rows), "0..1"), seed, step, flip))
        # images of no class: cross-entropy against the uniform distribution
        no_class_loss = -logits[BATCH:].log_softmax(1).mean()
        loss = F.cross_entropy(logits[:BATCH], train.labels[rows]) + NONSENSE_WEIGHT * no_class_loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        # a short average at first: a long one would keep the random initial weights
        _average(averaged, network, min(EMA_DECAY, (1 + step) / (10 + step)))
        if on_step:
            on_step(step + 1, steps, float(loss.detach()))
    return averaged.eval().requires_grad_(False)


def _augmented(pixels: Tensor, seed: int, step: int, flip: bool) -> Tensor:
    """Return the batch with every image augmented, followed by images of no class."""
    if flip:
        batch = corrupted = mirror_and_shift(pixels, random_generator(seed, "judge", "mirror", step))
    else:
        limits = Distortion.fitting(min(pixels.shape[2:]))
        batch = distort(pixels, limits, random_generator(seed, "judge", "distortion", step))
        corrupted = corrupt(batch, random_generator(seed, "judge", "wear", step))
    return torch.cat([corrupted, no_class_images(batch, NONSENSE, random_generator(seed, "judge", "nonsense", step))])


@plain_state()
def epochs_in(splits: Splits, minutes: float, flip: bool) -> int:
    """Return how many epochs fit into ``minutes`` on this machine, estimated from a few timed steps; at least 1.

    At most 100 epochs, or 3,000 steps where these are more epochs.

    Raises:
        UserError: as `train_judge`.
    """
    limit_by_time = int(60 * minutes / seconds_per_epoch(splits, flip))
    limit = max(MOST_EPOCHS, FEW_STEPS // (len(splits.train) // BATCH))
    return min(max(1, limit_by_time), limit)


@plain_state()
def seconds_per_epoch(splits: Splits, flip: bool) -> float:
    """Return how long an epoch takes on this machine, estimated from a few timed steps.

    Raises:
        UserError: as `train_judge`.
    """
    refuse_what_cannot_be_judged(splits)
    times: list[float] = []
    _train(splits.train, TRIAL_STEPS, 0, flip, lambda *_: times.append(time.perf_counter()))
    # the first steps are slower, because they allocate memory
    return (times[-1] - times[2]) / (len(times) - 3) * (len(splits.train) // BATCH)


def refuse_what_cannot_be_judged(splits: Splits) -> None:
    """Check that a judge can be trained on these data.

    Raises:
        UserError: the images have the wrong size or channels, are too few, or are not all labelled.
    """
    for images in (splits.train, splits.validation, splits.test):
        channels, height, width = images.shape
        if isinstance(images.kind, Signals):
            raise UserError(f"{images.name}: no judge reads signals; 'ganforge benchmark other-data' measures them")
        if channels not in (1, 3) or not 8 <= min(height, width) <= max(height, width) <= 64:
            raise UserError(
                f"{images.name}: images are {width}×{height} px with {channels} channels; a judge needs grey or "
                "colour images of 8 to 64 pixels a side"
            )
        if not images.labelled:
            raise UserError(f"{images.name}: a judge learns classes, so every image needs a label")
    train = splits.train
    if len(train.labels.unique()) < 2:
        raise UserError(f"{train.name}: all images are of one class; a judge needs at least two classes")
    if len(train) < BATCH:
        raise UserError(f"{train.name}: {len(train)} images are too few to train a judge, give {BATCH} or more")


def _fresh_network(train: ImageSet, seed: int) -> JudgeNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_of(seed, "judge", "start"))
        network = JudgeNetwork(len(train.class_names), train.shape, fitting_layers(train.shape))
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _batch(count: int, step: int, seed: int) -> Tensor:
    """Return the indices of one batch; each epoch has a new order and drops its last incomplete batch."""
    epoch, position = divmod(step, count // BATCH)
    order = torch.randperm(count, generator=random_generator(seed, "judge", "order", epoch))
    return order[position * BATCH : (position + 1) * BATCH]


@torch.no_grad()
def _average(averaged: nn.Module, network: nn.Module, decay: float) -> None:
    """Update the moving average of weights and batch-norm statistics; counters are copied."""
    averaged_state, state = averaged.state_dict(), network.state_dict()
    for name, value in averaged_state.items():
        if value.is_floating_point():
            value.lerp_(state[name], 1 - decay)
        else:
            value.copy_(state[name])


@torch.no_grad()
def accuracy(network: JudgeNetwork, images: ImageSet) -> float:
    """Return the share of ``images`` whose most likely class is their label."""
    correct = [
        network(scale(block, "0..1")).argmax(1) == labels
        for block, labels in zip(images.chunks(500), torch.split(images.labels, 500), strict=True)
    ]
    return float(torch.cat(correct).float().mean())


@plain_state()
def train_and_save(
    splits: Splits, path: Path, version: str, epochs: int, seed: int, flip: bool = False, on_step: OnStep | None = None
) -> Card:
    """Train a judge, measure its validation and test accuracy, write its file and return its card."""
    network = train_judge(splits, epochs, seed, flip, on_step)
    card = Card(
        version=version,
        classes=splits.train.class_names,
        data=splits.fingerprint,
        epochs=epochs,
        seed=seed,
        validation_accuracy=round(accuracy(network, splits.validation), 6),
        test_accuracy=round(accuracy(network, splits.test), 6),
        architecture=name_layers(fitting_layers(splits.train.shape)),
        shape=splits.train.shape,
        flip=flip,
    )
    save_judge(path, network, card)
    return card
