"""A finding: one thing that is wrong with a run, or right, with its evidence, its cause and its remedies."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal[0, 1, 2]


@dataclass(frozen=True)
class Evidence:
    """One figure that a finding rests on.

    Attributes:
        name: the figure in words: "spread within a digit, of the real one".
        value: what was measured.
        low, high: its healthy range; None where the range is open.
        signal: the field of `Signals`, or of a line of the log, whose course over the steps is this figure's; a report
            draws it. Empty where there is no such course.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    signal: str = ""


@dataclass(frozen=True)
class Remedy:
    """A change of the recipe, or of the data, that may cure a finding.

    Attributes:
        text: the remedy in words: "rates divided by 5".
        changes: the same as ``field=value`` changes of the run's recipe; empty where only the user can act (data).
        cured, tried: how many runs of the corpus of patients this remedy cured, of those on which it was tried; 0 of 0
            where it was not measured.
        anew: whether it needs a training from the first step, because the illness is in the weights.
        name: a fixed identifier, under which cure rates are counted: "lower-rates".
        recipe: the built-in recipe that takes the place of the run's, before the changes; empty: the run's own.
    """

    text: str
    changes: tuple[str, ...] = ()
    cured: int = 0
    tried: int = 0
    anew: bool = False
    name: str = ""
    recipe: str = ""


@dataclass(frozen=True)
class Finding:
    """One diagnosis of a run.

    Attributes:
        name: a fixed identifier for programs, one of `NAMES`.
        severity: 2 failed, 1 impaired, 0 healthy or merely remarked.
        text: the problem and its evidence, in one sentence.
        remedy: what to try, in words.
        evidence: the figures that the finding rests on.
        since: the step at which it was first seen; None where it holds from the start or was seen at the end alone.
        confidence: share of such findings that were right in the corpus of patients, 0..1; None where not measured.
        cause: the likely cause, in words.
        remedies: the remedies, best first.
        reconsider: what would change the mind: the observation that would make this finding wrong.
    """

    name: str
    severity: Severity
    text: str
    remedy: str = ""
    evidence: tuple[Evidence, ...] = ()
    since: int | None = None
    confidence: float | None = None
    cause: str = ""
    remedies: tuple[Remedy, ...] = ()
    reconsider: str = ""

    @property
    def line(self) -> str:
        """The finding in one line: what it is, its name, the text, and what to try."""
        kind = "warning" if self.severity else "note"
        return f"{kind}: {self.name}: {self.text}" + (f". Try: {self.remedy}" if self.remedy else "")


NAMES: dict[str, str] = {
    "mode-collapse": "all pictures, or all pictures of each class asked for, are alike",
    "class-collapse": "the pictures of some classes are alike, or come near less than half of their real ones",
    "missing-classes": "some classes are drawn in less than 30 % of their real share",
    "narrow": "the pictures vary too little everywhere",
    "repetition": "the same few pictures come again and again",
    "discriminator-won": "the discriminator tells every fake, and the generator no longer learns",
    "discriminator-weak": "the discriminator cannot tell fakes that are far from real",
    "discriminator-overfits": "the discriminator knows its training pictures by heart",
    "label-ignored": "the pictures do not show the class that was asked for",
    "label-noise": "many labels of the training pictures are wrong",
    "memorising": "the generator copies training pictures",
    "oscillating": "classes or pictures wander between checkpoints",
    "unstable": "norms, losses or weights run away",
    "diverged": "a weight is no longer finite",
    "undertrained": "the pictures still become better: the run is too short",
    "plateau": "nothing becomes better any more, far from real",
    "rough": "the pictures vary, and are far from real ones",
    "noise-ignored": "the results for one condition are all equal, whatever the noise",
    "posterior-collapse": "the codes carry no information on their pictures",
    "few-data": "there are fewer pictures than the recipe can bear",
    "data-range": "the pictures use a small part of the pixel levels",
    "data-polarity": "some pictures are light on dark, others dark on light",
    "data-duplicates": "many training pictures are equal, or test pictures are among them",
    "data-classes": "classes are empty, tiny or of very different sizes",
    "recipe": "a setting of the recipe lies outside everything that is known to work",
    "learning": "not yet healthy, and nothing worse was found",
    "never-drew": "an autoencoder that was never trained to draw from noise",
    "healthy": "every class is there, varied and near to real",
}
"""The names of all findings, and what each means. The names are a contract."""
