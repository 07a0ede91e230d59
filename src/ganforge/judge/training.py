"""How a judge is trained; that of digits by ``python -m ganforge.judge.training --data mnist --out FILE``."""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from ganforge.ambient import plain_state
from ganforge.data.images import ImageSet, Splits, scale
from ganforge.errors import RunFailed, UserError
from ganforge.judge.augmentation import Distortion, corrupt, distort, mirror_and_shift, no_class_images
from ganforge.judge.files import Card, name_layers, save_judge
from ganforge.judge.network import JudgeNetwork, fitting_layers
from ganforge.randomness import random_generator, seed_of
from ganforge.training.thread_spinning import considerate_spinning

BATCH = 128
NONSENSE = 16
NONSENSE_WEIGHT = 0.1
PEAK_RATE = 4e-3
WEIGHT_DECAY = 0.02
EMA_DECAY = 0.998
TRIAL_STEPS = 9
"""Steps by which the time of a training is foreseen."""
MOST_EPOCHS, FEW_STEPS = 100, 3000
"""So many epochs are enough for any data, unless they are so few that this is hardly a training."""


Report = Callable[[int, int, float], None]
"""Called after every step with the steps done, the steps in all and the loss."""


@plain_state()
def train_judge(
    splits: Splits, epochs: int = 20, seed: int = 1, flip: bool = False, report: Report | None = None
) -> JudgeNetwork:
    """Train a classifier on ``splits.train`` and return it frozen, with averaged weights.

    AdamW, one rise and fall of the learning rate, cross-entropy without label smoothing (so that confidence stays a
    probability), every image changed afresh: distorted and worn as glyphs may be, or mirrored and shifted where a
    mirrored image is still of its class (``flip``). The same splits, epochs, seed, torch version and thread count give
    the same weights, and torch's global random state is left as it was.

    Raises:
        UserError: the images are of another size or depth than a judge can be for, too few or not all labelled.
    """
    refuse_what_cannot_be_judged(splits)
    return _train(splits.train, epochs * (len(splits.train) // BATCH), seed, flip, report)


@considerate_spinning()
def _train(train: ImageSet, steps: int, seed: int, flip: bool, report: Report | None) -> JudgeNetwork:
    network, averaged = _fresh_network(train, seed), _fresh_network(train, seed)
    optimiser = torch.optim.AdamW(network.parameters(), lr=PEAK_RATE, weight_decay=WEIGHT_DECAY, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_RATE, total_steps=steps + 1, pct_start=0.2)
    for step in range(steps):
        chosen = _batch(len(train), step, seed)
        logits = network(_changed(scale(train.gather(chosen), "0..1"), seed, step, flip))
        # of no class: the cross-entropy against equal shares of all
        doubt = -logits[BATCH:].log_softmax(1).mean()
        loss = F.cross_entropy(logits[:BATCH], train.labels[chosen]) + NONSENSE_WEIGHT * doubt
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        # a short memory at first, else the average would drag the random start along
        _average(averaged, network, min(EMA_DECAY, (1 + step) / (10 + step)))
        if report:
            report(step + 1, steps, float(loss.detach()))
    return averaged.eval().requires_grad_(False)


def _changed(pixels: Tensor, seed: int, step: int, flip: bool) -> Tensor:
    """Return a batch as the network sees it: every image changed, and images of no class behind them."""
    if flip:
        batch = worn = mirror_and_shift(pixels, random_generator(seed, "judge", "mirror", step))
    else:
        limits = Distortion.fitting(min(pixels.shape[2:]))
        batch = distort(pixels, limits, random_generator(seed, "judge", "distortion", step))
        worn = corrupt(batch, random_generator(seed, "judge", "wear", step))
    return torch.cat([worn, no_class_images(batch, NONSENSE, random_generator(seed, "judge", "nonsense", step))])


@plain_state()
def epochs_in(splits: Splits, minutes: float, flip: bool) -> int:
    """Return how many epochs take so many minutes on this machine, by the time that a few steps take; 1 at least.

    No more than 100, unless the images are so few that they are 3,000 steps or less.

    Raises:
        UserError: as `train_judge`.
    """
    refuse_what_cannot_be_judged(splits)
    ticks: list[float] = []
    _train(splits.train, TRIAL_STEPS, 0, flip, lambda *_: ticks.append(time.perf_counter()))
    # the first steps are slower: memory is still being taken
    seconds = (ticks[-1] - ticks[2]) / (len(ticks) - 3) * (len(splits.train) // BATCH)
    most = max(MOST_EPOCHS, FEW_STEPS // (len(splits.train) // BATCH))
    return min(max(1, int(60 * minutes / seconds)), most)


def refuse_what_cannot_be_judged(splits: Splits) -> None:
    """Refuse data of which no judge can be trained.

    Raises:
        UserError: the images are of another size or depth than a judge can be for, too few or not all labelled.
    """
    for images in (splits.train, splits.validation, splits.test):
        channels, height, width = images.shape
        if channels not in (1, 3) or not 8 <= min(height, width) <= max(height, width) <= 64:
            raise UserError(
                f"{images.name}: images are {width}×{height} px with {channels} channels; a judge looks at grey or "
                "colour images of 8 to 64 pixels a side"
            )
        if not images.labelled:
            raise UserError(f"{images.name}: a judge learns classes, so every image needs a label")
    train = splits.train
    if len(train.labels.unique()) < 2:
        raise UserError(f"{train.name}: all images are of one class; a judge needs at least two to tell apart")
    if len(train) < BATCH:
        raise UserError(f"{train.name}: {len(train)} images are too few to train a judge, give {BATCH} or more")


def _fresh_network(train: ImageSet, seed: int) -> JudgeNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_of(seed, "judge", "start"))
        network = JudgeNetwork(len(train.class_names), train.shape, fitting_layers(train.shape))
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _batch(count: int, step: int, seed: int) -> Tensor:
    """Return the indices of one batch: each epoch a new order, its last few images left out."""
    epoch, place = divmod(step, count // BATCH)
    order = torch.randperm(count, generator=random_generator(seed, "judge", "order", epoch))
    return order[place * BATCH : (place + 1) * BATCH]


@torch.no_grad()
def _average(averaged: nn.Module, network: nn.Module, decay: float) -> None:
    """Draw the averaged weights and batch statistics towards the network's; counters are copied."""
    own, other = averaged.state_dict(), network.state_dict()
    for name, value in own.items():
        if value.is_floating_point():
            value.lerp_(other[name], 1 - decay)
        else:
            value.copy_(other[name])


@torch.no_grad()
def accuracy(network: JudgeNetwork, images: ImageSet) -> float:
    """Return the share of ``images`` whose most likely class is their label."""
    hits = [
        network(scale(block, "0..1")).argmax(1) == labels
        for block, labels in zip(images.chunks(500), torch.split(images.labels, 500), strict=True)
    ]
    return float(torch.cat(hits).float().mean())


@plain_state()
def train_and_save(
    splits: Splits, path: Path, version: str, epochs: int, seed: int, flip: bool = False, report: Report | None = None
) -> Card:
    """Train, measure on validation and, once, on test images, write the file and return its card."""
    network = train_judge(splits, epochs, seed, flip, report)
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


def main() -> int:
    """Train a judge from the command line, with the time left on stderr; 2 is wrong input, 3 a full disk."""
    from ganforge.data.load import load

    parser = argparse.ArgumentParser(prog="python -m ganforge.judge.training", description=train_judge.__doc__)
    parser.add_argument("--data", default="mnist", help="a data set with labels")
    parser.add_argument("--out", type=Path, required=True, help="the .safetensors file to write")
    parser.add_argument("--version", default="digits-1", help="what the judge is to be called")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    columns = (TextColumn("loss {task.fields[loss]:.3f}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task("training", loss=float("nan"))
            card = train_and_save(
                load(given.data),
                given.out,
                given.version,
                given.epochs,
                given.seed,
                report=lambda done, total, loss: progress.update(task, completed=done, total=total, loss=loss),
            )
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except RunFailed as error:
        print(error, file=sys.stderr)
        return 3
    print(f"{given.out}: validation {card.validation_accuracy:.2%}, test {card.test_accuracy:.2%}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
