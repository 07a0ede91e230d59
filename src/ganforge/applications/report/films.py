"""The saved pictures of a run as frames of a film, small enough that a page of them can be sent by mail."""

import base64
import io
import math
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from PIL import Image

from ganforge.applications.report.record import RunRecord
from ganforge.reports.blocks import Film, Frame, Picture

BUDGET = 1_600_000
"""Bytes of all frames of a page, before base64 adds a third."""
REDUCTIONS = (1, 2, 3, 4, 6)
"""Whole factors by which frames are reduced, in this order, until they fit. Small pictures are saved enlarged by a
whole factor, so the mean of each square of pixels gives them back as they were drawn."""
QUALITY = 65
EVOLUTION, SHEET = re.compile(r"evolution-(\d+)\.png"), re.compile(r"(epoch|step)-(\d+)\.png")
SOURCES = {"fixed": "pictures from one fixed noise", "sheet": "a sheet of pictures from fresh noise"}

Files = list[tuple[int, Path]]


def evolution_files(record: RunRecord) -> Files:
    """Return the frames from fixed noise, each with its step."""
    found = [(match, file) for file in _pictures(record) if (match := EVOLUTION.fullmatch(file.name))]
    return sorted((int(match[1]), file) for match, file in found)


def sheet_files(record: RunRecord) -> Files:
    """Return the sample sheets, each with its step: a sheet after epoch k has step (k + 1) · steps_per_epoch."""
    steps_per_epoch = int(record.saved["steps_per_epoch"])
    found = [(match, file) for file in _pictures(record) if (match := SHEET.fullmatch(file.name))]
    return sorted(
        ((int(match[2]) + 1) * steps_per_epoch if match[1] == "epoch" else int(match[2]), file) for match, file in found
    )


def _pictures(record: RunRecord) -> list[Path]:
    return list(record.folder.samples.glob("*.png")) if record.folder.samples.is_dir() else []


def thinned(files: Files, most: int) -> Files:
    """Return every k-th file and the last one, at most ``most`` + 1: of runs with equal marks those of equal steps."""
    every = max(1, math.ceil(len(files) / most))
    kept = files[::every]
    return kept if kept[-1:] == files[-1:] else [*kept, files[-1]]


def film(title: str, kind: str, sources: Sequence[tuple[RunRecord, Files]], budget: int = BUDGET) -> Film | None:
    """Return a film of the files of one or several runs, or None if there are none; damaged pictures are left out.

    Args:
        title: what the frames show.
        kind: "fixed" or "sheet", for the description of each frame.
        sources: the files of each run.
        budget: bytes of all frames together.
    """
    opened = [
        (record, [(step, image) for step, file in files if (image := _opened(file))]) for record, files in sources
    ]
    opened = [(record, images) for record, images in opened if images]
    if not opened:
        return None
    images = [image for _, found in opened for _, image in found]
    encoded = iter(_fitting(images, budget))
    panels = []
    for record, found in opened:
        frames = []
        for step, image in found:
            picture = Picture(
                _address(next(encoded)),
                f"{record.name}, step {step:,}: {SOURCES[kind]}",
                image.width,
                image.height,
            )
            frames.append(Frame(step, record.seconds_at(step), picture))
        panels.append((record.name, frames))
    return Film(title, panels)


def as_picture(image: Image.Image, alt: str, caption: str = "") -> Picture:
    """Return an image as a block of a page."""
    return Picture(_address(_encoded(image, 1)), alt, image.width, image.height, caption)


def _opened(file: Path) -> Image.Image | None:
    # damaged PNG files raise SyntaxError, too
    with suppress(OSError, SyntaxError, ValueError, Image.DecompressionBombError), Image.open(file) as image:
        return image.convert("RGB")
    return None


def _fitting(images: Sequence[Image.Image], budget: int) -> list[bytes]:
    """Encode all images with the first of `REDUCTIONS` at which they fit into the budget, else with the last."""
    encoded: list[bytes] = []
    for factor in REDUCTIONS:
        encoded = [_encoded(image, factor) for image in images]
        if sum(map(len, encoded)) <= budget:
            break
    return encoded


def _encoded(image: Image.Image, factor: int) -> bytes:
    image = image.reduce(factor)
    file = io.BytesIO()
    image.save(file, "WEBP", quality=QUALITY, method=4)
    return file.getvalue()


def _address(content: bytes) -> str:
    return f"data:image/webp;base64,{base64.b64encode(content).decode()}"
