"""What the names of arrays, files and columns say: which part they belong to, and whether they hold images or labels.

Understood is any order, case and separator: x_train, trainX, train-images, y, imgs_val, testLabels, label_names.
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
"""Words for images where no other word tells what is held: data beside target, but not the data in test_data_labels."""

SILENT_WORDS = ("set", "split", "arr", "array", "np", "numpy", "all", "csv")

TABLE_1 = {
    ("train", "images"): ("images", "x", "x_train", "train_images", "train_x"),
    ("train", "labels"): ("labels", "y", "y_train", "train_labels", "train_y"),
    ("validation", "images"): ("x_val", "val_images", "val_x"),
    ("validation", "labels"): ("y_val", "val_labels", "val_y"),
    ("test", "images"): ("x_test", "test_images", "test_x"),
    ("test", "labels"): ("y_test", "test_labels", "test_y"),
}
"""The names that rules of version 1 knew; upper and lower case count as the same."""


@dataclass(frozen=True)
class Place:
    """Where an array belongs: to a part (train, validation, test) and to its images, its labels or the class names.

    Either is None where the name does not tell it.
    """

    part: str | None
    role: Role | None


NOWHERE = Place(None, None)


def place_of(name: str, rules: ReadingRules) -> Place:
    """Tell the place of an array by its name; a name with a word of another meaning tells nothing of its role."""
    if rules.version == 1:
        return next((Place(part, role) for (part, role), names in TABLE_1.items() if name.lower() in names), NOWHERE)  # type: ignore[arg-type]
    words = [piece for word in words_of(name) for piece in _pieces(word)]
    parts = {part for part in map(_part, words) if part}
    part = parts.pop() if len(parts) == 1 else None
    rest = [w for w in words if not _part(w) and w not in SILENT_WORDS and not w.isdigit()]
    return Place(part, _role(rest))


def part_in(name: str, rules: ReadingRules) -> str | None:
    """Return the one part that a word of a name stands for, or None: sign_mnist_train is train."""
    return place_of(name, rules).part


def _part(word: str) -> str | None:
    bare = re.sub(r"[0-9]+k?$", "", word)  # train2, test10k
    return next((part for part, spellings in PART_WORDS.items() if word in spellings or bare in spellings), None)


def _role(words: list[str]) -> Role | None:
    """Tell what the words that name no part stand for; any word of another meaning makes it untold."""
    telling = [word for word in words if word not in DATA_WORDS]
    if not telling:
        return "images" if words else None
    of_classes = [word for word in telling if word in LABEL_WORDS]
    if len(telling) == 2 and of_classes and telling[-1] in NAME_WORDS:
        return "names"
    if all(word in IMAGE_WORDS for word in telling):
        return "images"
    return "labels" if len(of_classes) == len(telling) else None


def _pieces(word: str) -> list[str]:
    """Split what was written without a separator: xtrain, trainlabels, classnames."""
    known = (*IMAGE_WORDS, *LABEL_WORDS, *NAME_WORDS, *DATA_WORDS, *(w for words in PART_WORDS.values() for w in words))
    if word in known or not word.isalpha():
        return [word]
    for cut in range(1, len(word)):
        if word[:cut] in known and word[cut:] in known:
            return [word[:cut], word[cut:]]
    return [word]


def nameless(name: str) -> bool:
    """Say whether NumPy gave this name because the array was saved without one."""
    return re.fullmatch(r"arr_[0-9]+", name) is not None
