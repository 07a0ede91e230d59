"""Unsupported formats are recognised, and the command in the message converts them."""

import bz2
import gzip
import lzma
import pickle
import re
import shlex
import subprocess
import sys
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from scipy.io import netcdf_file, savemat

from ganforge.data.load import load
from ganforge.data.reading_rules import ReadingRules
from ganforge.data.sources.unsupported_formats import kind_of, kind_of_members, unsupported_message
from ganforge.data.sources.unsupported_kinds import KINDS
from ganforge.errors import UserError

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 8, 8), np.uint8)
LABELS = np.arange(20) % 4
HDF5 = b"\x89HDF\r\n\x1a\n"


def refusal(path):
    with pytest.raises(UserError) as caught:
        load(path)
    message = str(caught.value)
    assert "\n" not in message and message.isprintable() and "remove" not in message
    return message


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("GANFORGE_CACHE", str(tmp_path_factory.mktemp("cache")))


# Recognition


@pytest.mark.parametrize(
    ("name", "start", "what"),
    [
        ("a", HDF5, "an HDF5 file"),
        ("a.mat", bytes(512) + HDF5, "an HDF5 file"),
        ("a.mat", b"MATLAB 7.3 MAT-file, Platform".ljust(512) + HDF5, "a MATLAB 7.3 file"),
        ("a", b"MATLAB 5.0 MAT-file", "a MATLAB file"),
        ("a", pickle.dumps({"a": 1}), "a Python pickle"),
        ("a", pickle.dumps({"a": 1}, 2), "a Python pickle"),
        ("a", pickle.dumps({"a": 1}, 1), "a Python pickle"),
        ("a", pickle.dumps({"a": 1}, 0), "a Python pickle"),
        ("a", pickle.dumps([1, 2], 0), "a Python pickle"),
        ("a", pickle.dumps(np.zeros(3), 0), "a Python pickle"),
        ("a.pkl.gz", gzip.compress(pickle.dumps([1])), "a Python pickle"),
        ("a.pkl.xz", lzma.compress(pickle.dumps([1])), "a Python pickle"),
        ("a.pkl.bz2", bz2.compress(pickle.dumps([1])), "a Python pickle"),
        ("a.joblib", b"x\x9c", "a joblib file (pickled)"),
        ("mnist.pkl.gz", gzip.compress(pickle.dumps((1, 2, 3))), "a pickle of MNIST in three parts"),
        ("data_batch_1", pickle.dumps({"batch_label": "training batch 1 of 5"}, 2), "a pickled batch of CIFAR"),
        ("a.nii.gz", gzip.compress(bytes(344) + b"n+1\0"), "a NIfTI volume"),
        ("a", bytes(128) + b"DICM", "a DICOM picture"),
        ("a.tfrecord-00000-of-00010", b"\x12\0\0\0", "a TFRecord file"),
        ("a", b"SIMPLE  =                    T", "a FITS picture"),
        ("a", b"ARROW1\0\0", "an Arrow or Feather file"),
        ("a", b"SQLite format 3\0", "an SQLite database"),
        ("a", b"\0\0\0\x18ftypheic", "a HEIC picture"),
        ("a", b"\0\0\0\x18ftypisom", "a video"),
        ("a", b"\x1aE\xdf\xa3", "a video"),
        ("a", b"RIFF\0\0\0\0AVI LIST", "a video"),
        ("a", b"RIFF\0\0\0\0WAVEfmt ", "an audio file"),
        ("a", b"7z\xbc\xaf'\x1c", "a 7z archive"),
        ("a", b"Rar!\x1a\x07\x01\0", "a RAR archive"),
        ("a.tar.zst", b"(\xb5/\xfd", "compressed with Zstandard"),
        ("a", b"GGUF\x03\0\0\0", "a GGUF model"),
        ("a.onnx", b"\x08\x07", "an ONNX model"),
        ("a", b"%PDF-1.7", "a PDF document"),
        ("a", b'<?xml version="1.0"?>\n<!-- drawn -->\n<svg xmlns="">', "an SVG drawing"),
        ("annotations", b'{\n "images": []', "a JSON file"),
        ("annotations.xml", b"<annotation>", "an XML file"),
        ("a.jpg", b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        ("a.jpg", b"<!DOCTYPE html><html>", "a web page"),
        ("a.CR2", b"II*\0\x10\0\0\0CR\x02\0", "a camera's raw picture"),
    ],
)
def test_a_file_is_recognised_by_its_first_bytes_or_its_ending(name, start, what):
    assert kind_of(name, start).description == what


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"hello",
        b"(a, b)\n1,2",
        b"label,pixel0\n",
        b"\0\0\x08\x03\0\0\0\x09",
        b"\x93NUMPY\x01\0",
        b"PAR1",
        b"\x89PNG\r\n\x1a\n",
        gzip.compress(b"\0\0\x08\x03\0\0\0\x09"),
        b"\x1f\x8b damaged",
        b"BZh damaged",
        b"\xfd7zXZ\0 damaged",
    ],
)
def test_supported_and_unknown_files_have_no_unsupported_kind(start):
    assert kind_of("train-images-idx3-ubyte.gz", start) is None


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["training/data.pkl", "training/byteorder", "training/data/0", "training/version"], "a file of torch.save"),
        (["m/constants.pkl", "m/data.pkl", "m/code/__torch__.py", "m/version"], "a TorchScript model"),
        (["[Content_Types].xml", "word/document.xml"], "an Office document"),
        (["[Content_Types].xml", "xl/workbook.xml"], "an Excel workbook"),
        (["META-INF/MANIFEST.MF", "a.class"], "a Java archive"),
        (["config.json", "metadata.json", "model.weights.h5"], "a Keras model"),
        (["data_batch_1", "data_batch_2", "test_batch", "batches.meta"], "CIFAR-10 in its Python version (pickled)"),
        (["data.mdb", "lock.mdb"], "an LMDB database"),
        (["data-00000-of-00001.arrow", "dataset_info.json", "state.json"], "a data set that Hugging Face's save_to_disk wrote"),
        (["features.json", "dataset_info.json"], "a data set that TensorFlow Datasets wrote"),
        ([".zarray", "0.0"], "a Zarr array"),
    ],
)  # fmt: skip
def test_a_zip_or_folder_is_recognised_by_its_members(names, what):
    assert kind_of_members(names).description == what


