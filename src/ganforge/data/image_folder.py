"""A user's own pictures become a set: looked at, decoded once into the cache, and from then on opened at once.

They are written in the order in which `splits.cut` cuts, so that train, validation and test are each one stretch of the
file. The validation and test pictures are shuffled too: the first few of a part stand for the whole of it.
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

from ganforge.data.containers import Container, Folder
from ganforge.data.decode_image import (
    ImageHeader,
    Levels,
    Pixels,
    ResizeMode,
    Unreadable,
    decode,
    parse_resize,
    read_header,
)
from ganforge.data.fetch import Report
from ganforge.data.folder_layout import Listing, Picture, list_pictures, open_containers
from ganforge.data.normalize_arrays import GREY_IN_COLOUR, LARGEST, SMALLEST, RawSplits, is_grey
from ganforge.data.parquet_pictures import PictureRows
from ganforge.data.pixel_cache import PARTS, Header, Key, cached
from ganforge.data.pixel_levels import choose_levels
from ganforge.data.readers import parquet_pictures
from ganforge.data.reading_rules import USUAL, ReadingRules
from ganforge.data.splits import order_in_file
from ganforge.errors import UserError

CHUNK, ROUND = 32, 512
"""Pictures that a thread takes at a time, and pictures under way at once: what bounds the memory."""

ROUNDING = 1
"""Levels by which the channels of a grey picture may differ: WebP's colours are rounded."""

USUAL_SIZE = 32
"""The size to propose where the pictures are too large as they are."""

Numbers = npt.NDArray[np.int64]
T = TypeVar("T")


def read_pictures(path: Path, rules: ReadingRules = USUAL, reading: Report | None = None) -> tuple[RawSplits, str]:
    """Read a folder or zip of pictures, and say in half a sentence what it holds and what was done.

    Args:
        path: as `listing` understands it.
        rules: how to read them.
        reading: told what is being done, how many pictures are done, and of how many.

    Raises:
        UserError: there is no picture, one cannot be read, sizes differ, or the cache cannot be written.
    """
    fit = parse_resize(rules.resize)
    rows = parquet_pictures(path, rules)
    table = PictureRows(path, rows, rules) if rows else None
    containers: dict[str, Container] = {"": table} if table else open_containers(path, rules)
    state = (line for part in containers for line in (part, *containers[part].state()))
    key = Key.of(("pictures", str(path.resolve()), rules), state)

    def fill(file: IO[bytes]) -> tuple[Header, Numbers]:
        with warnings.catch_warnings():
            # Pillow warns of what is odd but readable; what is not readable is refused by name.
            warnings.simplefilter("ignore")
            listing = table.listing() if table else list_pictures(path, containers, rules)
            return _Reader(path, listing, fit, rules, reading).write(file)

    try:
        return cached(key, path.resolve().name.split(".")[0] or "images", fill)
    finally:
        for container in containers.values():
            container.close()


