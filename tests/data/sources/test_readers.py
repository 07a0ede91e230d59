import contextlib
import gzip
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ganforge.data.sources.objects import read_object
from ganforge.data.sources.readers import read_path
from ganforge.errors import UserError
from idx_files import GOOD, LABELS, pixels, refusal

# npy and npz


@pytest.mark.parametrize("shape", [(4, 8, 9), (4, 8, 9, 3), (4, 3, 8, 9), (4, 8, 9, 1), (4, 1, 8, 9)])
def test_every_npy_layout_becomes_channels_first(tmp_path, shape):
    images = pixels(*shape)
    np.save(tmp_path / "set.npy", images)
    read = read_path(tmp_path / "set.npy").train
    assert read.shape == (3 if 3 in shape else 1, 8, 9)
    assert (read.name, read.labelled) == ("set", False)
    expected = images[:, None] if images.ndim == 3 else images
    assert np.array_equal(read.images, expected.transpose(0, 3, 1, 2) if shape[-1] in (1, 3) else expected)


def test_column_major_npy_reads_the_same(tmp_path):
    np.save(tmp_path / "set.npy", np.asfortranarray(pixels(4, 8, 9)))
    assert np.array_equal(read_path(tmp_path / "set.npy").train.images[:, 0], pixels(4, 8, 9))


@pytest.mark.parametrize(
    ("images", "labels"), [("images", "labels"), ("x", "y"), ("X_train", "Y_train"), ("train_images", "train_labels")]
)
def test_common_npz_keys_are_recognised(tmp_path, images, labels):
    np.savez_compressed(tmp_path / "set.npz", **{images: pixels(5, 8, 8), labels: LABELS[:, None]})
    read = read_path(tmp_path / "set.npz").train
    assert np.array_equal(read.images[:, 0], pixels(5, 8, 8))
    assert read.labels.tolist() == LABELS.tolist()


def test_npz_parts_share_scale_and_classes(tmp_path):
    dark = np.zeros((2, 8, 8), np.float32)
    bright = np.full((3, 8, 8), 200, np.float32)
    np.savez(tmp_path / "s.npz", x_train=bright, y_train=[0, 1, 1], x_test=dark + 1, y_test=[2, 0], x_val=dark)
    parts = read_path(tmp_path / "s.npz")
    assert parts.train.images.unique().tolist() == [200]
    assert parts.test.images.unique().tolist() == [1]
    assert parts.train.class_names == parts.test.class_names == ("0", "1", "2")
    assert parts.validation.labels.tolist() == [-1, -1]


def test_the_only_array_of_an_npz_is_the_images(tmp_path):
    np.savez(tmp_path / "set.npz", pixels(4, 8, 8))
    assert len(read_path(tmp_path / "set.npz").train) == 4


def npy(array=None, raw=None):
    def write(path):
        path.write_bytes(raw) if raw is not None else np.save(path, array, allow_pickle=True)

    return write


def npy_claiming(*shape, text=None):
    def write(path):
        np.save(path, pixels(4, 8, 8))
        path.write_bytes(path.read_bytes().replace(b"(4, 8, 8)", text or repr(shape).encode()))

    return write


@pytest.mark.parametrize(
    ("write", "word"),
    [
        (npy(raw=b""), "is empty"),
        (npy(raw=b"no array"), "magic"),
        (npy(raw=b"\x93NUMPY\x01"), "cannot be parsed"),
        (npy(raw=b"\x93NUMPY\x09\x00"), "version"),
        (npy_claiming(2**31, 2**31, 8), "claims"),
        (npy_claiming(3, 8, 8), "claims"),
        (npy_claiming(-4, 8, 8), "claims"),
        (npy_claiming(text=b"(4, 8, 8("), "cannot be parsed"),
        (npy(np.array([{"a": 1}, None], object)), "never loaded"),
        (npy(np.array([["a"] * 8] * 8)[None].repeat(2, 0)), "type <U1"),
        (npy(pixels(4, 8, 8).astype(complex)), "type complex128"),
        (npy(pixels(4, 65)), r"[4, 65], and 65 pixels are not a square"),
        (npy(pixels(4, 1, 1, 8, 8)), r"[4, 1, 1, 8, 8]"),
        (npy(pixels(4, 8, 8, 4)), "4 channels"),
        (npy(pixels(4, 2, 8, 8)), "2 channels"),
        (npy(pixels(4, 8, 8) * np.nan), "NaN"),
        (npy(pixels(4, 8, 8) / np.float32(255) + np.array([np.inf] + [0] * 7)), "infinite"),
        (npy(pixels(4, 8, 8).astype(np.int32) - 1), "from -1 to"),
        (npy(pixels(4, 8, 8).astype(np.uint32) * 65537), "--levels 0,"),
        (npy(pixels(4, 8, 8) * 2.0), "--levels 0,510"),
        (npy(pixels(4, 8, 8) - 128.0), "--levels -128,127"),
        (npy(pixels(1, 8, 8)), "at least two"),
        (npy(pixels(0, 8, 8)), "at least two"),
        (npy(pixels(4, 8, 7)), "7×8 px"),
        (npy(pixels(4, 0, 8)), "8×0 px"),
    ],
)
def test_bad_npy_is_refused_by_name(tmp_path, write, word):
    path = tmp_path / "set.npy"
    write(path)
    message = refusal(read_path, path)
    assert word in message
    assert str(path) in message


