"""Forked processes: torch's OpenMP threads exist in the parent only, and a child that needs them waits for ever."""

import os
import sys
import time
import warnings
from contextlib import suppress

from ganforge.errors import UserError

DEADLINE_SECONDS = 5.0
"""Seconds after which work of a millisecond counts as hanging."""

ADVICE = (
    "start processes with multiprocessing.set_start_method('spawn'), or fork before torch is used; "
    "torch.set_num_threads(1) in the child works too"
)

_untested = False
"""Whether this process was forked from one that had imported torch and has not been tested since."""
_hanging = False
"""Whether the test found that work with several threads hangs in this process."""
_cuda = False
"""Whether CUDA was initialised before the fork: a child cannot use it."""


def _before_fork() -> None:
    global _cuda
    _cuda = _cuda or ("torch" in sys.modules and sys.modules["torch"].cuda.is_initialized())


def _after_fork() -> None:
    global _untested, _hanging
    _untested, _hanging = "torch" in sys.modules, False


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork)


def refuse_broken_fork() -> None:
    """Refuse to work in a forked process in which torch would hang.

    Torch hangs where both parent and child use several threads. No flag says whether the parent did, so a fork of this
    process tests it. That test also hangs where the child used torch before its first call of ganforge, although such
    a child works: it is refused without need.

    Raises:
        UserError: torch would hang, or cannot use the GPU that the parent used.
    """
    global _untested, _hanging
    if not _untested and not _hanging:
        return
    import torch

    if _cuda:  # inherited from the parent
        raise UserError(f"this process was forked from one that used a GPU, which torch cannot share; {ADVICE}")
    if torch.get_num_threads() == 1:
        return
    if _untested:
        _untested, _hanging = False, _hangs()
    if _hanging:
        raise UserError(f"this process was forked from one that used torch, whose threads it lacks; {ADVICE}")


def _hangs() -> bool:
    """Fork, and return whether work with several threads hangs in the child."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a warning of forking a process with threads
        child = os.fork()
    if child == 0:
        try:
            torch.ones(1 << 20).exp()
        finally:
            os._exit(0)
    deadline = time.monotonic() + DEADLINE_SECONDS
    with suppress(ChildProcessError):  # where the user ignores SIGCHLD there is no child to wait for
        while os.waitpid(child, os.WNOHANG)[0] == 0:
            if time.monotonic() > deadline:
                os.kill(child, 9)
                os.waitpid(child, 0)
                return True
            time.sleep(0.005)
    return False
