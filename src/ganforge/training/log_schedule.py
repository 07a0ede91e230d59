"""Steps at which hooks act. They never depend on the length of the run, so a longer run repeats a shorter one."""

import math


def is_mark(step: int) -> bool:
    """Return whether ``step`` is on a geometric scale with about six marks per doubling: 0 to 13, 15, 16, 18, 21, 23...

    Most changes happen early; a run gets about 6·log2(steps) marks.
    """
    if step < 1:
        return step == 0
    return int(6 * _log2(step)) != int(6 * _log2(step - 1)) if step > 10 else True


def is_examination(step: int) -> bool:
    """Return whether ``step`` is on a geometric scale: 16, 23, 32, 46, ... up to 256, then three marks per doubling.

    The first steps are many in a short run, and show little.
    """
    marks = 2 if step <= 256 else 3
    return step == 16 or (step > 16 and int(marks * _log2(step)) != int(marks * _log2(step - 1)))


def _log2(x: int) -> float:
    # The offset keeps powers of two on the same side of a mark on every machine.
    return math.log2(x) + 1e-9


def is_sheet_epoch(epoch: int) -> bool:
    """Return whether an image grid is saved after ``epoch`` (counted from 0): the first, every tenth, later fewer.

    These are epochs 0, 9, 19, ..., 99 as in the tutorials, then 199, 299, ..., 999, 1999, ...
    """
    done = epoch + 1
    return done == 1 or done % max(10, 10 ** (len(str(done)) - 1)) == 0
