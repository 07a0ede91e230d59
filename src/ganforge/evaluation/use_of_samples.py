"""The use of generated sounds and signals: what is learned from them, told apart, nearer to training than held-out."""

from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score

from ganforge.data.images import ImageSet
from ganforge.evaluation.evaluator import random_subset
from ganforge.judge.judge import Judge
from ganforge.metrics.frechet import frechet_distance
from ganforge.metrics.memorisation import copying
from ganforge.metrics.modes import label_agreement

TREES, FOLDS = 200, 5
"""Trees of a random forest (Breiman 2001), and folds where it tells generated from real data."""


@dataclass(frozen=True)
class SampleUse:
    """Measurements of generated data beside real test data; shares are 0..1, None where there is no judge.

    Attributes:
        learned: share of the real test data that a random forest reads right that learned from the generated data.
        told_apart: share that a random forest tells rightly as real or generated, in five folds; .5: none.
        nearer: probability that a generated one is nearer to the training data than a real test one; .5 for reals.
        copies: share of exact copies of training data.
        agreement: share whose class the judge reads as asked.
        frechet: Fréchet distance on the judge's features.
    """

    learned: float
    told_apart: float
    nearer: float
    copies: float
    agreement: float | None = None
    frechet: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        """Return plain values for JSON."""
        return asdict(self)


def measure_use(generated: ImageSet, train: ImageSet, test: ImageSet, judge: Judge | None = None) -> SampleUse:
    """Measure labelled generated data; training and test data are real and have the same classes.

    The random forests see the values themselves. `told_apart` and the judge compare as many generated as test data.
    """
    few = random_subset(generated, min(len(generated), len(test)), "use")
    real = random_subset(test, len(few), "use of reals")
    forest = _forest().fit(_values(generated), generated.labels.numpy())
    both = np.concatenate([_values(real), _values(few)])
    is_generated = np.repeat([0, 1], [len(real), len(few)])
    copied = copying(_values(train), _values(test), _values(few))
    use = SampleUse(
        learned=float(forest.score(_values(test), test.labels.numpy())),
        told_apart=float(cross_val_score(_forest(), both, is_generated, cv=FOLDS).mean()),
        nearer=copied.closer_probability,
        copies=copied.share_exact,
    )
    return use if judge is None else _with_judge(use, few, real, judge)


def _with_judge(use: SampleUse, generated: ImageSet, real: ImageSet, judge: Judge) -> SampleUse:
    read, of_real = judge.look(generated.images), judge.look(real.images)
    agreement = label_agreement(read.classes, judge.numbered(generated.labels, generated.class_names))
    distance = frechet_distance(of_real.features, read.features)
    return SampleUse(use.learned, use.told_apart, use.nearer, use.copies, agreement, distance)


def _forest() -> RandomForestClassifier:
    return RandomForestClassifier(TREES, random_state=0)


def _values(images: ImageSet) -> NDArray[np.float32]:
    values: NDArray[np.float32] = images.images.flatten(1).to(torch.float32).div(255).numpy()
    return values
