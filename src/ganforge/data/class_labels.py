"""Raw labels (integers, words or one-hot rows) become class indices."""

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


def encode_labels(
    raw_labels: Mapping[str, Array | None],
    counts: Mapping[str, int],
    where: str,
    rules: ReadingRules,
    class_names: Sequence[str] | None = None,
) -> tuple[dict[str, Tensor], tuple[str, ...], str]:
    """Return the labels of every part as int64 [N], -1 if unknown, the class names, and a note ("" if there is none).

    Args:
        raw_labels: raw labels of each part: integers or words, [N], [N, 1] or [1, N]; one-hot rows [N, K]; or None.
        counts: number of images of each part.
        where: the name of the source in messages.
        rules: as `ReadingRules`.
        class_names: the names of the classes 0, 1, …, if the source has them.

    Raises:
        UserError: the labels have another form, or their number differs from the number of images.
    """
    flat = {part: _flatten(labels, counts[part], where) for part, labels in raw_labels.items()}
    present = [labels for labels in flat.values() if labels is not None]
    note = ""
    if any(labels.dtype.kind in "US" for labels in present):
        flat, names = _encode_words(flat, where)
    else:
        first = 0 if class_names else _first_label(present, rules)
        last = max((int(labels.max()) for labels in present if labels.size), default=UNKNOWN)
        # One-hot rows have columns for classes without images, too.
        last = max(last, *(_columns(labels) - 1 for labels in raw_labels.values()))
        if last - first >= MOST_CLASSES:
            raise UserError(f"{where}: labels reach {last}; they must be 0 to {MOST_CLASSES - 1}, or -1 if unknown")
        if first == 1:
            flat = {part: None if y is None else np.where(y == UNKNOWN, y, y - 1) for part, y in flat.items()}
            note = f"labels range from 1 to {last}: there is no class 0"
        names = _names(first, last, class_names)
    tensors = {
        part: torch.full((counts[part],), UNKNOWN) if labels is None else torch.from_numpy(labels.astype(np.int64))
        for part, labels in flat.items()
    }
    return tensors, names, note


def _flatten(labels: Array | None, count: int, where: str) -> Array | None:
    """Check labels and return them as one number or word for each image, [N]."""
    if labels is None:
        return None
    if labels.dtype.kind not in "biufUS":
        raise UserError(f"{where}: labels are of type {labels.dtype}; give integers from 0, or -1 if unknown")
    if labels.ndim == 2 and 1 in labels.shape and labels.size == count:
        labels = labels.reshape(-1)
    if labels.ndim == 2 and len(labels) == count and labels.dtype.kind in "biuf":
        return _one_hot(labels, where)
    if labels.shape != (count,):
        raise UserError(f"{where}: {count} images need {count} labels, one number each; found {list(labels.shape)}")
    return labels if labels.dtype.kind in "US" else _integers(labels, where)


def _integers(labels: Array, where: str) -> Array:
    """Check numbers [N] and return them as int64."""
    if labels.dtype.kind == "f" and not (np.isfinite(labels).all() and (labels == np.rint(labels)).all()):
        raise UserError(f"{where}: some labels are not integers; give 0, 1, 2, …, or -1 if unknown")
    low, high = (int(labels.min()), int(labels.max())) if labels.size else (0, 0)
    if low < UNKNOWN or high > MOST_CLASSES:
        raise UserError(
            f"{where}: labels range from {low} to {high}; they must be 0 to {MOST_CLASSES - 1}, or -1 if unknown"
        )
    return labels.astype(np.int64)


def _one_hot(rows: Array, where: str) -> Array:
    if not (((rows == 0) | (rows == 1)).all() and (rows.sum(1) == 1).all()):
        raise UserError(
            f"{where}: labels are {list(rows.shape)} but not one-hot (a single 1 in each row); "
            "give one number for each image"
        )
    if rows.shape[1] > MOST_CLASSES:
        raise UserError(f"{where}: labels are one-hot over {rows.shape[1]:,} classes; give at most {MOST_CLASSES:,}")
    numbers: Array = rows.argmax(1).astype(np.int64)
    return numbers


def _columns(labels: Array | None) -> int:
    """Return the number of classes of one-hot rows, 0 for other labels."""
    return labels.shape[1] if labels is not None and labels.ndim == 2 and 1 not in labels.shape else 0


def _first_label(all_labels: Sequence[Array], rules: ReadingRules) -> int:
    """Return the number of the first class: 1 if labels start at 1, else 0."""
    minima = [int(labels[labels != UNKNOWN].min()) for labels in all_labels if (labels != UNKNOWN).any()]
    return 1 if rules.version > 1 and minima and min(minima) == 1 else 0


def _names(first: int, last: int, class_names: Sequence[str] | None) -> tuple[str, ...]:
    count = last + 1 - first if last >= 0 else 0
    if class_names is not None and len(class_names) >= count and len(set(class_names)) == len(class_names):
        return tuple(one_form(name) for name in class_names)
    return tuple(str(label) for label in range(first, first + count))


def _encode_words(flat: Mapping[str, Array | None], where: str) -> tuple[dict[str, Array | None], tuple[str, ...]]:
    """Number the sorted words of all parts; an empty word means an unknown class."""
    try:
        words = {part: None if labels is None else _as_words(labels) for part, labels in flat.items()}
    except UnicodeDecodeError:
        raise UserError(f"{where}: labels are bytes but not UTF-8 text; save them as text") from None
    names = in_order({word for labels in words.values() if labels for word in labels} - {""})
    if len(names) > MOST_CLASSES:
        raise UserError(f"{where}: labels have {len(names):,} classes; give at most {MOST_CLASSES:,}")
    number = {name: index for index, name in enumerate(names)} | {"": UNKNOWN}
    encoded = {
        part: None if w is None else np.array([number[word] for word in w], np.int64) for part, w in words.items()
    }
    return encoded, tuple(names)


def _as_words(labels: Array) -> list[str]:
    texts = [label.decode() if isinstance(label, bytes) else str(label) for label in labels.tolist()]
    return [one_form(text.strip()) for text in texts]
