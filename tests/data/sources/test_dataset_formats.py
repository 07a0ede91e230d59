import gzip
import io
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from ganforge.data.load import fetch, find, load, names
from ganforge.data.sources.dataset_formats import read_cifar10, read_grey, read_letters
from ganforge.data.sources.fetch import StoredFile
from ganforge.data.sources.registry import ENTRIES
from ganforge.errors import UserError
from made_up import (
    SMALL_CIFAR10,
    SMALL_FASHION,
    SMALL_LETTERS,
    an_l,
    cifar10_members,
    fashion_files,
    grey,
    idx,
    letter_members,
    tarred,
    zipped,
)

OLD = "cifar-10-batches-bin/test_batch.bin"


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    """A machine without a network, with a data folder and an empty cache."""
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("GANFORGE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("GANFORGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GANFORGE_OFFLINE", "1")
    return tmp_path


def put(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def refusal(call, *args):
    with pytest.raises(UserError) as caught:
        call(*args)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def without(members, name):
    return {key: content for key, content in members.items() if key != name}


# Sets in MNIST's form


@pytest.mark.parametrize("packed", [False, True])
def test_fashion_is_read_with_its_class_names(tmp_path, packed):
    files = fashion_files()
    if packed:
        files = {f"{name}.gz": gzip.compress(content) for name, content in files.items()}
    parts = read_grey(SMALL_FASHION, put(tmp_path, files))
    images, labels = grey(10)
    assert torch.equal(parts.test.images[:, 0], torch.from_numpy(images))
    assert parts.test.labels.tolist() == labels.tolist()
    assert parts.train.class_names[0] == "t-shirt" and parts.train.class_names[9] == "ankle boot"
    assert (len(parts.train), parts.train.name, parts.test.name) == (30, "fashion", "fashion test")


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        ("train-labels-idx1-ubyte", np.arange(30) % 11, ["labels run from 0 to 10", "0 to 9"]),
        ("train-images-idx3-ubyte", np.zeros((29, 28, 28)), ["29 images"]),
        ("t10k-labels-idx1-ubyte", np.zeros(9), ["10 images need 10 labels"]),
        ("train-images-idx3-ubyte", np.zeros((30, 27, 28)), ["make them alike"]),
    ],
)
def test_files_of_the_wrong_shape_or_labels_are_refused(tmp_path, name, array, words):
    message = refusal(read_grey, SMALL_FASHION, put(tmp_path, fashion_files() | {name: idx(array)}))
    assert all(word in message for word in [str(tmp_path), *words])


def test_a_set_of_the_same_format_with_another_size_is_refused(tmp_path):
    form = replace(SMALL_FASHION, counts=(31, 10))
    assert "has [31, 1, 28, 28]" in refusal(read_grey, form, put(tmp_path, fashion_files()))


# EMNIST letters


def test_letters_are_transposed_and_numbered_from_0(tmp_path):
    members = letter_members()
    (tmp_path / "gzip.zip").write_bytes(zipped(members.items()))
    parts = read_letters(SMALL_LETTERS, tmp_path)
    assert torch.equal(parts.train.images[0, 0], torch.from_numpy(an_l()[0].copy()))
    assert parts.train.class_names[0] == "a" and parts.train.class_names[25] == "z"
    assert sorted(set(parts.train.labels.tolist())) == list(range(26))
    assert (len(parts.train), len(parts.test)) == (52, 26)


@pytest.mark.parametrize("place", ["gzip/", ""])
@pytest.mark.parametrize("packed", [True, False])
def test_letters_are_read_unpacked(tmp_path, place, packed):
    members = {place + name.split("/")[1]: content for name, content in letter_members().items()}
    if not packed:
        members = {name.removesuffix(".gz"): gzip.decompress(content) for name, content in members.items()}
    assert torch.equal(
        read_letters(SMALL_LETTERS, put(tmp_path, members)).test.images[0, 0], torch.from_numpy(an_l()[0].copy())
    )


def test_letters_numbered_from_0_are_refused(tmp_path):
    message = refusal(read_letters, SMALL_LETTERS, put(tmp_path, letter_members(first=0)))
    assert "0 to 25" in message and "1 to 26" in message


