"""Archives of any kind: zips of every method, and names with accents."""

import contextlib
import gzip
import io
import struct
import unicodedata
import zipfile

import numpy as np
import pytest

from ganforge.data.load import load
from ganforge.data.sources.archives import Tar, Zip, is_archive, open_archive
from ganforge.data.sources.decode_image import Unreadable
from ganforge.data.sources.picture_containers import Folder
from ganforge.errors import UserError
from picture_archives import CLASSES, EXPECTED, PLAIN, contents, png, read_all, tarred, write

pytestmark = pytest.mark.usefixtures("cache")


# Zips


def zipped(files, method=zipfile.ZIP_DEFLATED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_zips_of_every_method_are_read(tmp_path, method):
    assert contents(load(write(tmp_path, zipped(CLASSES, method), "set.zip"))) == EXPECTED


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_DEFLATED])
def test_a_member_larger_than_its_stated_size_costs_no_memory(tmp_path, method):
    import tracemalloc

    content = zipped({"a.png": bytes(80_000_000)}, method).replace(
        struct.pack("<I", 80_000_000), struct.pack("<I", 900)
    )
    archive = Zip(write(tmp_path, content, "set.zip"))
    (file,) = archive.files()
    tracemalloc.start()
    with pytest.raises(Unreadable):
        archive.read(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    archive.close()
    assert peak < 20_000_000


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_damage_anywhere_in_a_zip_is_refused_or_harmless(tmp_path, method):
    whole, chance = zipped({f"{n}.png": png(n) * 3 for n in range(4)}, method), np.random.default_rng(2)
    for attempt in range(150):
        content = bytearray(whole)
        for _ in range(1 + attempt % 3):
            content[int(chance.integers(len(content)))] ^= int(chance.integers(1, 256))
        read_all(
            write(
                tmp_path, bytes(content[: int(chance.integers(len(content)))] if attempt % 5 == 0 else content), "a.zip"
            )
        )


def test_folders_of_a_zip_may_end_in_a_backslash(tmp_path):
    files = {"set\\": b"", "set\\cat\\": b""} | {
        "set\\" + name.replace("/", "\\"): content for name, content in CLASSES.items()
    }
    path = write(tmp_path, zipped(files), "set.zip")
    assert contents(load(path)) == EXPECTED
    assert Zip(path).folders() == ["set", "set/cat", "set/dog"]


def test_an_archive_is_recognised_by_content_and_then_by_name(tmp_path):
    for name, content, archive in [
        ("a.tgz", b"damaged", True),
        ("a.bin", PLAIN, True),
        ("a.bin", gzip.compress(PLAIN), True),
        ("a.tar", zipped(CLASSES), True),
        ("a.gz", gzip.compress(b"\0\0\x08\x03" + bytes(600)), False),
        ("a.bin", tarred({"PKLot/1.png": png()}), True),
        ("a.bin", b"PK but no zip", False),
        ("a.bin", bytes(2000), False),
        ("a.bin", b"", False),
        ("a.gz", b"\x1f\x8bdamaged", False),
        ("a.bz2", b"BZhdamaged", False),
    ]:
        assert is_archive(write(tmp_path, content, name)) == archive, (name, content[:9])
    assert isinstance(open_archive(write(tmp_path, zipped(CLASSES), "a.tar")), Zip)
    assert isinstance(open_archive(write(tmp_path, tarred({"PKLot/1.png": png()}))), Tar)


# Letters with accents

COMPOSED, APART = "é", unicodedata.normalize("NFD", "é")


def as_folder(path, files):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def as_tar(path, files):
    return write(path, tarred(files))


def as_zip(path, files):
    return write(path, zipped(files), "set.zip")


@pytest.mark.parametrize("pack", [as_folder, as_zip, as_tar])
@pytest.mark.parametrize(("stored", "listed"), [(COMPOSED, APART), (APART, COMPOSED)])
def test_both_unicode_forms_of_an_accent_are_the_same_name(tmp_path, pack, stored, listed):
    import json

    names = [f"{stored}/{stored}{n}.png" for n in range(20)]
    labels = json.dumps({"labels": [[f"{listed}\\{listed}{n}.png", n % 2] for n in range(20)]})
    files = {name: png(n) for n, name in enumerate(names)}
    (tmp_path / "labelled").mkdir()
    labelled = pack(tmp_path / "labelled", files | {"dataset.json": labels.encode()})
    assert contents(load(labelled)) == [(n, str(n % 2)) for n in range(20)]
    (tmp_path / "classes").mkdir()
    assert load(pack(tmp_path / "classes", files | {"b/1.png": png(), "b/2.png": png(1)})).train.class_names == (
        "b",
        COMPOSED,
    )


@pytest.mark.parametrize("pack", [as_folder, as_zip, as_tar])
@pytest.mark.parametrize("name", ["{}.png", "{}/same.png", "{}/{}.png"])
def test_names_that_differ_only_in_unicode_form_are_duplicates(tmp_path, pack, name):
    container = pack(tmp_path, {name.format(accent, accent): png() for accent in (COMPOSED, APART)})
    with pytest.raises(UserError, match="twice"):
        if container.is_dir():
            Folder(container)
        else:
            with contextlib.closing(open_archive(container)) as archive:
                archive.files()
