"""The share of wrong labels, from the scores of a classifier that was trained on other samples."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

SURE_SHARE, SUREST_SHARE = 0.25, 0.1
"""Shares of the samples on which the classifier is surest: for the ranks of the labels, and for disagreement."""
FEWEST_SURE = 100
"""Number of the surest samples, where a tenth would be fewer; at most a quarter of all."""


class WrongLabels(NamedTuple):
    """An estimate of wrong labels.

    Attributes:
        wrong: share of wrong labels, 0..1.
        disagreement: share of all samples whose label the classifier does not predict, 0..1.
        chance: the same of a constant prediction of the most frequent class.
        n: number of samples that ``wrong`` rests on.
    """

    wrong: float
    disagreement: float
    chance: float
    n: int


def cross_validated_scores(
    features: Tensor, labels: Tensor, classes: int, *, folds: int = 4, ridge: float = 0.1
) -> Tensor:
    """Return the class scores [N, classes] of samples by linear classifiers that were fitted without them.

    Least squares on one-hot labels with a ridge: W = (Xᵀ X + ridge·n·I)⁻¹ Xᵀ Y for standardised features X, fitted on
    all folds but that of the sample. Sample i is in fold i mod ``folds``.

    Args:
        features: float [N, F].
        labels: int64 [N], 0 to ``classes`` - 1.
        classes: number of classes.
        folds: number of parts.
        ridge: strength of the ridge, relative to a standardised feature.
    """
    x = (features - features.mean(0)) / (features.std(0) + 1e-4)
    x = torch.cat([x, torch.ones(len(x), 1)], 1)
    y = torch.nn.functional.one_hot(labels, classes).float()
    squares, products = x.T @ x, x.T @ y
    strength = ridge * len(x) * torch.eye(x.shape[1])
    scores = torch.empty(len(x), classes)
    for fold in range(folds):
        part = x[fold::folds]
        weights = torch.linalg.solve(squares - part.T @ part + strength, products - part.T @ y[fold::folds])
        scores[fold::folds] = part @ weights
    return scores


def wrong_labels(scores: Tensor, labels: Tensor) -> WrongLabels:
    """Estimate the share of wrong labels as the smaller of two shares among the samples with the largest margins.

    A classifier errs on samples whose margin is small, and then prefers a class that looks like the right one. Wrong
    labels are anywhere: as frequent where the margin is large, and as often the class with the lowest score as the
    second. Each share uses one of these differences:

    - of the tenth with the largest margins (`SUREST_SHARE`): the share whose label is not the class of highest score;
    - of the quarter with the largest margins (`SURE_SHARE`): the share whose label is in the lower half of the classes
      by score, over the share that random labels have there, times (K − 1) / K for K classes. This is Storey's
      estimate of the share of true null hypotheses (2002, eq. 6), with the rank of the label as p-value.

    Labels that are random for each sample are found; a class that is always called by another's name is not.

    Args:
        scores: float [N, K], of a classifier that was not trained on the sample.
        labels: int64 [N].
    """
    count, classes = scores.shape
    top = scores.topk(2, 1).values
    by_margin = (top[:, 0] - top[:, 1]).argsort(descending=True, stable=True)
    differs = (scores.argmax(1) != labels).float()
    surest = by_margin[: max(int(count * SUREST_SHARE), min(FEWEST_SURE, int(count * SURE_SHARE)))]
    sure = by_margin[: int(count * SURE_SHARE)]
    ranks = (scores > scores.gather(1, labels[:, None])).sum(1)  # [N], 0 for the highest score
    lower = math.ceil(classes / 2)
    random_share = (classes - lower) / classes
    from_ranks = float((ranks[sure] >= lower).float().mean()) / random_share * (classes - 1) / classes
    frequent = float(torch.bincount(labels).max()) / count
    return WrongLabels(min(float(differs[surest].mean()), from_ranks), float(differs.mean()), 1 - frequent, len(surest))
