"""What the errors of a strengthened classifier say: a table, and words with the controls beside."""

import statistics
from collections.abc import Mapping, Sequence

from ganforge.applications.strength_measures import CORRUPTED, LIKE, TEST, VALIDATION
from ganforge.applications.strengthen import BEFORE, FAKES, FOUND, MOVED, REAL, SAME
from ganforge.metrics.intervals import interval_of_splits

LOSS = 0.001
"""Rise of the whole test error that is still none: .1 points."""
Errors = Mapping[str, Sequence[Mapping[str, float]]]
"""For each arm, a mapping from measure to error for each seed."""


def table_of(errors: Errors) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the header and the rows: an arm each, mean error ± standard deviation over the seeds by measure."""
    measures = tuple(errors[SAME][0])
    rows = []
    for arm, of_seeds in errors.items():
        cells = []
        for name in measures:
            values = [errors_of_seed[name] for errors_of_seed in of_seeds]
            spread = f" ± {100 * statistics.stdev(values):.2f}" if len(values) > 1 else ""
            cells.append(f"{statistics.fmean(values):.2%}{spread}")
        rows.append((arm, *cells))
    return ("error after", *measures), rows


def best_arm(errors: Errors) -> str:
    """Return the arm with the least mean error on validation pictures, which no training and no report uses."""
    arms = [arm for arm in errors if arm != BEFORE]
    return min(arms, key=lambda arm: statistics.fmean(of_seed[VALIDATION] for of_seed in errors[arm]))


def difference(errors: Errors, a: str, b: str, measure: str) -> tuple[float, bool]:
    """Return the mean of error(a) − error(b) over the seeds, and whether it is beyond the noise of the seeds.

    Seeds are paired. With one seed nothing is beyond noise.
    """
    pairs = zip(errors[a], errors[b], strict=True)
    values = [first[measure] - second[measure] for first, second in pairs]
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, False
    low, high = interval_of_splits(mean, values)
    return mean, low > 0 or high < 0


def in_words(errors: Errors) -> list[str]:
    """Return what the errors say: whether the found pictures help, beside which controls, and at what price."""
    lines = [_on_the_weakness(errors)]
    change, beyond = difference(errors, FOUND, SAME, TEST)
    if change > LOSS and beyond:
        lines.append(f"the whole test error rises by {change:.2%} with the found pictures: they cost elsewhere")
    worse, beyond = difference(errors, MOVED, SAME, CORRUPTED)
    if beyond and worse > 0:
        lines.append(f"moving alone raises the mean error on corrupted pictures by {worse:.1%}")
    if len(errors[FOUND]) < 2:
        lines.append("one seed: no word about noise; give --seeds 3")
    return lines


def _on_the_weakness(errors: Errors) -> str:
    gain, beyond = difference(errors, SAME, FOUND, LIKE)
    if not beyond:
        return f"no gain beyond noise on real pictures like the found ones ({gain:+.2%} against more of the same)"
    if gain < 0:
        return f"the found pictures harm: {-gain:.2%} more errors on real pictures like them than more of the same"
    words = [f"the found pictures help: {gain:.2%} fewer errors on real pictures like them than more of the same"]
    steered, by_search = difference(errors, FAKES, FOUND, LIKE)
    if by_search and steered > 0:
        words.append("the gain is the generator's further data, steered to where the model is weak")
    else:
        words.append("as many random fakes do as much: the gain is the generator's further data, not the search")
    moved, beyond_moved = difference(errors, MOVED, FOUND, LIKE)
    if not (beyond_moved and moved > 0):
        words.append("moved originals do as much, and need no generator")
    real, by_real = difference(errors, FOUND, REAL, LIKE)
    if by_real and real > 0:
        words.append("real pictures of the generator's training set, picked by the same search, do more")
    return "; ".join(words)
