"""When hooks look, as functions of the step and never of a run's length: a longer run repeats a shorter one."""

import math


def is_mark(step: int) -> bool:
    """Whether ``step`` is on a geometric scale of about six marks for each doubling: 1 to 13, 15, 16, 18, 21, 23...

    Most of what is worth seeing happens early; a run of any length gets about 6·log2(steps) marks.
    """
    if step < 1:
        return step == 0
    return int(6 * _log2(step)) != int(6 * _log2(step - 1)) if step > 10 else True


def _log2(x: int) -> float:
    # A tiny push keeps powers of two on the same side of the mark on every machine.
    return math.log2(x) + 1e-9


def is_sheet_epoch(epoch: int) -> bool:
    """Whether a sheet is drawn after ``epoch`` (counted from 0): the first, every tenth, later ten for each decade.

    Epochs 0, 9, 19, ..., 99 as the tutorials do, then 199, 299, ..., 999, 1999, ...
    """
    done = epoch + 1
    return done == 1 or done % max(10, 10 ** (len(str(done)) - 1)) == 0
