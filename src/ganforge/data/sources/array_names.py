"""The part and the role (images or labels) of arrays, files and columns, from the words of their names.

Any order, case and separator is understood: x_train, trainX, train-images, y, imgs_val, testLabels, label_names.
"""

import re
from dataclasses import dataclass
from typing import Literal

from ganforge.data.reading_rules import PART_WORDS, ReadingRules, words_of

Role = Literal["images", "labels", "names"]

IMAGE_WORDS = ("images", "image", "imgs", "img", "x", "xs", "pixels", "pixel", "pictures", "picture", "inputs", "input")
LABEL_WORDS = (
    *("labels", "label", "lbls", "lbl", "y", "ys", "targets", "target", "classes", "class", "categories", "category"),
    *("digits", "digit", "emotion", "character", "letter"),
)
NAME_WORDS = ("names", "name")
DATA_WORDS = ("data", "dataset", "samples", "sample")
"""Words that mean images unless another word gives the role: test_data holds images, test_data_labels labels."""

SILENT_WORDS = ("set", "split", "arr", "array", "np", "numpy", "all", "csv")

TABLE_1 = {
    ("train", "images"): ("images", "x", "x_train", "train_images", "train_x"),
    ("train", "labels"): ("labels", "y", "y_train", "train_labels", "train_y"),
    ("validation", "images"): ("x_val", "val_images", "val_x"),
    ("validation", "labels"): ("y_val", "val_labels", "val_y"),
    ("test", "images"): ("x_test", "test_images", "test_x"),
    ("test", "labels"): ("y_test", "test_labels", "test_y"),
}
"""The names of version 1 of the rules, without regard to case."""


@dataclass(frozen=True)
class Place:
    """An array's part (train, validation, test) and role (images, labels, class names).

    Either is None if the name does not say.
    """

    part: str | None
    role: Role | None


NOWHERE = Place(None, None)


def place_of(name: str, rules: ReadingRules) -> Place:
    """Return the place of an array by its name; an unknown word in the name leaves the role None."""
    if rules.version == 1:
        return next((Place(part, role) for (part, role), names in TABLE_1.items() if name.lower() in names), NOWHERE)  # type: ignore[arg-type]
    words = [subword for word in words_of(name) for subword in _subwords(word)]
    parts = {part for part in map(_part, words) if part}
    part = parts.pop() if len(parts) == 1 else None
    rest = [w for w in words if not _part(w) and w not in SILENT_WORDS and not w.isdigit()]
    return Place(part, _role(rest))


def part_in(name: str, rules: ReadingRules) -> str | None:
    """Return the part that a name contains, or None: sign_mnist_train is train."""
    return place_of(name, rules).part


def _part(word: str) -> str | None:
    bare = re.sub(r"[0-9]+k?$", "", word)  # train2, test10k
    return next((part for part, spellings in PART_WORDS.items() if word in spellings or bare in spellings), None)


def _role(words: list[str]) -> Role | None:
    """Return the role that the words (without those of parts) express; None if any word is unknown."""
    role_words = [word for word in words if word not in DATA_WORDS]
    if not role_words:
        return "images" if words else None
    label_words = [word for word in role_words if word in LABEL_WORDS]
    if len(role_words) == 2 and label_words and role_words[-1] in NAME_WORDS:
        return "names"
    if all(word in IMAGE_WORDS for word in role_words):
        return "images"
    return "labels" if len(label_words) == len(role_words) else None


def _subwords(word: str) -> list[str]:
    """Split a compound without a separator: xtrain, trainlabels, classnames."""
    part_words = (w for words in PART_WORDS.values() for w in words)
    vocabulary = (*IMAGE_WORDS, *LABEL_WORDS, *NAME_WORDS, *DATA_WORDS, *part_words)
    if word in vocabulary or not word.isalpha():
        return [word]
    for cut in range(1, len(word)):
        if word[:cut] in vocabulary and word[cut:] in vocabulary:
            return [word[:cut], word[cut:]]
    return [word]


def nameless(name: str) -> bool:
    """Return whether the name is NumPy's default for an array saved without a name."""
    return re.fullmatch(r"arr_[0-9]+", name) is not None
