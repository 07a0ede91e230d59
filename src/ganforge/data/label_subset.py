"""The labelled subset of a data set for semi-supervised training."""

import torch
from torch import Tensor

from ganforge.data.images import ImageSet
from ganforge.errors import UserError
from ganforge.randomness import random_generator


def labelled_subset(images: ImageSet, count: int = 0, draw: int = 0) -> ImageSet:
    """Return ``count`` labelled images, the same number for each class, selected with seed ``draw``; 0 selects all.

    The selection depends on ``draw`` but not on the seed of a run, so methods can be compared on the same labels.

    Raises:
        UserError: there are no labels, ``count`` is not a multiple of the classes, or a class has too few images.
    """
    labelled = torch.nonzero(images.labels >= 0).flatten()
    classes = len(images.class_names)
    if not len(labelled):
        raise UserError(f"{images.name}: has no labels, which this recipe needs; give labelled data or another recipe")
    if not count:
        return images.select(labelled)
    if count % classes:
        raise UserError(
            f"data.labels = {count}: is not a multiple of the {classes} classes; give a multiple of {classes}"
        )
    selected: list[Tensor] = []
    for label in range(classes):
        of_class = torch.nonzero(images.labels == label).flatten()
        if len(of_class) < count // classes:
            raise UserError(
                f"data.labels = {count}: class {images.class_names[label]} of {images.name} has only {len(of_class)} "
                f"images; give at most {len(of_class) * classes}"
            )
        permutation = torch.randperm(len(of_class), generator=random_generator("labels", draw, label))
        selected.append(of_class[permutation[: count // classes]])
    return images.select(torch.cat(selected))


def repeat_to(images: ImageSet, count: int) -> ImageSet:
    """Repeat the images whole until there are at least ``count``, for batches larger than the labelled subset."""
    if len(images) >= count:
        return images
    return images.select(torch.arange(-(-count // len(images)) * len(images)) % len(images))
