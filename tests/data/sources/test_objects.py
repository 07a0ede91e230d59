import io

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.utils import Bunch
from torch.utils.data import DataLoader, Dataset, IterableDataset, SubsetRandomSampler, TensorDataset

from ganforge.data.images import Splits
from ganforge.data.load import load
from ganforge.data.sources.objects import find_arrays, read_object
from ganforge.errors import UserError


def pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


IMAGES = torch.from_numpy(pixels(5, 1, 8, 9))
GREY = IMAGES[:, 0].numpy()
LABELS = np.array([0, 1, 2, 1, 0])
WORDS = np.array(["zero", "one", "two", "one", "zero"])
PICTURES = [Image.fromarray(image) for image in GREY]


class Items(Dataset):
    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        if isinstance(self.items[index], Exception):
            raise self.items[index]
        return self.items[index]


class Plain:
    """A sequence without a base class: only a length and items by index."""

    __len__, __getitem__, __init__ = Items.__len__, Items.__getitem__, Items.__init__


class Stream(IterableDataset):
    def __iter__(self):
        return iter(zip(IMAGES, LABELS, strict=True))


class Counted(Stream):
    def __len__(self):
        return 5


class OnlyAnArray:
    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array


def encoded(picture):
    content = io.BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()


def inference(tensor):
    with torch.inference_mode():
        return tensor.clone()


def pairs(images=IMAGES, labels=LABELS):
    return list(zip(images, labels, strict=True))


def memory_mapped(tmp_path):
    array = np.memmap(tmp_path / "images", np.uint8, "w+", shape=GREY.shape)
    array[:] = GREY
    return array, LABELS


# Images with labels

LABELLED = {
    "arrays": (IMAGES.numpy(), LABELS.tolist()),
    "tensors": (IMAGES[:, 0].float() / 255, torch.tensor(LABELS).float()),
    "tensors of inference mode": (inference(IMAGES), inference(torch.tensor(LABELS))),
    "tensors with a gradient": ((IMAGES / 255).requires_grad_(), LABELS),
    "bfloat16": ((IMAGES / 255).bfloat16(), LABELS),
    "a list of two": [IMAGES, LABELS],
    "lists of arrays": ([image.numpy() for image in IMAGES], list(LABELS)),
    "lists of tensors": (list(IMAGES), list(torch.tensor(LABELS))),
    "lists of numbers": (GREY.tolist(), LABELS.tolist()),
    "lists of pictures": (PICTURES, LABELS),
    "an array of objects": (OnlyAnArray(np.array([*GREY, None], object)[:-1]), LABELS),
    "an object with __array__": (OnlyAnArray(GREY), OnlyAnArray(LABELS)),
    "a view of memory": (memoryview(GREY), memoryview(LABELS)),
    "a column of labels": (GREY, LABELS[:, None]),
    "TensorDataset": TensorDataset(IMAGES, torch.tensor(LABELS)),
    "items of tensor and number": Items([(image.float() / 255, int(label)) for image, label in pairs()]),
    "items of array and tensor": Items([(image.numpy(), torch.tensor(label)) for image, label in pairs()]),
    "items of picture and number": Items(pairs(PICTURES)),
    "items of lists": Items([[image.tolist(), int(label)] for image, label in pairs()]),
    "items without torch": Plain(pairs()),
    "a list of items": pairs(),
    "two items": pairs()[:2],
    "dicts": Items([{"image": image, "label": label} for image, label in pairs(PICTURES)]),
    "dicts of other names": Plain([{"pixel_values": image, "targets": label, "id": 7} for image, label in pairs()]),
    "two dicts": [{"img": image, "y": label} for image, label in pairs(PICTURES)[:2]],
    "bytes of pictures": Items(
        [{"image": {"bytes": encoded(p), "path": None}, "label": n} for p, n in pairs(PICTURES)]
    ),
    "a dict of arrays": {"Images": GREY, "label": LABELS},
    "scikit-learn": Bunch(data=GREY.reshape(5, 72), images=GREY, target=LABELS, target_names=np.arange(3), DESCR="x"),
    "a DataLoader": DataLoader(TensorDataset(IMAGES, torch.tensor(LABELS)), 3, shuffle=True, drop_last=True),
    "a stream with a length": Counted(),
    "a DataLoader of such a stream": DataLoader(Counted(), 2),
}


