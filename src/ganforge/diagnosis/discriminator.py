"""The discriminator: it won, it is too weak to teach, or it knows its training pictures by heart."""

import math
from statistics import mean

from ganforge.diagnosis.case import Case, Signals
from ganforge.diagnosis.figures import figures, log_mean, recent
from ganforge.diagnosis.finding import Evidence, Finding
from ganforge.diagnosis.memory import copies
from ganforge.diagnosis.thresholds import APART, FAR, KNOWN_BY_HEART, RECALL_LOST, TOGETHER
from ganforge.metrics.thresholds import NEAR, WON_FAKE, WON_LOSS, WON_REAL


def discriminator_won(case: Case) -> Finding | None:
    """The discriminator tells every fake, and the pictures are not yet near to real ones."""
    distance = figures(case).distance
    if not has_won(case) or (distance is not None and distance <= NEAR):
        return None
    lines = recent(case.log)
    loss, fake = log_mean("discriminator_loss", lines), log_mean("d_fake", lines)
    if loss < WON_LOSS:
        told = f"its loss is {loss:.3f}"
    elif "d_fake" in lines[-1]:
        told = f"it accepts real pictures and rates fakes {fake:.1%} real"
    else:
        told = "no fake comes near the real pictures in its rating"
    return Finding(
        "discriminator-won",
        2,
        f"the discriminator won: {told} and the generator no longer learns",
        "slow the discriminator down (--set discriminator_lr=...)",
        evidence=_rating_evidence(case),
        cause="the discriminator learns faster than the generator, whose gradients then say nothing",
        reconsider="pictures that become better all the same: a smaller Fréchet distance in the next epochs",
    )


def has_won(case: Case) -> bool:
    """Whether no fake deceives the discriminator, over the last fifth of the log.

    By its probabilities, where its logits are some. Not by the loss alone: with smoothed labels the loss stays above 0
    for any discriminator.
    """
    lines = recent(case.log)
    if not lines or "discriminator_loss" not in lines[-1]:
        return False
    if {"d_real", "d_fake"} <= lines[-1].keys():
        return log_mean("d_fake", lines) <= WON_FAKE and log_mean("d_real", lines) >= WON_REAL
    apart = separation(case)
    return apart is not None and apart >= APART and 0 <= log_mean("discriminator_loss", lines) < WON_LOSS


def separation(case: Case) -> float | None:
    """Distance between the mean logits of reals and fakes, in standard deviations within each (d').

    d' = (mean of reals − mean of fakes) / √((s_real² + s_fake²) / 2), over the last fifth of the log.
    """
    lines = [line for line in recent(case.log) if "fake_logit_std" in line]
    if not lines:
        return None
    gap = log_mean("real_logit", lines) - log_mean("fake_logit", lines)
    variance = mean((line["real_logit_std"] ** 2 + line["fake_logit_std"] ** 2) / 2 for line in lines)
    return gap / math.sqrt(variance) if variance else None


def discriminator_weak(case: Case) -> Finding | None:
    """The discriminator cannot tell fakes that are far from real."""
    apart, distance = separation(case), figures(case).distance
    if apart is None or abs(apart) >= TOGETHER or distance is None or distance < FAR:
        return None
    return Finding(
        "discriminator-weak",
        2,
        f"the discriminator is too weak to teach: real pictures and fakes get nearly the same rating ({apart:.2f} "
        f"standard deviations apart; healthy: {TOGETHER} or more), though the fakes are far from real",
        "strengthen the discriminator: a rate as high as the generator's (--set discriminator_lr=...), more filters "
        "or layers, or two updates for each of the generator (--set game.discriminator_steps=2)",
        evidence=_rating_evidence(case),
        cause="the discriminator is too small or learns too slowly to see what is wrong with the pictures",
        reconsider="pictures that are hardly told from real ones by eye",
    )


def discriminator_overfits(case: Case) -> Finding | None:
    """The discriminator rates held-out images like fakes, while copying rises or recall falls."""
    place = _held_out_place(case.signals[-1]) if case.signals else None
    if place is None or place < KNOWN_BY_HEART:
        return None
    if copies(case):
        harm = "the pictures copy training pictures more and more"
    elif recall_falls(case):
        harm = "the pictures come near fewer and fewer real ones"
    else:
        return None
    return Finding(
        "discriminator-overfits",
        1,
        f"the discriminator knows its training pictures by heart: held-out pictures lie {place:.0%} of the way from "
        f"training pictures to fakes in its rating (healthy: below {KNOWN_BY_HEART:.0%}), and {harm}",
        "train on more pictures, stop earlier, or shrink the discriminator (--set discriminator_lr=... lower)",
        evidence=(
            Evidence("place of held-out pictures between training pictures and fakes", place, None, KNOWN_BY_HEART),
        ),
        cause="there are fewer training pictures than the discriminator can remember",
        reconsider="held-out pictures of another kind than the training pictures",
    )


def _held_out_place(signals: Signals) -> float | None:
    """Place of the held-out images' mean logit on the way from training images (0) to fakes (1)."""
    train, held_out, fake = signals.logit_train, signals.logit_held_out, signals.logit_fake
    if train is None or held_out is None or fake is None or train <= fake:
        return None
    return (train - held_out) / (train - fake)


def recall_falls(case: Case) -> bool:
    """Whether the recall of the last two examinations is well below the best so far."""
    recalls = [signals.recall for signals in case.signals if signals.recall is not None]
    return len(recalls) >= 4 and max(recalls[-2:]) < RECALL_LOST * max(recalls)


def _rating_evidence(case: Case) -> tuple[Evidence, ...]:
    lines, rows = recent(case.log), []
    if "d_fake" in lines[-1]:
        rows.append(Evidence("probability of being real that D gives to fakes", log_mean("d_fake", lines), WON_FAKE))
        rows.append(Evidence("probability of being real that D gives to real pictures", log_mean("d_real", lines)))
    if (apart := separation(case)) is not None:
        name = "distance of D's ratings of reals and fakes, in standard deviations"
        rows.append(Evidence(name, apart, TOGETHER, APART))
    if (distance := figures(case).distance) is not None:
        rows.append(Evidence("Fréchet distance, in multiples of real against real", distance, None, NEAR))
    return tuple(rows)