def test_folders_of_pictures_have_no_unsupported_kind():
    assert kind_of_members(["word/1.png", "code/2.png", "version/3.png", "dataset.json", "labels.npy"]) is None


def test_zips_of_another_format_are_recognised(tmp_path):
    torch.save(torch.zeros(2), tmp_path / "weights.bin")
    assert "is a file of torch.save, which is not supported; convert it:" in refusal(tmp_path / "weights.bin")
    with zipfile.ZipFile(tmp_path / "letter.zip", "w") as archive:
        archive.writestr("word/document.xml", "")
    assert "is an Office document" in refusal(tmp_path / "letter.zip")
    np.savez(tmp_path / "set.npz", images=IMAGES, labels=LABELS)
    (tmp_path / "set.npz").rename(tmp_path / "set.zip")
    assert load(tmp_path / "set.zip").fingerprint  # an .npz under another name


def test_an_unsupported_file_among_pictures_is_named_and_can_be_skipped(tmp_path):
    from PIL import Image

    for number, image in enumerate(IMAGES):
        Image.fromarray(image).save(tmp_path / f"{number:02}.png")
    (tmp_path / "weights.pkl").write_bytes(pickle.dumps([1]))
    message = refusal(tmp_path)
    for word in ("weights.pkl (picture 21 of 21) cannot be read: it is a Python pickle", "--skip-bad", "if you trust"):
        assert word in message
    assert f"open('{tmp_path}/weights.pkl', 'rb')" in message
    assert "20 pictures; 1 unreadable file skipped" in load(tmp_path, rules=ReadingRules(skip_bad=True)).origin


def test_picture_options_do_not_hide_the_kind_of_a_file(tmp_path):
    (tmp_path / "a.h5").write_bytes(HDF5)
    with pytest.raises(UserError, match="is an HDF5 file"):
        load(tmp_path / "a.h5", rules=ReadingRules(resize=32))


@pytest.mark.parametrize("name", ["it's.h5", 'a"b.h5', "$(rm).h5", "`rm`.h5", "a\\b;c.h5", "a\nb.h5", "a{b}.h5"])
def test_a_name_with_shell_characters_is_replaced_in_the_command(name):
    line = kind_of(name, HDF5).remedy(name)
    assert "'FILE'" in line and not re.search(r"[$`\\\n]", line)


def test_every_advice_has_its_placeholders_filled_and_valid_python():
    for kind in KINDS:
        for name in ("folder/some name.tar.gz", "a.b.c", "noending"):
            line = kind.message(name)
            assert line.isprintable() and not re.search(r"\{(path|stem|folder|ending)\}", line)
            if match := re.search(r'python -c "(.*)"', line):
                compile(match[1], kind.description, "exec")


# Conversion


def converted(path, folder):
    """Run the command that the error message for a path gives, in the folder, and load the result."""
    line = unsupported_message(path)
    commands = re.findall(r'python -(?:m gzip -d|c) "[^"]*"', line)
    for command in commands:
        words = shlex.split(command)
        subprocess.run([sys.executable, *words[1:]], cwd=folder, check=True, capture_output=True)
    return load(folder / f"{path.name.split('.')[0]}.npz")


