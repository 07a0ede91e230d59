"""Conditions of an evaluation: metrics compare only under equal protocols."""

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import Any

from ganforge.json_text import to_json

VERSION = 2
"""Version of the metrics; raise it whenever one of them changes its meaning."""


@dataclass(frozen=True)
class Protocol:
    """Conditions that two evaluations must share before their metrics compare.

    Attributes:
        judge: version of the judge, or name of the user's extractor.
        judge_hash: SHA-256 of the judge's file, or hash of the extractor.
        data: name of the real images.
        fingerprint: SHA-256 of the real images.
        split: part of the data that they are: test or validation.
        n: number of fakes, and of reals; distances shrink as n grows.
        version: version of the metrics.
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
        """Identifier of twelve characters; the name of the data is no part of it."""
        values = {name: value for name, value in dataclasses.asdict(self).items() if name != "data"}
        return hashlib.sha256(to_json(values, sort_keys=True).encode()).hexdigest()[:12]

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary for JSON, with the id."""
        return {"id": self.id, **dataclasses.asdict(self)}

    def difference(self, other: "Protocol") -> str | None:
        """Return the first difference from another protocol in words, or None."""
        descriptions = {
            "judge_hash": "the judge",
            "split": "the split",
            "n": "the number of images",
            "fingerprint": "the real images",
            "version": "the version of the metrics",
        }
        for field, description in descriptions.items():
            own, others = getattr(self, field), getattr(other, field)
            if own != others:
                if field == "judge_hash":
                    own, others = f"{self.judge} ({own[:8]})", f"{other.judge} ({others[:8]})"
                if field == "fingerprint":
                    own, others = f"{self.data} ({own[:8]})", f"{other.data} ({others[:8]})"
                return f"{description}: {own} against {others}"
        return None