@pytest.mark.parametrize("kind", LABELLED)
def test_images_and_labels_of_every_kind_give_the_same_set(kind):
    read = read_object(LABELLED[kind]).train
    count = len(read)
    assert count == 2 if "two " in kind else count == 5
    assert (read.images.int() - IMAGES[:count].int()).abs().max() <= 1
    assert read.labels.tolist() == LABELS[:count].tolist()


def test_a_memory_map_is_read(tmp_path):
    assert torch.equal(read_object(memory_mapped(tmp_path)).train.images, IMAGES)


@pytest.mark.parametrize(
    "source",
    [
        TensorDataset(IMAGES),
        Items(list(IMAGES)),
        Items([{"image": picture} for picture in PICTURES]),
        Plain(PICTURES),
        PICTURES,
        GREY.tolist(),
        {"anything": GREY},
        (IMAGES, None),
        DataLoader(TensorDataset(IMAGES), 2),
    ],
)
def test_images_without_labels_are_read(source):
    read = read_object(source).train
    assert torch.equal(read.images, IMAGES)
    assert not read.labelled


def test_an_image_set_passes_through_and_arrays_are_copied():
    array = pixels(4, 8, 8)
    read = read_object(array).train
    array[:] = 0
    assert read.images.any()
    assert read_object(read).train is read


# Words and rows: returned unchanged


@pytest.mark.parametrize(
    "source",
    [
        (GREY, WORDS.tolist()),
        (GREY, np.array(WORDS, object)),
        Items(pairs(labels=WORDS)),
        Items([{"image": image, "label": str(word)} for image, word in pairs(GREY, WORDS)]),
        Bunch(data=GREY, target=LABELS, target_names=["zero", "one", "two"]),
        {"x": GREY, "y": WORDS},
    ],
)
def test_words_for_labels_are_returned_as_text(source):
    _, labels = find_arrays(source)["train"]
    assert labels.dtype.kind == "U"
    assert labels.tolist() == WORDS.tolist()


def test_column_names_are_not_taken_for_class_names():
    _, labels = find_arrays(Bunch(data=GREY, target=LABELS, target_names=["class"]))["train"]
    assert labels.tolist() == LABELS.tolist()


def test_rows_and_one_hot_labels_are_returned_unchanged():
    rows, one_hot = GREY.reshape(5, 72), np.eye(3)[LABELS]
    for source in ((rows, one_hot), Items(pairs(rows, one_hot)), (rows.tolist(), one_hot.tolist())):
        images, labels = find_arrays(source)["train"]
        assert np.array_equal(images, rows)
        assert np.array_equal(labels, one_hot)


def test_data_frames_are_read():
    pandas = pytest.importorskip("pandas")
    rows = GREY.reshape(5, 72)
    columns = [f"pixel{k}" for k in range(72)]
    frame = pandas.DataFrame(rows, columns=columns)
    framed = pandas.DataFrame({"Label": WORDS, **{name: rows[:, k] for k, name in enumerate(columns)}})
    for source in (framed, (frame, pandas.Series(WORDS)), (frame, pandas.DataFrame({"class": WORDS}))):
        images, labels = find_arrays(source)["train"]
        assert np.array_equal(images, rows)
        assert labels.ravel().tolist() == WORDS.tolist()
        assert labels.dtype.kind == "U"
    assert find_arrays(frame)["train"][1] is None
    numbers = pandas.Series(LABELS, dtype="category")
    assert find_arrays((frame, numbers))["train"][1].tolist() == LABELS.tolist()
    assert list(find_arrays((framed, frame))) == ["train", "test"]


