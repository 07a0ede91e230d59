"""Tars and zips of pictures, for tests of their reading."""

import contextlib
import io
import tarfile

from PIL import Image

from ganforge.data.sources.archives import Tar, Zip
from ganforge.data.sources.decode_image import Unreadable, read_header
from ganforge.errors import UserError


def png(level=0):
    stream = io.BytesIO()
    Image.new("L", (8, 8), level).save(stream, "PNG")
    return stream.getvalue()


CLASSES = {f"{name}/{n:02}.png": png(20 * n + shift) for shift, name in enumerate(("cat", "dog")) for n in range(10)}


EXPECTED = sorted((20 * n + shift, name) for shift, name in enumerate(("cat", "dog")) for n in range(10))


def tarred(files, format=tarfile.GNU_FORMAT, change=None):
    """Return the bytes of a tar; ``change`` is applied to the entry of each file whose content is None."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=format) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content or b"")
            if content is None:
                change(info)
            archive.addfile(info, io.BytesIO(content or b""))
    return stream.getvalue()


def write(folder, content, name="set.tar"):
    path = folder / name
    path.write_bytes(content)
    return path


def contents(splits):
    return sorted(
        (int(level), part.class_names[label] if label >= 0 else None)
        for part in (splits.train, splits.validation, splits.test)
        for level, label in zip(part.images[:, 0, 0, 0], part.labels.tolist(), strict=True)
    )


PLAIN = tarred(CLASSES)


def read_all(path):
    """List and read an archive, and assert that every error is one printable line."""
    archive, refusals = Zip(path) if path.suffix == ".zip" else Tar(path), []
    try:
        for file in archive.files():
            with contextlib.suppress(Unreadable), archive.open(file) as stream:
                read_header(stream)
            try:
                archive.read(file)
            except Unreadable as error:
                refusals.append(str(error))
        archive.folders()
    except UserError as error:
        refusals.append(str(error))
    finally:
        archive.close()
    assert all(line.isprintable() and len(line) < 600 for line in refusals)
