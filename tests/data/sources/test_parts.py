"""Parts under every common spelling, and the classes within them."""

import io
import json
import unicodedata
import zipfile

import numpy as np
import pytest
from PIL import Image

from ganforge.data.load import load
from ganforge.data.reading_rules import part_named
from ganforge.errors import UserError

SPELLINGS = {
    "train": ["train", "Train", "TRAIN", "training", "Training", "tr", "trainingSet", "training_set", "train-images"],
    "validation": ["val", "Val", "valid", "validation", "VALIDATION", "dev", "validationset", "val_data", "valid_set"],
    "test": ["test", "Test", "testing", "testSet", "test_data", "Testing", "t10k", "TEST", "test-images"],
}


def png(level):
    stream = io.BytesIO()
    Image.new("L", (8, 8), level).save(stream, "PNG")
    return stream.getvalue()


def pictures(part, classes=("a", "b"), count=6, start=0):
    return {
        f"{part}/{name}/{n}.png": png(start + 20 * index + n)
        for index, name in enumerate(classes)
        for n in range(count)
    }


def as_folder(path, files):
    for name, content in files.items():
        (path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (path / "set" / name).write_bytes(content)
    return path / "set"


def as_zip(path, files):
    with zipfile.ZipFile(path / "set.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path / "set.zip"


def sizes(splits):
    return [len(part) for part in (splits.train, splits.validation, splits.test)]


@pytest.mark.parametrize("part", SPELLINGS)
def test_every_spelling_of_a_part_is_recognised(part):
    assert [part_named(name) for name in SPELLINGS[part]] == [part] * len(SPELLINGS[part])


@pytest.mark.parametrize("name", ["trainer", "trains", "0", "cats", "testament", "set", "train_test", "", "valley"])
def test_class_names_are_not_parts(name):
    assert part_named(name) is None


@pytest.mark.parametrize("write", [as_folder, as_zip])
@pytest.mark.parametrize("column", range(9))
def test_folders_give_train_validation_and_test(tmp_path, write, column):
    train, validation, test = (SPELLINGS[part][column] for part in SPELLINGS)
    files = pictures(train, count=8) | pictures(validation, count=2, start=100) | pictures(test, count=3, start=150)
    splits = load(write(tmp_path, files))
    assert sizes(splits) == [16, 4, 6] and splits.train.class_names == ("a", "b")
    assert splits.validation.images.unique().tolist() == [100, 101, 120, 121]
    assert splits.test.images.min() == 150


def test_missing_parts_are_split_from_the_training_images(tmp_path):
    assert sizes(load(as_folder(tmp_path, pictures("train", count=20) | pictures("valid", count=3)))) == [36, 6, 4]


def test_archives_of_parts_have_the_same_spellings(tmp_path):
    for name, count in (("Training", 12), ("testSet", 2)):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            for file, content in pictures("x", count=count).items():
                archive.writestr(file.removeprefix("x/"), content)
    assert sizes(load(tmp_path)) == [22, 2, 4]


def test_a_folder_in_a_folder_of_the_same_name_is_ignored(tmp_path):
    files = pictures("trainingSet/trainingSet", count=8) | pictures("testSet/testSet", count=2)
    splits = load(as_folder(tmp_path, files))
    assert splits.train.class_names == ("a", "b") and len(splits.test) == 4


def test_parts_may_be_inside_the_class_folders(tmp_path):
    files = {
        f"{name}/{part}/{n}.png": png(10 * n + shift)
        for shift, name in enumerate(("cat", "dog"))
        for part, count in (("train", 9), ("test", 3))
        for n in range(count)
    }
    splits = load(as_folder(tmp_path, files))
    assert splits.train.class_names == ("cat", "dog") and len(splits.test) == 6


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("train", "training", "test"), "train and training could both be the train images"),
        (("val", "test"), "no folder of training images"),
        (("train", "test", "other"), "lies outside test and train"),
    ],
)
def test_ambiguous_parts_are_refused(tmp_path, names, words):
    files = {name: content for part in names for name, content in pictures(part, count=4).items()}
    with pytest.raises(UserError) as caught:
        load(as_folder(tmp_path, files))
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_class_may_be_called_train(tmp_path):
    files = {f"{name}/{n}.png": png(n) for name in ("bus", "train", "car") for n in range(5)}
    assert load(as_folder(tmp_path, files)).train.class_names == ("bus", "car", "train")


def test_numeric_classes_are_in_numeric_order(tmp_path):
    files = {f"{number}/{n}.png": png(number) for number in range(13) for n in range(4)}
    splits = load(as_folder(tmp_path, files))
    assert splits.train.class_names == tuple(map(str, range(13)))
    assert all(
        int(image[0, 0, 0]) == label for image, label in zip(splits.train.images, splits.train.labels, strict=True)
    )


def labelled_zip(path, labels, names=None):
    names = names or [f"img{n}.png" for n in range(len(labels))]
    files = {unicodedata.normalize("NFD", name): png(n) for n, name in enumerate(names)}
    table = {"labels": [[unicodedata.normalize("NFC", name), label] for name, label in zip(names, labels, strict=True)]}
    return as_zip(path, files | {"dataset.json": json.dumps(table).encode()})


def test_labels_in_a_file_may_start_at_1_or_be_words(tmp_path):
    splits = load(labelled_zip(tmp_path, [1 + n % 3 for n in range(24)]))
    assert splits.train.class_names == ("1", "2", "3") and "no class 0" in splits.notes[0]
    assert (splits.train.labels >= 0).all()
    splits = load(labelled_zip(tmp_path, ["red, bright" if n % 2 else "blue" for n in range(24)]))
    assert splits.train.class_names == ("blue", "red, bright")


def test_accents_match_in_every_unicode_form(tmp_path):
    splits = load(labelled_zip(tmp_path, [n % 2 for n in range(12)], [f"été{n}.png" for n in range(12)]))
    assert sorted(splits.train.labels.unique().tolist()) == [0, 1]
    files = {unicodedata.normalize("NFD", f"é/{n}.png"): png(n) for n in range(6)}
    files |= {f"z/{n}.png": png(n) for n in range(6)}
    assert load(as_folder(tmp_path, files)).train.class_names == ("z", "é")


def test_labels_of_arrays_may_be_words_one_hot_or_start_at_1(tmp_path):
    images, numbers = np.arange(60, dtype=np.uint8)[:, None, None].repeat(64, 1).reshape(60, 8, 8), np.arange(60) % 3
    ways = {
        ("a", "b", "c"): np.array(list("abc"))[numbers],
        ("0", "1", "2"): np.eye(3, dtype=np.float32)[numbers],
        ("0", "1", "2", "3"): np.eye(4, dtype=np.int64)[numbers],
        ("1", "2", "3"): numbers[:, None] + 1,
        ("é", "ü", "ö"): np.array([name.encode() for name in ("é", "ü", "ö")])[numbers],
    }
    for names, labels in ways.items():
        np.savez(tmp_path / "set.npz", images=images, labels=labels)
        train = load(tmp_path / "set.npz").train
        assert sorted(train.class_names) == sorted(names)
        assert train.labelled and len(train.labels.unique()) == 3
        numbers_read, labels_read = (train.images[:, 0, 0, 0] % 3).tolist(), train.labels.tolist()
        assert len(set(zip(numbers_read, labels_read, strict=True))) == 3
