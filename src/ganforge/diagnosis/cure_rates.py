"""How often each remedy cured each finding, in the corpus of patients (``ganforge benchmark diagnosis``)."""

import functools
from importlib import resources

from ganforge.json_text import parse_json

FILE = "cure_rates.json"


@functools.cache
def cure_rates() -> dict[str, dict[str, tuple[int, int]]]:
    """Return, by the names of finding and remedy, how many treated runs were cured, and of how many."""
    text = (resources.files(__package__) / FILE).read_bytes()
    return {
        finding: {remedy: (int(cured), int(tried)) for remedy, (cured, tried) in rates.items()}
        for finding, rates in parse_json(text).items()
    }
