"""Images and labels in Python objects: arrays, data frames, dicts, data sets and loaders of any library.

pandas, scikit-learn and Hugging Face's datasets are told by what their objects can do; none of them is imported. What
is found is handed on as it is: `settle` settles layout, pixel type and labels.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, Subset

from ganforge.data.array_names import place_of
from ganforge.data.decode_image import GREY, decode, levels_of_image, read_header
from ganforge.data.images import ImageSet, Splits
from ganforge.data.normalize_arrays import Array, Found, RawSplits, to_image_sets
from ganforge.data.reading_rules import USUAL, ReadingRules, part_named
from ganforge.errors import UserError

FORMS = (
    "give an array, a tensor, a pair (images, labels), pairs for train and test, a dict or data frame with images and "
    "labels, or anything with a length whose items are an image or an image and its label"
)

IMAGE_NAMES = ("image", "images", "img", "imgs", "pixel_values", "pixels", "data", "x")
LABEL_NAMES = ("label", "labels", "target", "targets", "class", "classes", "digit", "y")
"""What keys and columns are called that hold images or labels; upper and lower case count as the same."""

OBJECTS = np.dtype(object)
Pair = tuple[Any, Any]
"""Images, and their labels or None, in any form."""


def read_object(source: object, rules: ReadingRules = USUAL) -> RawSplits:
    """Take images from Python.

    - an array or tensor of images, a list of arrays, pictures or numbers, or whatever NumPy makes an array of;
    - a pair (images, labels), or two or three of them: train and test, or train, validation and test;
    - a dict with images and labels, such as those of a .npz or of scikit-learn, or with a value for each part;
    - a data frame with a column of labels, all other columns being pixels, or with a column of images;
    - anything that has a length and gives items by number: each an image, a pair (image, label) or a dict with both;
    - a DataLoader: its data set is read, once and in order, whatever the loader shuffles, drops or joins to batches; of
      a sampler that has ``indices``, these.

    Arrays are laid out as `settle` knows them; pictures may be of any mode. Labels are numbers or words.

    Raises:
        UserError: it is something else, or its images or labels cannot be used.
    """
    if isinstance(source, ImageSet):
        return RawSplits(source)
    if isinstance(source, Splits):
        return RawSplits(source.train, source.validation, source.test, shuffled=True)
    return to_image_sets(find_arrays(source), _called(source), "images", rules)


def find_arrays(source: object) -> Found:
    """Return the arrays of images and labels that an object holds, part by part.

    Raises:
        UserError: there are none.
    """
    if isinstance(source, DataLoader):
        sampler = getattr(source.batch_sampler, "sampler", source.sampler)
        chosen = getattr(sampler, "indices", None)
        source = source.dataset if chosen is None else Subset(source.dataset, chosen)
    where = _called(source)
    with _user_code(where):
        parts = _parts(source, where)
    if len(parts) == 1:
        return {"train": _arrays(parts["train"], where)}
    return {part: _arrays(held, f"{where}, {part}") for part, held in parts.items()}


# Parts


def _parts(source: Any, where: str) -> Mapping[str, Any]:
    """Split an object into its parts; one that has none is a training part."""
    if isinstance(source, Mapping):
        return _parts_by_name(source, where)
    if isinstance(source, tuple | list) and len(source) in (2, 3) and not _is_pair(source):
        names = ("train", "test") if len(source) == 2 else ("train", "validation", "test")
        if all(_is_part(held) for held in source):
            return dict(zip(names, source, strict=True))
    return {"train": source}


def _parts_by_name(source: Mapping[Any, Any], where: str) -> Mapping[str, Any]:
    """Split a dict by what its keys are called: a value for each part, or arrays such as x_train and y_train."""
    if "target" in source and ("data" in source or "images" in source):
        return {"train": _pair_of_bunch(source)}
    named: dict[str, list[str]] = {}
    for key in source:
        if isinstance(key, str) and (part := part_named(key)):
            named.setdefault(part, []).append(key)
    held = {part: source[_only(keys, part, where)] for part, keys in named.items()}
    if "train" in held and (len(held) == len(source) or not _is_array(held["train"])):
        return held
    if len(source) == 1:
        return {"train": next(iter(source.values()))}
    places = {key: place_of(key, USUAL) for key in source if isinstance(key, str)}
    parts: dict[str, Pair] = {}
    for part in ("train", "validation", "test"):
        here = {key: place.role for key, place in places.items() if (place.part or "train") == part}
        image, label = (_only([key for key in here if here[key] == role], role, where) for role in ("images", "labels"))
        if image is not None:
            parts[part] = source[image], None if label is None else source[label]
    if "train" not in parts:
        raise UserError(f"{where}: nothing in it is called images or x_train, it holds {_listed(source)}")
    return parts


def _is_part(held: Any) -> bool:
    """Tell a part from one item of a data set: it holds many images."""
    if isinstance(held, Mapping):
        pair = _pair_by_name(held, IMAGE_NAMES, LABEL_NAMES, "")
        return pair is not None and _is_pair(pair)
    if isinstance(held, tuple | list):
        return _is_pair(held)
    return _is_frame(held) or isinstance(held, ImageSet) or (not hasattr(held, "shape") and _has_items(held))


def _is_pair(held: Any) -> bool:
    """Tell images with their labels from all else that comes in twos."""
    if len(held) != 2:
        return False
    (images, labels), ranks = held, [_rank(each) for each in held]
    if _is_frame(images) and _label_column(images, "") is not None:
        return False
    if ranks == [2, 2]:  # rows of pixels, and for each a row of something else
        (count, width), (other_count, other_width) = map(_rows, (images, labels))
        return count == other_count and width != other_width
    return ranks[0] >= 2 and (labels is None or 1 <= ranks[1] < ranks[0])


def _rank(thing: Any) -> int:
    """Count the dimensions that an array of a thing would have; a picture has two at least."""
    if isinstance(thing, Image.Image | bytes | Mapping):
        return 2
    if not isinstance(thing, list | tuple) and not hasattr(thing, "shape") and _is_array(thing):
        thing = np.asarray(thing)
    if isinstance(thing, list | tuple) or getattr(thing, "dtype", None) == OBJECTS:
        return 1 + (_rank(next(iter(thing))) if len(thing) else 0)
    return len(getattr(thing, "shape", ()))


def _rows(thing: Any) -> tuple[int, int]:
    """Return how many rows of how many numbers a thing has; a picture has none."""
    if isinstance(thing, Mapping | bytes | Image.Image):
        return 0, 0
    return len(thing), int(np.shape(thing[:1])[1])


# One part


def _arrays(source: Any, where: str) -> tuple[Array, Array | None]:
    """Return the arrays of images and labels of one part."""
    with _user_code(where):
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
            return _images(source, where), None
        if isinstance(source, IterableDataset):
            return _arrays_of_items(_of_known_length(source, where), where)
        if _has_items(source):
            return _arrays_of_items((source[index] for index in range(len(source))), where)
    raise UserError(f"images cannot be read from a {type(source).__name__}; {FORMS}")


def _arrays_of_pair(images: Any, labels: Any, where: str) -> tuple[Array, Array | None]:
    return _images(images, where), None if labels is None else _labels(labels, where)


def _of_known_length(stream: Any, where: str) -> Iterator[Any]:
    if not hasattr(stream, "__len__"):
        raise UserError(f"{where}: has no length and may have no end; give a list of its items")
    return iter(stream)


def _is_array(source: Any) -> bool:
    made_by = ("__array__", "__array_interface__", "toarray")
    made = isinstance(source, memoryview) or any(hasattr(source, name) for name in made_by)
    return made and not isinstance(source, Image.Image)


def _is_frame(source: Any) -> bool:
    return hasattr(source, "columns") and hasattr(source, "to_numpy")


def _has_items(source: Any) -> bool:
    ours = isinstance(source, str | bytes | Mapping | Path | IterableDataset)
    return not ours and hasattr(source, "__len__") and hasattr(source, "__getitem__")


def _pair_of_bunch(source: Mapping[Any, Any]) -> Pair:
    """Find images and labels in a dict of scikit-learn's: images go before rows of data, and classes may have names."""
    images, labels = source["images" if "images" in source else "data"], source["target"]
    numbers, names = np.asarray(labels), source.get("target_names")
    words = np.asarray([] if names is None else names)
    if numbers.dtype.kind not in "iu" or words.dtype.kind not in "UO" or not 0 <= numbers.max(initial=0) < len(words):
        return images, labels
    return images, words[numbers]


