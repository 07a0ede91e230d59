"""Folders and zips of a user's pictures, from the path to the splits: layouts, refusals and the cache."""

import io
import json
import warnings

import numpy as np
import pytest
from PIL import Image

from ganforge.data.load import load
from ganforge.data.reading_rules import ReadingRules
from picture_sets import (
    BAD,
    CLASSES,
    EXPECTED,
    FLAT,
    PARTS,
    as_folder,
    as_zip,
    below,
    contents,
    png,
    refusal,
    write_zip,
)

pytestmark = pytest.mark.usefixtures("cache")


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
        ({"a.png": png(), "b.png": png(1), "c.png": png(2)}, "give 4 images or more"),
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
