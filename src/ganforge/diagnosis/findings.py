"""What a run's numbers mean, in words for someone whose first GAN this is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

COLLAPSED = 0.05
"""Spread within a class below this share of the real one: all pictures of the class are one picture."""
NARROW = 0.4
CONFIDENT = 0.5
"""The judge is sure of fewer than so many of the pictures, beside what it is sure of among real ones: too early."""
LABEL_FOLLOWED = 0.9
LABEL_IGNORED = 0.5
"""Share of pictures that show what was asked for, beside the share of real ones that the judge reads rightly."""
WON_LOSS = 0.02
"""A discriminator's loss below this is as good as 0: chance is 1.39, and a balanced game stays above 0.3."""
WON_FAKE, WON_REAL = 0.01, 0.8
"""D(G(z)) below the one and D(x) above the other, on average over the last fifth of the log: nobody is fooled."""
LOWER_RATES = (
    "lower the learning rates, the discriminator's first: a fifth of what they are (--set discriminator_lr=... "
    "--set generator_lr=...)"
)
LOWER_RATE = "lower the learning rate: a fifth of what it is (--set generator_lr=...)"
SILENT = 0.5
"""Codes that lie less than so many nats from N(0, 1), all together, tell a generator nothing."""
YOUNG, OLD = 10, 200
"""Epochs before which one picture for all noise may be a slow start, and after which more of them hardly help."""
LOST = 1
"""Epochs after which a discriminator that nobody fools has not just begun well, but won."""
PRESENT = 0.3
"""Part of its share among real images, read with confidence, from which a class appears: about 0.03 of ten classes."""
CLASSES_HEALTHY = 0.8
"""Part of the classes that must appear."""
FEW_HANDWRITINGS = 0.5
"""Recall within a class below so much of what other reals get: the same few pictures, or blurred ones."""
NEAR = 5
"""A Fréchet distance up to so many times that of real images from real ones is a healthy one."""


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        name: a fixed word for programs.
        severity: 2 it failed, 1 it is impaired, 0 it is well.
        text: what is the matter, and why we think so.
        remedy: what to try.
    """

    name: str
    severity: int
    text: str
    remedy: str = ""


Look = Callable[[Mapping[str, Any], Sequence[Mapping[str, Any]]], Finding | None]


def find(measured: Mapping[str, Any], log: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Say what the numbers mean, the gravest first; never empty.

    Args:
        measured: the judge's measurement, as a mapping (see ganforge.judge.measure.Measurement).
        log: the lines of the run's log, in order.
    """
    if untaught := _without_adversary(measured, log):
        return [untaught]
    # One picture for every noise has no share of classes and follows no label: to say so too would only hide the cause.
    collapse = _collapse(measured, log)
    looks: tuple[Look, ...] = (_discriminator_won, _not_yet, _classes, _label)
    if collapse and collapse.severity == 2:
        looks = () if collapse.name == "not-started" else (_discriminator_won,)
    if collapse is None and _readable(measured):
        looks = (*looks, _handwritings)
    findings = [finding for finding in (collapse, *(look(measured, log) for look in looks)) if finding]
    if not findings:
        return [_well(measured, log)]
    return sorted(findings, key=lambda finding: -finding.severity)


