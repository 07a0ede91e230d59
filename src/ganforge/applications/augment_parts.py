"""The parts of a data set for an honest choice: few labels, pictures without labels, validation and test images.

No picture is in two parts, and labels beyond the few are gone. The images that choose, and those that report, are
opened once each.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from ganforge.data.images import ImageSet, Splits
from ganforge.errors import UserError
from ganforge.generation.generator import Generator, load_generator
from ganforge.randomness import random_generator
from ganforge.runs.folder import RunFolder

USUAL_VALIDATION = 1000
"""Validation images with labels that choose, unless the user says how many."""
NO_LABEL = ("unlabelled", "unlabeled")
"""Names of a class, such as that of a folder, whose pictures have no label."""


class AlreadyUsedError(RuntimeError):
    """Images that may be used once were asked for again: a bug, never the user's fault."""


class UsedOnce:
    """Images that can be opened once: to choose an option, or to report the error of the chosen one."""

    def __init__(self, images: ImageSet, purpose: str) -> None:
        self._images, self.purpose = images, purpose
        self.is_open = False

    def __len__(self) -> int:
        return len(self._images)

    def open(self) -> ImageSet:
        """Return the images, the first time.

        Raises:
            AlreadyUsedError: they were opened before.
        """
        if self.is_open:
            raise AlreadyUsedError(f"{self._images.name}: opened already to {self.purpose}")
        self.is_open = True
        return self._images


@dataclass(frozen=True)
class Parts:
    """The parts of a data set; no picture is in two of them.

    Attributes:
        labelled: the training images with labels, K of them.
        original: int64 [K], the index of each in the training part of the data.
        unlabelled: all other training images, with -1 in place of labels; None if there are none.
        unlabelled_original: int64 [M], the index of each of them in the training part.
        validation: labelled images to choose with.
        test: labelled images to report with.
        repeated: number of training and validation images left out because they are validation or test images, too.
        whole_training: fingerprint of the whole training part of the data; empty where images of it were left out.
    """

    labelled: ImageSet
    original: Tensor
    unlabelled: ImageSet | None
    unlabelled_original: Tensor
    validation: UsedOnce
    test: UsedOnce
    repeated: int
    whole_training: str

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.labelled.class_names)


def divide(splits: Splits, labels: int | None = None, *, validation_labels: int | None = None, draw: int = 0) -> Parts:
    """Divide a data set so that ``labels`` training images have labels, by default all that have one.

    The labelled images are the same number of each class, as far as a class has so many, selected with seed ``draw``. A
    training image with the pixels of a validation or test image is left out, and so is such a validation image.

    Args:
        splits: the data.
        labels: number of labelled training images, K.
        validation_labels: number of validation images that choose; `USUAL_VALIDATION`, or all of fewer.
        draw: number of the selection.

    Raises:
        UserError: there are no labels, fewer than two classes, more labels wanted than there are, or fewer than
            classes, or no labelled validation or test images.
    """
    train, validation, test = map(_without_label_class, (splits.train, splits.validation, splits.test))
    test = _labelled_only(test, "test")
    validation, repeated_validation = _without_pictures_of(_labelled_only(validation, "validation"), test)
    usable, repeated = _outside(train.images, (validation, test))
    indices = torch.nonzero(usable).flatten()
    chosen = indices[_choose(train.labels[indices], labels, train, draw)]
    others = usable.clone()
    others[chosen] = False
    rest = torch.nonzero(others).flatten()
    return Parts(
        train.select(chosen),
        chosen,
        replace(train.select(rest), labels=torch.full((len(rest),), -1)) if len(rest) else None,
        rest,
        UsedOnce(_some(validation, validation_labels), "choose"),
        UsedOnce(test, "report"),
        repeated + repeated_validation,
        splits.train.fingerprint if not repeated else "",
    )