class Boom:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


@pytest.mark.parametrize(
    ("arrays", "word"),
    [
        (
            {"a": pixels(4, 8, 8), "b": pixels(4, 8, 8)},
            "its arrays are a [4, 8, 8], b [4, 8, 8]; name the array of images",
        ),
        ({"x": pixels(4, 8, 8), "images": pixels(4, 8, 8)}, "x, images"),
        ({"x": pixels(5, 8, 8), "y": LABELS, "labels": LABELS}, "y, labels"),
        ({"x": pixels(5, 8, 8), "y": np.array([Boom()] * 5, object)}, "never loaded"),
        ({"x": pixels(5, 8, 8), "y": LABELS[:4]}, "5 images need 5 labels"),
        ({"x": pixels(5, 8, 8), "y": np.eye(5) * 2}, "[5, 5]"),
        ({"x": pixels(5, 8, 8), "y": LABELS - 2}, "from -2 to"),
        ({"x": pixels(5, 8, 8), "y": LABELS + 0.5}, "not integers"),
        ({"x": pixels(5, 8, 8), "y": LABELS * np.nan}, "not integers"),
        ({"x": pixels(5, 8, 8), "y": LABELS * 500}, "1000; they must be"),
        ({"x": pixels(5, 8, 8), "x_test": pixels(5, 9, 9)}, "test images"),
        ({"x": pixels(5, 8, 8), "x_test": pixels(0, 8, 8)}, "test image"),
        ({"x": pixels(5, 8, 8), "x_test": pixels(5, 8, 8) / 255}, "test images"),
    ],
)
def test_bad_npz_is_refused_by_name(tmp_path, arrays, word):
    path = tmp_path / "set.npz"
    np.savez(path, **arrays)
    message = refusal(read_path, path)
    assert word in message
    assert str(path) in message


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_a_broken_archive_is_refused_by_name(tmp_path, content):
    path = tmp_path / "set.npz"
    np.savez(path, images=pixels(4, 8, 8))
    path.write_bytes(path.read_bytes()[:-30] if content is None else content)
    assert str(path) in refusal(read_path, path)


def test_an_archive_without_arrays_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "set.npz" in refusal(read_path, tmp_path / "set.npz")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["set.npz", "set.npy", "set.gz"]),
    position=st.floats(0, 1, exclude_max=True),
    bits=st.integers(1, 255),
    cut=st.booleans(),
)
def test_damage_at_any_byte_is_refused_or_harmless(tmp_path, kind, position, bits, cut):
    path = tmp_path / kind
    if kind == "set.gz":
        path.write_bytes(gzip.compress(GOOD))
    elif kind == "set.npy":
        np.save(path, pixels(5, 8, 8))
    else:
        np.savez_compressed(path, images=pixels(5, 8, 8), labels=LABELS)
    content = bytearray(path.read_bytes())
    at = int(position * len(content))
    content[at] ^= bits
    path.write_bytes(content[:at] if cut else content)
    with contextlib.suppress(UserError):
        read_path(path)


# Pixels


@pytest.mark.parametrize("kind", [np.int64, np.uint16, np.float16, np.float32, ">f8", ">i4"])
def test_levels_of_every_type_keep_their_value(kind):
    levels = np.arange(256).reshape(4, 8, 8)
    assert np.array_equal(read_object(levels.astype(kind)).train.images[:, 0], levels)


def test_unit_signed_and_boolean_pixels_fill_the_range():
    unit = np.linspace(0, 1, 128).reshape(2, 8, 8)
    expected = np.rint(unit.astype(np.float32) * 255)
    assert np.array_equal(read_object(unit).train.images[:, 0], expected)
    assert np.abs(read_object(unit * 2 - 1).train.images[:, 0].numpy() - expected).max() <= 1
    assert read_object(unit > 0.5).train.images.unique().tolist() == [0, 255]


def test_float32_rounding_at_the_ends_of_a_range_is_tolerated():
    edge = np.tile(np.float32([-1.000001, 1.000001]), (2, 8, 4))
    assert read_object(edge).train.images.unique().tolist() == [0, 255]
