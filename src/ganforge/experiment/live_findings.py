"""Findings while a run trains: each is said once, in one line, when it is first seen."""

from dataclasses import replace

from ganforge.diagnosis.case import Case, Signals
from ganforge.diagnosis.live import Watch
from ganforge.experiment.case import case_of
from ganforge.experiment.experiment import Experiment, ProgressListener


class LiveFindings:
    """Receives the examinations of a run and tells the watcher of each finding that is first seen."""

    def __init__(self, experiment: Experiment, watcher: ProgressListener) -> None:
        self._experiment, self._watcher = experiment, watcher
        self._watch = Watch(self._case())

    def __call__(self, signals: Signals) -> None:
        """Look at the run after an examination that was just logged."""
        for finding in self._watch.look(self._case()):
            self._watcher.say(f"step {signals.step}: {finding.text}")

    def _case(self) -> Case:
        """Return the case so far; a verdict of an earlier end of the run says nothing about the present one."""
        return replace(case_of(self._experiment.folder), measured=None)
