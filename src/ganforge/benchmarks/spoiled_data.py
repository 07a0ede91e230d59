"""Data sets as users spoil them: a wrong label column, inverted scans, a file of copies; each as a ``.npz`` file.

The clean sets are MNIST as published, glyphs drawn by code, and a part of CIFAR-10. A spoiled set is written beside the
patients that learn from it, so that every patient can be resumed and treated like a user's own run.
"""

import io
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganforge.data.glyphs import glyphs
from ganforge.data.images import ImageSet, Splits
from ganforge.data.load import load
from ganforge.errors import UserError
from ganforge.evaluation.evaluator import random_subset
from ganforge.files import write_atomically
from ganforge.randomness import random_generator

DATA = ("mnist", "glyphs", "cifar10")
"""The clean data sets of the patients."""
MADE = {"train": 12_000, "validation": 1500, "test": 2000}
"""Numbers of glyphs, and of CIFAR-10's images, which are chosen at random from the published part of the same name."""
CIFAR_FOLDER = "cifar10-jpeg"
"""Folder in $GANFORGE_DATA with the archives train and test, where the published files are missing."""

Spoil = Callable[[Splits, float, torch.Generator], Splits]


def clean(data: str) -> Splits:
    """Return a clean data set.

    Raises:
        UserError: MNIST or CIFAR-10 is not on this machine.
    """
    if data == "glyphs":
        train, validation, test = (glyphs(count, seed) for seed, count in enumerate(MADE.values()))
        return Splits(train, validation, test, "drawn by code").called("glyphs")
    if data == "mnist":
        return load("mnist")
    whole = _cifar10()
    train, validation, test = (random_subset(getattr(whole, part), n, "patients") for part, n in MADE.items())
    return Splits(train, validation, test, whole.origin).called("cifar10")


def _cifar10() -> Splits:
    folder = Path(os.environ.get("GANFORGE_DATA", "")) / CIFAR_FOLDER
    return load(folder if folder.is_dir() else "cifar10")


def spoiled(splits: Splits, spoil: str, strength: float, seed: int) -> Splits:
    """Return the set spoiled in one of `SPOILS`; the arguments determine the result."""
    return SPOILS[spoil](splits, strength, random_generator(seed, "patients", spoil))


def _everywhere(change: Callable[[ImageSet, float, torch.Generator], ImageSet]) -> Spoil:
    """Return the spoil that changes all three parts, as a fault in a user's file does."""

    def spoil(splits: Splits, strength: float, random: torch.Generator) -> Splits:
        train, validation, test = (
            change(part, strength, random) for part in (splits.train, splits.validation, splits.test)
        )
        return Splits(train, validation, test, splits.origin)

    return spoil


def _in_training(change: Callable[[ImageSet, float, torch.Generator], ImageSet]) -> Spoil:
    """Return the spoil that changes the training images alone."""

    def spoil(splits: Splits, strength: float, random: torch.Generator) -> Splits:
        return replace(splits, train=change(splits.train, strength, random))

    return spoil


def _chosen(count: int, share: float, random: torch.Generator) -> Tensor:
    """Return a random ``share`` of the rows 0 to count - 1, as bool [count]."""
    return torch.randperm(count, generator=random) < round(share * count)


def _wrong_labels(images: ImageSet, share: float, random: torch.Generator) -> ImageSet:
    """Give a share of the images the label of another image, so that classes keep their sizes."""
    rows = torch.nonzero(_chosen(len(images), share, random)).flatten()
    labels = images.labels.clone()
    labels[rows] = labels[rows[torch.randperm(len(rows), generator=random)]]
    return replace(images, labels=labels)


def _inverted(images: ImageSet, share: float, random: torch.Generator) -> ImageSet:
    rows = _chosen(len(images), share, random)[:, None, None, None]
    return replace(images, images=torch.where(rows, 255 - images.images, images.images), span=None)


def _dark(images: ImageSet, share: float, random: torch.Generator) -> ImageSet:
    """Use a share of the grey levels."""
    return replace(images, images=(images.images * share).round().to(torch.uint8), span=None)


