"""Read a user's folder or archive of pictures: decode them once into a pixel cache, and memory-map the cache later.

The pictures are written in the order of `splits.order_in_file`, so that train, validation and test are contiguous in
the file. The validation and test pictures are shuffled too, so that the first images of a part are a random sample.
"""

import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import IO, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from ganforge.data.axis_order import LARGEST, SMALLEST
from ganforge.data.normalize_arrays import GREY_IN_COLOUR, RawSplits, is_grey
from ganforge.data.pixel_levels import choose_levels
from ganforge.data.reading_rules import PARTS, USUAL, ReadingRules
from ganforge.data.sources.decode_image import (
    ImageHeader,
    Levels,
    Pixels,
    ResizeMode,
    Unreadable,
    decode,
    parse_resize,
    read_header,
)
from ganforge.data.sources.fetch import Report
from ganforge.data.sources.folder_layout import Listing, Picture, list_pictures, open_containers
from ganforge.data.sources.open_file import title_of
from ganforge.data.sources.parquet_pictures import PictureRows
from ganforge.data.sources.picture_containers import Container, Folder
from ganforge.data.sources.readers import parquet_pictures
from ganforge.data.splits import order_in_file
from ganforge.data.storage.pixel_cache import Header, Key, cached
from ganforge.errors import UserError

CHUNK, IN_FLIGHT = 32, 512
"""Number of pictures per thread task, and of pictures in memory at once."""

ROUNDING = 1
"""The largest difference in levels between the channels of a grey picture, because WebP rounds colours."""

SUGGESTED_SIZE = 32
"""The --resize value to suggest for pictures that are too large."""

Labels = npt.NDArray[np.int64]
T = TypeVar("T")


def read_pictures(path: Path, rules: ReadingRules = USUAL, reading: Report | None = None) -> tuple[RawSplits, str]:
    """Read a folder or archive of pictures through the cache.

    Args:
        path: a folder or archive in a layout that `folder_layout` accepts.
        rules: how the pictures become images.
        reading: progress callback with the current activity, the number of pictures done, and the total.

    Returns:
        The images, and a note on the content and the processing.

    Raises:
        UserError: there is no picture, one cannot be read, sizes differ, or the cache cannot be written.
    """
    resize_mode = parse_resize(rules.resize)
    rows = parquet_pictures(path, rules)
    table = PictureRows(path, rows, rules) if rows else None
    containers: dict[str, Container] = {"": table} if table else open_containers(path, rules)
    state = (line for part in containers for line in (part, *containers[part].state()))
    key = Key.of(("pictures", str(path.resolve()), rules), state)

    def fill(file: IO[bytes]) -> tuple[Header, Labels]:
        with warnings.catch_warnings():
            # Pillow warns about readable oddities; an unreadable picture raises an error with its name.
            warnings.simplefilter("ignore")
            listing = table.listing() if table else list_pictures(path, containers, rules)
            return _Reader(path, listing, resize_mode, rules, reading).write(file)

    try:
        return cached(key, title_of(path), fill)
    finally:
        for container in containers.values():
            container.close()


