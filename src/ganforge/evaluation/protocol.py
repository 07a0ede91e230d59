"""Under which conditions figures were taken: only figures of one protocol compare."""

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import Any

from ganforge.json_text import to_json

VERSION = 2
"""Of the way in which figures are computed: to be raised whenever one of them changes its meaning."""


@dataclass(frozen=True)
class Protocol:
    """What must be the same before two figures may stand side by side.

    Attributes:
        judge: who looked: a judge's version, or an extractor's name.
        judge_hash: SHA-256 of the judge's file.
        data: what the reals are called.
        fingerprint: SHA-256 of the reals.
        split: which part of the data they are: test or validation.
        n: so many fakes against so many reals; distances shrink as n grows.
        version: of the figures themselves.
    """

    judge: str
    judge_hash: str
    data: str
    fingerprint: str
    split: str
    n: int
    version: int = VERSION

    @property
    def id(self) -> str:
        """Twelve characters that name this protocol; what the data are called is no part of it."""
        values = {name: value for name, value in dataclasses.asdict(self).items() if name != "data"}
        return hashlib.sha256(to_json(values, sort_keys=True).encode()).hexdigest()[:12]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, with the id."""
        return {"id": self.id, **dataclasses.asdict(self)}

    def difference(self, other: "Protocol") -> str | None:
        """Name the first thing in which two protocols differ, or None."""
        words = {
            "judge_hash": "the judge",
            "split": "the split",
            "n": "the number of pictures",
            "fingerprint": "the real images",
            "version": "the version of the figures",
        }
        for field, what in words.items():
            one, two = getattr(self, field), getattr(other, field)
            if one != two:
                if field == "judge_hash":
                    one, two = f"{self.judge} ({one[:8]})", f"{other.judge} ({two[:8]})"
                if field == "fingerprint":
                    one, two = f"{self.data} ({one[:8]})", f"{other.data} ({two[:8]})"
                return f"{what}: {one} against {two}"
        return None
