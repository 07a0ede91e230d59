"""The discriminator: it won, it is too weak to teach, or it knows its training pictures by heart."""

from ganforge.diagnosis.case import Case, Signals
from ganforge.diagnosis.figures import distance_evidence, figures
from ganforge.diagnosis.finding import Evidence, Finding
from ganforge.diagnosis.moments import current
from ganforge.diagnosis.ratings import for_long, has_won, is_silent, ratings
from ganforge.diagnosis.thresholds import APART, KNOWN_BY_HEART, RECALL_LOST, SEEN, SUSPECTED_COPYING_P, TOGETHER
from ganforge.metrics.thresholds import NARROW, NEAR, WON_FAKE, WON_LOSS, WON_REAL


def discriminator_won(case: Case) -> Finding | None:
    """The discriminator tells every fake, and the pictures are not yet near to real ones.

    While the run trains it must have won for half of the steps so far: a generator may still catch up.
    """
    distance, running = figures(case).distance, case.facts.status == "running"
    won = for_long(has_won, case) if running else has_won(case)
    now = ratings(case)
    if now is None or not won or (distance is not None and distance <= NEAR):
        return None
    if now.loss < WON_LOSS:
        told = f"its loss is {now.loss:.3f}"
    else:
        told = f"it accepts real pictures, rates fakes {now.fake or 0:.1%} real,"
    return Finding(
        "discriminator-won",
        2,
        f"the discriminator won: {told} and the generator no longer learns",
        "slow the discriminator down (--set discriminator_lr=...)",
        evidence=_rating_evidence(case),
        cause="the discriminator learns faster than the generator, whose gradients then say nothing",
        reconsider="pictures that become better all the same: a smaller Fréchet distance in the next epochs",
    )


def discriminator_weak(case: Case) -> Finding | None:
    """The discriminator cannot tell fakes that are far from real: it rates all alike, or reals and fakes the same."""
    now, pictures = ratings(case), figures(case)
    if now is None or now.gap is None or now.apart is None:
        return None
    varied = pictures.spread is None or pictures.spread >= NARROW
    silent, guesses = (
        for_long(is_silent, case) and (pictures.far or not varied),
        pictures.far and abs(now.apart) < TOGETHER,
    )
    if not silent and not guesses:
        return None
    return Finding(
        "discriminator-weak",
        2,
        "the discriminator is too weak to teach: real pictures and fakes get nearly the same rating (its logits differ "
        f"by {now.gap:.2g}, {now.apart:.1f} standard deviations), though the fakes are far from real",
        "strengthen the discriminator: a rate as high as the generator's (--set discriminator_lr=...), more filters "
        "or layers, or two updates for each of the generator (--set game.discriminator_steps=2)",
        evidence=_rating_evidence(case),
        cause="the discriminator is too small or learns too slowly to see what is wrong with the pictures",
        reconsider="pictures that are hardly told from real ones by eye",
    )


def discriminator_overfits(case: Case) -> Finding | None:
    """The discriminator rates held-out images like fakes, while copying rises or recall falls."""
    now = current(case)
    place = _held_out_place(now) if now else None
    if now is None or place is None or place < KNOWN_BY_HEART:
        return None
    if now.copying_p is not None and now.copying_p < SUSPECTED_COPYING_P:
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
    """Place of the held-out images' mean logit on the way from training images (0) to fakes (1).

    None where held-out images get nearly the logits of training images.
    """
    train, held_out, fake = signals.logit_train, signals.logit_held_out, signals.logit_fake
    if train is None or held_out is None or fake is None or train <= fake:
        return None
    if train - held_out < SEEN * (signals.logit_std or 0.0):
        return None
    return (train - held_out) / (train - fake)


def recall_falls(case: Case) -> bool:
    """Whether the recall of the last two examinations is well below the best so far."""
    recalls = [signals.recall for signals in case.signals if signals.recall is not None]
    return len(recalls) >= 4 and max(recalls[-2:]) < RECALL_LOST * max(recalls)


def _rating_evidence(case: Case) -> tuple[Evidence, ...]:
    now, rows = ratings(case), []
    if now and now.real is not None and now.fake is not None:
        name = "probability of being real that D gives to"
        rows.append(Evidence(f"{name} fakes", now.fake, WON_FAKE, signal="d_fake"))
        rows.append(Evidence(f"{name} real pictures", now.real, None, WON_REAL, signal="d_real"))
    if now and now.apart is not None:
        name = "distance of D's ratings of reals and fakes, in standard deviations"
        rows.append(Evidence(name, now.apart, TOGETHER, APART))
    return (*rows, *distance_evidence(figures(case)))
