"""Findings on data before the first step: levels, polarity, copies, classes and labels.

Test images are compared with training images for copies, and are used for nothing else.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from ganforge.data.images import ImageSet, Splits
from ganforge.data.summary import (
    GREY,
    NARROW_RANGE,
    SCARCE_CLASS,
    Summary,
    class_warnings,
    copy_warnings,
    level_warnings,
    summarise,
)
from ganforge.diagnosis.finding import Evidence, Finding, Remedy
from ganforge.diagnosis.label_check import check_labels
from ganforge.randomness import random_generator

MANY = 0.05
"""Share of copies that impairs a training or a measurement; fewer are remarked: pictures drawn by code may meet."""
SAMPLE, SAMPLE_BYTES = 3_000, 2**28
"""Largest number of training images whose pixels are looked at, drawn with a fixed seed, and their largest size."""
BLOCK_BYTES = 2**22
"""Size of the images that are looked at at once, as numbers of four times the size."""
OUTLIERS = 0.01
"""Share of images whose levels may lie outside the range that counts."""
HALF_RANGE = 128
"""Range of levels below which a set uses less than half of 0..255."""
DARK_BORDER, LIGHT_BORDER = 85, 170
"""Median level of a border below which the border is dark, and above which it is light."""
NEAR_GROUND, GROUND = 25, 0.7
"""A picture has a plain ground if a share of its border, the second, lies within the first, in levels, of its median:
all of MNIST and of glyphs that touch the border, 27 % of CIFAR-10."""
PLAIN_SHARE = 0.8
"""Share of pictures on plain ground from which the polarity of a set is looked at."""
CAMP = 0.1
"""Share of pictures from which the smaller camp of a polarity counts; fewer are exceptions."""


def check_data(splits: Splits, summary: Summary | None = None) -> list[Finding]:
    """Return what is wrong with data, most serious first; an empty list where nothing is.

    The time is that of `summarise`, which reads every image once, and at most two seconds for a sample of `SAMPLE`
    training images with a fixed seed.

    Args:
        splits: the data.
        summary: their summary, where the caller has it already.
    """
    summary = summary or summarise(splits)
    sample = _sample(splits.train)
    found = [
        *(list(_range(summary, sample)) or _colours(summary)),
        *_polarity(sample),
        *_duplicates(summary),
        *_classes(summary),
        *check_labels(sample),
    ]
    return sorted(found, key=lambda finding: -finding.severity)


def _sample(images: ImageSet) -> ImageSet:
    count = min(SAMPLE, max(1, SAMPLE_BYTES // math.prod(images.shape)))
    if len(images) <= count:
        return images
    chosen = torch.randperm(len(images), generator=random_generator("data checks"))[:count]
    return images.select(chosen.sort().values)


def _range(summary: Summary, sample: ImageSet) -> Iterator[Finding]:
    """Find levels that use a small part of 0..255: of all images, or of all but a few (`OUTLIERS`)."""
    flat = sample.images.flatten(1)
    low = int(flat.amin(1).float().quantile(OUTLIERS))
    high = math.ceil(flat.amax(1).float().quantile(1 - OUTLIERS))
    if high - low >= HALF_RANGE:
        return
    narrow = high - low < NARROW_RANGE
    lines = level_warnings(summary.pixel_min, summary.pixel_max)
    few = "all images but a few" if (summary.pixel_min, summary.pixel_max) != (low, high) else "all images"
    yield Finding(
        "data-range",
        2 if narrow else 1,
        lines[0] if lines else f"the levels of {few} lie between {low} and {high} of 0..255: the contrast is weak",
        "" if lines else "--levels LOW,HIGH says which levels of the files are black and white",
        (Evidence("range of the pixel levels", high - low, HALF_RANGE, 255),),
        cause="the files hold few levels, such as 0..16 or 12 bits of 16, or the pictures are underexposed",
        remedies=(Remedy("read the levels of the files that are black and white as such: --levels LOW,HIGH"),),
        reconsider="if the samples show all the contrast of the pictures, the few levels do no harm",
    )


def _colours(summary: Summary) -> Iterator[Finding]:
    if GREY in summary.warnings:
        yield Finding(
            "data-range",
            0,
            GREY,
            cause="grey pictures were saved with three channels, and read with --colour or as an array",
            remedies=(Remedy("read the pictures without --colour, or store one channel"),),
            reconsider="if further pictures of this set have colours, keep three channels",
        )


def _polarity(sample: ImageSet) -> Iterator[Finding]:
    """Find borders in two camps: plain dark ground with lighter content, and plain light ground with darker content.

    Photographs have no plain ground, and signals have no border.
    """
    if min(sample.shape[1:]) < 3:
        return
    blocks = sample.images.split(max(1, BLOCK_BYTES // math.prod(sample.shape)))
    dark, light = torch.cat([_camps(block) for block in blocks]).float().mean(0).tolist()
    if dark + light < PLAIN_SHARE or min(dark, light) < CAMP:
        return
    yield Finding(
        "data-polarity",
        1,
        f"{dark:.0%} of the pictures are light on dark and {light:.0%} dark on light: two kinds of pictures to learn, "
        "and a judge that expects one of them",
        "invert one of the two camps",
        (Evidence("share of the smaller camp of polarity", min(dark, light), 0, CAMP),),
        cause="pictures from two sources, of which one has black and white exchanged",
        remedies=(Remedy("invert the pictures of one camp (255 minus the level)"),),
        reconsider="if both kinds are meant to be drawn, the data are right",
    )


def _camps(images: Tensor) -> Tensor:
    """Return whether each of uint8 images [N, C, H, W] is light on plain dark ground, or dark on light: bool [N, 2]."""
    grey = images.float().mean(1)
    border = torch.cat([grey[:, 0], grey[:, -1], grey[:, 1:-1, 0], grey[:, 1:-1, -1]], 1)
    ground, inner = border.median(1).values, grey[:, 1:-1, 1:-1].mean((1, 2))
    plain = ((border - ground[:, None]).abs() < NEAR_GROUND).float().mean(1) >= GROUND
    dark = plain & (ground < DARK_BORDER) & (inner > ground)
    light = plain & (ground > LIGHT_BORDER) & (inner < ground)
    return torch.stack([dark, light], 1)


def _duplicates(summary: Summary) -> Iterator[Finding]:
    lines = copy_warnings(summary)
    if not lines:
        return
    copies = summary.duplicates / summary.counts["train"]
    known = summary.test_in_train / summary.counts["test"]
    all_equal = summary.duplicates == summary.counts["train"] - 1
    yield Finding(
        "data-duplicates",
        2 if all_equal else 1 if max(copies, known) >= MANY else 0,
        "; ".join(lines),
        "",
        (
            Evidence("share of training images that repeat an earlier one", copies, 0, MANY),
            Evidence("share of test images among the training images", known, 0, MANY),
        ),
        cause="the same files were collected twice, or copied to make the set larger",
        remedies=(Remedy("remove the copies, and test images from the training images"),),
        reconsider="if a picture is as frequent as it is in the world, its copies are right",
    )


def _classes(summary: Summary) -> Iterator[Finding]:
    """Find classes that are empty, or far below their fair share (`SCARCE_CLASS`), of a set with labels."""
    present = [entry for entry in summary.classes if entry.count]
    lines = class_warnings(summary) if len(present) > 1 else []  # a single class is no fault of a set
    if not lines:
        return
    smallest = min(entry.share for entry in summary.classes) * len(summary.classes)
    yield Finding(
        "data-classes",
        1,
        "; ".join(lines),
        "",
        (Evidence("smallest class, of a fair share", smallest, SCARCE_CLASS, None),),
        cause="too few pictures of these classes were collected, or class folders are empty",
        remedies=(Remedy("collect more pictures of the classes named, or leave these classes out"),),
        reconsider="if a class is meant to be as rare as this, the shares are right",
    )