LETTERS = letter_members()
FIRST = next(iter(LETTERS))


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (zipped(without(LETTERS, FIRST).items()), f"0 files called {FIRST}"),
        (zipped({f"other/{name}": c for name, c in LETTERS.items()}.items()), f"0 files called {FIRST}"),
        (zipped({f"../../{name}": c for name, c in LETTERS.items()}.items()), f"0 files called {FIRST}"),
        (zipped([*LETTERS.items(), (FIRST.split("/")[1], b"x")]), f"2 files called {FIRST}"),
        (zipped((LETTERS | {FIRST: b"x" * 99}).items()), "damaged"),
        (zipped((LETTERS | {FIRST: LETTERS[FIRST][:-40]}).items()), "damaged"),
        (zipped((LETTERS | {FIRST: gzip.compress(b"x" * 99)}).items()), "not an IDX file"),
        (zipped(LETTERS.items())[:-30], "damaged"),
        (b"<html>", "damaged"),
        (b"", "damaged"),
    ],
)
def test_a_wrong_archive_of_letters_is_refused(tmp_path, content, word):
    (tmp_path / "gzip.zip").write_bytes(content)
    message = refusal(read_letters, SMALL_LETTERS, tmp_path)
    assert word in message and "gzip.zip" in message


# CIFAR-10


def assert_cifar10(parts):
    first, last = parts.train.images[0], parts.train.images[-1]
    assert parts.train.shape == (3, 32, 32)
    assert first[0].unique().tolist() == [0] and last[0].unique().tolist() == [49]
    assert first[1, 5].tolist() == first[2, :, 5].tolist() == list(range(32))
    assert parts.test.images[:, 0, 0, 0].tolist() == list(range(50, 60))
    assert parts.train.labels.tolist() == [k * 3 % 10 for k in range(50)]
    assert parts.train.class_names[0] == "airplane" and parts.train.class_names[9] == "truck"
    return True


def test_cifar10_keeps_its_channels_rows_and_order(tmp_path):
    members = list(cifar10_members().items())
    extra = [("cifar-10-batches-bin/readme.html", b"<html>"), ("cifar-10-batches-bin/batches.meta.txt", b"airplane\n")]
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(tarred([*extra, *members[::-1]]))
    assert assert_cifar10(read_cifar10(SMALL_CIFAR10, tmp_path))


@pytest.mark.parametrize("place", ["cifar-10-batches-bin/", ""])
def test_cifar10_is_read_unpacked(tmp_path, place):
    members = {place + name.split("/")[1]: content for name, content in cifar10_members().items()}
    assert assert_cifar10(read_cifar10(SMALL_CIFAR10, put(tmp_path, members)))


def test_cifar10_is_read_from_a_repacked_tar(tmp_path):
    members = {f"./{name}": content for name, content in cifar10_members().items()}
    (tmp_path / "cifar-10-binary.tar").write_bytes(gzip.decompress(tarred(members.items())))
    assert assert_cifar10(read_cifar10(SMALL_CIFAR10, tmp_path))


CIFAR = cifar10_members()


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (tarred(without(CIFAR, OLD).items()), f"no file called {OLD}"),
        (tarred({f"../{name}": c for name, c in CIFAR.items()}.items()), "no file called"),
        (tarred({f"/{name}": c for name, c in CIFAR.items()}.items()), "no file called"),
        (tarred(without(CIFAR, OLD).items(), [(OLD, "/etc/passwd")]), f"no file called {OLD}"),
        (tarred((CIFAR | {OLD: CIFAR[OLD][:-1]}).items()), "30,729 bytes"),
        (tarred((CIFAR | {OLD: CIFAR[OLD] + b"x"}).items()), "more than 30,730"),
        (tarred((CIFAR | {OLD: b"\x0a" + CIFAR[OLD][1:]}).items()), "labels run from 1 to 10"),
        (tarred(CIFAR.items())[:-1000], "damaged or cut short"),
        (tarred(CIFAR.items())[:-8] + bytes(8), "damaged or cut short (CRC"),
        (gzip.compress(b"no tar" * 999), "not a tar"),
        (b"", "not a tar"),
    ],
)
def test_a_wrong_archive_of_cifar10_is_refused(tmp_path, content, word):
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(content)
    message = refusal(read_cifar10, SMALL_CIFAR10, tmp_path)
    assert word in message and "cifar-10-binary.tar.gz" in message


