import gzip
import os
import socket
import time

import numpy as np
import pytest
import torch

from ganforge.data.images import ImageSet
from ganforge.data.load import ENTRIES, fetch, find, load, names
from ganforge.data.sources import fetch as downloads
from mirrors import CONTENT, HALF, NAME, PACKED, by_md5, closed_port, refusal, small

pytestmark = pytest.mark.usefixtures("machine")
REAL = os.environ.get("GANFORGE_DATA", "")


# On this machine


def test_data_is_found_in_ganforge_data_first_then_in_the_cache(mirror, machine, monkeypatch):
    data_folder, entry = machine / "data_folder", small(mirror())
    (data_folder / "small").mkdir(parents=True)
    assert find(entry) is None
    assert load(entry).origin.startswith("downloaded to the cache")
    assert load(entry).origin.startswith("found in the cache")
    monkeypatch.setenv("GANFORGE_DATA", str(data_folder))
    assert load(entry).origin.startswith("found in the cache")
    (data_folder / NAME).write_bytes(PACKED)
    assert find(entry) == data_folder
    (data_folder / "small" / NAME.removesuffix(".gz")).write_bytes(CONTENT)
    assert find(entry) == data_folder / "small"
    assert load(entry).origin.startswith("found in $GANFORGE_DATA")


@pytest.mark.parametrize("damaged", [PACKED[:HALF], b"", gzip.compress(CONTENT[:-1] + b"?"), CONTENT + b"?"])
def test_damage_is_refused_in_ganforge_data_and_repaired_in_the_cache(mirror, machine, monkeypatch, damaged):
    server = mirror()
    fetch(small(server))
    (machine / "cache" / "small" / NAME).write_bytes(damaged)
    assert find(small()) is None
    assert len(load(small(server)).train) == 480
    assert (machine / "cache" / "small" / NAME).read_bytes() == PACKED
    monkeypatch.setenv("GANFORGE_DATA", str(machine))
    (machine / NAME).write_bytes(damaged)
    assert str(machine / NAME) in refusal(load, small(server))


def test_a_repacked_copy_is_accepted_by_its_content_in_its_own_folder_only(mirror, machine, monkeypatch):
    monkeypatch.setenv("GANFORGE_DATA", str(machine))
    (machine / NAME).write_bytes(CONTENT)
    assert find(by_md5()) is None
    (machine / "small").mkdir()
    (machine / "small" / NAME.removesuffix(".gz")).write_bytes(CONTENT)
    assert find(by_md5()) == machine / "small"
    assert "not as published" in load(by_md5()).origin
    (machine / "small" / NAME.removesuffix(".gz")).write_bytes(CONTENT[:-1])
    assert "download it again" in refusal(load, by_md5(mirror()))


def test_an_unreadable_file_with_another_md5_is_repaired_in_the_cache(mirror, machine):
    fetch(by_md5(mirror()))
    (machine / "cache" / "small" / NAME).write_bytes(PACKED[:HALF])
    assert find(by_md5()) is None
    assert load(by_md5(mirror())).origin.startswith("downloaded")
    assert (machine / "cache" / "small" / NAME).read_bytes() == PACKED


def test_a_ganforge_data_that_does_not_exist_is_refused(machine, monkeypatch):
    monkeypatch.setenv("GANFORGE_DATA", str(machine / "typo"))
    assert "typo" in refusal(load, "mnist")


def test_names_tell_which_data_sets_are_on_the_machine(monkeypatch, machine):
    available = {entry.name: entry.here for entry in names()}
    assert available.pop("digits")
    assert available == dict.fromkeys(
        ("mnist", "moving-mnist", "fashion", "kmnist", "emnist-letters", "cifar10"), False
    )


# Auto


@pytest.fixture
def auto(monkeypatch):
    """Replace MNIST by a small set in ``auto``."""

    def choose(entry):
        monkeypatch.setitem(ENTRIES, "mnist", entry)
        return load("auto")

    return choose


def test_auto_loads_digits_without_a_network_and_gives_the_reason(auto):
    began = time.monotonic()
    splits = auto(small(closed_port(), name="mnist"))
    assert time.monotonic() - began < 8
    assert splits.train.name == "digits"
    assert "because mnist is not on this machine and no mirror answered" in splits.origin


