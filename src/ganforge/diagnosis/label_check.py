"""The finding `label-noise` before the first step: labels that do not fit the pictures."""

import torch

from ganforge.data.images import ImageSet
from ganforge.diagnosis.finding import Evidence, Finding, Remedy
from ganforge.diagnosis.patch_features import patch_features
from ganforge.metrics.label_noise import WrongLabels, cross_validated_scores, wrong_labels
from ganforge.randomness import random_generator

FEWEST, FEWEST_FOR_PARTS = 200, 500
"""Smallest number of labelled images from which shuffled labels are reported, and from which a share of wrong ones."""
FEWEST_OF_CLASS = 10
"""Smallest mean number of images of a class, in the sample."""
WRONG, MOST_WRONG = 0.1, 0.4
"""Estimated share of wrong labels from which they are reported, and from which a conditional training fails."""
OF_DISAGREEMENT, FOR_FEW = 0.3, 7.0
"""Smallest share of the disagreement that wrong labels explain, for n images the first plus the second over √n.

Measured on random parts of clean CIFAR-10, at most: .22 of 3,000 images, .44 of 1,000, .54 of 600. With 22 % wrong
labels, of 3,000 images, at least: CIFAR-10 .48, MNIST .69. Clean MNIST, digits, glyphs and spoken digits: 0.
"""
OF_CHANCE_FOR_TWO = 0.65
"""Largest disagreement, relative to a constant prediction, from which wrong labels are told apart from two classes
that are hard to tell: of two classes the ranks of the labels say nothing more. Cats and dogs of CIFAR-10 have .74."""
SHUFFLED = 0.95
"""Disagreement, relative to a constant prediction, from which the labels tell nothing."""


def check_labels(sample: ImageSet) -> list[Finding]:
    """Return the finding ``label-noise`` on labelled images, or nothing.

    A linear classifier of patch features is cross-validated, and `wrong_labels` estimates the share of wrong labels.
    """
    rows = torch.nonzero(sample.labels >= 0).flatten()
    present = sample.labels[rows].unique()
    classes = len(present)
    if classes < 2 or len(rows) < max(FEWEST, FEWEST_OF_CLASS * classes):
        return []
    order = rows[torch.randperm(len(rows), generator=random_generator("label check"))]
    labels = torch.bucketize(sample.labels[order], present)
    features = patch_features(sample.images[order], random_generator("patches"))
    estimate = wrong_labels(cross_validated_scores(features, labels, classes), labels)
    if estimate.wrong < WRONG:
        return []
    shuffled = estimate.disagreement >= SHUFFLED * estimate.chance
    explained = (OF_DISAGREEMENT + FOR_FEW / len(labels) ** 0.5) * estimate.disagreement
    told = classes > 2 or estimate.disagreement <= OF_CHANCE_FOR_TWO * estimate.chance
    partly = told and len(labels) >= FEWEST_FOR_PARTS and estimate.wrong >= explained
    return [_finding(estimate, classes, shuffled)] if shuffled or partly else []


def _finding(estimate: WrongLabels, classes: int, shuffled: bool) -> Finding:
    agreement, chance = 1 - estimate.disagreement, 1 - estimate.chance
    if shuffled:
        text = f"the labels do not fit the pictures: a classifier agrees with {agreement:.0%}, chance is {chance:.0%}"
    else:
        text = (
            f"about {estimate.wrong:.0%} of the labels look wrong: a classifier that learned from other pictures "
            f"contradicts {estimate.disagreement:.0%} of all, and nearly as many where it is surest"
        )
    return Finding(
        "label-noise",
        2 if shuffled or estimate.wrong >= MOST_WRONG else 1,
        text,
        "look at pictures of a class ('ganforge data show'), and repair the labels",
        (
            Evidence("share of labels that look wrong", estimate.wrong, 0, WRONG),
            Evidence("share of labels that a classifier does not predict", estimate.disagreement, 0, estimate.chance),
        ),
        cause="pictures and labels are in different orders" if shuffled else "careless or automatic labelling",
        remedies=(Remedy("repair the labels; or train a recipe without labels, such as forge-2-unconditional"),),
        reconsider=f"if a person cannot tell the {classes} classes from these pictures either, the labels may be right",
    )
