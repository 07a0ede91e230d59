"""Values of Python objects as arrays: images, pictures and labels, one or many."""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganforge.data.normalize_arrays import Array
from ganforge.data.sources.decode_image import GREY, decode, levels_of_image, read_header
from ganforge.data.sources.open_file import one_line
from ganforge.errors import UserError

OBJECTS = np.dtype(object)


def images_of(value: Any, where: str) -> Array:
    """Return many images in any form as one array.

    Raises:
        UserError: a value is no image, or shapes or types differ.
    """
    if not isinstance(value, list | tuple):
        array = array_of(value, where)
        if array.dtype != OBJECTS:
            return array
        value = list(array)
    if value and not isinstance(value[0], list | tuple):
        places = (f"{where}: image {index}" for index in range(len(value)))
        return stack_images([image_of(one, place) for one, place in zip(value, places, strict=True)], where)
    return array_of(value, where)


def image_of(value: Any, place: str) -> Array:
    """Return one image as an array; a picture becomes uint8 [C, H, W] with C = 1 or 3.

    Raises:
        UserError: the value is text or no array.
        Unreadable: an encoded picture cannot be decoded.
    """
    if isinstance(value, Mapping) and "bytes" in value:  # an undecoded picture of Hugging Face's datasets
        value = value["bytes"]
    if isinstance(value, bytes):
        return decode(value, grey=read_header(BytesIO(value)).grey)
    if isinstance(value, Image.Image):
        return levels_of_image(value, grey=value.mode in GREY)
    if isinstance(value, str | Path):
        raise UserError(f"{place} is text, not a picture; open the file first, for example with PIL.Image.open")
    return array_of(value, place)


def stack_images(images: list[Array], where: str) -> Array:
    """Stack images of one shape and type; grey images among colour images become colour, as in a folder of pictures.

    Raises:
        UserError: shapes or types differ.
    """
    if {image.shape[:-2] for image in images} == {(1,), (3,)}:
        images = [image if len(image) == 3 else image.repeat(3, 0) for image in images]
    first = images[0]
    for index, image in enumerate(images):
        if (image.shape, image.dtype) != (first.shape, first.dtype):
            shapes = f"{list(image.shape)} {image.dtype}, item 0 is {list(first.shape)} {first.dtype}"
            raise UserError(f"{where}: item {index} is {shapes}; resize or convert all images to one shape and type")
    return np.stack(images)


def labels_of(value: Any, where: str) -> Array:
    """Return many labels as one array; words become a string array.

    Raises:
        UserError: as for `array_of`.
    """
    labels = array_of(value, where)
    if labels.dtype.kind in "OT" and labels.size:
        kinds = {type(label) for label in labels.flat}
        if all(issubclass(kind, str) for kind in kinds):
            return labels.astype(np.str_)
        if all(issubclass(kind, int | np.integer) for kind in kinds):
            return labels.astype(np.int64)
    return labels


def label_of(value: Any, place: str) -> Array:
    """Return one label as an array, of no dimension if it is a single number or word."""
    label = labels_of(value, place)
    return label.reshape(()) if label.size == 1 else label


def array_of(value: Any, where: str) -> Array:
    """Return any value that NumPy can convert to an array as an array.

    Raises:
        UserError: the value cannot be converted.
    """
    if isinstance(value, Tensor):
        value = value.detach().to_dense() if value.layout != torch.strided else value.detach()
        numpy_dtype = value.dtype in (torch.float16, torch.float32, torch.float64) or not value.is_floating_point()
        return np.asarray((value if numpy_dtype else value.float()).cpu())
    try:
        return np.asarray(value.toarray() if hasattr(value, "toarray") else value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise UserError(
            f"{where}: cannot be converted to an array ({one_line(error)}); give all images one shape"
        ) from error