def check_generator(run: Path, parts: Parts) -> Generator:
    """Return the generator of a run if its record proves that it has seen nothing but what these parts allow.

    Allowed are the labelled images, and, for a generator that uses no labels, the whole training part of the data. A
    record that leaves room for other pictures is refused: it may have seen validation or test images.

    Raises:
        UserError: the run is refused, or its pictures have another shape or other classes.
    """
    if not run.is_dir():
        raise UserError(f"--model {run}: give a run's folder: a generator file does not say which pictures it has seen")
    saved, generator = RunFolder(run).read_run(), load_generator(run)
    seen, recipe = saved.get("train_fingerprint"), generator.recipe
    unrecorded = seen is None or generator.note.get("fingerprint") != saved.get("fingerprint")
    if unrecorded or saved.get("start_from"):
        raise UserError(
            f"--model {run}: its record does not say which pictures it has seen in all (an older run, or --from); "
            "train again, or leave out --model"
        )
    few = f"the {len(parts.labelled):,} labelled training images of these data"
    if seen != parts.labelled.fingerprint:
        if seen != parts.whole_training:
            raise UserError(
                f"--model {run}: has seen other pictures than {few}; leave out --model to train one on them"
            )
        if recipe.uses_classes or recipe.terms.supervised is not None:
            raise UserError(f"--model {run}: has seen more labels than those of {few}; leave out --model")
    if recipe.pairs or tuple(generator.note["shape"]) != parts.labelled.shape:
        raise UserError(f"--model {run}: draws no pictures of the shape {list(parts.labelled.shape)} from noise")
    return generator


def _without_label_class(images: ImageSet) -> ImageSet:
    """Return the images with -1 in place of the label of a class that is called "unlabelled"."""
    number = next((i for i, name in enumerate(images.class_names) if name.lower() in NO_LABEL), None)
    if number is None:
        return images
    labels = torch.where(images.labels == number, -1, images.labels - (images.labels > number).long())
    names = tuple(name for name in images.class_names if name.lower() not in NO_LABEL)
    return replace(images, labels=labels, class_names=names)


def _labelled_only(images: ImageSet, part: str) -> ImageSet:
    rows = torch.nonzero(images.labels >= 0).flatten()
    if len(rows) < 2:
        raise UserError(f"{images.name}: fewer than two {part} images have a label, and labels are needed to measure")
    return images if len(rows) == len(images) else images.select(rows)


def _choose(labels: Tensor, count: int | None, train: ImageSet, draw: int) -> Tensor:
    """Return the indices of ``count`` labelled images: the first of each class, the second of each, and so on."""
    available = int((labels >= 0).sum())
    if not available:
        raise UserError(f"{train.name}: has no labels; 'augment' needs some, such as a folder for each class")
    classes = [number for number in range(len(train.class_names)) if bool((labels == number).any())]
    if len(classes) < 2:
        raise UserError(f"{train.name}: its labelled images have one class only; a classifier needs two or more")
    if len(classes) < len(train.class_names):
        missing = next(name for i, name in enumerate(train.class_names) if i not in classes)
        raise UserError(f"{train.name}: no training image has the class {missing}; every class needs one")
    if count is None:
        return torch.nonzero(labels >= 0).flatten()
    if count > available:
        raise UserError(f"--labels {count:,}: only {available:,} training images of {train.name} have a label")
    if count < len(classes):
        raise UserError(f"--labels {count}: {train.name} has {len(classes)} classes; give one label for each, or more")
    ranked: list[tuple[int, int, int]] = []
    for number in classes:
        of_class = torch.nonzero(labels == number).flatten()
        order = torch.randperm(len(of_class), generator=random_generator("labels", draw, number))
        ranked += [(rank, number, int(index)) for rank, index in enumerate(of_class[order[:count]])]
    return torch.tensor([index for _, _, index in sorted(ranked)[:count]])


def _some(validation: ImageSet, count: int | None) -> ImageSet:
    if count is None:
        count = min(USUAL_VALIDATION, len(validation))
    if count > len(validation):
        raise UserError(f"--validation-labels {count:,}: {validation.name} has only {len(validation):,} images")
    order = torch.randperm(len(validation), generator=random_generator("validation labels"))
    return validation.select(order[:count])


def _outside(images: Tensor, others: Iterable[ImageSet]) -> tuple[Tensor, int]:
    """Return which images, bool [N], occur in none of the other sets, and the number of those that occur."""
    known = {picture.tobytes() for other in others for picture in other.images.numpy()}
    outside = torch.tensor([picture.tobytes() not in known for picture in images.numpy()])
    return outside, int((~outside).sum())


def _without_pictures_of(images: ImageSet, other: ImageSet) -> tuple[ImageSet, int]:
    outside, repeated = _outside(images.images, [other])
    if int(outside.sum()) < 2:
        raise UserError(f"{images.name}: its pictures are those of {other.name}; give other ones")
    return (images.select(torch.nonzero(outside).flatten()), repeated) if repeated else (images, 0)
