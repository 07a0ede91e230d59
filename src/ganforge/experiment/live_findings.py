"""Findings during a training, said when they are first seen."""

from ganforge.diagnosis.live import Watch
from ganforge.diagnosis.moments import until
from ganforge.experiment.case import case_of
from ganforge.experiment.experiment import ProgressListener
from ganforge.runs.folder import RunFolder
from ganforge.training.log_schedule import is_examination
from ganforge.training.state import State
from ganforge.training.stats import Stats


class LiveFindings:
    """Reads the log and the signals of a run at examination marks, and says each finding once, with its step.

    Runs after the hooks that write them. A resumed run does not repeat what its earlier sessions said.
    """

    def __init__(self, folder: RunFolder, watcher: ProgressListener) -> None:
        self._folder, self._watcher = folder, watcher
        self._watch: Watch | None = None

    def __call__(self, state: State, stats: Stats) -> None:
        """Look at the run, if this step is a mark."""
        if not is_examination(state.step):
            return
        case = case_of(self._folder)
        if self._watch is None:
            self._watch = Watch(until(case, state.step - 1))
        for finding in self._watch.look(until(case, state.step)):
            self._watcher.say(f"step {state.step:,}: {finding.text}")