def _arrays_of_frame(frame: Any, where: str) -> tuple[Array, Array | None]:
    """Read a data frame: a column of labels beside a column of images, or beside columns of pixels."""
    label = _label_column(frame, where)
    labels = None if label is None else _labels(frame[label], where)
    image = _named(dict.fromkeys(frame.columns), [name for name in IMAGE_NAMES if name != "x"], where)
    if image is not None:
        return _images(list(frame[image]), where), labels
    pixels = frame[[name for name in frame.columns if name != label]]
    return _array(pixels.to_numpy(), where), labels


def _label_column(frame: Any, where: str) -> Any:
    return _named(dict.fromkeys(frame.columns), LABEL_NAMES, where)


def _arrays_of_items(items: Iterator[Any], where: str) -> tuple[Array, Array | None]:
    """Collect the items of a data set, which must all be of one kind."""
    images: list[Array] = []
    labels: list[Array] = []
    while True:
        place = f"{where}: item {len(images)}"
        with _user_code(place):
            item = next(items, items)
            if item is items:
                break
            image, label = _read_item(item, place)
            images.append(_image(image, place))
            if label is not None:
                labels.append(_label(label[0], place))
        if len(labels) not in (0, len(images)) or (labels and labels[-1].shape != labels[0].shape):
            raise UserError(f"{place} does not carry a label like the items before; use -1 where unknown")
    if not images:
        raise UserError(f"{where}: holds no image; a GAN needs at least two different images")
    return _stacked(images, where), np.stack(labels) if labels else None


