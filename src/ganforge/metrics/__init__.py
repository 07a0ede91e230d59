"""Metrics of fakes against reals, as functions of feature arrays. The reals are the first argument.

>>> from ganforge.metrics import frechet_distance
>>> frechet_distance(real_features, fake_features)  # doctest: +SKIP
"""

from ganforge.metrics.clustering import clustering_accuracy
from ganforge.metrics.copying_test import CopyingTest, copying_test
from ganforge.metrics.frechet import frechet_distance
from ganforge.metrics.intervals import Interval, interval_of_splits, proportion_interval, split_interval
from ganforge.metrics.kernel import kernel_distance
from ganforge.metrics.measurement import Measurement
from ganforge.metrics.memorisation import (
    Copying,
    closer_probability,
    copying,
    exact_copies,
    nearest_distances,
    repetition,
    twin_share,
)
from ganforge.metrics.modes import (
    class_shares,
    classes_among,
    classes_present,
    confident_share,
    label_agreement,
    mode_coverage,
    reverse_kl,
)
from ganforge.metrics.neighbours import (
    coverage,
    density,
    density_coverage,
    neighbourhood,
    precision,
    precision_recall,
    recall,
)
from ganforge.metrics.rank import effective_rank
from ganforge.metrics.reconstruction import relative_mse, sharpness
from ganforge.metrics.spread import mean_spread, total_spread, within_class_spread

__all__ = [
    "Copying",
    "CopyingTest",
    "Interval",
    "Measurement",
    "class_shares",
    "classes_among",
    "classes_present",
    "closer_probability",
    "clustering_accuracy",
    "confident_share",
    "copying",
    "copying_test",
    "coverage",
    "density",
    "density_coverage",
    "effective_rank",
    "exact_copies",
    "frechet_distance",
    "interval_of_splits",
    "kernel_distance",
    "label_agreement",
    "mean_spread",
    "mode_coverage",
    "nearest_distances",
    "neighbourhood",
    "precision",
    "precision_recall",
    "proportion_interval",
    "recall",
    "relative_mse",
    "repetition",
    "reverse_kl",
    "sharpness",
    "split_interval",
    "total_spread",
    "twin_share",
    "within_class_spread",
]
