"""How a judge is trained: ``python -m ganforge.judge.training --data mnist --out FILE [--epochs N] [--seed S]``."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from ganforge.data.images import ImageSet, Splits, scale
from ganforge.errors import RunFailed, UserError
from ganforge.judge.augmentation import Distortion, distort, nonsense, wear
from ganforge.judge.network import IMAGE_SHAPE, JudgeNetwork
from ganforge.judge.storage import Card, save_judge
from ganforge.randomness import random_generator, seed_of

BATCH = 128
NONSENSE = 16
NONSENSE_WEIGHT = 0.1
PEAK_RATE = 4e-3
WEIGHT_DECAY = 0.02
EMA_DECAY = 0.998


Report = Callable[[int, int, float], None]
"""Called after every step with the steps done, the steps in all and the loss."""


def train_judge(
    splits: Splits, epochs: int = 20, seed: int = 1, limits: Distortion | None = None, report: Report | None = None
) -> JudgeNetwork:
    """Train a classifier on ``splits.train`` and return it frozen, with averaged weights.

    AdamW, one rise and fall of the learning rate, cross-entropy without label smoothing (so that confidence stays a
    probability), every image distorted afresh. The same splits, epochs, seed, torch version and thread count give the
    same weights, and torch's global random state is left as it was.
    """
    train = splits.train
    _refuse_what_cannot_be_judged(train)
    network = _fresh_network(len(train.class_names), seed)
    averaged = _fresh_network(len(train.class_names), seed)
    optimiser = torch.optim.AdamW(network.parameters(), lr=PEAK_RATE, weight_decay=WEIGHT_DECAY, fused=True)
    steps = epochs * (len(train) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_RATE, total_steps=steps + 1, pct_start=0.2)
    limits = limits or Distortion()
    pixels = scale(train.images, "0..1")
    for step in range(steps):
        chosen = _batch(len(train), step, seed)
        batch = distort(pixels[chosen], limits, random_generator(seed, "judge", "distortion", step))
        junk = nonsense(batch, NONSENSE, random_generator(seed, "judge", "nonsense", step))
        worn = wear(batch, random_generator(seed, "judge", "wear", step))
        logits = network(torch.cat([worn, junk]))
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


def _refuse_what_cannot_be_judged(images: ImageSet) -> None:
    if images.shape != IMAGE_SHAPE:
        raise UserError(f"{images.name}: images are {images.shape}, a judge is trained on grey 28×28 images")
    if not images.labelled:
        raise UserError(f"{images.name}: a judge learns classes, so every training image needs a label")
    if len(images) < BATCH:
        raise UserError(f"{images.name}: {len(images)} images are too few to train a judge, give {BATCH} or more")


def _fresh_network(classes: int, seed: int) -> JudgeNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(seed, "judge", "start"))
        network = JudgeNetwork(classes)
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
        for block, labels in zip(torch.split(images.images, 500), torch.split(images.labels, 500), strict=True)
    ]
    return float(torch.cat(hits).float().mean())


def train_and_save(splits: Splits, path: Path, version: str, epochs: int, seed: int, report: Report | None) -> Card:
    """Train, measure on validation and, once, on test images, write the file and return its card."""
    network = train_judge(splits, epochs, seed, report=report)
    card = Card(
        version=version,
        classes=splits.train.class_names,
        data=splits.fingerprint,
        epochs=epochs,
        seed=seed,
        validation_accuracy=round(accuracy(network, splits.validation), 6),
        test_accuracy=round(accuracy(network, splits.test), 6),
    )
    save_judge(path, network, card)
    return card


def main() -> int:
    """Train a judge from the command line, with the time left on stderr; 2 is wrong input, 3 a full disk."""
    from ganforge.data.catalogue import load

    parser = argparse.ArgumentParser(prog="python -m ganforge.judge.training", description=train_judge.__doc__)
    parser.add_argument("--data", default="mnist", help="a data set of 28×28 grey images with labels")
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
                lambda done, total, loss: progress.update(task, completed=done, total=total, loss=loss),
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
