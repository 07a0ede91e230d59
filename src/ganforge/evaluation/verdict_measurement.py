"""The measurement of a verdict, from features of fakes, of reals, and of other reals in the place of the fakes."""

from collections.abc import Callable

import torch
from torch import Tensor

from ganforge.evaluation.class_metrics import (
    agreement,
    class_agreement,
    class_spread,
    features_of_class,
    none_if_nan,
    shares_of,
)
from ganforge.evaluation.features import Features
from ganforge.judge.judge import Judge
from ganforge.metrics.frechet import frechet_distance
from ganforge.metrics.measurement import Measurement
from ganforge.metrics.modes import classes_among, classes_present, confident_share
from ganforge.metrics.neighbours import precision, recall
from ganforge.metrics.spread import mean_spread, total_spread
from ganforge.metrics.thresholds import FEWEST_FOR_FRECHET, FEWEST_FOR_RECALL, MOST_FOR_RECALL
from ganforge.randomness import random_generator


def measurement(judge: Judge, real: Features, fake: Features, others: Features) -> Measurement:
    """Measure fakes against reals; published numbers need 10,000 of each.

    Args:
        judge: the classifier that gave the features.
        real: the reals, with labels where they have some.
        fake: the fakes, with the requested labels of a conditional generator.
        others: other reals, at most as many as fakes.
    """
    names = judge.class_names
    shares, real_shares = (shares_of(features, len(names)) for features in (fake, real))
    classes = classes_among(real_shares, real.labels)
    spread, other_spread = (class_spread(real, features, len(names))[classes] for features in (fake, others))
    by_class = [[features_of_class(features, k) for features in (real, fake, others)] for k in classes]
    assert real.spread_features is not None
    assert fake.spread_features is not None
    assert real.confidence is not None
    assert fake.confidence is not None
    return Measurement(
        judge=judge.version,
        judge_hash=judge.hash,
        noun=judge.noun,
        class_names=[names[k] for k in classes],
        n_fake=len(fake),
        n_real=len(real),
        n_real_reference=len(others),
        class_shares=shares[classes].tolist(),
        real_class_shares=real_shares[classes].tolist(),
        classes_present=classes_present(shares, real_shares, classes),
        confident=confident_share(fake.confidence),
        confident_on_real=confident_share(real.confidence),
        class_spread=[none_if_nan(ratio) for ratio in spread.tolist()],
        within_class_spread=none_if_nan(mean_spread(spread)),
        spread_real_reference=none_if_nan(mean_spread(other_spread)),
        total_spread=none_if_nan(total_spread(real.spread_features, fake.spread_features)),
        label_agreement=agreement(fake),
        frechet_distance=_distance(real, fake),
        frechet_real_reference=_distance(real, others),
        precision=_on_equal_numbers(precision, real.features, fake.features),
        precision_real_reference=_on_equal_numbers(precision, real.features, others.features),
        recall=_on_equal_numbers(recall, real.features, fake.features),
        recall_real_reference=_on_equal_numbers(recall, real.features, others.features),
        class_recall=[_on_equal_numbers(recall, reals, fakes) for reals, fakes, _ in by_class],
        class_recall_real_reference=[
            _on_equal_numbers(recall, reals, other_reals[: len(fakes)]) for reals, fakes, other_reals in by_class
        ],
        class_agreement=[class_agreement(fake, k) for k in classes] if fake.labels is not None else None,
        agreement_on_real=agreement(real),
    )


def _on_equal_numbers(metric: Callable[[Tensor, Tensor], float], real: Tensor, other: Tensor) -> float | None:
    """Compute a metric of equally many rows of both, from fixed permutations; None below 50."""
    count = min(len(real), len(other), MOST_FOR_RECALL)
    if count < FEWEST_FOR_RECALL:
        return None
    return metric(_fixed_subset(real, count), _fixed_subset(other, count))


def _fixed_subset(features: Tensor, count: int) -> Tensor:
    return features[torch.randperm(len(features), generator=random_generator("judge", "recall"))[:count]]


def _distance(real: Features, fake: Features) -> float | None:
    if min(len(real), len(fake)) < FEWEST_FOR_FRECHET:
        return None
    return frechet_distance(real.features, fake.features)