def _few(images: ImageSet, count: float, random: torch.Generator) -> ImageSet:
    return images.select(torch.randperm(len(images), generator=random)[: round(count)])


def _few_in_all(splits: Splits, count: float, random: torch.Generator) -> Splits:
    """Keep ``count`` images in all three parts together, as of a user who has no more: 80, 10 and 10 %."""
    train = _few(splits.train, 0.8 * count, random)
    validation, test = (_few(part, 0.1 * count, random) for part in (splits.validation, splits.test))
    return Splits(train, validation, test, splits.origin)


def _copies(images: ImageSet, share: float, random: torch.Generator) -> ImageSet:
    """Replace a share of the images by copies of the others, the same few of them."""
    replaced = torch.nonzero(_chosen(len(images), share, random)).flatten()
    kept = torch.ones(len(images), dtype=torch.bool)
    kept[replaced] = False
    originals = torch.nonzero(kept).flatten()
    originals = originals[: max(1, len(originals) // 10)]
    rows = torch.arange(len(images))
    rows[replaced] = originals[torch.randint(len(originals), (len(replaced),), generator=random)]
    return images.select(rows)


def _test_in_training(splits: Splits, share: float, random: torch.Generator) -> Splits:
    """Add a share of the test images to the training images."""
    added = splits.test.select(torch.nonzero(_chosen(len(splits.test), share, random)).flatten())
    return replace(splits, train=splits.train.concat(added))


def _without_classes(images: ImageSet, count: float, random: torch.Generator) -> ImageSet:
    """Remove all images of ``count`` classes."""
    gone = torch.randperm(len(images.class_names), generator=random)[: round(count)]
    return images.select(torch.nonzero(~torch.isin(images.labels, gone)).flatten())


def _tiny_classes(images: ImageSet, share: float, random: torch.Generator) -> ImageSet:
    """Keep a share of the images of three classes."""
    tiny = torch.isin(images.labels, torch.randperm(len(images.class_names), generator=random)[:3])
    return images.select(torch.nonzero(~tiny | _chosen(len(images), share, random)).flatten())


SPOILS: dict[str, Spoil] = {
    "wrong-labels": _everywhere(_wrong_labels),
    "inverted": _everywhere(_inverted),
    "dark": _everywhere(_dark),
    "few": _in_training(_few),
    "few-in-all": _few_in_all,
    "copies": _in_training(_copies),
    "test-in-training": _test_in_training,
    "without-classes": _in_training(_without_classes),
    "tiny-classes": _in_training(_tiny_classes),
}
"""How data are spoiled, by name: a function of the clean set, a strength and random numbers."""


def write_npz(splits: Splits, file: Path) -> None:
    """Write a data set as a compressed ``.npz`` that ``--data`` reads with the same parts and classes.

    Raises:
        RunFailed: the disk is full.
    """
    arrays: dict[str, NDArray[Any]] = {"class_names": np.array(splits.train.class_names)}
    for part in ("train", "validation", "test"):
        images: ImageSet = getattr(splits, part)
        pixels = images.images.movedim(1, -1) if images.shape[0] == 3 else images.images[:, 0]
        arrays |= {f"x_{part}": pixels.contiguous().numpy(), f"y_{part}": images.labels.numpy()}
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, content.getvalue())


def data_file(folder: Path, data: str, spoil: str, strength: float, seed: int) -> str | Path:
    """Return what ``--data`` gets: "mnist", or the file in ``folder`` of the clean or spoiled set, made if missing.

    A clean set is the same for all seeds.

    Raises:
        UserError: the clean set is not on this machine.
        RunFailed: the disk is full.
    """
    if data not in DATA:
        raise UserError(f"no data of the patients are called {data!r}; give {', '.join(DATA)}")
    if data == "mnist" and not spoil:
        return "mnist"
    clean_file = folder / f"{data}.npz"
    if data != "mnist" and not clean_file.exists():
        write_npz(clean(data), clean_file)
    if not spoil:
        return clean_file
    file = folder / f"{data}-{spoil}-{strength:g}-seed-{seed}.npz"
    if not file.exists():
        splits = clean("mnist") if data == "mnist" else load(clean_file)
        write_npz(spoiled(splits, spoil, strength, seed), file)
    return file
