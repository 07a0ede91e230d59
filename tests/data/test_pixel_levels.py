"""Black and white levels by type and range, with a note if the choice is uncertain."""

import numpy as np
import pytest
from PIL import Image

from ganforge.data.load import load, load_whole
from ganforge.data.normalize_arrays import GREY_IN_COLOUR
from ganforge.data.pixel_levels import Levels, choose_levels, parse_levels, to_levels
from ganforge.data.reading_rules import ReadingRules
from ganforge.data.summary import lines_before_work, lines_on_images
from ganforge.errors import UserError

NOISE = np.random.default_rng(0).random((40, 8, 8))


@pytest.mark.parametrize(
    ("kind", "low", "high", "levels", "words"),
    [
        ("b", 0, 1, (0, 1), ""),
        ("u", 0, 255, (0, 255), ""),
        ("i", 0, 255, (0, 255), ""),
        ("f", 0.0, 1.0, (0, 1), ""),
        ("f", -1.0, 1.0, (-1, 1), ""),
        ("f", -0.5, 0.5, (-1, 1), "read as -1..1; --levels"),
        ("f", -0.4, 0.3, (-1, 1), "read as -1..1; --levels"),
        ("f", 0.0, 16.0, (0, 255), ""),  # the summary warns that such a set is nearly black
        ("u", 0, 1000, (0, 1023), "read as 10 bits"),
        ("u", 0, 4080, (0, 4095), "read as 12 bits"),
        ("i", 3, 9000, (0, 16383), "read as 14 bits"),
        ("u", 0, 65535, (0, 65535), "read as 16 bits"),
    ],
)
def test_levels_follow_type_and_range(kind, low, high, levels, words):
    chosen, note = choose_levels(kind, low, high, None)
    assert chosen == Levels(*levels)
    assert (words in note) if words else note == ""


@pytest.mark.parametrize(
    ("kind", "low", "high", "words"),
    [
        ("i", -128, 127, "--levels -128,127"),
        ("f", -3.2, 2.9, "--levels -3.2,2.9"),
        ("f", 0.0, 4095.0, "--levels 0,4095"),
        ("u", 0, 70_000, "--levels 0,70000"),
        ("f", np.nan, 1.0, "NaN"),
        ("f", 0.0, np.inf, "infinite"),
    ],
)
def test_ambiguous_ranges_are_refused_with_the_flag_to_use(kind, low, high, words):
    with pytest.raises(ValueError, match=words):
        choose_levels(kind, low, high, None)


def test_the_users_levels_take_precedence_and_clipping_is_noted():
    assert choose_levels("u", 0, 1, (0, 1)) == (Levels(0, 1), "")
    chosen, note = choose_levels("f", -3.0, 3.0, (-2, 2))
    assert chosen == Levels(-2, 2) and "clipped" in note
    values = np.array([-3.0, -2.0, 0.0, 1.0, 2.0, 3.0])
    assert to_levels(values, chosen).tolist() == [0, 0, 128, 191, 255, 255]


@pytest.mark.parametrize("text", ["", "1", "1,2,3", "a,b", "5,5", "9,1", "nan,1", "0,inf"])
def test_invalid_levels_are_refused(text):
    with pytest.raises(UserError, match="the lower first") as caught:
        parse_levels(text)
    assert "\n" not in str(caught.value)


def test_levels_are_written_with_a_comma_or_dots():
    assert parse_levels("0,4095") == parse_levels("0..4095") == (0, 4095)
    assert parse_levels("-0.5, 0.5") == (-0.5, 0.5)
    assert parse_levels(None) is None


def save(path, array):
    np.save(path / "set.npy", array)
    return path / "set.npy"


def test_twelve_bits_and_0_to_16_are_read_with_levels(tmp_path):
    deep = (NOISE * 4095).astype(np.uint16)
    assert load(save(tmp_path, deep)).train.images.max() > 200
    small = np.rint(NOISE * 16)
    assert load(save(tmp_path, small)).train.images.max() == 16
    assert load(save(tmp_path, small), rules=ReadingRules(levels=(0, 16))).train.images.max() == 255


def test_warnings_are_shown_before_training(tmp_path):
    masks = (NOISE > 0.5).astype(np.uint8)
    lines = "\n".join(lines_before_work(load(save(tmp_path, masks))))
    assert "warning: pixels range from 0 to 1, probably 0/1 pixels; --levels 0,1" in lines
    assert "no labels" not in lines
    lines = "\n".join(lines_before_work(load(save(tmp_path, np.rint(NOISE * 16)))))
    assert "nearly black; --levels 0,16 if 16 is white" in lines
    lines = "\n".join(lines_before_work(load(save(tmp_path, NOISE - 0.5))))
    assert "note: pixels range from -0.49" in lines and "read as -1..1" in lines
    whole, notes = load_whole(save(tmp_path, masks))
    assert "0/1 pixels" in "\n".join(lines_on_images(whole, notes))


# Grey that was saved in colour


def grey_pictures(path, colour_from=99):
    path.mkdir()
    for n in range(20):
        grey = np.rint(NOISE[n] * 255).astype(np.uint8)
        image = Image.fromarray(grey).convert(("RGB", "P", "RGBA", "L")[n % 4])
        if n >= colour_from:
            image = Image.merge("RGB", [Image.fromarray(channel) for channel in (grey, grey, 255 - grey)])
        image.save(path / f"{n:02}.png")
    return path


def test_grey_pictures_in_colour_are_read_as_grey(tmp_path):
    splits = load(grey_pictures(tmp_path / "grey"))
    assert splits.train.shape == (1, 8, 8) and splits.notes == (GREY_IN_COLOUR,)
    images = torch_sorted(splits)
    assert np.array_equal(images, sorted(np.rint(NOISE[:20] * 255).astype(np.uint8).reshape(20, -1).tolist()))
    again = load(tmp_path / "grey")  # from the cache
    assert again.notes == (GREY_IN_COLOUR,) and again.fingerprint == splits.fingerprint


def torch_sorted(splits):
    parts = (splits.train, splits.validation, splits.test)
    return sorted(row for part in parts for row in part.images[:, 0].flatten(1).tolist())


def test_one_colour_picture_keeps_all_in_colour(tmp_path):
    splits = load(grey_pictures(tmp_path / "mixed", colour_from=19))
    assert splits.train.shape == (3, 8, 8) and splits.notes == ()


def test_colour_keeps_three_channels_with_a_warning(tmp_path):
    splits = load(grey_pictures(tmp_path / "grey"), rules=ReadingRules(colour=True))
    assert splits.train.shape == (3, 8, 8) and splits.notes == ()
    assert any("in three equal channels" in line for line in lines_before_work(splits))


@pytest.mark.parametrize("axis", [1, 3])
def test_grey_arrays_in_colour_are_read_as_grey(tmp_path, axis):
    grey = np.rint(NOISE * 255).astype(np.uint8)
    stacked = np.stack([grey] * 3, axis)
    splits = load(save(tmp_path, stacked))
    assert splits.train.shape == (1, 8, 8) and GREY_IN_COLOUR in splits.notes
    assert load(save(tmp_path, stacked), rules=ReadingRules(colour=True)).train.shape == (3, 8, 8)
    assert load(save(tmp_path, grey), rules=ReadingRules(colour=True)).train.shape == (3, 8, 8)
    stacked[-1, 0, 0, 0] ^= 1
    assert load(save(tmp_path, stacked)).train.shape == (3, 8, 8)