def test_a_pickle_is_never_read(tmp_path):
    pickles = {name.removesuffix(".bin"): b"cos\nsystem\n" for name in CIFAR}
    assert "no such file" in refusal(read_cifar10, SMALL_CIFAR10, put(tmp_path, pickles))


# In the catalogue


def cifar10(**changes):
    file = StoredFile("cifar-10-binary.tar.gz", "", 1 << 20, "0" * 32)
    changes = {"files": (file,), "mirrors": (), "stand_in": None} | changes
    return replace(ENTRIES["cifar10"], read=partial(read_cifar10, SMALL_CIFAR10), **changes)


@pytest.mark.parametrize("root", ["data", "cache"])
@pytest.mark.parametrize(
    "files", [CIFAR, {"cifar-10-binary.tar.gz": tarred(CIFAR.items())}], ids=["unpacked", "packed anew"]
)
def test_files_with_another_checksum_are_accepted_by_their_content(machine, root, files):
    folder = put(machine / root / "cifar10", files)
    assert find(cifar10()) == folder
    splits = load(cifar10())
    assert "not as published" in splits.origin
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (46, 4, 10)


def test_wrong_files_are_refused_in_ganforge_data_and_ignored_in_the_cache(machine):
    damaged = CIFAR | {OLD: CIFAR[OLD][:-1]}
    put(machine / "cache" / "cifar10", damaged)
    assert find(cifar10()) is None
    put(machine / "data" / "cifar10", damaged)
    assert "30,729 bytes" in refusal(find, cifar10())


def jpegs(count):
    """Return a zip of JPEGs in three class folders."""
    members = []
    for k in range(count):
        content = io.BytesIO()
        Image.new("RGB", (32, 32), (k, 100, 200)).save(content, "jpeg")
        members.append((f"{('bird', 'cat', 'deer')[k % 3]}/{k:04}.jpg", content.getvalue()))
    return zipped(members)


def test_jpegs_replace_a_missing_cifar10_with_a_caveat(machine):
    put(machine / "data" / "cifar10-jpeg", {"train.zip": jpegs(12)})
    assert "cifar10: is not on this machine" in refusal(load, "cifar10")
    put(machine / "data" / "cifar10-jpeg", {"test.zip": jpegs(3)})
    splits = load("cifar10")
    assert "re-encoded as JPEG" in splits.origin and "compares" in splits.origin
    assert (splits.train.name, splits.train.class_names) == ("cifar10-jpeg", ("bird", "cat", "deer"))
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (11, 1, 3)
    assert {entry.name: entry.here for entry in names()}["cifar10"]
    assert find("cifar10") is None
    assert "OFFLINE" in refusal(fetch, "cifar10")


def test_the_published_cifar10_takes_precedence_over_jpegs(machine):
    put(machine / "data" / "cifar10-jpeg", {"train.zip": jpegs(12), "test.zip": jpegs(3)})
    put(machine / "cache" / "cifar10", CIFAR)
    splits = load(cifar10(stand_in=ENTRIES["cifar10"].stand_in))
    assert splits.train.name == "cifar10" and "JPEG" not in splits.origin


@pytest.mark.parametrize("name", ["fashion", "kmnist", "emnist-letters", "cifar10"])
def test_without_a_network_the_message_says_what_to_put_where(name):
    message = refusal(load, name)
    assert f"$GANFORGE_DATA/{name}" in message and ENTRIES[name].mirrors[0] in message and "OFFLINE" in message
    assert message == refusal(fetch, name)
    assert not {entry.name: entry.here for entry in names()}[name]


@pytest.mark.parametrize("name", ["fashion", "kmnist"])
def test_files_of_mnist_are_not_taken_for_a_set_with_the_same_file_names(machine, name):
    put(machine / "data", fashion_files())
    assert find(name) is None
    put(machine / "data" / name, fashion_files())
    assert {entry.name: entry.here for entry in names()}[name]
    assert f"where {name} has [60000, 1, 28, 28]" in refusal(load, name)


def test_checksums_have_the_length_of_their_kind():
    for file in (file for entry in ENTRIES.values() for file in entry.files):
        assert (len(file.sha256), len(file.md5)) in ((64, 0), (0, 32))
        assert set(file.sha256 + file.md5) <= set("0123456789abcdef")