def test_auto_waits_at_most_the_probe_time_for_silent_mirrors(auto, monkeypatch):
    monkeypatch.setattr(downloads, "PROBE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        assert "no mirror answered" in auto(small(f"http://127.0.0.1:{mute.getsockname()[1]}/", name="mnist")).origin


def test_auto_downloads_if_a_mirror_answers(auto, mirror):
    assert auto(small(closed_port(), mirror(), name="mnist")).origin.startswith("downloaded")


def test_auto_loads_digits_if_the_download_fails(auto, mirror):
    assert "wrong checksum" in auto(small(mirror(content=b"wrong"), name="mnist")).origin


def test_auto_obeys_offline(auto, mirror, monkeypatch):
    monkeypatch.setenv("GANFORGE_OFFLINE", "1")
    assert "GANFORGE_OFFLINE" in auto(small(mirror(), name="mnist")).origin


# Sources and splits


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("minst", "did you mean mnist or kmnist?"),
        ("zzz", "auto, cifar10, digits, emnist-letters, fashion, kmnist, mnist"),
        ("no/such/folder", "no such file"),
        ("glyphs.npz", "no such file"),
        (7, "object of type int"),
        (None, "object of type NoneType"),
    ],
)
def test_unusable_sources_are_refused(source, word):
    assert word in refusal(load, source)


def test_images_is_train_or_all():
    assert "neither train nor all" in refusal(load, "digits", images="some")


def test_a_name_takes_precedence_over_a_folder_of_that_name(machine, monkeypatch):
    monkeypatch.chdir(machine)
    (machine / "digits").mkdir()
    (machine / "own").mkdir()
    assert load("digits").train.name == "digits"
    assert "own" in refusal(load, "own")


def numbered(count, labels=None):
    images = torch.arange(count, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 8, 8).contiguous()
    if labels is None:
        return ImageSet(images, torch.full((count,), -1))
    return ImageSet(images, torch.tensor(labels), tuple(map(str, range(max(labels) + 1))))


def numbers(images):
    return images.images[:, 0, 0, 0].tolist()


@pytest.mark.parametrize("count", [4, 5, 10, 99, 250])
def test_splits_are_a_fixed_partition_and_all_adds_validation(count):
    splits, everything = load(numbered(count)), load(numbered(count), "all")
    three = splits.train, splits.validation, splits.test
    assert sorted(number for split in three for number in numbers(split)) == list(range(count))
    assert len(splits.validation) == len(splits.test) == max(1, count // 10)
    assert sorted(numbers(everything.train)) == sorted(numbers(splits.train) + numbers(splits.validation))
    assert numbers(everything.validation) == numbers(splits.validation)
    assert numbers(load(numbered(count)).test) == numbers(splits.test)


def test_too_few_images_to_split_are_refused():
    assert "give 4 images or more" in refusal(load, numbered(3))


def test_a_set_with_its_own_test_part_keeps_it(tmp_path):
    np.savez(tmp_path / "s.npz", x_train=numbered(24).images.numpy(), x_test=numbered(3).images.numpy())
    splits = load(tmp_path / "s.npz")
    train, validation, test = (numbers(part) for part in (splits.train, splits.validation, splits.test))
    assert sorted(train + validation) == [*range(24)] and len(validation) == 2 and test == [0, 1, 2]
    assert validation != [22, 23]
    assert numbers(load(str(tmp_path / "s.npz"), "all").train) == train + validation


def test_a_set_with_its_own_validation_part_keeps_it(tmp_path):
    parts = {key: numbered(n).images.numpy() for key, n in (("x", 9), ("x_val", 2), ("x_test", 3))}
    np.savez(tmp_path / "s.npz", **parts)
    splits = load(tmp_path / "s.npz")
    assert [len(s) for s in (splits.train, splits.validation, splits.test)] == [9, 2, 3]
    assert len(load(tmp_path / "s.npz", "all").train) == 11


# The sets themselves


def test_digits_have_the_format_of_mnist():
    train = load("digits", "all").train
    assert (train.shape, len(train), train.class_names[9]) == ((1, 28, 28), 1618, "9")
    ink = train.images.float() / 255
    assert ink.mean() == pytest.approx(0.131, abs=0.005)
    assert ink.std() == pytest.approx(0.308, abs=0.01)
    assert ink.amax((1, 2, 3)).min() > 0.9
    rows = (ink.mean((0, 1, 3)) * torch.arange(28)).sum() / ink.mean((0, 1, 3)).sum()
    assert rows == pytest.approx(13.5, abs=0.6)


@pytest.mark.skipif(not REAL, reason="needs MNIST in $GANFORGE_DATA")
def test_mnist_has_the_usual_split(monkeypatch):
    monkeypatch.setenv("GANFORGE_DATA", REAL)
    splits = load("mnist")
    assert [len(s) for s in (splits.train, splits.validation, splits.test)] == [55_000, 5_000, 10_000]
    assert splits.train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    everything = load("mnist", "all")
    assert len(everything.train) == 60_000
    assert torch.equal(everything.train.images[-5_000:], splits.validation.images)
    assert load("auto").fingerprint == load(f"{REAL}/mnist").fingerprint == splits.fingerprint
