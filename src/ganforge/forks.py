"""Forked processes: torch's OpenMP threads stay behind in the parent, and a child that needs them waits for ever."""

import os
import sys
import time
import warnings
from contextlib import suppress

from ganforge.errors import UserError

PATIENCE = 5.0
"""Seconds for work of a millisecond, after which it hangs."""

ADVICE = (
    "start processes with multiprocessing.set_start_method('spawn'), or fork before torch is used; "
    "torch.set_num_threads(1) in the child works, too"
)

_unsure = False
"""Whether this process was forked from one that had torch, and was not tried out since."""
_broken = False
"""Whether work with several threads was found to hang here."""
_cuda = False
"""Whether CUDA was at work before the fork: a child cannot use it."""


def _before_fork() -> None:
    global _cuda
    _cuda = _cuda or ("torch" in sys.modules and sys.modules["torch"].cuda.is_initialized())


def _after_fork() -> None:
    global _unsure, _broken
    _unsure, _broken = "torch" in sys.modules, False


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork)


def refuse_broken_fork() -> None:
    """Refuse to work in a forked process in which torch would hang.

    It hangs where the parent had used several threads and the child is to use several, too. Nothing tells whether the
    parent did: a fork of this process tries it out. Where the child itself used torch before it first called ganforge,
    and so is known to work, that fork hangs all the same, and the process is refused without need.

    Raises:
        UserError: torch would hang, or cannot use the GPU that the parent used.
    """
    global _unsure, _broken
    if not _unsure and not _broken:
        return
    import torch

    if _cuda:  # which the child inherits
        raise UserError(f"this process was forked from one that used a GPU, which torch cannot share; {ADVICE}")
    if torch.get_num_threads() == 1:
        return
    if _unsure:
        _unsure, _broken = False, _hangs()
    if _broken:
        raise UserError(f"this process was forked from one that used torch, whose threads it lacks; {ADVICE}")


def _hangs() -> bool:
    """Fork, and see whether work with several threads comes to an end there."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside other threads, which is the question
        child = os.fork()
    if child == 0:
        try:
            torch.ones(1 << 20).exp()
        finally:
            os._exit(0)
    deadline = time.monotonic() + PATIENCE
    with suppress(ChildProcessError):  # where the user ignores SIGCHLD nothing is left to wait for
        while os.waitpid(child, os.WNOHANG)[0] == 0:
            if time.monotonic() > deadline:
                os.kill(child, 9)
                os.waitpid(child, 0)
                return True
            time.sleep(0.005)
    return False