def sorted_pairs(splits):
    """Return the images and labels of all parts, sorted."""
    images = torch.cat([part.images for part in (splits.train, splits.validation, splits.test)])
    labels = torch.cat([part.labels for part in (splits.train, splits.validation, splits.test)])
    return sorted(zip(images.flatten(1).tolist(), labels.tolist(), strict=True))


EXPECTED = sorted(zip(IMAGES.reshape(20, -1).tolist(), LABELS.tolist(), strict=True))


def torch_pair(path):
    torch.save((torch.tensor(IMAGES), torch.tensor(LABELS)), path)


def torch_dict(path):
    torch.save({"images": torch.tensor(IMAGES), "labels": torch.tensor(LABELS)}, path)


def torch_of_old(path):
    torch.save((torch.tensor(IMAGES), torch.tensor(LABELS)), path, _use_new_zipfile_serialization=False)


def matlab(path):
    savemat(path, {"images": IMAGES, "labels": LABELS[:, None]})


def pickled(path):
    path.write_bytes(pickle.dumps((IMAGES, LABELS)))


def pickled_dict(path):
    path.write_bytes(pickle.dumps({"images": IMAGES, "labels": LABELS}, 0))


def pickled_and_packed(path):
    path.write_bytes(gzip.compress(pickle.dumps((IMAGES, LABELS))))


def joblibbed(path):
    import joblib

    joblib.dump((IMAGES, LABELS), path, compress=3)


def net(path):
    with netcdf_file(path, "w") as file:
        for dimension, size in (("n", 20), ("y", 8), ("x", 8)):
            file.createDimension(dimension, size)
        file.createVariable("images", np.int16, ("n", "y", "x"))[:] = IMAGES
        file.createVariable("labels", np.int32, ("n",))[:] = LABELS


def safe(path):
    from safetensors.numpy import save_file

    save_file({"images": IMAGES, "labels": LABELS}, path)


def hdf5(path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file["images"], file["labels"] = IMAGES, LABELS


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.pt", torch_pair),
        ("a.pth", torch_dict),
        ("old.pt", torch_of_old),
        ("a.mat", matlab),
        ("a.pkl", pickled),
        ("a.pickle", pickled_dict),
        ("a.pkl.gz", pickled_and_packed),
        ("a.joblib", joblibbed),
        ("a.nc", net),
        ("a.safetensors", safe),
        ("a.h5", hdf5),
    ],
)
def test_the_command_writes_an_npz_that_loads(tmp_path, name, write):
    write(tmp_path / name)
    assert f"{name}: is a" in refusal(tmp_path / name)
    assert sorted_pairs(converted(tmp_path / name, tmp_path)) == EXPECTED


def cifar_batch(start, stop):
    rows = np.random.default_rng(1).integers(0, 256, (24, 3072), np.uint8)
    return {"batch_label": "of CIFAR", "labels": [n % 2 for n in range(start, stop)], "data": rows[start:stop]}, rows


def test_the_command_for_cifar_pickles_writes_one_npz(tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for place, name in enumerate([*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]):
        batch, rows = cifar_batch(4 * place, 4 * place + 4)
        (folder / name).write_bytes(pickle.dumps(batch, 2))
    assert "--data cifar10" in refusal(folder)
    splits = converted(folder, tmp_path)
    assert len(splits.train) + len(splits.validation) == 20
    assert np.array_equal(splits.test.images.numpy(), rows[20:].reshape(-1, 3, 32, 32))
    (tmp_path / "above").mkdir()
    folder.rename(tmp_path / "above" / folder.name)
    assert f"open('{tmp_path}/above/{folder.name}/'" in refusal(tmp_path / "above")
    folder = tmp_path / "above" / folder.name
    with tarfile.open(tmp_path / "cifar.tar.gz", "w:gz") as archive:
        archive.add(folder, folder.name)
    assert "holds CIFAR-10 in its Python version (pickled), which is not supported; unpack it first" in refusal(
        tmp_path / "cifar.tar.gz"
    )
    one = converted(folder / "data_batch_2", tmp_path)
    assert one.train.shape == (3, 32, 32)


def test_the_command_for_an_mnist_pickle_keeps_the_parts(tmp_path):
    parts = ((IMAGES[:10], LABELS[:10]), (IMAGES[10:14], LABELS[10:14]), (IMAGES[14:], LABELS[14:]))
    (tmp_path / "mnist.pkl.gz").write_bytes(gzip.compress(pickle.dumps(parts, 2)))
    splits = converted(tmp_path / "mnist.pkl.gz", tmp_path)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [10, 4, 6]
    assert np.array_equal(splits.test.images[:, 0].numpy(), IMAGES[14:])
