"""IDX files: those of MNIST and its relatives."""

import bz2
import gzip
import lzma
import struct
import zipfile

import numpy as np
import pytest

from ganforge.data.reading_rules import ReadingRules
from ganforge.data.sources.readers import read_path
from idx_files import GOOD, LABELS, idx, pixels, refusal

NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def idx_header(*shape):
    return struct.pack(f">I{len(shape)}I", 2048 + len(shape), *shape)


# IDX


def write_four(folder, names=NAMES, pack=lambda content: content):
    for name, array in zip(names, (pixels(5, 8, 9), LABELS, pixels(2, 8, 9, seed=1), LABELS[:2]), strict=True):
        (folder / name).write_bytes(pack(idx(array)))


@pytest.mark.parametrize("spell", [lambda n: n, lambda n: n.replace("-idx", ".idx"), lambda n: f"{n}.gz"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_folder_of_four_idx_files_is_read_with_any_spelling_and_compression(tmp_path, spell, pack):
    write_four(tmp_path, [spell(name) for name in NAMES], pack)
    parts = read_path(tmp_path)
    assert np.array_equal(parts.train.images[:, 0], pixels(5, 8, 9))
    assert parts.train.labels.tolist() == LABELS.tolist()
    assert (len(parts.test), parts.test.class_names) == (2, ("0", "1", "2"))


def test_a_missing_file_of_the_four_is_named(tmp_path):
    write_four(tmp_path)
    (tmp_path / NAMES[3]).unlink()
    assert NAMES[3] in refusal(read_path, tmp_path)


def test_a_single_idx_file_finds_its_labels(tmp_path):
    write_four(tmp_path)
    assert read_path(tmp_path / NAMES[0]).train.labels.tolist() == LABELS.tolist()
    (tmp_path / NAMES[1]).unlink()
    assert not read_path(tmp_path / NAMES[0]).train.labelled


# Other types, dimensions and names


def typed(array, code, kind):
    return bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(kind).tobytes()


TYPES = [(0x08, ">u1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")]


@pytest.mark.parametrize(("code", "kind"), TYPES)
def test_idx_of_every_type_is_read(tmp_path, code, kind):
    (tmp_path / "a-images-idx3-x").write_bytes(typed(pixels(5, 8, 9), code, kind))
    (tmp_path / "a-labels-idx1-x").write_bytes(typed(LABELS, code, kind))
    read = read_path(tmp_path / "a-images-idx3-x").train
    assert np.array_equal(read.images[:, 0], pixels(5, 8, 9))
    assert read.labels.tolist() == LABELS.tolist()


def test_signed_bytes_are_read_as_signed(tmp_path):
    (tmp_path / "a.idx3-byte").write_bytes(typed(pixels(5, 8, 9) // 2, 0x09, ">i1"))
    assert np.array_equal(read_path(tmp_path / "a.idx3-byte").train.images[:, 0], pixels(5, 8, 9) // 2)


@pytest.mark.parametrize("shape", [(5, 8, 9, 3), (5, 3, 8, 9), (5, 8, 9, 1)])
def test_idx_of_four_dimensions_is_colour(tmp_path, shape):
    (tmp_path / "colour").write_bytes(typed(pixels(*shape), 0x08, "u1"))
    assert read_path(tmp_path / "colour").train.shape == (1 if 1 in shape else 3, 8, 9)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (bytes([0, 0, 0x0A, 3]) + bytes(12), "not an IDX file"),
        (bytes([0, 0, 8, 9]) + bytes(40), "not an IDX file"),
        (bytes([0, 0, 8, 5]) + bytes(40), "5 dimension"),
        (typed(pixels(2, 8, 8), 0x0E, ">f8")[:-1], "holds only 1,023"),
        (bytes([0, 0, 0x0E, 3]) + struct.pack(">3I", 2**16, 2**10, 2**5), "over 8 GiB"),
    ],
)
def test_bad_idx_of_other_types_is_refused(tmp_path, content, word):
    (tmp_path / "bad").write_bytes(content)
    assert word in refusal(read_path, tmp_path / "bad")


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_compression_is_detected_by_content(tmp_path, pack):
    write_four(tmp_path, pack=pack)
    assert np.array_equal(read_path(tmp_path).train.images[:, 0], pixels(5, 8, 9))
    (tmp_path / "cut").write_bytes(pack(GOOD)[:-9])
    assert "cut short" in refusal(read_path, tmp_path / "cut")


@pytest.mark.parametrize("above", ["MNIST/raw", "FashionMNIST/raw", "."])
def test_torchvisions_root_is_found_next_to_other_files(tmp_path, above):
    (tmp_path / above).mkdir(parents=True, exist_ok=True)
    write_four(tmp_path / above)
    (tmp_path / "MNIST" / "processed").mkdir(parents=True)
    (tmp_path / "MNIST" / "processed" / "training.pt").write_bytes(b"PK")
    parts = read_path(tmp_path)
    assert (len(parts.train), len(parts.test)) == (5, 2)


def test_two_sets_in_one_root_are_refused_by_name(tmp_path):
    for name in ("MNIST", "KMNIST"):
        (tmp_path / name / "raw").mkdir(parents=True)
        write_four(tmp_path / name / "raw")
    assert "several sets: KMNIST, MNIST" in refusal(read_path, tmp_path)


def test_a_zip_of_idx_files_is_read(tmp_path):
    write_four(tmp_path)
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for name in NAMES:
            archive.write(tmp_path / name, f"archive/{name}")
    assert len(read_path(tmp_path / "set.zip").test) == 2


def test_a_set_without_test_files_or_without_labels_is_read(tmp_path):
    write_four(tmp_path)
    (tmp_path / NAMES[2]).unlink()
    assert NAMES[2] in refusal(read_path, tmp_path)
    (tmp_path / NAMES[3]).unlink()
    assert read_path(tmp_path).test is None
    (tmp_path / NAMES[1]).unlink()
    assert not read_path(tmp_path).train.labelled


def test_the_first_of_qmnists_columns_is_the_digit(tmp_path):
    columns = np.stack([LABELS, *[np.full(5, 300)] * 7], 1)
    (tmp_path / "qmnist-train-images-idx3-ubyte").write_bytes(GOOD)
    (tmp_path / "qmnist-train-labels-idx2-int").write_bytes(typed(columns, 0x0C, ">i4"))
    for path in (tmp_path, tmp_path / "qmnist-train-images-idx3-ubyte"):
        parts = read_path(path)
        assert parts.train.labels.tolist() == LABELS.tolist()
        assert "QMNIST" in parts.notes[0]


@pytest.mark.parametrize(
    ("split", "first", "names"),
    [("letters", 1, "abc"), ("balanced", 10, "ABC"), ("byclass", 36, "abc"), ("digits", 0, "012")],
)
def test_emnist_is_transposed_and_its_classes_are_characters(tmp_path, split, first, names):
    path = tmp_path / f"emnist-{split}-train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(GOOD))
    (tmp_path / f"emnist-{split}-train-labels-idx1-ubyte").write_bytes(idx(LABELS + first))
    for source in (tmp_path, path):
        read = read_path(source)
        assert np.array_equal(read.train.images[:, 0], pixels(5, 8, 9).transpose(0, 2, 1))
        assert [read.train.class_names[label] for label in read.train.labels[:3]] == list(names)
        assert "transposed to upright" in read.notes[0]
    before = read_path(path, ReadingRules(version=1)).train
    assert (before.shape, before.labels.tolist()) == ((1, 8, 9), (LABELS + first).tolist())


def test_several_splits_of_emnist_are_refused(tmp_path):
    for split in ("letters", "mnist"):
        (tmp_path / f"emnist-{split}-train-images-idx3-ubyte").write_bytes(GOOD)
    message = refusal(read_path, tmp_path)
    assert "emnist-letters, emnist-mnist" in message
    assert "give the path of one file of images, such as emnist-letters-train-images-idx3-ubyte" in message


def flipped(content, position=-6):
    content = bytearray(content)
    content[position] ^= 0x10
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "is empty"),
        (b"\0\0", "not an IDX file"),
        (b"hello world, no images here", "not an IDX file"),
        (idx(LABELS), "IDX labels"),
        (GOOD[:9], "within its header"),
        (GOOD[:-1], "holds only 359"),
        (GOOD + b"\0", "holds more"),
        (gzip.compress(GOOD + b"\0"), "holds more"),
        (gzip.compress(GOOD)[:-20], "cut short"),
        (flipped(gzip.compress(GOOD)), "CRC"),
        (flipped(gzip.compress(GOOD), 20), "damaged"),
        (gzip.compress(b""), "is empty"),
        (idx_header(2**31, 2**31, 2**31), "over 8 GiB"),
        (idx_header(10**6, 28, 28), "holds only 0"),
        (gzip.compress(idx_header(10**6, 28, 28)), "holds only 0"),
        (idx_header(0, 28, 28), "at least two"),
        (idx(pixels(1, 8, 8)), "at least two"),
        (idx(pixels(4, 7, 8)), "8×7 px"),
        (idx(pixels(2, 8, 65)), "65×8 px"),
    ],
)
def test_bad_idx_images_are_refused_by_name(tmp_path, content, word):
    path = tmp_path / "digits-images.gz"
    path.write_bytes(content)
    message = refusal(read_path, path)
    assert word in message
    assert str(path) in message


def test_a_gzip_bomb_is_decompressed_up_to_its_claimed_size_only(tmp_path, monkeypatch):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(idx_header(2, 8, 8) + bytes(50_000_000)))
    read = []
    real = gzip.GzipFile.read
    monkeypatch.setattr(gzip.GzipFile, "read", lambda self, size=-1: read.append(size) or real(self, size))
    assert "holds more" in refusal(read_path, path)
    assert sum(read) <= 4096 + 16 + 129 + 1
    assert min(read) >= 0


def test_labels_that_do_not_match_their_images_are_refused(tmp_path):
    write_four(tmp_path)
    (tmp_path / NAMES[1]).write_bytes(idx(LABELS[:4]))
    assert "5 images need 5 labels" in refusal(read_path, tmp_path)


def test_a_missing_path_is_refused(tmp_path):
    assert "no such file" in refusal(read_path, tmp_path / "nowhere.gz")
