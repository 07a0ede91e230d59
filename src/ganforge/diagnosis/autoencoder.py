"""Runs without an adversary: codes without information, or a decoder that was never trained on noise."""

from ganforge.diagnosis.case import Case
from ganforge.diagnosis.figures import (
    distance_evidence,
    figures,
    log_median,
    recent,
    sure_evidence,
    without_adversary,
)
from ganforge.diagnosis.finding import Evidence, Finding
from ganforge.diagnosis.moments import epochs
from ganforge.metrics.thresholds import SILENT


def posterior_collapse(case: Case) -> Finding | None:
    """The codes of a variational autoencoder carry no information on their pictures."""
    lines = recent(case.log)
    if not without_adversary(case.log) or "kl" not in lines[-1]:
        return None
    kl = log_median("kl", lines)
    if kl >= SILENT or epochs(case) < 1 or _would_speak(kl, case):
        return None
    return Finding(
        "posterior-collapse",
        2,
        f"posterior collapse: the codes carry {kl:.2f} nats per image, so all images look the same",
        "lower the weight of the KL term (--set reconstruction.kl_weight=...)",
        evidence=(Evidence("information of a code on its picture, in nats", kl, SILENT, signal="kl"),),
        cause="the KL term rewards codes that say nothing more than it costs to reconstruct without them",
        reconsider="reconstructions that differ from each other ('ganforge sample RUN --reconstruct')",
    )


def _would_speak(kl: float, case: Case) -> bool:
    """Whether the information of the codes, if it grew on as since the first half of the run, would count soon."""
    before = case.log[: len(case.log) // 2]
    return bool(before) and 2 * kl - log_median("kl", before) >= SILENT


def never_drew(case: Case) -> Finding | None:
    """An autoencoder, whose decoder saw codes of real images only, draws from noise what is no picture of its data."""
    now = figures(case)
    if not without_adversary(case.log) or "kl" in case.log[-1] or (now.readable and not now.far):
        return None
    if now.readable and now.distance is not None:
        seen = f"the images from noise are {now.distance:.0f} times as far from real ones as real ones from each other"
    else:
        seen = (
            f"{now.reader} is sure of {now.confident:.0%} of the images from noise, and of "
            f"{now.confident_on_real:.0%} of real ones"
        )
    return Finding(
        "never-drew",
        1,
        f"an autoencoder learns to reconstruct images, not to generate them from noise: {seen}",
        "see its reconstructions with 'ganforge sample RUN --reconstruct', or train the recipe vae to generate images",
        evidence=(*distance_evidence(now), *sure_evidence(now)),
        cause="nothing in the training makes noise look like the codes of real images",
        reconsider="pictures from noise that a person can read",
    )