def _without_adversary(measured: Mapping[str, Any], log: Sequence[Mapping[str, Any]]) -> Finding | None:
    """Look at what an encoder makes of a generator: codes that say nothing, or codes that noise is not like."""
    last = log[-max(1, len(log) // 5) :]
    if not last or "encoder_loss" not in last[-1]:
        return None
    if "kl" in last[-1]:
        if (kl := _mean("kl", last)) >= SILENT or _epochs(log) < 1:
            return None
        text = f"the codes say nothing: {kl:.2f} nats of every image, so that all get one picture (posterior collapse)"
        return Finding("posterior-collapse", 2, text, "a lower --set reconstruction.kl_weight=...")
    if _readable(measured):
        return None
    text = (
        "an autoencoder learns to give images back, not to draw: noise is like no code it was trained on, and the "
        f"judge is sure of {measured['confident']:.0%} of what comes of it, and of {measured['confident_on_real']:.0%} "
        "of real ones"
    )
    return Finding(
        "never-drew", 1, text, "'ganforge sample RUN --reconstruct' to see what it learned; the recipe vae draws"
    )


def _mean(key: str, log: Sequence[Mapping[str, Any]]) -> float:
    """Return the mean of a statistic over those lines that have it."""
    return float(mean(line[key] for line in log if key in line))


def _epochs(log: Sequence[Mapping[str, Any]]) -> float:
    return float(log[-1].get("epoch", 0.0)) if log else 0.0


def _young(log: Sequence[Mapping[str, Any]]) -> bool:
    return bool(log) and _epochs(log) < YOUNG


def _readable(measured: Mapping[str, Any]) -> bool:
    return bool(measured["confident"] >= CONFIDENT * measured["confident_on_real"])


def _many_classes(measured: Mapping[str, Any]) -> bool:
    return bool(measured["classes_present"] >= CLASSES_HEALTHY * len(measured["class_names"]))


def _longer(log: Sequence[Mapping[str, Any]]) -> str:
    if _epochs(log) < OLD:
        return "train longer"
    return "more epochs will hardly help: try another recipe, or more images"


def _slower(log: Sequence[Mapping[str, Any]]) -> str:
    return LOWER_RATE if log and "encoder_loss" in log[-1] else LOWER_RATES


def _well(measured: Mapping[str, Any], log: Sequence[Mapping[str, Any]]) -> Finding:
    """Say of a run in which nothing is wrong whether it is healthy, or what it lacks for that."""
    noun, rare, lacks = measured["noun"], _rare(measured), []
    if rare:
        names, verb = (f"{noun} {rare[0]}", "is") if len(rare) == 1 else (f"{_plural(noun)} {', '.join(rare)}", "are")
        lacks.append(f"{names} {verb} rarely drawn")
    distance, floor = measured["frechet_distance"], measured["frechet_floor"]
    if distance is None or not floor:
        lacks.append("there are too few real images for a Fréchet distance, so nothing says how near the pictures are")
    elif distance > NEAR * floor:
        lacks.append(f"the Fréchet distance is {distance / floor:.1f} times real against real (healthy: up to {NEAR})")
    if not lacks:
        return Finding("healthy", 0, "healthy so far")
    return Finding("learning", 0, f"still learning, nothing is wrong so far: {'; '.join(lacks)}", _longer(log))


def _plural(noun: str) -> str:
    return "digits" if noun == "digit" else "classes"


def _collapse(measured: Mapping[str, Any], log: Sequence[Mapping[str, Any]]) -> Finding | None:
    total, within = measured["total_spread"], measured["within_class_spread"]
    same, alike = (spread is not None and spread < COLLAPSED for spread in (total, within))
    lost = _discriminator_won(measured, log) is not None
    blots = alike and not (_readable(measured) and _many_classes(measured))
    if _young(log) and not (lost and _epochs(log) >= LOST) and (same or blots):
        what = "every noise vector still gives the same picture" if same else "the pictures are still much alike"
        text = f"{what}, after {_epochs(log):.2g} epochs"
        text += ", and the discriminator takes none of them for real" if lost else ""
        first = ": the first digits take about five epochs of MNIST" if measured["noun"] == "digit" else ""
        return Finding("not-started", 2, text, f"train longer{first}; if it is so after {YOUNG} too, {_slower(log)}")
    if same:
        return Finding("mode-collapse", 2, "every noise vector gives the same picture: mode collapse", _slower(log))
    if alike:
        kind = "kind of digit" if measured["noun"] == "digit" else "class"
        text = f"there is one picture for each {kind}, whatever the noise: mode collapse"
        return Finding("mode-collapse", 2, text, _slower(log))
    if within is not None and within < NARROW:
        return Finding(
            "narrow",
            1,
            f"the pictures of one {measured['noun']} are too much alike: {within:.2f} of the real spread",
            _longer(log),
        )
    return None


def _discriminator_won(measured: Mapping[str, Any], log: Sequence[Mapping[str, Any]]) -> Finding | None:
    last = log[-max(1, len(log) // 5) :]
    if not last or not {"discriminator_loss", "d_real", "d_fake"} <= last[-1].keys():
        return None
    loss, real, fake = (_mean(key, last) for key in ("discriminator_loss", "d_real", "d_fake"))
    # Not the loss: with smoothed labels it stays above 0 however sure the discriminator is.
    if fake > WON_FAKE or real < WON_REAL:
        return None
    sign = f"its loss is {loss:.3f}" if loss < WON_LOSS else f"it calls real pictures real and gives fakes {fake:.1%}"
    return Finding(
        "discriminator-won",
        2,
        f"the discriminator won: {sign} and the generator no longer learns",
        "slow the discriminator down (--set discriminator_lr=...)",
    )


def _not_yet(measured: Mapping[str, Any], log: Sequence[Mapping[str, Any]]) -> Finding | None:
    if _readable(measured):
        return None
    what, real = "digits" if measured["noun"] == "digit" else "of any class", measured["confident_on_real"]
    return Finding(
        "not-yet-readable",
        1,
        f"most pictures are not {what} yet: the judge is sure of {measured['confident']:.0%} of them, "
        f"and of {real:.0%} of real ones",
        _longer(log),
    )


def _rare(measured: Mapping[str, Any]) -> list[str]:
    """Name the classes that hardly appear."""
    rows = zip(measured["class_names"], measured["class_shares"], measured["real_class_shares"], strict=True)
    return [name for name, share, real in rows if share < PRESENT * real or not share]


def _classes(measured: Mapping[str, Any], log: Sequence[Mapping[str, Any]]) -> Finding | None:
    if not _many_classes(measured) and _readable(measured):
        rare = ", ".join(_rare(measured))
        text = f"rarely drawn (each in less than {PRESENT:.0%} of its share among real ones): {rare}"
        return Finding("missing-classes", 1, text, _longer(log))
    return None


def _handwritings(measured: Mapping[str, Any], log: Sequence[Mapping[str, Any]]) -> Finding | None:
    """Look at the class with the lowest recall beside its floor, among those that show what was asked for."""
    names, reads = measured["class_names"], measured["agreement_on_real"] or 1.0
    rows = zip(
        names,
        measured["class_recall"],
        measured["class_recall_floor"],
        measured["class_agreement"] or [1.0] * len(names),
        strict=True,
    )
    known = [
        (found / floor, name, found, floor)
        for name, found, floor, agreement in rows
        if found is not None and floor and agreement and agreement >= LABEL_IGNORED * reads
    ]
    worst, name, found, floor = min(known, default=(1.0, "", 1.0, 1.0))
    if worst >= FEW_HANDWRITINGS:
        return None
    few = "handwritings" if measured["noun"] == "digit" else "ways"
    return Finding(
        "few-handwritings",
        1,
        f"{measured['noun']} {name} is drawn in few {few}: its pictures come near {found:.0%} of the real ones, "
        f"other real ones near {floor:.0%}",
        f"look at many of {name}: if they are blurred or rough, {_longer(log)}; if the same few come again and again, "
        "a larger --set batch_size=... or --set latent.dim=...",
    )


def _label(measured: Mapping[str, Any], log: Sequence[Mapping[str, Any]]) -> Finding | None:
    agreement = measured["label_agreement"]
    reads = measured["agreement_on_real"] or 1.0
    if agreement is None or agreement >= LABEL_FOLLOWED * reads or (_young(log) and not _readable(measured)):
        return None
    if agreement < LABEL_IGNORED * reads:
        return Finding(
            "label-ignored",
            2,
            f"the label is ignored: {agreement:.0%} of the pictures show the {measured['noun']} asked for "
            f"(chance: {1 / len(measured['class_names']):.0%})",
            "the discriminator must punish a wrong label: give it the label more strongly, or train longer",
        )
    return Finding(
        "label-half-followed", 1, f"the label is followed in {agreement:.0%} of the pictures only", _longer(log)
    )
