"""Findings during a training: each is said once, when it is first seen."""

from ganforge.diagnosis.case import Case
from ganforge.diagnosis.diagnose import seen
from ganforge.diagnosis.finding import Finding
from ganforge.diagnosis.moments import last_step, moments, until
from ganforge.diagnosis.thresholds import FIRST_STEPS


class Watch:
    """Sees every examination of a training, and says a finding when two in a row show it.

    One examination may be noise, and the first steps decide nothing. A finding made before step 1 has been said.
    """

    def __init__(self, case: Case) -> None:
        """Take note of what was seen in the examinations of earlier sessions of the run."""
        self._said: set[str] = {finding.name for finding in case.facts.before}
        self._just_seen: set[str] = set()
        for step in moments(case):
            self.look(until(case, step))

    def look(self, case: Case) -> list[Finding]:
        """Return the findings of severity 1 or 2 that are first seen now, at the latest examination of the case."""
        begun = last_step(case) >= FIRST_STEPS
        serious = [finding for finding in seen(case) if finding.severity > 0] if begun else []
        new = [one for one in serious if one.name in self._just_seen and one.name not in self._said]
        self._just_seen = {finding.name for finding in serious}
        self._said |= {finding.name for finding in new}
        return new
