"""Findings: a run's measurement and log explained in words, for a user's first GAN."""

from collections.abc import Callable, Mapping, Sequence
from statistics import mean
from typing import Any

from ganforge.diagnosis.finding import Finding
from ganforge.metrics.measurement import Measurement, Noun
from ganforge.metrics.thresholds import (
    CLASSES_HEALTHY,
    COLLAPSED,
    FEW_HANDWRITINGS,
    LABEL_FOLLOWED,
    LABEL_IGNORED,
    LOST,
    NARROW,
    NEAR,
    OLD,
    PRESENT,
    READABLE_SHARE,
    SILENT,
    WON_FAKE,
    WON_LOSS,
    WON_REAL,
    YOUNG,
)

LOWER_RATES = (
    "lower the learning rates, the discriminator's first: a fifth of what they are (--set discriminator_lr=... "
    "--set generator_lr=...)"
)
LOWER_RATE = "lower the learning rate: a fifth of what it is (--set generator_lr=...)"


Check = Callable[[Measurement, Sequence[Mapping[str, Any]]], Finding | None]


def find(measured: Measurement, log: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Return the findings of a run, most severe first; at least one.

    Args:
        measured: the judge's measurement of the run's generator.
        log: lines of the run's log, in order.
    """
    if adversary_free := _without_adversary(measured, log):
        return [adversary_free]
    collapse, checks = _collapse(measured, log), CHECKS
    if collapse and collapse.severity == 2:
        # A collapse also removes classes and label agreement; reporting these too would hide the cause.
        checks = () if collapse.name == "not-started" else (_discriminator_won,)
    findings = [finding for finding in (collapse, *(check(measured, log) for check in checks)) if finding]
    if not findings:
        return [_well(measured, log)]
    return sorted(findings, key=lambda finding: -finding.severity)


def _without_adversary(measured: Measurement, log: Sequence[Mapping[str, Any]]) -> Finding | None:
    """Check a run with an encoder: uninformative codes, or a decoder that was never trained on noise."""
    recent = log[-max(1, len(log) // 5) :]
    if not recent or "encoder_loss" not in recent[-1]:
        return None
    if "kl" in recent[-1]:
        if (kl := _mean("kl", recent)) >= SILENT or _epochs(log) < 1:
            return None
        text = f"posterior collapse: the codes carry {kl:.2f} nats per image, so all images look the same"
        return Finding(
            "posterior-collapse", 2, text, "lower the weight of the KL term (--set reconstruction.kl_weight=...)"
        )
    if _readable(measured):
        return None
    text = (
        "an autoencoder learns to reconstruct images, not to generate them from noise: the judge is sure of "
        f"{measured.confident:.0%} of the images from noise, and of {measured.confident_on_real:.0%} of real ones"
    )
    return Finding(
        "never-drew",
        1,
        text,
        "see its reconstructions with 'ganforge sample RUN --reconstruct', or train the recipe vae to generate images",
    )


def _mean(key: str, log: Sequence[Mapping[str, Any]]) -> float:
    """Return the mean of a statistic over the log lines that have it."""
    return float(mean(line[key] for line in log if key in line))


def _epochs(log: Sequence[Mapping[str, Any]]) -> float:
    return float(log[-1].get("epoch", 0.0)) if log else 0.0


def _young(log: Sequence[Mapping[str, Any]]) -> bool:
    return bool(log) and _epochs(log) < YOUNG


def _readable(measured: Measurement) -> bool:
    return bool(measured.confident >= READABLE_SHARE * measured.confident_on_real)


def _many_classes(measured: Measurement) -> bool:
    return bool(measured.classes_present >= CLASSES_HEALTHY * len(measured.class_names))


def _longer(log: Sequence[Mapping[str, Any]]) -> str:
    if _epochs(log) < OLD:
        return "train longer"
    return "more epochs will hardly help: try another recipe, or more images"


def _slower(log: Sequence[Mapping[str, Any]]) -> str:
    return LOWER_RATE if log and "encoder_loss" in log[-1] else LOWER_RATES


def _well(measured: Measurement, log: Sequence[Mapping[str, Any]]) -> Finding:
    """Return the finding of a run without problems: healthy, or learning with what is still missing."""
    noun, rare, missing = measured.noun, _rare(measured), []
    if rare:
        names, verb = (f"{noun} {rare[0]}", "is") if len(rare) == 1 else (f"{plural(noun)} {', '.join(rare)}", "are")
        missing.append(f"{names} {verb} rarely drawn")
    distance, reference = measured.frechet_distance, measured.frechet_real_reference
    if distance is None or not reference:
        missing.append(
            "there are too few real images for a Fréchet distance, so the quality of the pictures is unknown"
        )
    elif distance > NEAR * reference:
        missing.append(
            f"the Fréchet distance is {distance / reference:.1f} times real against real (healthy: up to {NEAR})"
        )
    if not missing:
        return Finding("healthy", 0, "healthy so far")
    return Finding("learning", 0, f"still learning, nothing is wrong so far: {'; '.join(missing)}", _longer(log))


def plural(noun: Noun) -> str:
    """Return the plural of the word for a class."""
    return "digits" if noun == "digit" else "classes"


def _collapse(measured: Measurement, log: Sequence[Mapping[str, Any]]) -> Finding | None:
    total, within = measured.total_spread, measured.within_class_spread
    total_collapse, class_collapse = (spread is not None and spread < COLLAPSED for spread in (total, within))
    lost = _discriminator_won(measured, log) is not None
    unreadable_collapse = class_collapse and not (_readable(measured) and _many_classes(measured))
    if _young(log) and not (lost and _epochs(log) >= LOST) and (total_collapse or unreadable_collapse):
        observation = (
            "every noise vector still gives the same picture" if total_collapse else "the pictures are still much alike"
        )
        text = f"{observation}, after {_epochs(log):.2g} epochs"
        text += ", and the discriminator rejects all of them" if lost else ""
        hint = ": the first digits take about five epochs of MNIST" if measured.noun == "digit" else ""
        return Finding(
            "not-started", 2, text, f"train longer{hint}; if nothing changes after {YOUNG} epochs, {_slower(log)}"
        )
    if total_collapse:
        return Finding("mode-collapse", 2, "every noise vector gives the same picture: mode collapse", _slower(log))
    if class_collapse:
        kind = "kind of digit" if measured.noun == "digit" else "class"
        text = f"there is one picture for each {kind}, whatever the noise: mode collapse"
        return Finding("mode-collapse", 2, text, _slower(log))
    if within is not None and within < NARROW:
        return Finding(
            "narrow",
            1,
            f"the pictures of one {measured.noun} are too much alike: {within:.2f} of the real spread",
            _longer(log),
        )
    return None


def _discriminator_won(measured: Measurement, log: Sequence[Mapping[str, Any]]) -> Finding | None:
    recent = log[-max(1, len(log) // 5) :]
    if not recent or not {"discriminator_loss", "d_real", "d_fake"} <= recent[-1].keys():
        return None
    loss, real, fake = (_mean(key, recent) for key in ("discriminator_loss", "d_real", "d_fake"))
    # Not the loss: with smoothed labels it stays above 0 for any discriminator.
    if fake > WON_FAKE or real < WON_REAL:
        return None
    evidence = (
        f"its loss is {loss:.3f}" if loss < WON_LOSS else f"it accepts real pictures and rates fakes {fake:.1%} real"
    )
    return Finding(
        "discriminator-won",
        2,
        f"the discriminator won: {evidence} and the generator no longer learns",
        "slow the discriminator down (--set discriminator_lr=...)",
    )


def _not_yet(measured: Measurement, log: Sequence[Mapping[str, Any]]) -> Finding | None:
    if _readable(measured):
        return None
    expected, on_real = "digits" if measured.noun == "digit" else "of any class", measured.confident_on_real
    return Finding(
        "not-yet-readable",
        1,
        f"most pictures are not {expected} yet: the judge is sure of {measured.confident:.0%} of them, "
        f"and of {on_real:.0%} of real ones",
        _longer(log),
    )


def _rare(measured: Measurement) -> list[str]:
    """Return the names of the classes that are not present."""
    rows = zip(measured.class_names, measured.class_shares, measured.real_class_shares, strict=True)
    return [name for name, share, real in rows if share < PRESENT * real or not share]


def _classes(measured: Measurement, log: Sequence[Mapping[str, Any]]) -> Finding | None:
    if not _many_classes(measured) and _readable(measured):
        rare = ", ".join(_rare(measured))
        text = f"rarely drawn (each in less than {PRESENT:.0%} of its share among real ones): {rare}"
        return Finding("missing-classes", 1, text, _longer(log))
    return None


def _handwritings(measured: Measurement, log: Sequence[Mapping[str, Any]]) -> Finding | None:
    """Check the class with the lowest recall relative to other reals, among the classes that follow their label.

    Images that are unreadable, or too much alike altogether, have low recall for that reason alone.
    """
    if not _readable(measured) or _collapse(measured, log):
        return None
    names, accuracy = measured.class_names, measured.agreement_on_real or 1.0
    rows = zip(
        names,
        measured.class_recall,
        measured.class_recall_real_reference,
        measured.class_agreement or [1.0] * len(names),
        strict=True,
    )
    ratios = [
        (recall / reference, name, recall, reference)
        for name, recall, reference, agreement in rows
        if recall is not None and reference and agreement and agreement >= LABEL_IGNORED * accuracy
    ]
    worst, name, recall, reference = min(ratios, default=(1.0, "", 1.0, 1.0))
    if worst >= FEW_HANDWRITINGS:
        return None
    few = "handwritings" if measured.noun == "digit" else "ways"
    return Finding(
        "few-handwritings",
        1,
        f"{measured.noun} {name} is drawn in few {few}: its pictures come near {recall:.0%} of the real ones, "
        f"other real ones near {reference:.0%}",
        f"look at many of {name}: if they are blurred or rough, {_longer(log)}; if the same few repeat, "
        "use a larger --set batch_size=... or --set latent.dim=...",
    )


def _label(measured: Measurement, log: Sequence[Mapping[str, Any]]) -> Finding | None:
    agreement = measured.label_agreement
    accuracy = measured.agreement_on_real or 1.0
    if measured.from_pictures:  # a generator that gets no label cannot ignore one
        return None
    if agreement is None or agreement >= LABEL_FOLLOWED * accuracy or (_young(log) and not _readable(measured)):
        return None
    if agreement < LABEL_IGNORED * accuracy:
        return Finding(
            "label-ignored",
            2,
            f"the label is ignored: {agreement:.0%} of the pictures show the requested {measured.noun} "
            f"(chance: {1 / len(measured.class_names):.0%})",
            "train longer, or choose a recipe whose discriminator uses the label more strongly",
        )
    return Finding(
        "label-half-followed", 1, f"the label is followed in {agreement:.0%} of the pictures only", _longer(log)
    )


CHECKS: tuple[Check, ...] = (_discriminator_won, _not_yet, _classes, _label, _handwritings)
"""The checks of a run with a discriminator; of a collapsed run only what explains the collapse is shown."""