def _read_item(item: Any, place: str) -> tuple[Any, tuple[Any] | None]:
    """Return the image of an item, and its label, in a tuple, where it has one."""
    if isinstance(item, Mapping) and "bytes" not in item:
        image, _ = _pair_in(item, place)
        label = _named(item, LABEL_NAMES, place)
        return image, None if label is None else (item[label],)
    if not isinstance(item, tuple | list) or not item:
        return item, None
    if len(item) == 1:
        return item[0], None
    ranks = [_rank(part) for part in item]
    if len(item) == 2 and (ranks[1] < ranks[0] or (ranks == [1, 1] and len(item[0]) != len(item[1]))):
        return item[0], (item[1],)
    if len(set(ranks)) > 1:
        raise UserError(f"{place} has {len(item)} parts; an item is an image or a pair (image, label)")
    return item, None  # rows of numbers


# Arrays


def _images(thing: Any, where: str) -> Array:
    """Take many images as one array, whatever they are in."""
    if not isinstance(thing, list | tuple):
        array = _array(thing, where)
        if array.dtype != OBJECTS:
            return array
        thing = list(array)
    if thing and not isinstance(thing[0], list | tuple):
        places = (f"{where}: image {index}" for index in range(len(thing)))
        return _stacked([_image(one, place) for one, place in zip(thing, places, strict=True)], where)
    return _array(thing, where)


