"""The numbers that one measurement of a set of fakes yields, for the verdict and the diagnosis."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Noun = Literal["digit", "class"]
"""The word for one of a judge's classes in a sentence."""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """A judge's metrics of one set of fakes; every field can be written as JSON, None where it was not measured.

    A field whose name ends in ``real_reference`` holds the value of other real images in the place of the fakes, as a
    perfect generator would reach. Optional fields are also None in records of versions that did not have them.

    Attributes:
        judge: version of the judge.
        judge_hash: SHA-256 of its file.
        noun: word for one of its classes: ``digit`` or ``class``.
        class_names: names of the judge's classes that the reals have, in the order of all metrics per class.
        n_fake: number of fakes.
        n_real: number of real images.
        n_real_reference: number of other reals: n_fake, or fewer where there are fewer.
        class_shares: share of all fakes that the judge assigns to each class with confidence ≥ .8.
        real_class_shares: the same of the reals.
        classes_present: number of classes with at least .3 of their share among the reals (about .03 of the fakes for
            ten equal classes).
        confident: share of fakes with confidence ≥ .8; real test digits reach .99.
        confident_on_real: the same of the reals.
        class_spread: `within_class_spread` per predicted class; None below 10 samples.
        within_class_spread: mean of ``class_spread``; 1 for reals, 0 for one image per class.
        spread_real_reference: the same of the other reals (MNIST: 1.04).
        total_spread: variance of all fakes over that of all reals; 0 if all fakes are equal.
        label_agreement: share of fakes whose predicted class is the requested label.
        frechet_distance: between n_fake fakes and n_real reals on the judge's 128 features. Not an FID, which uses
            another network. None below 256 samples on a side. Compares only at equal numbers.
        frechet_real_reference: the same between the reals and the other reals.
        precision: share of the fakes that are as near to a real as its 5th neighbour among the reals, on the judge's
            128 features, equal numbers of both (5,000 at most); None below 50.
        precision_real_reference: precision of the other reals.
        recall: share of the reals that are as near to a fake as its 5th neighbour among the fakes. Recall drops when
            a few images repeat; spread does not.
        recall_real_reference: recall by the other reals.
        class_recall: recall within each class, of its reals by the fakes with that requested label (without labels,
            with that predicted class), equal numbers of both; None below 50.
        class_recall_real_reference: the same by other reals of the class, no more of them than fakes.
        class_agreement: label agreement of each class; None without requested labels.
        agreement_on_real: share of the reals whose predicted class is their label.
        from_pictures: whether the fakes are results for given pictures. The requested label is then the class of the
            true picture, which the given one may not tell.
    """

    judge: str
    judge_hash: str
    noun: Noun
    class_names: list[str]
    n_fake: int
    n_real: int
    n_real_reference: int
    class_shares: list[float]
    real_class_shares: list[float]
    classes_present: int
    confident: float
    confident_on_real: float
    class_spread: list[float | None]
    within_class_spread: float | None = None
    spread_real_reference: float | None = None
    total_spread: float | None = None
    label_agreement: float | None = None
    frechet_distance: float | None = None
    frechet_real_reference: float | None = None
    precision: float | None = None
    precision_real_reference: float | None = None
    recall: float | None = None
    recall_real_reference: float | None = None
    class_recall: list[float | None]
    class_recall_real_reference: list[float | None]
    class_agreement: list[float | None] | None = None
    agreement_on_real: float | None = None
    from_pictures: bool = False


FORMER_NAMES = {
    "floor": "real_reference",
    "ceiling": "worst_case",
    "n_floor": "n_real_reference",
    "spread_floor": "spread_real_reference",
    "frechet_floor": "frechet_real_reference",
    "precision_floor": "precision_real_reference",
    "recall_floor": "recall_real_reference",
    "class_recall_floor": "class_recall_real_reference",
}
"""Names in files of earlier versions, and the names of this version."""


def with_current_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with the names of this version in the place of `FORMER_NAMES`."""
    return {FORMER_NAMES.get(name, name): value for name, value in values.items()}
