"""Labels as they were found, whole numbers, words or one-hot rows, become numbers of classes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganforge.data.class_names import in_order, one_form
from ganforge.data.reading_rules import ReadingRules
from ganforge.errors import UserError

Array = npt.NDArray[Any]

MOST_CLASSES = 1000
UNKNOWN = -1


def settle_labels(
    found: Mapping[str, Array | None],
    counts: Mapping[str, int],
    where: str,
    rules: ReadingRules,
    class_names: Sequence[str] | None = None,
) -> tuple[dict[str, Tensor], tuple[str, ...], str]:
    """Return the labels of every part as int64 [N], -1 where unknown, the classes' names, and how they were read.

    Args:
        found: labels of each part: whole numbers or words, [N], [N, 1] or [1, N]; or one-hot rows [N, K]; None where
            there are none.
        counts: images of each part.
        where: what to call the source in messages.
        rules: as `ReadingRules`.
        class_names: what the numbers 0, 1, … stand for, where the source says so.

    Raises:
        UserError: they are something else, or not as many as the images.
    """
    rows = {part: _one_each(labels, counts[part], where) for part, labels in found.items()}
    known = [labels for labels in rows.values() if labels is not None]
    note = ""
    if any(labels.dtype.kind in "US" for labels in known):
        rows, names = _numbered_words(rows, where)
    else:
        first = 0 if class_names else _first_label(known, rules)
        last = max((int(labels.max()) for labels in known if labels.size), default=UNKNOWN)
        # A class without an image has its column in one-hot rows.
        last = max(last, *(_columns(labels) - 1 for labels in found.values()))
        if last - first >= MOST_CLASSES:
            raise UserError(f"{where}: labels run to {last}; they must be 0 to {MOST_CLASSES - 1}, or -1 if unknown")
        if first == 1:
            rows = {part: None if r is None else np.where(r == UNKNOWN, r, r - 1) for part, r in rows.items()}
            note = f"labels run from 1 to {last}: there is no class 0"
        names = _names(first, last, class_names)
    tensors = {
        part: torch.full((counts[part],), UNKNOWN) if labels is None else torch.from_numpy(labels.astype(np.int64))
        for part, labels in rows.items()
    }
    return tensors, names, note


def _one_each(labels: Array | None, count: int, where: str) -> Array | None:
    """Check labels and return them as one number or word each, [N]."""
    if labels is None:
        return None
    if labels.dtype.kind not in "biufUS":
        raise UserError(f"{where}: labels are of type {labels.dtype}; give whole numbers from 0, or -1 where unknown")
    if labels.ndim == 2 and 1 in labels.shape and labels.size == count:
        labels = labels.reshape(-1)
    if labels.ndim == 2 and len(labels) == count and labels.dtype.kind in "biuf":
        return _one_hot(labels, where)
    if labels.shape != (count,):
        raise UserError(f"{where}: {count} images need {count} labels, one number each; found {list(labels.shape)}")
    if labels.dtype.kind in "US":
        return labels
    if labels.dtype.kind == "f" and not (np.isfinite(labels).all() and (labels == np.rint(labels)).all()):
        raise UserError(f"{where}: some labels are not whole numbers; give 0, 1, 2, …, or -1 where unknown")
    low, high = (0, 0) if count == 0 else (int(labels.min()), int(labels.max()))
    if low < UNKNOWN or high > MOST_CLASSES:
        raise UserError(
            f"{where}: labels run from {low} to {high}; they must be 0 to {MOST_CLASSES - 1}, or -1 if unknown"
        )
    return labels.astype(np.int64)


def _one_hot(rows: Array, where: str) -> Array:
    if not (((rows == 0) | (rows == 1)).all() and (rows.sum(1) == 1).all()):
        raise UserError(
            f"{where}: labels are {list(rows.shape)} and not one-hot (a single 1 in each row); give one number each"
        )
    if rows.shape[1] > MOST_CLASSES:
        raise UserError(f"{where}: labels are one-hot over {rows.shape[1]:,} classes; {MOST_CLASSES:,} at most work")
    numbers: Array = rows.argmax(1).astype(np.int64)
    return numbers


def _columns(labels: Array | None) -> int:
    """Return how many classes one-hot rows speak of, 0 for other labels."""
    return labels.shape[1] if labels is not None and labels.ndim == 2 and 1 not in labels.shape else 0


def _first_label(known: Sequence[Array], rules: ReadingRules) -> int:
    """Return the number that the first class bears: 1 where labels run from 1, else 0."""
    lowest = [int(labels[labels != UNKNOWN].min()) for labels in known if (labels != UNKNOWN).any()]
    return 1 if rules.version > 1 and lowest and min(lowest) == 1 else 0


def _names(first: int, last: int, class_names: Sequence[str] | None) -> tuple[str, ...]:
    count = last + 1 - first if last >= 0 else 0
    if class_names is not None and len(class_names) >= count and len(set(class_names)) == len(class_names):
        return tuple(one_form(name) for name in class_names)
    return tuple(str(label) for label in range(first, first + count))


def _numbered_words(rows: Mapping[str, Array | None], where: str) -> tuple[dict[str, Array | None], tuple[str, ...]]:
    """Number the words in their order over all parts; an empty word means that the class is unknown."""
    try:
        words = {part: None if labels is None else _as_words(labels) for part, labels in rows.items()}
    except UnicodeDecodeError:
        raise UserError(f"{where}: labels are bytes that are no UTF-8 text; save them as text") from None
    names = in_order({word for labels in words.values() if labels for word in labels} - {""})
    if len(names) > MOST_CLASSES:
        raise UserError(f"{where}: labels are of {len(names):,} classes; {MOST_CLASSES:,} at most work")
    number = {name: index for index, name in enumerate(names)} | {"": UNKNOWN}
    numbered = {
        part: None if w is None else np.array([number[word] for word in w], np.int64) for part, w in words.items()
    }
    return numbered, tuple(names)


def _as_words(labels: Array) -> list[str]:
    texts = [label.decode() if isinstance(label, bytes) else str(label) for label in labels.tolist()]
    return [one_form(text.strip()) for text in texts]
