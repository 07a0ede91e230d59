"""Those images whose class may be known, where a method learns from few labels."""

import torch
from torch import Tensor

from ganforge.data.images import ImageSet
from ganforge.errors import UserError
from ganforge.randomness import random_generator


def labelled_subset(images: ImageSet, count: int = 0, draw: int = 0) -> ImageSet:
    """Return ``count`` images with labels, as many of each class, drawn by lot number ``draw``; 0 is all that have one.

    The lot depends on ``draw`` alone and not on a run's seed: methods compare on the same labels.

    Raises:
        UserError: no labels, a count that the classes do not share, or a class with too few images.
    """
    known = torch.nonzero(images.labels >= 0).flatten()
    classes = len(images.class_names)
    if not len(known):
        raise UserError(f"{images.name} has no labels, and this recipe learns from some")
    if not count:
        return images.select(known)
    if count % classes:
        raise UserError(f"data.labels = {count}: {classes} classes cannot share them; take a multiple of {classes}")
    chosen: list[Tensor] = []
    for label in range(classes):
        own = torch.nonzero(images.labels == label).flatten()
        if len(own) < count // classes:
            raise UserError(
                f"data.labels = {count}: class {images.class_names[label]} of {images.name} has {len(own)} images only"
            )
        lot = torch.randperm(len(own), generator=random_generator("labels", draw, label))
        chosen.append(own[lot[: count // classes]])
    return images.select(torch.cat(chosen))


def repeat_to(images: ImageSet, count: int) -> ImageSet:
    """Return the images as often as it takes to have ``count``: a batch may be larger than what is labelled."""
    if len(images) >= count:
        return images
    return images.select(torch.arange(-(-count // len(images)) * len(images)) % len(images))
