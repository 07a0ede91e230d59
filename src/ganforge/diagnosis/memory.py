"""Memory: the generator copies training pictures."""

from ganforge.diagnosis.case import Case
from ganforge.diagnosis.finding import Evidence, Finding
from ganforge.diagnosis.moments import current
from ganforge.diagnosis.thresholds import COPIED, COPYING_P


def memorising(case: Case) -> Finding | None:
    """The pictures are nearer to training images than to held-out images of equal number, beyond chance."""
    now = current(case)
    if now is None or now.nearer_to_training is None or now.copying_p is None or not copies(case):
        return None
    share, p = now.nearer_to_training, now.copying_p
    return Finding(
        "memorising",
        2 if share >= (1 + COPIED) / 2 else 1,
        f"the generator copies training pictures: {share:.0%} of its pictures are nearer to a training picture than "
        f"to any of as many held-out ones (without copying: 50%; {_chance(p)})",
        "train on more pictures, or stop earlier; small shifts of the pictures also help",
        evidence=(
            Evidence("share of pictures nearer to training pictures", share, None, COPIED, signal="nearer_to_training"),
            Evidence("probability of such a share without copying", p, COPYING_P, signal="copying_p"),
        ),
        cause="there are few training pictures, and many passes over each",
        reconsider="held-out pictures of another kind than the training pictures",
    )


def copies(case: Case) -> bool:
    """Whether the nearest-neighbour test of the latest examination finds copies."""
    now = current(case)
    if now is None or now.nearer_to_training is None or now.copying_p is None:
        return False
    return now.nearer_to_training >= COPIED and now.copying_p < COPYING_P


def _chance(p: float) -> str:
    """Return a p-value in words."""
    if p < 1e-6:
        return "by chance less often than once in a million runs"
    return f"by chance once in {1 / p:,.0f} runs"