@dataclass(frozen=True)
class _Reader:
    """Reads all pictures of a listing: their headers first, because one size and one number of channels must do."""

    path: Path
    listing: Listing
    fit: ResizeMode | None
    rules: ReadingRules
    reading: Report | None

    def write(self, file: IO[bytes]) -> tuple[Header, Numbers]:
        """Write every picture into its row, and return header and labels."""
        pictures = self.listing.pictures
        good: list[int] = []
        looks: Counter[ImageHeader] = Counter()
        for number, seen in self._each(range(len(pictures)), self._look, f"looking through {self.path.name}"):
            good.append(number)
            looks[seen] += 1
        shape = self._shape(looks)
        raw_levels, note = self._raw_levels(looks)
        order, counts = order_in_file(
            [pictures[number].part for number in good],
            torch.tensor([pictures[number].label for number in good]),
            self.rules,
        )
        row_of = np.empty(len(pictures), np.int64)
        row_of[np.array(good)[order.numpy()]] = np.arange(len(good))
        part_in_row = np.repeat(list(counts), list(counts.values()))
        kept = np.full(len(good), -1)
        """The number of the picture in each row, -1 where it could not be read."""
        grey = shape[0] == 3 and self.rules.version > 1 and not self.rules.colour
        for number, pixels in self._each(
            good, lambda it: self._decode(it, shape, raw_levels), f"reading {self.path.name}"
        ):
            file.seek(int(row_of[number]) * pixels.size)
            file.write(pixels.data)
            kept[row_of[number]] = number
            grey = grey and is_grey(pixels[None], ROUNDING)
        if grey:
            _keep_one_channel(file, len(good), shape)
            shape = (1, *shape[1:])
        _close_gaps(file, kept >= 0, shape[0] * shape[1] * shape[2])
        chosen = [pictures[number] for number in kept[kept >= 0]]
        labels = np.array([it.label for it in chosen], np.int64)
        self._check(chosen)
        left = Counter(part_in_row[kept >= 0].tolist())
        header = Header(
            counts={part: left[part] for part in PARTS if left[part]},
            shape=shape,
            class_names=self.listing.class_names,
            note=self._note(len(chosen)),
            notes=tuple(line for line in (*self.listing.notes, note, GREY_IN_COLOUR if grey else "") if line),
        )
        return header, labels

    def _each(self, numbers: Iterable[int], work: Callable[[Picture], T], doing: str) -> Iterator[tuple[int, T]]:
        """Do the work on pictures in several threads, and give what comes of it in their order.

        Raises:
            UserError: one cannot be read, and such are not to be skipped.
        """
        pictures, numbers = self.listing.pictures, list(numbers)

        def some(start: int, stop: int) -> list[T | Unreadable]:
            return [_attempt(work, pictures[number]) for number in numbers[start : min(start + CHUNK, stop)]]

        with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
            for start in range(0, len(numbers), ROUND):
                stop = min(start + ROUND, len(numbers))
                results = chain.from_iterable(pool.map(some, range(start, stop, CHUNK), repeat(stop)))
                for number, result in zip(numbers[start:stop], results, strict=True):
                    if not isinstance(result, Unreadable):
                        yield number, result
                    elif not self.rules.skip_bad:
                        raise UserError(
                            f"{self.path}: {pictures[number].name} (picture {number + 1:,} of {len(pictures):,}) "
                            f"cannot be read: {result}; leave out all such with --skip-bad, or {result.remedy}"
                        )
                if self.reading:
                    self.reading(doing, stop, len(numbers))

    def _look(self, it: Picture) -> ImageHeader:
        with it.container.open(it.file) as stream:
            seen = read_header(stream, _whereabouts(it))
        if self.fit and min(seen.width, seen.height) < SMALLEST:
            raise Unreadable(f"it is {seen.width}×{seen.height} px; {SMALLEST} a side are the least")
        return seen

    def _decode(self, it: Picture, shape: tuple[int, int, int], raw_levels: Levels | None) -> Pixels:
        content, levels = it.container.read(it.file), self.rules.levels
        pixels = decode(
            content, _whereabouts(it), grey=shape[0] == 1, fit=self.fit, levels=levels, raw_levels=levels or raw_levels
        )
        if pixels.shape != shape:
            raise Unreadable("its size is not the one that its header gives")
        return pixels

    def _raw_levels(self, looks: Counter[ImageHeader]) -> tuple[tuple[float, float] | None, str]:
        """Settle what is black and white in pictures of more than 8 bits: one choice for the whole set.

        Raises:
            UserError: their range does not tell.
        """
        raw = [seen for seen in looks if seen.raw]
        if not raw or self.rules.version == 1:
            return None, ""
        low, high = min(seen.raw[0] for seen in raw if seen.raw), max(seen.raw[1] for seen in raw if seen.raw)
        try:
            kind = "f" if any(seen.kind == "f" for seen in raw) else "i"
            levels, note = choose_levels(kind, low, high, self.rules.levels)
        except ValueError as reason:
            raise UserError(f"{self.path}: {reason}") from None
        return (levels.black, levels.white), note

    def _shape(self, looks: Counter[ImageHeader]) -> tuple[int, int, int]:
        """Settle the shape [C, H, W] of all images.

        Raises:
            UserError: no picture could be read, or their sizes differ or do not work as they are.
        """
        if not looks:
            raise UserError(f"{self.path}: not one of its pictures can be read; look at one of them")
        channels = 1 if all(seen.grey for seen in looks) and not self.rules.colour else 3
        if self.fit:
            return channels, self.fit.side, self.fit.side
        sizes: Counter[tuple[int, int]] = Counter()
        for seen, count in looks.items():
            sizes[seen.height, seen.width] += count
        (height, width), _ = sizes.most_common(1)[0]
        side = min(height, width)
        proposed = side if SMALLEST <= side <= LARGEST else USUAL_SIZE
        if len(sizes) > 1:
            listed = ", ".join(f"{w}×{h}: {count:,}" for (h, w), count in sizes.most_common(4))
            more = f", and {len(sizes) - 4:,} more" if len(sizes) > 4 else ""
            raise UserError(
                f"{self.path}: its pictures are of {len(sizes):,} sizes ({listed}{more}); --resize {proposed} crops "
                f"them all to {proposed}×{proposed}, --resize {proposed}-pad keeps the whole of each"
            )
        if side < SMALLEST or max(height, width) > LARGEST:
            raise UserError(
                f"{self.path}: its pictures are {width}×{height} px; {SMALLEST} to {LARGEST} px a side work"
                + (f", --resize {proposed} scales them" if side >= SMALLEST else "")
            )
        return channels, height, width

    def _check(self, chosen: list[Picture]) -> None:
        """Refuse a set from which skipping took a class or nearly all."""
        train = Counter(it.label for it in chosen if it.part == "train")
        for label, count in Counter(it.label for it in self.listing.pictures if it.part == "train").items():
            if train[label] < min(2, count):
                name = f"class {self.listing.class_names[label]}" if label >= 0 else "training pictures"
                raise UserError(
                    f"{self.path}: of the {count:,} files of the {name} only {train[label]} can be read; mend them"
                )

    def _note(self, count: int) -> str:
        classes, bad = len(self.listing.class_names), len(self.listing.pictures) - count
        return (
            f"{count:,} pictures"
            + (f" in {classes:,} class{'es' if classes > 1 else ''}" if classes else "")
            + (f", {self.fit}" if self.fit else "")
            + (f"; {bad:,} unreadable file{'s' if bad > 1 else ''} skipped" if bad else "")
        )


def _whereabouts(it: Picture) -> str:
    """Return a picture's path, or its name in an archive."""
    return str(it.container.path / it.file.name) if isinstance(it.container, Folder) else it.file.name


def _attempt(work: Callable[[Picture], T], it: Picture) -> T | Unreadable:
    try:
        return work(it)
    except Unreadable as why:
        return why


def _keep_one_channel(file: IO[bytes], count: int, shape: tuple[int, int, int]) -> None:
    """Keep the first channel of every image: its row moves to the front, where nothing is needed any more."""
    channels, plane = shape[0], shape[1] * shape[2]
    for row in range(count):
        file.seek(row * channels * plane)
        content = file.read(plane)
        file.seek(row * plane)
        file.write(content)


def _close_gaps(file: IO[bytes], kept: npt.NDArray[np.bool_], size: int) -> None:
    """Move rows together where some in between were left out."""
    for place, row in enumerate(np.flatnonzero(kept).tolist()):
        if place < row:
            file.seek(row * size)
            content = file.read(size)
            file.seek(place * size)
            file.write(content)