def _image(thing: Any, place: str) -> Array:
    """Take one image as an array; pictures become grey or colour, channels first."""
    if isinstance(thing, Mapping) and "bytes" in thing:  # as Hugging Face keeps pictures that are not decoded
        thing = thing["bytes"]
    if isinstance(thing, bytes):
        return decode(thing, grey=read_header(BytesIO(thing)).grey, fit=None)
    if isinstance(thing, Image.Image):
        return levels_of_image(thing, grey=thing.mode in GREY)
    if isinstance(thing, str | Path):
        raise UserError(f"{place} is text, not a picture; open its file, with PIL.Image.open for one")
    return _array(thing, place)


def _stacked(images: list[Array], where: str) -> Array:
    """Join images of one shape and type; grey ones among colour ones become colour, as pictures in a folder do."""
    if {image.shape[:-2] for image in images} == {(1,), (3,)}:
        images = [image if len(image) == 3 else image.repeat(3, 0) for image in images]
    first = images[0]
    for index, image in enumerate(images):
        if (image.shape, image.dtype) != (first.shape, first.dtype):
            kinds = f"{list(image.shape)} {image.dtype}, item 0 is {list(first.shape)} {first.dtype}"
            raise UserError(f"{where}: item {index} is {kinds}; resize or convert all images to one shape and type")
    return np.stack(images)


def _labels(thing: Any, where: str) -> Array:
    """Take many labels as one array; words of any kind as text."""
    labels = _array(thing, where)
    if labels.dtype.kind in "OT" and labels.size:
        kinds = {type(label) for label in labels.flat}
        if all(issubclass(kind, str) for kind in kinds):
            return labels.astype(np.str_)
        if all(issubclass(kind, int | np.integer) for kind in kinds):
            return labels.astype(np.int64)
    return labels


def _label(thing: Any, place: str) -> Array:
    label = _labels(thing, place)
    return label.reshape(()) if label.size == 1 else label


def _array(thing: Any, where: str) -> Array:
    """Take whatever NumPy can make an array of."""
    if isinstance(thing, Tensor):
        thing = thing.detach().to_dense() if thing.layout != torch.strided else thing.detach()
        exact = thing.dtype in (torch.float16, torch.float32, torch.float64) or not thing.is_floating_point()
        return np.asarray((thing if exact else thing.float()).cpu())
    try:
        return np.asarray(thing.toarray() if hasattr(thing, "toarray") else thing)
    except (ValueError, TypeError, RuntimeError) as error:
        raise UserError(f"{where}: is no array ({_one_line(error)}); all images must have one shape") from error


# Names


def _named(held: Mapping[Any, Any], names: tuple[str, ...] | list[str], where: str) -> Any:
    """Return the one key that is called one of ``names``; None where there is none."""
    return _only([key for key in held if isinstance(key, str) and key.lower() in names], names[0], where)


def _only(keys: list[str], what: str, where: str) -> Any:
    """Return the one key, or None where there is none."""
    if len(keys) > 1:
        raise UserError(f"{where}: {' and '.join(keys[:3])} could all be the {what}; keep one of them")
    return keys[0] if keys else None


def _pair_by_name(held: Mapping[Any, Any], images: tuple[str, ...], labels: tuple[str, ...], where: str) -> Pair | None:
    image, label = _named(held, images, where), _named(held, labels, where)
    return None if image is None else (held[image], None if label is None else held[label])


def _pair_in(held: Mapping[Any, Any], where: str) -> Pair:
    pair = _pair_by_name(held, IMAGE_NAMES, LABEL_NAMES, where)
    if pair is None:
        raise UserError(f"{where}: nothing in it is called image, it holds {_listed(held)}")
    return pair


def _listed(held: Mapping[Any, Any]) -> str:
    names = [_one_line(name) for name in held]
    return ", ".join(names[:12]) + (", …" if len(names) > 12 else "") or "nothing"


def _called(source: object) -> str:
    return f"the {type(source).__name__}"


def _one_line(text: object) -> str:
    return " ".join(str(text).split())


@contextmanager
def _user_code(where: str) -> Iterator[None]:
    """Turn whatever the user's own code raises, which is news to the user and not our traceback, into one line."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{where} cannot be read ({type(error).__name__}: {_one_line(error)})") from error
