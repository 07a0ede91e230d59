"""Global settings of the calling process: they must not change a result, and they are restored afterwards."""

import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import numpy as np
import torch

from ganforge.forks import refuse_broken_fork

BACKENDS: Any = torch.backends  # its stubs lack some switches


class _ProcessWide:
    """Process-wide settings. Several threads may set them to defaults at once; the last one restores them."""

    def __init__(self) -> None:
        self._lock, self._users, self._before = threading.Lock(), 0, ExitStack()

    @contextmanager
    def plain(self) -> Iterator[None]:
        with self._lock:
            if not self._users:
                _make_plain(self._before)
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self._before.close()


_process = _ProcessWide()


@contextmanager
def plain_state() -> Iterator[None]:
    """Work as in a fresh process, whatever the caller has set in torch and NumPy; usable as a decorator.

    Inside, gradients are enabled, inference mode and autocast are off, new tensors are float32 on the CPU, matrix
    products have the precision of the recipe, and torch's global random state is fixed. Afterwards, also after an
    exception, every setting is restored, including the random states of NumPy and Python.

    Three settings are left alone: the number of threads (results depend on it, as documented), cuDNN's switches (a GPU
    adds in any order anyway), and deterministic algorithms, which give the same weights on the CPU (torch only warns
    where an operation has none).

    Raises:
        UserError: torch cannot work in this process (`forks`).
    """
    refuse_broken_fork()
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))  # enables gradients, too
        stack.enter_context(_no_autocast())
        stack.enter_context(np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"))
        if torch.empty(0).device.type != "cpu":  # a device as a context slows every call down
            stack.enter_context(torch.device("cpu"))
        stack.enter_context(_process.plain())
        yield


@contextmanager
def _no_autocast() -> Iterator[None]:
    """Leave every autocast context, as if there were none.

    A disabled outer context would still count as the outermost one. The bf16 copies of weights that an inner context
    caches would then outlive the step that updates the weights.
    """
    kinds = [kind for kind in ("cpu", "cuda", "mps") if torch.is_autocast_enabled(kind)]
    cached = torch.is_autocast_cache_enabled()
    depth = torch.autocast_increment_nesting() - 1
    for _ in range(depth + 1):
        torch.autocast_decrement_nesting()
    torch.clear_autocast_cache()
    torch.set_autocast_cache_enabled(True)
    for kind in kinds:
        torch.set_autocast_enabled(kind, False)
    try:
        yield
    finally:
        for kind in kinds:
            torch.set_autocast_enabled(kind, True)
        torch.set_autocast_cache_enabled(cached)
        for _ in range(depth):
            torch.autocast_increment_nesting()


def _make_plain(before: ExitStack) -> None:
    """Set the process-wide defaults; ``before`` collects the callbacks that restore the old settings."""
    before.callback(torch.set_default_dtype, torch.get_default_dtype())
    torch.set_default_dtype(torch.float32)
    before.callback(torch.set_rng_state, torch.get_rng_state())
    before.callback(np.random.set_state, np.random.get_state())
    before.callback(random.setstate, random.getstate())  # some libraries draw from it when they are imported
    torch.default_generator.manual_seed(0)
    before.enter_context(torch.autograd.set_detect_anomaly(False))
    if torch.are_deterministic_algorithms_enabled():
        strict = not torch.is_deterministic_algorithms_warn_only_enabled()
        before.callback(torch.use_deterministic_algorithms, True, warn_only=not strict)
        torch.use_deterministic_algorithms(True, warn_only=True)
    _compute_exactly(before)


def _compute_exactly(before: ExitStack) -> None:
    """Compute float32 products in float32: the recipe alone sets a lower precision."""
    for backend in (BACKENDS.cuda.matmul, BACKENDS.mkldnn.matmul):
        before.callback(setattr, backend, "fp32_precision", backend.fp32_precision)
    with suppress(RuntimeError):  # the general switch cannot be read where a single backend was set
        before.callback(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision())
    torch.set_float32_matmul_precision("highest")
    convolutions = BACKENDS.mkldnn.conv
    before.callback(setattr, convolutions, "fp32_precision", convolutions.fp32_precision)
    convolutions.fp32_precision = "ieee"
    if torch.backends.mkldnn.is_available() and not torch.backends.mkldnn.enabled:
        only = {"_allow_tf32": None, "_fp32_precision": None}
        before.callback(BACKENDS.mkldnn.set_flags, False, **only)
        BACKENDS.mkldnn.set_flags(True, **only)
