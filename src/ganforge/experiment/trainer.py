"""The training of one recipe between two checkpoints: the part that a run and a seed of a benchmark share.

A run (`experiment.run`) trains on images with a test split, and has a log, sheets and a verdict. A seed of a
mode-coverage benchmark (`benchmarks.seed_run`) may train on points; it has a curve instead, and its clock leaves out
all measurements. One `Experiment` for both would consist of optional fields. So each side keeps its own hooks, and they
share the loop, the end of a training, the checkpoints, the test for weights that are not finite, and the clock.
"""

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganforge.data.batches import Streams
from ganforge.experiment.length import StopCondition
from ganforge.recipes.recipe import Recipe
from ganforge.runs.checkpoint import all_finite, newest_checkpoint, write_checkpoint
from ganforge.training import loop
from ganforge.training.noise import NoiseSource
from ganforge.training.nonfinite import Diverged
from ganforge.training.state import State
from ganforge.training.stats import Stats
from ganforge.training.step_function import StepFunction, step_function
from ganforge.training.tuning.malloc import keep_freed_memory


@dataclass(frozen=True)
class Trainer:
    """A state and everything that its next step depends on."""

    recipe: Recipe
    state: State
    streams: Streams
    noise: NoiseSource

    @property
    def step(self) -> StepFunction:
        """The training step of the recipe."""
        return step_function(self.recipe)

    def train(self, stop: Callable[[State], bool], hooks: Iterable[loop.Hook] = ()) -> None:
        """Continue the training loop from the state's step until ``stop(state)`` is true."""
        keep_freed_memory()
        loop.train(self.state, self.step, self.recipe, self.streams, self.noise, stop=stop, hooks=hooks)


def stop_at(length: StopCondition, stopped: threading.Event) -> Callable[[State], bool]:
    """Return the condition that ends a training: its length, or a stop signal (`stop_signals`).

    The seconds of the length count from the first call, which is right before the first step; that step is always made,
    so that even the shortest time trains.
    """
    deadline: float | None = None
    target = length.step if length.step is not None else math.inf

    def stop(state: State) -> bool:
        nonlocal deadline
        if state.step >= target or stopped.is_set():
            return True
        if deadline is None:
            deadline = time.perf_counter() + length.seconds
            return False
        return time.perf_counter() >= deadline

    return stop


class Stopwatch:
    """Counts the seconds of a training, those ``before`` a resumption included; ``runs``: from now on."""

    def __init__(self, before: float = 0.0, *, runs: bool = True) -> None:
        self._counted, self._since, self._runs = before, time.perf_counter(), runs

    def seconds(self) -> float:
        """Return the seconds so far, without pauses."""
        return self._counted + (time.perf_counter() - self._since if self._runs else 0.0)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the time within the block, and none after it."""
        self._since, self._runs = time.perf_counter(), True
        try:
            yield
        finally:
            self._counted, self._runs = self.seconds(), False

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Do not count the time within the block."""
        self._counted, self._runs = self.seconds(), False
        try:
            yield
        finally:
            self._since, self._runs = time.perf_counter(), True


class CheckpointHook:
    """Calls ``write`` with the state every ``interval`` seconds."""

    def __init__(self, interval: float, write: Callable[[State], None]) -> None:
        self._interval, self._write = interval, write
        self._saved_at = time.perf_counter()

    def __call__(self, state: State, stats: Stats) -> None:
        """Save, if a checkpoint is due."""
        if time.perf_counter() - self._saved_at >= self._interval:
            self.save(state)

    def save(self, state: State) -> None:
        """Save now."""
        self._write(state)
        self._saved_at = time.perf_counter()


def save_state(folder: Path, state: State, **note: Any) -> None:
    """Write a checkpoint into ``folder``, with further metadata.

    Raises:
        Diverged: a weight is not finite; nothing was written.
        RunFailed: the disk is full or cannot be written to; older checkpoints are unchanged.
    """
    tensors = state.tensors()
    if not all_finite(tensors):
        raise Diverged
    write_checkpoint(folder, tensors, {"step": state.step, "images_seen": state.images_seen, **note})


def load_state(folder: Path, state: State) -> tuple[dict[str, Any], list[str]]:
    """Load the newest whole checkpoint in ``folder``; return its metadata, and messages on newer ones that are damaged.

    Raises:
        Damaged: no whole checkpoint is left.
        KeyError, ValueError: the checkpoint is of other networks.
    """
    tensors, note, messages = newest_checkpoint(folder)
    state.load(tensors, note["step"], note["images_seen"])
    return note, messages
