"""The figures of a case in one shape, from the judge's measurement, from signals, or from the log alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median
from typing import TypeVar

from ganforge.diagnosis.case import Case, Signals
from ganforge.diagnosis.finding import Evidence
from ganforge.diagnosis.moments import current
from ganforge.diagnosis.thresholds import FAR, FAR_JUDGED
from ganforge.metrics.measurement import Measurement, Noun
from ganforge.metrics.thresholds import NEAR, READABLE_SHARE

T = TypeVar("T")


@dataclass(frozen=True)
class ClassFigures:
    """The figures of one class; None where a figure was not measured.

    Attributes:
        name: of the class.
        share, real_share: share of the class among the fakes, and among the reals.
        spread: of the class's fakes, over that of its reals.
        agreement: share of the fakes asked to be of this class that are read as it.
        recall: share of the class's reals that are near to one of its fakes.
        recall_real_reference: the same by other reals.
    """

    name: str
    share: float
    real_share: float
    spread: float | None = None
    agreement: float | None = None
    recall: float | None = None
    recall_real_reference: float | None = None


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What is known of the pictures at the latest examination; None where a figure was not measured.

    Attributes:
        noun: word for a class.
        reader: who sees the pictures, in words.
        judged: whether a judge measured them, after the training.
        n: number of pictures.
        spread: variance of the fakes over that of the reals.
        within_class: mean spread within a class.
        classes: a row for each class that the reals have; empty without labels.
        agreement, accuracy: share of fakes read as the class asked for, and of reals read as their label.
        recall, recall_real_reference: share of reals near to a fake, and near to another real.
        frechet, frechet_real_reference: Fréchet distance of the fakes, and of other reals.
        confident, confident_on_real: share of pictures of which the judge, or the reader of the examination, is sure.
    """

    noun: Noun = "class"
    reader: str = "the judge"
    judged: bool = False
    n: int = 0
    spread: float | None = None
    within_class: float | None = None
    classes: tuple[ClassFigures, ...] = ()
    agreement: float | None = None
    accuracy: float = 1.0
    recall: float | None = None
    recall_real_reference: float | None = None
    frechet: float | None = None
    frechet_real_reference: float | None = None
    confident: float | None = None
    confident_on_real: float = 1.0

    @property
    def distance(self) -> float | None:
        """Fréchet distance in multiples of that of other reals: 1 for a perfect generator."""
        if self.frechet is None or not self.frechet_real_reference:
            return None
        return self.frechet / self.frechet_real_reference

    @property
    def far(self) -> bool:
        """Whether the pictures are far from real ones."""
        return self.distance is not None and self.distance >= (FAR_JUDGED if self.judged else FAR)

    @property
    def relative_recall(self) -> float | None:
        """Recall relative to that of other reals: 1 for a perfect generator."""
        if self.recall is None or not self.recall_real_reference:
            return None
        return self.recall / self.recall_real_reference

    @property
    def followed(self) -> float | None:
        """Share of pictures that follow their label, relative to the reader's accuracy on reals."""
        return None if self.agreement is None else self.agreement / (self.accuracy or 1.0)

    @property
    def readable(self) -> bool:
        """Whether the reader is sure of most pictures, compared with real ones; True where there is no reader."""
        return self.confident is None or self.confident >= READABLE_SHARE * self.confident_on_real


def figures(case: Case) -> Figures:
    """Return the figures of a case: the judge's, else those of the latest signals, else those of the log."""
    if case.measured:
        return _measured(case.measured)
    if now := current(case):
        return _examined(now, case)
    return Figures(noun=case.facts.noun, spread=_logged_spread(case))


def distance_evidence(now: Figures) -> tuple[Evidence, ...]:
    """Return the Fréchet distance with its healthy range; nothing where it was not measured."""
    if now.distance is None:
        return ()
    name = "Fréchet distance, in multiples of real against real"
    return (Evidence(name, now.distance, None, NEAR, signal="distance"),)


def sure_evidence(now: Figures) -> tuple[Evidence, ...]:
    """Return the share of pictures of which the reader is sure, with its healthy range; nothing without a reader."""
    if now.confident is None:
        return ()
    name, healthy = f"share of the pictures of which {now.reader} is sure", READABLE_SHARE * now.confident_on_real
    return (Evidence(name, now.confident, healthy, signal="confident"),)


def _measured(m: Measurement) -> Figures:
    agreements = m.class_agreement or [None] * len(m.class_names)
    columns = (m.class_names, m.class_shares, m.real_class_shares, m.class_spread, agreements)
    rows = zip(*columns, m.class_recall, m.class_recall_real_reference, strict=False)
    return Figures(
        noun=m.noun,
        judged=True,
        n=m.n_fake,
        spread=m.total_spread,
        within_class=m.within_class_spread,
        classes=tuple(ClassFigures(*row) for row in rows),
        agreement=None if m.from_pictures else m.label_agreement,  # the class of a true picture was not asked for
        accuracy=m.agreement_on_real or 1.0,
        recall=m.recall,
        recall_real_reference=m.recall_real_reference,
        frechet=m.frechet_distance,
        frechet_real_reference=m.frechet_real_reference,
        confident=m.confident,
        confident_on_real=m.confident_on_real,
    )


def _examined(signals: Signals, case: Case) -> Figures:
    rows = tuple(row for row in _rows(signals, case.facts.class_names) if row.real_share)
    spreads = [row.spread for row in rows if row.spread is not None]
    return Figures(
        noun=case.facts.noun,
        reader="the judge" if signals.features == "judge" else "a small classifier of the training images",
        n=signals.n,
        spread=signals.spread,
        within_class=mean(spreads) if spreads else None,
        classes=rows,
        agreement=None if "pairs" in case.facts.recipe else signals.label_agreement,
        accuracy=signals.agreement_on_real or 1.0,
        recall=signals.recall,
        recall_real_reference=signals.recall_real_reference,
        frechet=signals.frechet,
        frechet_real_reference=signals.frechet_real_reference,
        confident=signals.confident,
        confident_on_real=signals.confident_on_real or 1.0,
    )


def _rows(signals: Signals, names: Sequence[str]) -> list[ClassFigures]:
    count = len(signals.class_shares)
    names = names if len(names) == count else [str(k) for k in range(count)]
    spreads = signals.class_spread or (None,) * count
    agreements = signals.class_agreement or (None,) * count
    columns = (names, signals.class_shares, signals.real_class_shares, spreads, agreements)
    return [ClassFigures(*row) for row in zip(*columns, strict=False)]


def _logged_spread(case: Case) -> float | None:
    spreads = [spread for _, spread in log_spreads(case)]
    return mean(recent(spreads)) if spreads else None


def log_spreads(case: Case) -> list[tuple[int, float]]:
    """Return step and spread of each logged batch of fakes, relative to the batch of reals; none of reconstructions."""
    if without_adversary(case.log):
        return []
    return [
        (int(line.get("step", 0)), line["fake_spread"] / line["real_spread"])
        for line in case.log
        if "fake_spread" in line and line.get("real_spread")
    ]


def recent(log: Sequence[T]) -> Sequence[T]:
    """Return the last fifth of a log, or of values from it; at least one, if there is one."""
    return log[-max(1, len(log) // 5) :]


def log_median(key: str, log: Sequence[Mapping[str, float]]) -> float:
    """Return the median of a statistic over the lines that have it; 0 where none has."""
    values = [line[key] for line in log if key in line]
    return float(median(values)) if values else 0.0


def without_adversary(log: Sequence[Mapping[str, float]]) -> bool:
    """Whether the log is that of an autoencoder."""
    return bool(log) and "encoder_loss" in log[-1]