def test_data_frames_of_pictures_are_read():
    pandas = pytest.importorskip("pandas")
    for cells in (PICTURES, list(GREY), [{"bytes": encoded(picture), "path": "a"} for picture in PICTURES]):
        read = read_object(pandas.DataFrame({"image": cells, "label": LABELS})).train
        assert torch.equal(read.images, IMAGES)
        assert read.labels.tolist() == LABELS.tolist()


# Parts

TRAIN, MIDDLE, TEST = ((pixels(n, 8, 8, seed=n), np.arange(n) % 2) for n in (6, 3, 4))


@pytest.mark.parametrize(
    ("source", "sizes"),
    [
        ((TRAIN, TEST), (6, None, 4)),
        ([list(TRAIN), list(TEST)], (6, None, 4)),
        ((TRAIN, MIDDLE, TEST), (6, 3, 4)),
        ((TensorDataset(*map(torch.tensor, TRAIN)), Items(pairs(*TEST))), (6, None, 4)),
        (({"image": TRAIN[0], "label": TRAIN[1]}, {"image": TEST[0], "label": TEST[1]}), (6, None, 4)),
        ({"train": TRAIN, "valid": MIDDLE, "Test": TEST}, (6, 3, 4)),
        ({"train": Items(pairs(*TRAIN)), "test": Plain(pairs(*TEST)), "extra": Plain([])}, (6, None, 4)),
        ({"x_train": TRAIN[0], "y_train": TRAIN[1], "x_test": TEST[0], "y_test": TEST[1]}, (6, None, 4)),
        ({"train": TRAIN[0], "test": TEST[0]}, (6, None, 4)),
    ],
)
def test_parts_are_kept_separate(source, sizes):
    parts = read_object(source)
    assert tuple(part and len(part) for part in (parts.train, parts.validation, parts.test)) == sizes
    assert np.array_equal(parts.train.images[:, 0], TRAIN[0])
    assert np.array_equal(parts.test.images[:, 0], TEST[0])
    labels = parts.test.labels.tolist()
    assert labels == TEST[1].tolist() or set(labels) == {-1}


def test_splits_are_returned_unchanged():
    splits = load((pixels(40, 8, 8), np.arange(40) % 2))
    again = load(splits)
    assert isinstance(again, Splits)
    assert again.fingerprint == splits.fingerprint


def test_a_loader_does_not_shuffle_but_keeps_the_indices_of_its_sampler():
    data = TensorDataset(IMAGES, torch.tensor(LABELS))
    assert find_arrays(DataLoader(data, 2, sampler=SubsetRandomSampler([3, 1])))["train"][1].tolist() == [1, 1]


# Pictures of every mode

TRANSPARENT = Image.new("RGBA", (8, 8), (200, 100, 50, 0))
SIXTEEN = Image.fromarray(np.full((8, 8), 200 * 257, np.uint16))
PALETTE = Image.new("RGB", (8, 8), (255, 0, 0)).convert("P")
CLEAR = PALETTE.copy()
CLEAR.info["transparency"] = CLEAR.getpixel((0, 0))


@pytest.mark.parametrize(
    ("picture", "levels"),
    [
        (Image.new("1", (8, 8), 1), [255]),
        (Image.new("L", (8, 8), 77), [77]),
        (Image.new("LA", (8, 8), (200, 0)), [0]),
        (Image.new("LA", (8, 8), (200, 255)), [200]),
        (SIXTEEN, [200]),
        (PALETTE, [255, 0, 0]),
        (CLEAR, [0]),  # a set without colour is grey
        (Image.new("RGB", (8, 8), (1, 2, 3)), [1, 2, 3]),
        (TRANSPARENT, [0]),
        (Image.new("CMYK", (8, 8), (0, 255, 255, 0)), [255, 0, 0]),
        (Image.new("HSV", (8, 8), (0, 0, 9)), [9]),
    ],
)
def test_pictures_of_any_mode_are_read_as_from_a_file(picture, levels):
    assert read_object(Items([picture, picture])).train.images[0, :, 0, 0].tolist() == levels


