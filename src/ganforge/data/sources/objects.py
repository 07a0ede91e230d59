"""Read images and labels from Python objects: arrays, data frames, dicts, data sets and loaders of any library.

Objects of pandas, scikit-learn and Hugging Face's datasets are recognised by their attributes; none of these libraries
is imported. The arrays are returned unchanged: `to_image_sets` normalises layout, pixel type and labels.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch.utils.data import DataLoader, IterableDataset, Subset

from ganforge.data.images import ImageSet, Splits
from ganforge.data.normalize_arrays import Array, Found, RawSplits, to_image_sets
from ganforge.data.reading_rules import PARTS, USUAL, ReadingRules, part_named
from ganforge.data.sources.array_names import place_of
from ganforge.data.sources.open_file import listed, one_line
from ganforge.data.sources.values_as_arrays import (
    OBJECTS,
    array_of,
    image_of,
    images_of,
    label_of,
    labels_of,
    stack_images,
)
from ganforge.errors import UserError

ACCEPTED_SOURCES = (
    "give an array, a tensor, a pair (images, labels), pairs for train and test, a dict or data frame with images and "
    "labels, or a sequence whose items are images or pairs (image, label)"
)

IMAGE_NAMES = ("image", "images", "img", "imgs", "pixel_values", "pixels", "data", "x")
LABEL_NAMES = ("label", "labels", "target", "targets", "class", "classes", "digit", "y")
"""Names of keys and columns that hold images or labels, compared without regard to case."""

Pair = tuple[Any, Any]
"""Images and their labels, or None for no labels, in any form."""


def read_object(source: object, rules: ReadingRules = USUAL) -> RawSplits:
    """Read images, and labels if there are any, from a Python object.

    - an array or tensor of images, a list of arrays, pictures or numbers, or an object that NumPy converts to an array;
    - a pair (images, labels), or two or three pairs: train and test, or train, validation and test;
    - a dict with images and labels, such as those of a .npz or of scikit-learn, or with a value for each part;
    - a data frame with a column of labels, where all other columns are pixels, or with a column of images;
    - an object with ``__len__`` and ``__getitem__`` whose items are images, pairs (image, label) or dicts with both;
    - a DataLoader: its data set is read once and in order, without shuffling, dropping or batching; only the
      ``indices`` of the sampler are read if it has this attribute.

    Arrays may have any layout that `to_image_sets` accepts, pictures any Pillow mode, and labels are numbers or words.

    Raises:
        UserError: the object is of another kind, or its images or labels cannot be used.
    """
    if isinstance(source, ImageSet):
        return RawSplits(source)
    if isinstance(source, Splits):
        return RawSplits(source.train, source.validation, source.test, shuffled=True)
    return to_image_sets(find_arrays(source), _type_name(source), "images", rules)


def find_arrays(source: object) -> Found:
    """Return the arrays of images and labels of an object for each part.

    Raises:
        UserError: the object holds no images.
    """
    if isinstance(source, DataLoader):
        sampler = getattr(source.batch_sampler, "sampler", source.sampler)
        indices = getattr(sampler, "indices", None)
        source = source.dataset if indices is None else Subset(source.dataset, indices)
    where = _type_name(source)
    with _user_errors(where):
        parts = _parts(source, where)
    if len(parts) == 1:
        return {"train": _arrays(parts["train"], where)}
    return {part: _arrays(content, f"{where}, {part}") for part, content in parts.items()}


# Parts


def _parts(source: Any, where: str) -> Mapping[str, Any]:
    """Return the parts of an object; an object without parts is the training part."""
    if isinstance(source, Mapping):
        return _parts_by_name(source, where)
    if isinstance(source, tuple | list) and len(source) in (2, 3) and not _is_pair(source):
        names = ("train", "test") if len(source) == 2 else PARTS
        if all(_is_part(candidate) for candidate in source):
            return dict(zip(names, source, strict=True))
    return {"train": source}


def _parts_by_name(source: Mapping[Any, Any], where: str) -> Mapping[str, Any]:
    """Return the parts of a dict by its keys: one value for each part, or arrays such as x_train and y_train."""
    if "target" in source and ("data" in source or "images" in source):
        return {"train": _pair_of_bunch(source)}
    values = _value_of_part(source, where)
    if "train" in values and (len(values) == len(source) or not _is_array(values["train"])):
        return values
    return {"train": next(iter(source.values()))} if len(source) == 1 else _pairs_by_place(source, where)


def _value_of_part(source: Mapping[Any, Any], where: str) -> dict[str, Any]:
    """Return the values whose keys are names of parts: train, val, test."""
    keys_of_part: dict[str, list[str]] = {}
    for key in source:
        if isinstance(key, str) and (part := part_named(key)):
            keys_of_part.setdefault(part, []).append(key)
    return {part: source[_single_key(keys, part, where)] for part, keys in keys_of_part.items()}


def _pairs_by_place(source: Mapping[Any, Any], where: str) -> dict[str, Pair]:
    """Return the pairs (images, labels) of the parts by keys such as x_train and y_train."""
    places = {key: place_of(key, USUAL) for key in source if isinstance(key, str)}

    def key_of(part: str, role: str) -> Any:
        keys = [key for key, place in places.items() if (place.part or "train", place.role) == (part, role)]
        return _single_key(keys, role, where)

    parts: dict[str, Pair] = {}
    for part in PARTS:
        image_key, label_key = key_of(part, "images"), key_of(part, "labels")
        if image_key is not None:
            parts[part] = source[image_key], None if label_key is None else source[label_key]
    if "train" not in parts:
        raise UserError(
            f"{where}: no key is called images or x_train (keys: {listed(source)}); rename the key of the images"
        )
    return parts


def _is_part(value: Any) -> bool:
    """Tell whether a value is a part with many images rather than a single item of a data set."""
    if isinstance(value, Mapping):
        pair = _pair_by_name(value, "")
        return pair is not None and _is_pair(pair)
    if isinstance(value, tuple | list):
        return _is_pair(value)
    return _is_frame(value) or isinstance(value, ImageSet) or (not hasattr(value, "shape") and _has_items(value))


def _is_pair(value: Any) -> bool:
    """Tell whether a sequence is a pair (images, labels) rather than two items or two parts."""
    if len(value) != 2:
        return False
    (images, labels), ranks = value, [_rank(element) for element in value]
    if _is_frame(images) and _label_column(images, "") is not None:
        return False
    if ranks == [2, 2]:  # rows of pixels, and as many rows of labels
        (count, width), (other_count, other_width) = map(_rows, (images, labels))
        return count == other_count and width != other_width
    return ranks[0] >= 2 and (labels is None or 1 <= ranks[1] < ranks[0])


def _rank(value: Any) -> int:
    """Return the number of dimensions of a value as an array; a picture counts as 2."""
    if isinstance(value, Image.Image | bytes | Mapping):
        return 2
    if not isinstance(value, list | tuple) and not hasattr(value, "shape") and _is_array(value):
        value = np.asarray(value)
    if isinstance(value, list | tuple) or getattr(value, "dtype", None) == OBJECTS:
        return 1 + (_rank(next(iter(value))) if len(value) else 0)
    return len(getattr(value, "shape", ()))


def _rows(value: Any) -> tuple[int, int]:
    """Return the shape (rows, columns) of a value; (0, 0) for a picture."""
    if isinstance(value, Mapping | bytes | Image.Image):
        return 0, 0
    return len(value), int(np.shape(value[:1])[1])


# One part


def _arrays(source: Any, where: str) -> tuple[Array, Array | None]:
    """Return the arrays of images and labels (or None) of one part."""
    with _user_errors(where):
        if isinstance(source, ImageSet):
            return source.images.cpu().numpy(), source.labels.cpu().numpy()
        if isinstance(source, tuple | list) and _is_pair(source):
            images, labels = source
            return _arrays_of_pair(images, labels, where)
        if isinstance(source, Mapping):
            return _arrays_of_pair(*_pair_in(source, where), where)
        if _is_frame(source):
            return _arrays_of_frame(source, where)
        if _is_array(source):
            return images_of(source, where), None
        if isinstance(source, IterableDataset):
            return _arrays_of_items(_of_known_length(source, where), where)
        if _has_items(source):
            return _arrays_of_items((source[index] for index in range(len(source))), where)
    raise UserError(f"images cannot be read from an object of type {type(source).__name__}; {ACCEPTED_SOURCES}")


def _arrays_of_pair(images: Any, labels: Any, where: str) -> tuple[Array, Array | None]:
    return images_of(images, where), None if labels is None else labels_of(labels, where)


def _of_known_length(stream: Any, where: str) -> Iterator[Any]:
    if not hasattr(stream, "__len__"):
        raise UserError(f"{where}: has no length and may be endless; give a list of its items")
    return iter(stream)


def _is_array(source: Any) -> bool:
    protocols = ("__array__", "__array_interface__", "toarray")
    convertible = isinstance(source, memoryview) or any(hasattr(source, name) for name in protocols)
    return convertible and not isinstance(source, Image.Image)


def _is_frame(source: Any) -> bool:
    return hasattr(source, "columns") and hasattr(source, "to_numpy")


def _has_items(source: Any) -> bool:
    other_kind = isinstance(source, str | bytes | Mapping | Path | IterableDataset)
    return not other_kind and hasattr(source, "__len__") and hasattr(source, "__getitem__")


def _pair_of_bunch(source: Mapping[Any, Any]) -> Pair:
    """Return images and labels of a scikit-learn Bunch; ``images`` is preferred to ``data``, names to numbers."""
    images, labels = source["images" if "images" in source else "data"], source["target"]
    numbers, target_names = np.asarray(labels), source.get("target_names")
    names = np.asarray([] if target_names is None else target_names)
    if numbers.dtype.kind not in "iu" or names.dtype.kind not in "UO" or not 0 <= numbers.max(initial=0) < len(names):
        return images, labels
    return images, names[numbers]


def _arrays_of_frame(frame: Any, where: str) -> tuple[Array, Array | None]:
    """Return the arrays of a data frame with a column of images, or columns of pixels, and perhaps one of labels."""
    label_column = _label_column(frame, where)
    labels = None if label_column is None else labels_of(frame[label_column], where)
    image_column = _find_key(dict.fromkeys(frame.columns), [name for name in IMAGE_NAMES if name != "x"], where)
    if image_column is not None:
        return images_of(list(frame[image_column]), where), labels
    pixels = frame[[name for name in frame.columns if name != label_column]]
    return array_of(pixels.to_numpy(), where), labels


def _label_column(frame: Any, where: str) -> Any:
    return _find_key(dict.fromkeys(frame.columns), LABEL_NAMES, where)


def _arrays_of_items(items: Iterator[Any], where: str) -> tuple[Array, Array | None]:
    """Return the arrays of all items of a data set; either all items have a label or none has."""
    images: list[Array] = []
    labels: list[Array] = []
    while True:
        place = f"{where}: item {len(images)}"
        with _user_errors(place):
            item = next(items, items)
            if item is items:
                break
            image, label = _read_item(item, place)
            images.append(image_of(image, place))
            if label is not None:
                labels.append(label_of(label[0], place))
        if len(labels) not in (0, len(images)) or (labels and labels[-1].shape != labels[0].shape):
            raise UserError(
                f"{place}: its label is missing or unlike those before; label all items alike, -1 where unknown"
            )
    if not images:
        raise UserError(f"{where}: holds no image; a GAN needs at least two different images")
    return stack_images(images, where), np.stack(labels) if labels else None


def _read_item(item: Any, place: str) -> tuple[Any, tuple[Any] | None]:
    """Return the image of an item and a 1-tuple with its label, or None for no label."""
    if isinstance(item, Mapping) and "bytes" not in item:
        image, _ = _pair_in(item, place)
        label = _find_key(item, LABEL_NAMES, place)
        return image, None if label is None else (item[label],)
    if not isinstance(item, tuple | list) or not item:
        return item, None
    if len(item) == 1:
        return item[0], None
    ranks = [_rank(part) for part in item]
    if len(item) == 2 and (ranks[1] < ranks[0] or (ranks == [1, 1] and len(item[0]) != len(item[1]))):
        return item[0], (item[1],)
    if len(set(ranks)) > 1:
        raise UserError(f"{place} has {len(item)} parts; give an image or a pair (image, label)")
    return item, None  # the rows of one image


# Names


def _find_key(values: Mapping[Any, Any], names: tuple[str, ...] | list[str], where: str) -> Any:
    """Return the key that is in ``names``, or None; raise UserError if several keys are."""
    return _single_key([key for key in values if isinstance(key, str) and key.lower() in names], names[0], where)


def _single_key(keys: list[str], role: str, where: str) -> Any:
    """Return the single key, or None if there is none; raise UserError if there are several."""
    if len(keys) > 1:
        raise UserError(f"{where}: {' and '.join(keys[:3])} could all be the {role}; keep one of them")
    return keys[0] if keys else None


def _pair_by_name(values: Mapping[Any, Any], where: str) -> Pair | None:
    """Return images and labels by their keys, or None if there are no images."""
    image, label = _find_key(values, IMAGE_NAMES, where), _find_key(values, LABEL_NAMES, where)
    return None if image is None else (values[image], None if label is None else values[label])


def _pair_in(values: Mapping[Any, Any], where: str) -> Pair:
    pair = _pair_by_name(values, where)
    if pair is None:
        raise UserError(f"{where}: no key is called image (keys: {listed(values)}); rename the key of the image")
    return pair


def _type_name(source: object) -> str:
    return f"the {type(source).__name__}"


@contextmanager
def _user_errors(where: str) -> Iterator[None]:
    """Turn every exception of the user's own code into a UserError of one line, without a traceback of ganforge."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{where} cannot be read ({type(error).__name__}: {one_line(error)})") from error
