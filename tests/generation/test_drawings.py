"""Labels as a user writes them, and how drawings become sheets and files."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from ganforge.errors import UserError
from ganforge.generation.drawings import draw_samples, parse_digits, parse_labels
from ganforge.generation.generator import load_generator
from ganforge.generation.grids import image_grid, short_name
from ganforge.generation.output import Drawing, check_target


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("t-shirt,B", [1, 2]),
        ("3,0", [3, 0]),
        ("0-2", [0, 1, 2]),
        ("A-t-shirt", [0, 1]),
        ("red, bright", [3]),
        ('A,"red, bright"', [0, 3]),
    ],
)
def test_classes_are_named_or_numbered(text, labels):
    generator = SimpleNamespace(class_names=("A", "t-shirt", "B", "red, bright"))
    assert parse_labels(text, generator) == labels


def test_digits_are_single_classes():
    digits = SimpleNamespace(class_names=tuple("0123456789"))
    assert parse_digits("2026", digits) == [2, 0, 2, 6]
    for text in ("", "20-6", "²"):
        with pytest.raises(UserError, match="digits only"):
            parse_digits(text, digits)


def test_a_generator_without_classes_has_no_labels():
    plain = SimpleNamespace(class_names=(), recipe=SimpleNamespace(name="vanilla"))
    assert parse_labels(None, plain) is None
    for parse in (parse_labels, parse_digits):
        with pytest.raises(UserError, match="without labels"):
            parse("3", plain)


def test_samples_have_a_row_for_each_class_or_their_labels_in_turn():
    mnist = load_generator("mnist")
    rows = draw_samples(mnist, 20, seed=1)
    assert rows.by_class and rows.label_names == sorted([*range(10), *range(10)])
    few = draw_samples(mnist, 3, seed=1)
    assert not few.by_class and few.label_names == [0, 1, 2]
    assert torch.equal(draw_samples(mnist, labels=[4, 2], seed=1).images, mnist.sample(labels=[4, 2], seed=1))


IMAGES = torch.arange(3 * 8 * 8, dtype=torch.uint8).view(3, 1, 8, 8)


def test_arrays_hold_numbers_or_indices_and_names():
    def arrays(labels, names):
        return dict(np.load(io.BytesIO(Drawing(IMAGES, 8, "", labels, names).arrays())))

    assert arrays([1, 0], ("3", "7"))["labels"].tolist() == [7, 3, 7]
    named = arrays([1, 0, 1], ("cat", "dog"))
    assert named["labels"].tolist() == [1, 0, 1] and named["class_names"].tolist() == ["cat", "dog"]
    assert set(arrays(None, ())) == {"images"} and named["images"].shape == (3, 8, 8, 1)


def test_a_folder_holds_the_pixels_of_each_image(tmp_path):
    check_target(tmp_path / "many")
    Drawing(IMAGES, 8, "").write(tmp_path / "many")
    with Image.open(tmp_path / "many" / "00002.png") as third:
        assert np.array_equal(np.asarray(third), IMAGES[2, 0].numpy())


def test_one_row_is_wider_than_high():
    drawing = Drawing(IMAGES, 1, "")
    assert drawing.sheet().height > drawing.sheet().width
    assert drawing.in_one_row().sheet().width > drawing.in_one_row().sheet().height


@pytest.mark.parametrize(("name", "n"), [("x.jpg", 3), ("x.png", 10_001), ("x.npz", 1_000_001)])
def test_a_file_that_cannot_hold_the_images_is_refused(tmp_path, name, n):
    with pytest.raises(UserError):
        check_target(tmp_path / name, n)
    assert check_target(tmp_path / "x.npz", 10_001) is None


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("seven", "seven"),
        ("a" * 24, "a" * 24),
        ("0123456789" * 5, "012345678901…90123456789"),
        ("Größe é", "Gro?e e"),
        ("line\nbreak\udcff", "line?break?"),
    ],
)
def test_names_of_files_fit_a_sheet(name, shown):
    assert short_name(name) == shown
    assert len(short_name(name)) <= 24


def test_names_beside_rows_and_above_columns_leave_the_pictures_whole():
    images = torch.arange(4, dtype=torch.uint8).view(4, 1, 1, 1).expand(-1, -1, 8, 8) * 60
    plain = np.asarray(image_grid(images, 2))
    named = np.asarray(image_grid(images, 2, row_names=["a", "b"], column_names=["given", "result"], caption="below"))
    height, width = plain.shape
    assert (named[20 : 20 + height, -width:] == plain).all()
    assert named[:20].max() == 255 and named[20 : 20 + height, :-width].max() == 255 and named[-20:].max() == 255