def test_grey_pictures_among_colour_ones_become_colour():
    read = read_object([Image.new("L", (8, 8), 7), Image.new("RGB", (8, 8), (1, 2, 3))]).train
    assert read.images[:, :, 0, 0].tolist() == [[7, 7, 7], [1, 2, 3]]


def test_the_exif_orientation_is_applied():
    picture = Image.fromarray(pixels(8, 9))
    picture.getexif()[0x0112] = 6  # rotated by 90°
    assert read_object([picture, picture]).train.shape == (1, 9, 8)


# Refusals

ONE = torch.zeros(1, 8, 8)


class Broken:
    def __init__(self, where):
        self.where = where

    def __len__(self):
        if self.where == "length":
            raise OSError("gone\naway")
        return 3

    def __getitem__(self, index):
        if index == 2:
            raise OSError("gone\naway")
        return ONE


class BrokenArray:
    shape = (5, 8, 8)

    def __array__(self, dtype=None, copy=None):
        raise OSError("gone\naway")


@pytest.mark.parametrize(
    ("source", "word"),
    [
        (3, "object of type int"),
        (None, "object of type NoneType"),
        ("a string", "object of type str"),
        (b"bytes", "object of type bytes"),
        ({1, 2}, "object of type set"),
        (iter([ONE, ONE]), "object of type list_iterator"),
        (PICTURES[0], "object of type Image"),
        ({"some": 1, "thing": 2}, "keys: some, thing"),
        ({"images": GREY, "x": GREY}, "images and x could all be"),
        ({"train": GREY, "train_labels": LABELS}, "keys: train, train_labels"),
        ({}, "keys: none"),
        (Stream(), "no length"),
        (DataLoader(Stream(), 2), "no length"),
        ((IMAGES, LABELS, LABELS), "item 1 is [5]"),
        (([[1], [1, 2]], LABELS), "one shape"),
        (Items([]), "no image"),
        ([], "no image"),
        (Items([ONE]), "at least two"),
        (Items([ONE, ONE, torch.zeros(1, 8, 9)]), "item 2 is"),
        (Items([ONE, ONE.byte()]), "item 1 is"),
        (Items([ONE, (ONE, 1)]), "item 1: its label is missing or unlike"),
        (Items([(ONE, 1), ONE]), "item 1: its label is missing or unlike"),
        (Items([(ONE, 1), (ONE, torch.tensor([1, 0]))]), "item 1: its label is missing or unlike"),
        (Items([(ONE, 1, 2)]), "item 0 has 3 parts"),
        (Items([ONE, KeyError("no\nsuch file")]), "item 1 cannot be read (KeyError"),
        (Items([{"picture": ONE}]), "item 0: no key is called image (keys: picture)"),
        (Items(["a.png", "b.png"]), "item 0 is text"),
        (Items([{"image": b"no picture"}]), "item 0 cannot be read"),
        (Broken("length"), "the Broken cannot be read (OSError: gone away)"),
        (Broken("item"), "the Broken: item 2 cannot be read (OSError: gone away)"),
        (BrokenArray(), "the BrokenArray cannot be read (OSError: gone away)"),
        ((TRAIN, (BrokenArray(), TEST[1])), "the tuple, test cannot be read (OSError"),
        (torch.zeros(2, 1, 8, 8, device="meta"), "cannot be read"),
        (Items([(ONE, None)] * 2), "labels are of type object"),
    ],
)
def test_bad_objects_are_refused_in_one_line(source, word):
    with pytest.raises(UserError) as caught:
        read_object(source)
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)