@dataclass(frozen=True)
class _Reader:
    """Reads all pictures of a listing; reads the headers first, because all images get one size and channel count."""

    path: Path
    listing: Listing
    resize_mode: ResizeMode | None
    rules: ReadingRules
    reading: Report | None

    def write(self, file: IO[bytes]) -> tuple[Header, Labels]:
        """Write the pixels of every picture to its row of ``file``; return the header and the labels."""
        pictures = self.listing.pictures
        readable: list[int] = []
        headers: Counter[ImageHeader] = Counter()
        for number, image_header in self._map(
            range(len(pictures)), self._read_header, f"looking through {self.path.name}"
        ):
            readable.append(number)
            headers[image_header] += 1
        shape = self._choose_shape(headers)
        raw_levels, note = self._choose_raw_levels(headers)
        order, counts = order_in_file(
            [pictures[number].part for number in readable],
            torch.tensor([pictures[number].label for number in readable]),
            self.rules,
        )
        row_of = np.empty(len(pictures), np.int64)
        row_of[np.array(readable)[order.numpy()]] = np.arange(len(readable))
        part_in_row = np.repeat(list(counts), list(counts.values()))
        picture_in_row = np.full(len(readable), -1)  # index of the picture in each row; -1 if it could not be decoded
        grey = shape[0] == 3 and self.rules.version > 1 and not self.rules.colour
        for number, pixels in self._map(
            readable, lambda picture: self._decode(picture, shape, raw_levels), f"reading {self.path.name}"
        ):
            file.seek(int(row_of[number]) * pixels.size)
            file.write(pixels.data)
            picture_in_row[row_of[number]] = number
            grey = grey and is_grey(pixels[None], ROUNDING)
        if grey:  # keep the first channel of every image
            plane = shape[1] * shape[2]
            _move_forward(file, range(0, 3 * plane * len(readable), 3 * plane), plane)
            shape = (1, *shape[1:])
        size = shape[0] * shape[1] * shape[2]
        _move_forward(file, (size * np.flatnonzero(picture_in_row >= 0)).tolist(), size)
        decoded = [pictures[number] for number in picture_in_row[picture_in_row >= 0]]
        labels = np.array([picture.label for picture in decoded], np.int64)
        self._check_classes(decoded)
        part_counts = Counter(part_in_row[picture_in_row >= 0].tolist())
        header = Header(
            counts={part: part_counts[part] for part in PARTS if part_counts[part]},
            shape=shape,
            class_names=self.listing.class_names,
            note=self._note(len(decoded)),
            notes=tuple(line for line in (*self.listing.notes, note, GREY_IN_COLOUR if grey else "") if line),
        )
        return header, labels

    def _map(self, numbers: Iterable[int], function: Callable[[Picture], T], activity: str) -> Iterator[tuple[int, T]]:
        """Apply ``function`` to pictures in several threads and yield pairs (index, result) in order.

        Raises:
            UserError: a picture cannot be read, and ``skip_bad`` is off.
        """
        pictures, numbers = self.listing.pictures, list(numbers)

        def apply_to_chunk(start: int, stop: int) -> list[T | Unreadable]:
            return [_attempt(function, pictures[number]) for number in numbers[start : min(start + CHUNK, stop)]]

        with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
            for start in range(0, len(numbers), IN_FLIGHT):
                stop = min(start + IN_FLIGHT, len(numbers))
                results = chain.from_iterable(pool.map(apply_to_chunk, range(start, stop, CHUNK), repeat(stop)))
                for number, result in zip(numbers[start:stop], results, strict=True):
                    if not isinstance(result, Unreadable):
                        yield number, result
                    elif not self.rules.skip_bad:
                        raise UserError(
                            f"{self.path}: {pictures[number].name} (picture {number + 1:,} of {len(pictures):,}) "
                            f"cannot be read: {result}; skip unreadable pictures with --skip-bad, or {result.remedy}"
                        )
                if self.reading:
                    self.reading(activity, stop, len(numbers))

    def _read_header(self, picture: Picture) -> ImageHeader:
        with picture.container.open(picture.file) as stream:
            header = read_header(stream, _location(picture))
        if self.resize_mode and min(header.width, header.height) < SMALLEST:
            raise Unreadable(f"it is {header.width}×{header.height} px, below the minimum of {SMALLEST} px a side")
        return header

    def _decode(self, picture: Picture, shape: tuple[int, int, int], raw_levels: Levels | None) -> Pixels:
        content, levels = picture.container.read(picture.file), self.rules.levels
        pixels = decode(
            content,
            _location(picture),
            grey=shape[0] == 1,
            resize_mode=self.resize_mode,
            levels=levels,
            raw_levels=levels or raw_levels,
        )
        if pixels.shape != shape:
            raise Unreadable("its decoded size differs from the size in its header")
        return pixels

    def _choose_raw_levels(self, headers: Counter[ImageHeader]) -> tuple[tuple[float, float] | None, str]:
        """Return the black and white levels for pictures of more than 8 bits, one pair for all of them, and a note.

        Raises:
            UserError: the levels cannot be inferred from the range.
        """
        ranges = [header.raw for header in headers if header.raw]
        if not ranges or self.rules.version == 1:
            return None, ""
        low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
        try:
            kind = "f" if any(header.kind == "f" for header in headers) else "i"
            levels, note = choose_levels(kind, low, high, self.rules.levels)
        except ValueError as reason:
            raise UserError(f"{self.path}: {reason}") from None
        return (levels.black, levels.white), note

    def _choose_shape(self, headers: Counter[ImageHeader]) -> tuple[int, int, int]:
        """Return the common shape [C, H, W] of all images.

        Raises:
            UserError: no picture could be read, the sizes differ, or the size is out of range.
        """
        if not headers:
            raise UserError(f"{self.path}: none of its pictures can be read; open one in an image viewer to check it")
        channels = 1 if all(header.grey for header in headers) and not self.rules.colour else 3
        if self.resize_mode:
            return channels, self.resize_mode.side, self.resize_mode.side
        sizes: Counter[tuple[int, int]] = Counter()
        for header, count in headers.items():
            sizes[header.height, header.width] += count
        (height, width), _ = sizes.most_common(1)[0]
        side = min(height, width)
        suggested = side if SMALLEST <= side <= LARGEST else SUGGESTED_SIZE
        if len(sizes) > 1:
            listed = ", ".join(f"{w}×{h}: {count:,}" for (h, w), count in sizes.most_common(4))
            more = f", and {len(sizes) - 4:,} more" if len(sizes) > 4 else ""
            raise UserError(
                f"{self.path}: its pictures have {len(sizes):,} sizes ({listed}{more}); crop them all to "
                f"{suggested}×{suggested} with --resize {suggested}, or pad them with --resize {suggested}-pad"
            )
        if side < SMALLEST or max(height, width) > LARGEST:
            raise UserError(
                f"{self.path}: its pictures are {width}×{height} px, outside {SMALLEST} to {LARGEST} px a side; "
                + (f"scale them with --resize {suggested}" if side >= SMALLEST else "give larger pictures")
            )
        return channels, height, width

    def _check_classes(self, decoded: list[Picture]) -> None:
        """Raise UserError if skipping unreadable pictures left a class, or the training part, with fewer than two."""
        train = Counter(picture.label for picture in decoded if picture.part == "train")
        total = Counter(picture.label for picture in self.listing.pictures if picture.part == "train")
        for label, count in total.items():
            if train[label] < min(2, count):
                name = f"class {self.listing.class_names[label]}" if label >= 0 else "training pictures"
                raise UserError(
                    f"{self.path}: only {train[label]} of the {count:,} files of the {name} can be read; repair them"
                )

    def _note(self, count: int) -> str:
        classes, skipped = len(self.listing.class_names), len(self.listing.pictures) - count
        return (
            f"{count:,} pictures"
            + (f" in {classes:,} class{'es' if classes > 1 else ''}" if classes else "")
            + (f", {self.resize_mode}" if self.resize_mode else "")
            + (f"; {skipped:,} unreadable file{'s' if skipped > 1 else ''} skipped" if skipped else "")
        )


def _location(picture: Picture) -> str:
    """Return the path of a picture in a folder, or its name in an archive."""
    in_folder = isinstance(picture.container, Folder)
    return str(picture.container.path / picture.file.name) if in_folder else picture.file.name


def _attempt(function: Callable[[Picture], T], picture: Picture) -> T | Unreadable:
    try:
        return function(picture)
    except Unreadable as error:
        return error


def _move_forward(file: IO[bytes], starts: Iterable[int], size: int) -> None:
    """Move blocks of ``size`` bytes, given by their starts in ascending order, to the beginning of the file."""
    for place, start in enumerate(starts):
        if place * size < start:
            file.seek(start)
            content = file.read(size)
            file.seek(place * size)
            file.write(content)
