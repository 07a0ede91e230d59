"""The rules by which files become images: what a user chose, and the version of what ganforge decides by itself.

A run keeps its rules in ``run.json``: its data are read by the same rules for as long as the run is used.
"""

import re
from collections.abc import Mapping
from typing import Any, Self

from pydantic import ValidationError

from ganforge.errors import UserError
from ganforge.settings import Settings

CURRENT = 2
"""Version 1 ruled until November 2026. It knew parts by the names of ``PARTS_1`` alone, put class names in the order of
their text, kept every picture that was saved in colour in colour, let labels start at 0 only, and cut sets without
regard to their classes."""

PARTS_1 = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}
PART_WORDS = {
    "train": ("train", "training", "trn", "tr"),
    "validation": ("validation", "validate", "valid", "val", "dev", "development"),
    "test": ("test", "testing", "tst", "te", "t10k"),
}
FILLERS = ("set", "data", "dataset", "split", "images", "image", "imgs", "img", "pictures", "samples", "folder", "part")
"""Words that say nothing where they stand beside the name of a part: trainingSet, test_data, images-val."""


class ReadingRules(Settings):
    """How files become images.

    Attributes:
        version: of what ganforge decides by itself: parts, order of classes, grey, labels, cutting.
        resize: for pictures: 32 scales and crops them to 32×32, "32-pad" scales and pads them.
        skip_bad: leave out pictures that cannot be read.
        levels: the pixel levels that are black and white, where they are not what they seem.
        colour: three channels, also where all pictures are grey.
    """

    version: int = CURRENT
    resize: str | int | None = None
    skip_bad: bool = False
    levels: tuple[float, float] | None = None
    colour: bool = False

    @classmethod
    def of_run(cls, data: Mapping[str, Any]) -> Self:
        """Return the rules that ``run.json`` keeps in its table ``data``; a table without a version is of version 1."""
        if (version := data.get("rules", 1)) > CURRENT:
            raise UserError(f"run.json: its data were read by rules of version {version}; a newer ganforge knows them")
        rules = {name: data[name] for name in ("resize", "skip_bad", "colour") if name in data}
        return cls._checked(version=version, levels=data.get("levels"), **rules)

    @classmethod
    def chosen(cls, **choices: Any) -> Self:
        """Return the rules with what a user chose.

        Raises:
            UserError: some choice is none.
        """
        return cls._checked(**choices)

    @classmethod
    def _checked(cls, levels: Any = None, **fields: Any) -> Self:
        try:
            pair = None if levels is None else tuple(float(level) for level in levels)
            return cls.model_validate({**fields, "levels": pair})
        except (TypeError, ValueError) as error:
            told = error.errors()[0] if isinstance(error, ValidationError) else {"loc": ("levels",), "msg": "a pair"}
            raise UserError(f"{told['loc'][0]}: cannot be used ({told['msg']})") from None

    def for_run(self) -> dict[str, Any]:
        """Return the rules as `of_run` reads them."""
        return {
            "rules": self.version,
            "resize": self.resize,
            "skip_bad": self.skip_bad,
            "levels": list(self.levels) if self.levels else None,
            "colour": self.colour,
        }

    def part_named(self, name: str) -> str | None:
        """Return the part, train, validation or test, that a folder, file or array of this name holds, or None."""
        return PARTS_1.get(name) if self.version == 1 else part_named(name)


USUAL = ReadingRules()


def words_of(name: str) -> list[str]:
    """Split a name into its words, small: trainingSet, training_set and TRAINING-SET are training, set."""
    parted = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return [word.casefold() for word in re.split(r"[\W_]+", parted) if word]


def part_named(name: str) -> str | None:
    """Return the part that a name stands for, whatever its spelling; fillers such as ``set`` do not count."""
    words = [word for word in words_of(name) if word not in FILLERS and not word.isdigit()]
    if len(words) != 1:
        return None
    word = words[0]
    for filler in FILLERS[:4]:  # trainset, testdata
        if word.endswith(filler) and word != filler:
            word = word.removesuffix(filler)
    return next((part for part, spellings in PART_WORDS.items() if word in spellings), None)
