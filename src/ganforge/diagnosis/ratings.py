"""The discriminator's ratings of real pictures and of fakes, by the log."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from ganforge.diagnosis.case import Case
from ganforge.diagnosis.figures import log_median, recent
from ganforge.diagnosis.moments import last_step, until
from ganforge.diagnosis.thresholds import APART, FIRST_STEPS, SILENT_LOGITS
from ganforge.metrics.thresholds import WON_FAKE, WON_LOSS, WON_REAL


@dataclass(frozen=True)
class Ratings:
    """Medians over the last fifth of the log; probabilities and logits are None where the log has none.

    Attributes:
        loss: of the discriminator.
        real, fake: its probabilities of being real.
        gap: mean logit of reals minus that of fakes.
        deviation: standard deviation of the logits within reals and within fakes, root mean square of both.
    """

    loss: float
    real: float | None
    fake: float | None
    gap: float | None
    deviation: float | None

    @property
    def apart(self) -> float | None:
        """The gap in standard deviations, d'; None where there is no deviation."""
        return self.gap / self.deviation if self.gap is not None and self.deviation else None

    @property
    def won(self) -> bool:
        """Whether no fake deceives the discriminator.

        By its probabilities, where its logits are some. Not by the loss alone: with smoothed labels the loss stays
        above 0 for any discriminator.
        """
        if self.real is not None and self.fake is not None:
            return self.fake <= WON_FAKE and self.real >= WON_REAL
        return self.apart is not None and self.apart >= APART and 0 <= self.loss < WON_LOSS

    @property
    def silent(self) -> bool:
        """Whether every picture gets the same rating, real or not."""
        if self.gap is None or self.deviation is None:
            return False
        return abs(self.gap) < SILENT_LOGITS and self.deviation < SILENT_LOGITS


def ratings(case: Case) -> Ratings | None:
    """Return the latest ratings; None without a discriminator in the log."""
    lines = [line for line in recent(case.log) if "discriminator_loss" in line]
    if not lines:
        return None
    gaps = [line["real_logit"] - line["fake_logit"] for line in lines if "fake_logit" in line]
    spreads = [line for line in lines if "fake_logit_std" in line]
    deviations = [math.hypot(line["real_logit_std"], line["fake_logit_std"]) for line in spreads]
    probabilistic = {"d_real", "d_fake"} <= lines[-1].keys()
    return Ratings(
        loss=log_median("discriminator_loss", lines),
        real=log_median("d_real", lines) if probabilistic else None,
        fake=log_median("d_fake", lines) if probabilistic else None,
        gap=median(gaps) if gaps else None,
        deviation=median(deviations) / math.sqrt(2) if deviations else None,
    )


def has_won(case: Case) -> bool:
    """Whether no fake deceives the discriminator, over the last fifth of the log."""
    now = ratings(case)
    return now is not None and now.won


def is_silent(case: Case) -> bool:
    """Whether the discriminator rates all pictures alike, over the last fifth of the log."""
    now = ratings(case)
    return now is not None and now.silent


def for_long(condition: Callable[[Case], bool], case: Case) -> bool:
    """Whether a condition holds at this step, and held at half of it: the first steps of a training decide nothing."""
    step = last_step(case)
    return step >= FIRST_STEPS and condition(case) and condition(until(case, step // 2))
