"""Sets of pictures as folders and zips, for tests of their reading."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from ganforge.data.load import load
from ganforge.data.reading_rules import ReadingRules
from ganforge.errors import UserError


def png(level=0, size=(8, 8), mode="L", kind="PNG"):
    """Return an encoded picture of one level, which identifies it."""
    stream = io.BytesIO()
    Image.new(mode, size, level if mode == "L" else (level, 0, 255 - level)).save(stream, kind)
    return stream.getvalue()


CLASSES = {f"{name}/{n:02}.png": png(20 * n + shift) for shift, name in enumerate(("cat", "dog")) for n in range(10)}


FLAT = {f"{n:02}.png": png(5 * n) for n in range(20)}


def write_folder(path, files):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def write_zip(path, files):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def below(folder, files):
    return {f"{folder}/{name}": content for name, content in files.items()}


def contents(splits):
    """Return the sorted pairs (level, class) of all parts."""
    return sorted(
        (int(level), part.class_names[label] if label >= 0 else None)
        for part in (splits.train, splits.validation, splits.test)
        for level, label in zip(part.images[:, 0, 0, 0], part.labels.tolist(), strict=True)
    )


def refusal(source, **rules):
    with pytest.raises(UserError) as caught:
        load(source, rules=ReadingRules(**rules))
    assert "\n" not in str(caught.value)
    return str(caught.value)


EXPECTED = sorted((20 * n + shift, name) for shift, name in enumerate(("cat", "dog")) for n in range(10))


def as_folder(path, files):
    return write_folder(path / "set", files)


def as_zip(path, files):
    return write_zip(path / "set.zip", files)


PARTS = below("train", CLASSES) | below("test", {"cat/a.png": png(201), "dog/b.png": png(202)})


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8))


def cut_short(kind):
    stream = io.BytesIO()
    NOISE.save(stream, kind)
    return stream.getvalue()[:-40]


BAD = {
    "text": b"no picture",
    "empty": b"",
    "cut short": cut_short("PNG"),
    "cut jpeg": cut_short("JPEG"),
    "pickle": b"\x80\x04K\x01.",
}
