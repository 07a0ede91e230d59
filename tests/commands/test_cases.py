"""Inputs from public bug reports of this field, and what their users expect; each once had another result.

Consoles, signals and full disks: ``test_consoles.py``. Data objects from Python: ``tests/data/sources/test_objects.py``. Own
traces and equal names: ``test_traces.py``. Runs whose data were moved: ``tests/experiment/test_older_runs.py``.
"""

import csv
import gzip
import io
import json
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

SIDE = 16
RANDOM = np.random.default_rng(5)
LABELS = np.arange(60) % 4
IMAGES = RANDOM.integers(0, 12, (60, SIDE, SIDE)).astype(np.uint8)
for image, label in zip(IMAGES, LABELS, strict=True):
    top, left = 8 * (label // 2), 8 * (label % 2)
    image[top + 1 : top + 7, left + 1 : left + 7] = RANDOM.integers(120, 256)
SMALL = ("--set", "latent.dim=4", "--set", "generator.hidden=[4]", "--set", "discriminator.hidden=[4]")
QUICK = (*SMALL, "--set", "batch_size=4", "--set", "run.precision='fp32'", "--steps", "2")


def save(image, path, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(image)
    (picture.convert(mode) if mode else picture).save(path)


def png(image):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def parts(folder, train, other):
    for n, (image, label) in enumerate(zip(IMAGES, LABELS, strict=True)):
        save(image, folder / (other if n % 5 == 4 else train) / str(label) / f"{n:03}.png")
    return folder


def idx(path, array, code, kind, pack=bytes):
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = b"".join(int(n).to_bytes(4, "big") for n in array.shape)
    path.write_bytes(pack(bytes([0, 0, code, array.ndim]) + shape + array.astype(kind).tobytes()))


def array_files():
    """The arrays of each kind of .npz, without and with a name."""
    in_colour = np.stack([IMAGES] * 3, 2).transpose(1, 3, 2, 0)
    return {
        "arr.npz": ([IMAGES, LABELS], {}),
        "data-target.npz": ([], {"data": IMAGES, "target": LABELS}),
        "capitals.npz": ([], {"X": IMAGES, "Y": LABELS}),
        "beside.npz": ([], {"imgs": IMAGES, "latents_values": np.zeros((60, 6)), "metadata": np.array(["x"])}),
        "words.npz": ([], {"images": IMAGES, "labels": np.array(list("abcd"))[LABELS]}),
        "one-hot.npz": ([], {"images": IMAGES, "labels": np.eye(4)[LABELS]}),
        "columns.npz": ([], {"X": in_colour, "y": LABELS[:, None] + 1}),
    }


def table():
    """The text of a CSV file."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["label", *(f"pixel{n}" for n in range(SIDE * SIDE))])
    writer.writerows(
        [[label, *row] for label, row in zip(LABELS.tolist(), IMAGES.reshape(60, -1).tolist(), strict=True)]
    )
    return text.getvalue()


def make_zip(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def make_raw(path):
    for part, chosen in (("train", slice(48)), ("t10k", slice(48, 60))):
        start = path / "MNIST" / "raw" / part
        idx(start.with_name(f"{part}-images-idx3-ubyte"), IMAGES[chosen], 8, ">u1")
        idx(start.with_name(f"{part}-labels-idx1-ubyte"), LABELS[chosen], 8, ">u1")


def make_tar(path):
    with tarfile.open(path, "w:gz") as archive:
        archive.add(parts(path.parent / "unpacked", "training", "testing"), "digits")


def make_backslashes(path):
    make_zip(path, {"set\\": b""} | {f"set\\c{LABELS[n]}\\{n}.png": png(IMAGES[n]) for n in range(24)})


MAKERS = {
    "rows.npy": lambda path: np.save(path, IMAGES.reshape(60, -1)),
    "pixels.csv": lambda path: path.write_text(table()),
    "pixels.zip": lambda path: make_zip(path, {"train.csv": table()}),
    "raw": make_raw,
    "floats-idx3-float": lambda path: idx(path, IMAGES / 255, 13, ">f4"),
    "colour-idx4-ubyte.gz": lambda path: idx(
        path, np.stack([IMAGES, IMAGES[::-1], IMAGES], 3), 8, ">u1", gzip.compress
    ),
    "pictures.tar.gz": make_tar,
    "backslash.zip": make_backslashes,
}


def make(name, folder):
    """Write one of the inputs and return where it is."""
    path = folder / name
    if name in array_files():
        positional, named = array_files()[name]
        np.savez(path, *positional, **named)
    elif name in MAKERS:
        MAKERS[name](path)
    else:  # class folders of single files in some format
        for n, (image, label) in enumerate(zip(IMAGES, LABELS, strict=True)):
            save(image, path / f"c{label}" / f"img {n:02} é.{name}")
    return path


def summary_of(run_command, data, *more):
    code, out, err = run_command("data", "show", data, "--json", *more)
    assert code == 0, err
    return json.loads(out)


PICTURES = ("pgm", "tif", "bmp", "webp", "gif", "tga", "jp2", "ico", "pcx", "avif", "ppm")
READ = {
    **dict.fromkeys(("arr.npz", "data-target.npz", "capitals.npz", "pixels.csv", "pixels.zip", "raw"), "0123"),
    **{"words.npz": "abcd", "one-hot.npz": "0123", "columns.npz": "1234"},
    **dict.fromkeys(("rows.npy", "beside.npz", "floats-idx3-float", "colour-idx4-ubyte.gz"), ""),
    **{"pictures.tar.gz": "0123", "backslash.zip": ["c0", "c1", "c2", "c3"]},
    **{kind: ["c0", "c1", "c2", "c3"] for kind in PICTURES},
}


@pytest.mark.parametrize("name", READ)
def test_every_format_of_pictures_is_read(run_command, tmp_path, name):
    summary = summary_of(run_command, make(name, tmp_path))
    assert [row["name"] for row in summary["classes"]] == list(READ[name])
    assert sum(summary["counts"].values()) == (24 if name == "backslash.zip" else 60)
    assert (summary["height"], summary["width"]) == (SIDE, SIDE)
    assert summary["channels"] == (3 if name == "colour-idx4-ubyte.gz" else 1)
    if name not in ("ico", "jp2", "avif"):
        assert summary["pixel_max"] > 200


@pytest.mark.parametrize("names", [("training", "testing"), ("Train", "Test"), ("train", "valid")])
def test_parts_are_no_classes(run_command, tmp_path, names):
    summary = summary_of(run_command, parts(tmp_path / "set", *names))
    assert [row["name"] for row in summary["classes"]] == list("0123")
    assert summary["counts"]["validation" if names[1] == "valid" else "test"] == 12


def test_labels_are_names_of_classes(run_command, tmp_path):
    for digit in range(1, 10):
        for n in range(6):
            save(np.roll(IMAGES[n], digit, 0), tmp_path / "digits" / str(digit) / f"{n}.png")
    code, _, err = run_command("train", "cgan", "--data", tmp_path / "digits", "--out", "run", *QUICK)
    assert code == 0, err
    for flags, labels in ((("--digits", "128"), [1, 2, 8]), (("--labels", "7-9"), [7, 8, 9])):
        code, out, err = run_command("sample", "run", *flags, "--json")
        assert code == 0, err
        assert json.loads(out)["labels"] == labels
    assert run_command("sample", "run", "--labels", "1,9", "--out", "drawn.npz")[0] == 0
    assert np.load("drawn.npz")["labels"].tolist() == [1, 9]
    assert run_command("write", "981", "--model", "run")[0] == 0
    for flags in (
        ("sample", "run", "--labels", "0"),
        ("sample", "run", "--digits", "10"),
        ("write", "10", "--model", "run"),
    ):
        code, _, err = run_command(*flags)
        assert code == 2 and err.count("\n") == 1 and "'0'" in err


def test_a_class_name_may_contain_commas_and_blanks(run_command, tmp_path):
    for name in ("red, bright", "blue"):
        for n in range(8):
            save(IMAGES[n], tmp_path / "colours" / name / f"{n}.png")
    code, _, err = run_command("train", "cgan", "--data", tmp_path / "colours", "--out", "run", *QUICK)
    assert code == 0, err
    for text in ("red, bright", '"red, bright"', 'blue,"red, bright"'):
        code, out, err = run_command("sample", "run", "--labels", text, "--json")
        assert code == 0, err
        assert json.loads(out)["labels"][-1] == "red, bright"


WARNINGS = {
    "zero-one": ({"images": (IMAGES > 60).astype(np.uint8), "labels": LABELS}, "0/1 pixels; --levels 0,1"),
    "twelve-bits": ({"images": IMAGES.astype(np.uint16) * 16}, "read as 12 bits"),
    "empty class": ({"images": IMAGES, "labels": LABELS + LABELS // 2}, "no training image of class 2"),
    "copies": ({"images": IMAGES[:6].repeat(10, 0), "labels": LABELS}, "exact copies of others"),
    "one level": (
        {"images": IMAGES * (np.arange(60) > 20)[:, None, None].astype(np.uint8)},
        "a single level throughout",
    ),
    "narrow": ({"images": IMAGES // 8}, "the contrast is too weak"),
    "half a range": ({"images": IMAGES / 255 - 0.5}, "read as -1..1"),
    "colour": ({"images": np.stack([IMAGES] * 3, 3)}, "read as grey; --colour keeps three channels"),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_train_prints_the_warnings_of_data_show(run_command, tmp_path, name):
    arrays, words = WARNINGS[name]
    np.savez(tmp_path / "set.npz", **arrays)
    code, out, err = run_command("train", "vanilla", "--data", tmp_path / "set.npz", "--out", "run", *QUICK)
    assert code == 0, err
    line = next(line for line in out.splitlines() if words in line)
    assert out.index(line) < out.index("training vanilla on")
    code, out, err = run_command("data", "show", tmp_path / "set.npz")
    assert words in out


def test_evaluate_and_judge_print_the_warnings(run_command, tmp_path):
    ones = (IMAGES.repeat(4, 0) > 60).astype(np.uint8)
    np.savez(tmp_path / "set.npz", images=ones, labels=LABELS.repeat(4))
    _, out, err = run_command("judge", "train", tmp_path / "set.npz", "--epochs", "1", "--out", "judge.safetensors")
    assert "0/1 pixels" in out + err
    _, out, err = run_command(
        "evaluate", tmp_path / "set.npz", "--data", tmp_path / "set.npz", "--judge", "judge.safetensors"
    )
    assert out.count("0/1 pixels") == 2  # the reals and the fakes
    code, out, err = run_command("train", "vanilla", "--data", tmp_path / "set.npz", "--levels", "0,1", *QUICK)
    assert code == 0 and "0/1 pixels" not in out


def test_grey_digits_that_were_saved_in_colour_are_measured(run_command, tmp_path):
    from ganforge.data.load import load

    whole = load("digits").train
    np.savez(tmp_path / "fakes.npz", images=whole.images[:200].repeat(1, 3, 1, 1).numpy())
    code, out, err = run_command("evaluate", tmp_path / "fakes.npz", "--data", "digits", "--n", "150")
    assert code == 0, err
    assert "saved in colour: read as grey" in out
