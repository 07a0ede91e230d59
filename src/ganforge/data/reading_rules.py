"""The rules for reading files as images: the user's choices, and the version of ganforge's default behaviour.

A run stores its rules in ``run.json``, so that its data is always read by the same rules.
"""

import re
from collections.abc import Mapping
from typing import Any, Self

from pydantic import ValidationError

from ganforge.errors import UserError
from ganforge.settings import Settings

CURRENT = 3
"""Version 1 was in use until November 2026. It recognised parts only by the names in ``PARTS_1``, sorted class names as
text, kept every picture saved in colour in colour, required labels to start at 0, and split sets without regard to
classes."""

PARTS_1 = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}
PART_WORDS = {
    "train": ("train", "training", "trn", "tr"),
    "validation": ("validation", "validate", "valid", "val", "dev", "development"),
    "test": ("test", "testing", "tst", "te", "t10k"),
}
PARTS = tuple(PART_WORDS)
FILLERS = ("set", "data", "dataset", "split", "images", "image", "imgs", "img", "pictures", "samples", "folder", "part")
"""Words without meaning next to the name of a part: trainingSet, test_data, images-val."""


class ReadingRules(Settings):
    """The rules for reading files as images.

    Attributes:
        version: version of the default behaviour: parts, order of classes, grey detection, labels, splitting.
        resize: for picture files: 32 scales and crops to 32×32, "32-pad" scales and pads.
        skip_bad: whether to skip pictures that cannot be read.
        levels: the pixel levels of black and white; None determines them from type and range.
        colour: whether to keep three channels for grey pictures.
    """

    version: int = CURRENT
    resize: str | int | None = None
    skip_bad: bool = False
    levels: tuple[float, float] | None = None
    colour: bool = False

    @classmethod
    def of_run(cls, data: Mapping[str, Any]) -> Self:
        """Return the rules from the table ``data`` of ``run.json``; a table without a version has version 1."""
        if (version := data.get("rules", 1)) > CURRENT:
            raise UserError(f"run.json: its data were read by rules of version {version}; install a newer ganforge")
        rules = {name: data[name] for name in ("resize", "skip_bad", "colour") if name in data}
        return cls.chosen(version=version, levels=data.get("levels"), **rules)

    @classmethod
    def chosen(cls, levels: Any = None, **fields: Any) -> Self:
        """Return the rules with the user's choices.

        Raises:
            UserError: a choice is invalid.
        """
        try:
            pair = None if levels is None else tuple(float(level) for level in levels)
            return cls.model_validate({**fields, "levels": pair})
        except (TypeError, ValueError) as error:
            detail = error.errors()[0] if isinstance(error, ValidationError) else {"loc": ("levels",), "msg": "a pair"}
            raise UserError(f"{detail['loc'][0]}: cannot be used ({detail['msg']})") from None

    def for_run(self) -> dict[str, Any]:
        """Return the rules in the form that `of_run` reads."""
        return {"rules": self.version, **self.model_dump(mode="json", exclude={"version"})}

    def part_named(self, name: str) -> str | None:
        """Return the part (train, validation or test) of a folder, file or array with this name, or None."""
        return PARTS_1.get(name) if self.version == 1 else part_named(name)


USUAL = ReadingRules()


def words_of(name: str) -> list[str]:
    """Split a name into lower-case words: trainingSet, training_set and TRAINING-SET are training, set."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return [word.casefold() for word in re.split(r"[\W_]+", spaced) if word]


def part_named(name: str) -> str | None:
    """Return the part that a name means in any spelling; fillers such as ``set`` are ignored."""
    words = [word for word in words_of(name) if word not in FILLERS and not word.isdigit()]
    if len(words) != 1:
        return None
    word = words[0]
    for filler in FILLERS[:4]:  # trainset, testdata
        if word.endswith(filler) and word != filler:
            word = word.removesuffix(filler)
    return next((part for part, spellings in PART_WORDS.items() if word in spellings), None)
