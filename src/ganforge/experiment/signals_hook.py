"""The file of signals: examinations during a training, few enough to cost little of its time."""

import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from ganforge.diagnosis.case import Signals
from ganforge.experiment.examiner import Examiner
from ganforge.experiment.experiment import Experiment
from ganforge.experiment.network_signals import weights_of
from ganforge.runs.folder import RunFolder
from ganforge.runs.log import append_line, cut_back, fitting, read_lines
from ganforge.training.log_schedule import is_examination
from ganforge.training.state import State
from ganforge.training.stats import Stats

PICTURES, EARLY_PICTURES, EARLY = 256, 128, 256
"""Pictures of an examination during a training, and fewer of them up to step ``EARLY``, when all are still alike."""
MOST_PICTURES, MOST_RESULTS = 2000, 500
"""Pictures, and real images, of the examination at a run's end; results of an image-to-image generator, which take ten
times as long."""
SHARE = 1 / 60
"""Largest share of the time of training that examinations may cost, beyond `GRACE`."""
GRACE = 0.7
"""Processor seconds that the first examinations of a run may cost, whatever the time of training so far: with `SHARE`,
3 % of a minute."""

OnSignals = Callable[[Signals], None]


class SignalsHook:
    """Examines the state at geometric marks; a mark whose examination would cost too much is skipped.

    The cost is that of the examination before, and both costs and training are counted in processor seconds of this
    thread, so that other processes do not matter. The preparation of real images is left out of both. The marks depend
    on the step alone, the skipped ones on the machine; no weight depends on an examination.
    """

    def __init__(
        self, experiment: Experiment, seconds: Callable[[], float], on_signals: OnSignals = lambda signals: None
    ) -> None:
        self._experiment, self._seconds, self._on_signals = experiment, seconds, on_signals
        self._examiner = Examiner(experiment)
        self._began, self._cost, self._spent = time.thread_time(), 0.0, 0.0
        self._weights_before: tuple[int, dict[str, list[Tensor]]] = (-1, {})

    def __call__(self, state: State, stats: Stats) -> None:
        """Examine, if this step is a mark; remember the weights, if the next step is one."""
        if is_examination(state.step) and self._affordable():
            self._examine(state)
        self._weights_before = (-1, {})
        if is_examination(state.step + 1) and self._affordable():
            self._weights_before = (state.step, weights_of(state))

    def _affordable(self) -> bool:
        trained = time.thread_time() - self._began - self._spent
        return self._examiner.possible and self._spent + self._cost <= SHARE * trained + GRACE

    def _examine(self, state: State) -> None:
        _wait_for(self._experiment.device)
        before_preparation = time.thread_time()
        self._examiner.prepare()
        started = time.thread_time()
        self._began += started - before_preparation
        step, weights = self._weights_before
        before = weights if step == state.step - 1 else {}
        n = EARLY_PICTURES if state.step <= EARLY else PICTURES
        signals = self._examiner.examine(state, n, seconds=self._seconds(), weights_before=before)
        append_signals(self._experiment.folder, signals)
        self._on_signals(signals)
        self._cost = time.thread_time() - started
        self._spent += self._cost

    def finish(self, state: State) -> None:
        """Examine the state at the run's end with more pictures, and replace the line of this step, if there is one."""
        if not self._examiner.possible:
            return
        folder = self._experiment.folder
        n = MOST_RESULTS if self._experiment.recipe.pairs else MOST_PICTURES
        examiner = Examiner(self._experiment, reals=n, last_pictures=self._examiner.last_pictures)
        generator = self._experiment.freeze_for_sampling(state)
        signals = examiner.examine(state, n, seconds=self._seconds(), generator=generator)
        earlier = [kept for kept in read_signals(folder) if kept.step == state.step]
        if earlier:  # that examination has seen the step itself, and the pictures of an earlier step
            kept = earlier[-1]
            signals = dataclasses.replace(signals, change=kept.change, update_to_weight=kept.update_to_weight)
            cut_back(folder.signals, state.step - 1)
        append_signals(folder, signals)


def append_signals(folder: RunFolder, signals: Signals) -> None:
    """Append a line to ``signals.jsonl``; fields without a value, and values that are not finite, are left out.

    Raises:
        RunFailed: the line could not be written.
    """
    fields = {name: _finite(value) for name, value in dataclasses.asdict(signals).items()}
    append_line(folder.signals, {name: value for name, value in fields.items() if value not in (None, ())})


def _finite(value: Any) -> Any:
    """Return a field of signals, or None for a number that is not finite; in a mapping such entries are left out."""
    if isinstance(value, Mapping):
        return {name: number for name, number in value.items() if math.isfinite(number)}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_signals(folder: RunFolder) -> list[Signals]:
    """Return the examinations of a run in the order of their steps; damaged lines are left out."""
    lines = [signals for line in read_lines(folder.signals) if (signals := fitting(Signals, line))]
    return sorted(lines, key=lambda signals: signals.step)


def _wait_for(device: torch.device) -> None:
    """Let the device finish the steps before, so that their time does not count as that of an examination."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
