"""Folders and zips of a user's pictures, from the path to the splits: layouts, refusals and the cache."""

import io
import json
import os
import re
import stat
import threading
import warnings
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from ganforge.data.load import load
from ganforge.data.reading_rules import ReadingRules
from ganforge.data.storage.pixel_cache import PIXELS
from ganforge.errors import UserError


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """An empty cache for every test."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("GANFORGE_CACHE", str(folder))
    return folder


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


# Layouts


def as_folder(path, files):
    return write_folder(path / "set", files)


def as_zip(path, files):
    return write_zip(path / "set.zip", files)


@pytest.mark.parametrize("write", [as_folder, as_zip])
@pytest.mark.parametrize("top", ["", "top/", "a/b/"])
def test_class_folders_give_the_classes(tmp_path, write, top):
    splits = load(write(tmp_path, {top + name: content for name, content in CLASSES.items()}))
    assert contents(splits) == EXPECTED
    assert splits.train.class_names == ("cat", "dog")
    assert splits.train.shape == (1, 8, 8)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [16, 2, 2]
    assert set(splits.train.labels.tolist()) == {0, 1}
    assert "20 pictures in 2 classes" in splits.origin


@pytest.mark.parametrize("write", [as_folder, as_zip])
@pytest.mark.parametrize("top", ["", "top/"])
def test_a_flat_set_is_unlabelled(tmp_path, write, top):
    splits = load(str(write(tmp_path, {top + name: content for name, content in FLAT.items()})))
    assert contents(splits) == [(5 * n, None) for n in range(20)]
    assert not splits.train.labelled and splits.train.class_names == ()


def test_deeper_folders_belong_to_their_class(tmp_path):
    files = {name.replace("/0", "/deep/0"): content for name, content in CLASSES.items()}
    assert contents(load(as_folder(tmp_path, files))) == EXPECTED


PARTS = below("train", CLASSES) | below("test", {"cat/a.png": png(201), "dog/b.png": png(202)})


@pytest.mark.parametrize("write", [as_folder, as_zip])
@pytest.mark.parametrize("validation", [None, "val", "validation"])
def test_train_and_test_folders_give_the_parts(tmp_path, write, validation):
    extra = below(validation, {"cat/x.png": png(211)}) if validation else {}
    splits = load(write(tmp_path, PARTS | extra))
    assert sorted(splits.test.images[:, 0, 0, 0].tolist()) == [201, 202]
    assert len(splits.validation) == 1
    if validation:
        assert splits.validation.images.unique().tolist() == [211]
        assert len(splits.train) == 20
    else:
        assert len(splits.train) == 19


def test_zips_called_train_and_test_give_the_parts(tmp_path):
    write_zip(tmp_path / "set" / "train.zip", below("train", CLASSES))
    write_zip(tmp_path / "set" / "test.zip", {"cat/a.png": png(201), "dog/b.png": png(202)})
    splits = load(tmp_path / "set")
    assert sorted(splits.test.images[:, 0, 0, 0].tolist()) == [201, 202]
    assert splits.test.class_names == ("cat", "dog")


@pytest.mark.parametrize("write", [as_folder, as_zip])
@pytest.mark.parametrize("top", ["", "top/"])
def test_stylegan_labels_take_precedence_over_folders(tmp_path, write, top):
    files = {f"0000{n // 10}/img{n:04}.png": png(5 * n) for n in range(20)}
    for labels, expected in (
        ([[name, n % 3] for n, name in enumerate(files)], [(5 * n, str(n % 3)) for n in range(20)]),
        (None, [(5 * n, None) for n in range(20)]),
    ):
        listing = {"dataset.json": json.dumps({"labels": labels}).encode()}
        path = write(tmp_path, {top + name: content for name, content in (files | listing).items()})
        assert contents(load(path)) == expected


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "is not"),
        ("[1, 2]", "is not"),
        ('{"labels": 7}', "is not"),
        ('{"labels": [["00.png"]]}', "is not"),
        ("[" * 100_000, "is not"),
        ('{"labels": [["other.png", 1]]}', "gives a label to other.png"),
        ('{"labels": [["00.png", 1]]}', "gives no label to 01.png"),
        ('{"labels": [["00.png", ""]]}', "the label of 00.png is "),
        ('{"labels": [["00.png", -1]]}', "the label of 00.png is -1"),
        ('{"labels": [["00.png", [0, 1]]]}', "the label of 00.png is [0, 1]"),
        ('{"labels": [["00.png", 1001]]}', "from 0 to 999"),
    ],
)
def test_bad_labels_are_refused(tmp_path, text, word):
    message = refusal(as_zip(tmp_path, FLAT | {"dataset.json": text.encode()}))
    assert word in message and "dataset.json" in message


def test_other_files_are_ignored(tmp_path):
    others = ["notes.txt", "cat/.DS_Store", "dog/Thumbs.db", "__MACOSX/cat/._00.png", ".git/config", "README", "a.json"]
    for write in (as_folder, as_zip):
        assert contents(load(write(tmp_path, CLASSES | dict.fromkeys(others, b"no picture")))) == EXPECTED


def test_links_are_followed_but_not_in_circles(tmp_path):
    path = as_folder(tmp_path, below("elsewhere", CLASSES))
    (path / "set").mkdir()
    for name in ("cat", "dog"):
        (path / "set" / name).symlink_to(path / "elsewhere" / name)
    (path / "elsewhere" / "cat" / "again").symlink_to(path / "elsewhere" / "cat")
    assert contents(load(path / "set")) == EXPECTED


# Wrong layouts


@pytest.mark.parametrize("write", [as_folder, as_zip])
@pytest.mark.parametrize(
    ("files", "word"),
    [
        ({}, "no picture"),
        ({"notes.txt": b"hello"}, "no picture"),
        (CLASSES | {"bird/one.png": png()}, "the class folder bird holds only one picture"),
        (CLASSES | {"bird/notes.txt": b""}, "the class folder bird holds no picture"),
        (CLASSES | {"loose.png": png()}, "loose.png lies outside the class folders such as cat"),
        (PARTS | {"extra/a.png": png()}, "extra/a.png lies outside"),
        (below("train", CLASSES) | {"test/notes.txt": b""}, "no picture in test"),
        (PARTS | {"test/bird/notes.txt": b""}, "bird holds no picture"),
        ({"a.png": png(), "b.png": png(1), "c.png": png(2)}, "give 4 or more"),
    ],
)
def test_wrong_layouts_are_refused(tmp_path, write, files, word):
    (tmp_path / "set").mkdir()
    path = write(tmp_path, files)
    message = refusal(path)
    assert word in message


def test_too_many_classes_are_refused(tmp_path, monkeypatch):
    from ganforge.data.sources import folder_layout

    monkeypatch.setattr(folder_layout, "MOST_CLASSES", 1)
    assert "holds 2 classes, more than the limit of 1;" in refusal(as_folder(tmp_path, CLASSES))


def test_an_empty_class_folder_is_refused(tmp_path):
    path = as_folder(tmp_path, CLASSES)
    (path / "bird").mkdir()
    assert "bird holds no picture" in refusal(path)


# Sizes and colours


def test_one_colour_picture_makes_the_set_colour(tmp_path):
    splits = load(as_folder(tmp_path, FLAT | {"red.png": png(255, mode="RGB")}))
    assert splits.train.shape == (3, 8, 8)


MIXED = FLAT | {"large.png": png(size=(16, 12)), "wide.png": png(size=(20, 10))}


def test_mixed_sizes_are_refused_with_their_counts_and_accepted_with_resize(tmp_path):
    path = as_folder(tmp_path, MIXED)
    message = refusal(path)
    for word in ("3 sizes", "8×8: 20", "16×12: 1", "--resize 8,", "--resize 8-pad"):
        assert word in message
    cropped, padded = load(path, rules=ReadingRules(resize="10")), load(path, rules=ReadingRules(resize="10-pad"))
    assert cropped.train.shape == padded.train.shape == (1, 10, 10)
    assert "22 pictures, short side scaled to 10 px, cropped to a square in the middle" in cropped.origin
    assert "long side scaled to 10 px, padded to a square with each picture's corner colour" in padded.origin
    assert len(load(path, rules=ReadingRules(resize=16)).train) == 18


def test_only_the_commonest_sizes_are_listed(tmp_path):
    message = refusal(as_folder(tmp_path, {f"{n}.png": png(size=(8 + n, 8)) for n in range(9)}))
    assert "9 sizes" in message and "and 5 more" in message


@pytest.mark.parametrize(
    ("size", "word"),
    [
        ((3000, 3000), "3000×3000 px, outside 8 to 64 px a side; scale them with --resize 32"),
        ((65, 8), "--resize 8"),
        ((7, 30), "7×30 px"),
    ],
)
def test_sizes_out_of_range_are_refused(tmp_path, size, word):
    path = as_folder(tmp_path, dict.fromkeys(("a.png", "b.png", "c.png", "d.png"), png(9, size=size)))
    assert word in refusal(path)
    if min(size) >= 8:
        assert load(path, rules=ReadingRules(resize=32)).train.shape == (1, 32, 32)
    else:
        assert "7×30 px" in refusal(path, resize=32)


def test_sizes_need_not_be_square(tmp_path):
    assert load(as_folder(tmp_path, {f"{n}.png": png(n, size=(24, 16)) for n in range(9)})).train.shape == (1, 16, 24)


# Pictures that cannot be read

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


@pytest.mark.parametrize("write", [as_folder, as_zip])
@pytest.mark.parametrize("bad", BAD)
def test_the_first_bad_picture_is_named_and_all_are_skipped_on_demand(tmp_path, write, bad):
    path = write(tmp_path, CLASSES | {"cat/03.png": BAD[bad], "dog/05.png": BAD[bad]})
    message = refusal(path)
    for word in ("cat/03.png", "(picture 4 of 20)", "--skip-bad"):
        assert word in message
    splits = load(path, rules=ReadingRules(skip_bad=True))
    assert contents(splits) == [row for row in EXPECTED if row not in ((60, "cat"), (101, "dog"))]
    assert "18 pictures in 2 classes; 2 unreadable files skipped" in splits.origin
    assert splits.train.span.start == 0 and splits.test.span.stop == 18


@pytest.mark.parametrize("write", [as_folder, as_zip])
def test_skipping_all_pictures_of_a_class_is_refused(tmp_path, write):
    nothing = dict.fromkeys(FLAT, b"no picture")
    assert "none of its pictures" in refusal(write(tmp_path, nothing), skip_bad=True)
    for bad in (b"no picture", BAD["cut short"]):
        files = CLASSES | {name: bad for name in CLASSES if name.startswith("dog") and name != "dog/00.png"}
        path = write(tmp_path / str(len(bad)), files)
        assert "only 1 of the 10 files of the class dog can be read" in refusal(path, skip_bad=True)


def test_a_broken_link_is_an_unreadable_picture(tmp_path):
    path = as_folder(tmp_path, FLAT)
    (path / "gone.png").symlink_to(tmp_path / "nowhere")
    assert "gone.png (picture 21 of 21) cannot be read: No such file" in refusal(path)


def test_a_picture_with_too_many_pixels_is_unreadable(tmp_path):
    stream = io.BytesIO()
    Image.new("1", (10_000, 5_001)).save(stream, "PNG")
    path = as_folder(tmp_path, FLAT | {"bomb.png": stream.getvalue()})
    assert "bomb.png (picture 21 of 21) cannot be read: it claims 10,000×5,001 px" in refusal(path, resize=8)
    assert len(load(path, rules=ReadingRules(skip_bad=True)).train) == 16


def test_a_single_picture_is_refused_without_a_warning_about_its_size(tmp_path):
    stream = io.BytesIO()
    Image.new("1", (10_000, 9_001)).save(stream, "PNG")  # from 89 million pixels on Pillow warns
    for name, content in (("large.png", stream.getvalue()), ("a.tga", png(kind="TGA")), ("a.pgm", png(kind="PPM"))):
        (tmp_path / name).write_bytes(content)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            message = refusal(tmp_path / name)
        assert not caught
        assert "is a single picture" in message or name == "large.png"


# Zips that mean harm


def with_member(change, content=None, name="bad.png"):
    """Return a function that writes a zip with one modified entry."""

    def write(path):
        info = zipfile.ZipInfo(name)
        change(info)
        with zipfile.ZipFile(path, "w") as archive:
            for other, picture in FLAT.items():
                archive.writestr(other, picture)
            archive.writestr(info, png() if content is None else content)

    return write


def linked(info):
    info.external_attr = (stat.S_IFLNK | 0o777) << 16


def deflated(info):
    info.compress_type = zipfile.ZIP_DEFLATED


def deflated64(path):
    """Write a zip with compression method 9 in both headers, which Windows uses for large files."""
    write_zip(path, FLAT | {"bad.png": png()})
    content = bytearray(path.read_bytes())
    for header, method in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        content[content.rfind(header) + method] = 9
    path.write_bytes(content)


def unchanged(info):
    pass


def encrypted(path):
    """Write a zip with the encryption flag (bit 0) in both headers."""
    write_zip(path, FLAT)
    content = bytearray(path.read_bytes())
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.find(header) + flags] |= 1
    path.write_bytes(content)


def doubled(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", png())
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.png", png())


def cut_off(path):
    write_zip(path, FLAT)
    path.write_bytes(path.read_bytes()[:-40])


def understated(path):
    """Write a zip with a member that is larger than its stated size."""
    with_member(deflated, bytes(5_000_000))(path)
    content = path.read_bytes()
    path.write_bytes(content.replace((5_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little")))


@pytest.mark.parametrize(
    ("write", "word"),
    [
        (with_member(unchanged, name="../bad.png"), "../bad.png leads outside"),
        (with_member(unchanged, name="a/../../bad.png"), "leads outside"),
        (with_member(unchanged, name="..\\bad.png"), "leads outside"),
        (with_member(unchanged, name="/etc/bad.png"), "leads outside"),
        (with_member(unchanged, name="C:\\bad.png"), "leads outside"),
        (with_member(linked, b"/etc/passwd"), "bad.png is a link"),
        (with_member(deflated, bytes(3_000_000)), "claims to unpack"),
        (deflated64, "bad.png is compressed with Deflate64"),
        (with_member(unchanged, name="inner.zip"), "inner.zip is an archive within"),
        (with_member(unchanged, name="a\x1b[31m\n.zip"), "a?[31m?.zip is an archive"),
        (encrypted, "protected by a password"),
        (doubled, "a.png twice"),
        (cut_off, "is damaged or not a zip"),
        (lambda path: path.write_bytes(b""), "is damaged or not a zip"),
        (lambda path: path.write_bytes(b"no zip"), "is damaged or not a zip"),
        (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(50)), "is damaged or not a zip"),
        (understated, "bad.png (picture 21 of 21) cannot be read"),
    ],
)
def test_a_malicious_zip_is_refused(tmp_path, write, word):
    path = tmp_path / "set.zip"
    write(path)
    before = sorted(tmp_path.rglob("*"))
    message = refusal(path)
    assert word in message and str(path) in message
    assert sorted(tmp_path.rglob("*")) == before


def test_many_members_that_unpack_to_far_more_than_the_zip_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for n in range(50):
            archive.writestr(f"{n}.bmp", bytes(200_000))
    assert "it claims to unpack from" in refusal(tmp_path / "set.zip")


def test_a_damaged_member_is_an_unreadable_picture(tmp_path):
    path = as_zip(tmp_path, FLAT)
    content = bytearray(path.read_bytes())
    content[content.find(b"IDAT") + 6] ^= 0x10
    path.write_bytes(content)
    assert "00.png (picture 1 of 20) cannot be read" in refusal(path)
    assert "1 unreadable file skipped" in load(path, rules=ReadingRules(skip_bad=True)).origin


# The cache


def test_the_second_load_decodes_nothing(tmp_path, cache, monkeypatch):
    from ganforge.data.sources import image_folder

    path, reports = as_folder(tmp_path, CLASSES), []
    first = load(path, reading=lambda *report: reports.append(report))
    assert reports == [("looking through set", 20, 20), ("reading set", 20, 20)]
    monkeypatch.setattr(image_folder, "decode", pytest.fail)
    second = load(path)
    assert second.origin == first.origin
    assert second.fingerprint == first.fingerprint
    assert contents(second) == EXPECTED
    assert len(list(cache.glob("pictures/*-*/header.json"))) == 1


def test_a_changed_source_is_read_again_and_the_old_pixels_are_deleted(tmp_path, cache):
    path = as_folder(tmp_path, FLAT)
    load(path)
    (path / "00.png").write_bytes(png(255))
    os.utime(path / "00.png", ns=(1, 1))
    assert (255, None) in contents(load(path))
    load(path, rules=ReadingRules(resize=16))
    assert len(list(cache.glob("pictures/*-*/header.json"))) == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / PIXELS).write_bytes((folder / PIXELS).read_bytes()[:-1]),
        lambda folder: (folder / PIXELS).unlink(),
        lambda folder: (folder / "header.json").write_bytes((folder / "header.json").read_bytes()[:-9]),
        lambda folder: (folder / "header.json").write_text("{}"),
        lambda folder: (folder / "header.json").write_text(re.sub("20", "-20", (folder / "header.json").read_text())),
        lambda folder: (folder / "header.json").unlink(),
    ],
)
def test_a_damaged_cache_is_rebuilt(tmp_path, cache, damage):
    path = as_folder(tmp_path, CLASSES)
    before = load(path).fingerprint
    (folder,) = cache.glob("pictures/[!.]*")
    damage(folder)
    assert load(path).fingerprint == before
    assert (folder / "header.json").is_file()


def test_a_refused_source_leaves_nothing_in_the_cache(tmp_path, cache):
    refusal(as_folder(tmp_path, FLAT | {"bad.png": BAD["cut short"]}))
    names = {path.name for path in cache.rglob("*") if path.suffix != ".lock"}
    assert names == {"CACHEDIR.TAG", "pictures"}


def test_a_full_disk_is_one_line(tmp_path, cache, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    path = as_folder(tmp_path, FLAT)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        assert "the disk is full" in refusal(path)
    assert not list(cache.rglob("*.bin"))
    assert len(load(path).train) == 16


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("GANFORGE_CACHE", str(tmp_path / "file"))
    message = refusal(as_folder(tmp_path, FLAT))
    assert "GANFORGE_CACHE" in message and str(tmp_path / "file") in message


def test_two_processes_build_the_cache_once(tmp_path, monkeypatch):
    from ganforge.data.sources import image_folder

    path, decoded, results = as_folder(tmp_path, FLAT), [], []
    real = image_folder.decode
    monkeypatch.setattr(image_folder, "decode", lambda *a, **k: decoded.append(1) or real(*a, **k))
    threads = [threading.Thread(target=lambda: results.append(load(path).fingerprint)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(decoded) == 20 and len(set(results)) == 1 and len(results) == 2


def test_the_cached_parts_equal_a_split_in_memory(tmp_path):
    """A set in the cache and the same set split in memory have the same images in the same order."""
    stored = load(as_folder(tmp_path, CLASSES))
    levels = np.array([level for name in ("cat", "dog") for level, of in EXPECTED if of == name], np.uint8)
    images = np.broadcast_to(levels[:, None, None, None], (20, 1, 8, 8)).copy()
    in_memory = load((images, np.arange(20) // 10))
    for one, other in zip(
        (stored.train, stored.validation, stored.test),
        (in_memory.train, in_memory.validation, in_memory.test),
        strict=True,
    ):
        assert torch.equal(one.images, other.images) and torch.equal(one.labels, other.labels)


def test_all_adds_validation_without_copying(tmp_path):
    for files, count in ((CLASSES, 18), (PARTS | {"val/cat/x.png": png(211)}, 21)):
        path = as_folder(tmp_path / str(count), files)
        everything = load(path, images="all")
        assert len(everything.train) == count
        assert everything.train.span is not None
        levels = torch.cat([load(path).train.images, load(path).validation.images]) if count == 18 else None
        assert levels is None or torch.equal(everything.train.images, levels)


# Wishes on other data


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"resize": 32}, "--resize:"),
        ({"skip_bad": True}, "--skip-bad:"),
        ({"resize": "8", "skip_bad": True}, "--resize and --skip-bad:"),
    ],
)
def test_picture_options_on_other_data_are_refused(tmp_path, options, word):
    np.save(tmp_path / "a.npy", np.zeros((9, 8, 8), np.uint8))
    for source in (tmp_path / "a.npy", "digits", np.zeros((9, 8, 8), np.uint8)):
        assert word in refusal(source, **options)
    assert "no such file" in refusal("nowhere.zip", **options)
    assert "--resize 7" in refusal(as_folder(tmp_path, FLAT), resize=7)
