"""Words and remedies that several findings share."""

from collections.abc import Sequence

from ganforge.diagnosis.case import Case
from ganforge.diagnosis.figures import without_adversary
from ganforge.diagnosis.moments import epochs
from ganforge.metrics.measurement import Noun
from ganforge.metrics.thresholds import OLD

LOWER_RATES = (
    "lower the learning rates, the discriminator's first: a fifth of what they are (--set discriminator_lr=... "
    "--set generator_lr=...)"
)
LOWER_RATE = "lower the learning rate: a fifth of what it is (--set generator_lr=...)"
MOST_NAMES = 12


def plural(noun: Noun) -> str:
    """Return the plural of the word for a class."""
    return "digits" if noun == "digit" else "classes"


def slower(case: Case) -> str:
    """Return the advice to lower the learning rates, or the only one of an autoencoder."""
    return LOWER_RATE if without_adversary(case.log) else LOWER_RATES


def longer(case: Case) -> str:
    """Return the advice to train longer, or the reason that more training hardly helps."""
    if epochs(case) < OLD:
        return "train longer"
    return "more epochs will hardly help: try another recipe, or more images"


def listed(names: Sequence[str]) -> str:
    """Return names with commas, the first twelve of a longer list."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def these(noun: Noun, names: Sequence[str]) -> str:
    """Return names with the word for a class before them, and their verb: "digits 0, 1 are"."""
    return f"{noun} {names[0]} is" if len(names) == 1 else f"{plural(noun)} {listed(names)} are"
