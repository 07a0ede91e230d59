import gzip
import hashlib
import os
import socket
import struct
import threading
import time
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch

from ganforge.data.images import ImageSet
from ganforge.data.load import ENTRIES, Entry, StoredFile, fetch, find, load, names
from ganforge.data.sources import fetch as downloads
from ganforge.data.sources.dataset_formats import read_cifar10, read_letters
from ganforge.data.sources.readers import find_spelling, read_path
from ganforge.errors import UserError
from made_up import SMALL_CIFAR10, SMALL_LETTERS, cifar10_members, letter_members, tarred, zipped

NAME = "small-images-idx3-ubyte.gz"
IMAGES = np.random.default_rng(0).integers(0, 256, (600, 12, 12), dtype=np.uint8)
CONTENT = struct.pack(">IIII", 2051, *IMAGES.shape) + IMAGES.tobytes()
PACKED = gzip.compress(CONTENT, mtime=0)
HALF = len(PACKED) // 2
REAL = os.environ.get("GANFORGE_DATA", "")


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    """A machine without data and with an empty cache."""
    for variable in ("GANFORGE_DATA", "GANFORGE_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("GANFORGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(downloads, "TIMEOUT", 2.0)
    return tmp_path


class Mirror(ThreadingHTTPServer):
    """A mirror that serves one file with configured failures and records the requested ranges."""

    def __init__(self, content=PACKED, ranges=True, cut=None, status=None, silent=False):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.ranges, self.cut, self.status, self.silent = content, ranges, cut, status, silent
        self.requested_ranges = []
        self.address = f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.send_response(self.server.status or 200)
        self.end_headers()

    def do_GET(self):
        server, requested = self.server, self.headers.get("Range")
        server.requested_ranges.append(requested)
        start = int(requested.removeprefix("bytes=").removesuffix("-")) if requested and server.ranges else 0
        body, status = server.content[start:], server.status or (206 if start else 200)
        if start and not body:
            body, status = b"", 416
        self.send_response(status)
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        if not server.silent:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.cut])

    def log_message(self, *_):
        pass


@pytest.fixture
def mirror():
    """Start mirrors that are stopped at the end of the test."""
    started = []

    def start(**failings):
        server = Mirror(**failings)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        started.append((server, thread))
        return server

    yield start
    for server, thread in started:
        server.shutdown()
        thread.join(5)
        server.server_close()


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"http://127.0.0.1:{listening.getsockname()[1]}/"


def small(*mirrors, name="small"):
    file = StoredFile(NAME, hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
    addresses = tuple(m if isinstance(m, str) else m.address for m in mirrors)
    return Entry(name, "a small set", lambda folder: read_path(find_spelling(folder, NAME)), (file,), addresses)


def by_md5(*mirrors):
    """Return the small set as if only the MD5 of its packed file were published."""
    file = StoredFile(NAME, "", len(PACKED), hashlib.md5(PACKED).hexdigest())
    return replace(small(*mirrors), files=(file,))


def part(machine, content):
    folder = machine / "cache" / "small"
    folder.mkdir(parents=True)
    (folder / f"{NAME}.part").write_bytes(content)


def files(folder):
    return sorted(p.name for p in folder.rglob("*") if p.is_file() and p.name != ".lock")


def refusal(call, *args, **kwargs):
    with pytest.raises(UserError) as caught:
        call(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Download


@pytest.mark.parametrize("silent", [False, True])
def test_a_download_is_complete_and_reports_progress(mirror, machine, silent):
    reports = []
    folder = fetch(small(mirror(silent=silent)), report=lambda *progress: reports.append(progress))
    assert (folder / NAME).read_bytes() == PACKED
    assert files(machine) == [NAME]
    assert reports[-1] == (NAME, len(PACKED), None if silent else len(PACKED))
    assert [done for _, done, _ in reports] == sorted(done for _, done, _ in reports)


def test_present_files_are_not_downloaded_again(mirror, machine):
    server = mirror()
    fetch(small(server), machine)
    fetch(small(server), machine)
    assert len(server.requested_ranges) == 1
    assert (machine / NAME).is_file()


def test_a_partial_download_is_resumed(mirror, machine):
    part(machine, PACKED[:HALF])
    server, reports = mirror(), []
    folder = fetch(small(server), report=lambda *progress: reports.append(progress))
    assert (folder / NAME).read_bytes() == PACKED
    assert server.requested_ranges == [f"bytes={HALF}-"]
    assert reports[-1] == (NAME, len(PACKED), len(PACKED))


@pytest.mark.parametrize(
    ("partial", "failing", "requests"),
    [
        (PACKED[:HALF], {"ranges": False}, 1),
        (PACKED, {}, 1),
        (PACKED + b"more", {}, 2),
        (b"x" * HALF, {}, 2),
        (b"x" * (2 * len(PACKED)), {}, 2),
    ],
    ids=["ranges ignored", "already whole", "too long", "of another file", "far too long"],
)
def test_no_partial_download_prevents_success_with_a_good_mirror(mirror, machine, partial, failing, requests):
    part(machine, partial)
    server, reports = mirror(**failing), []
    folder = fetch(small(server), report=lambda *progress: reports.append(progress))
    assert (folder / NAME).read_bytes() == PACKED
    assert len(server.requested_ranges) == requests
    assert reports[-1:] in ([], [(NAME, len(PACKED), len(PACKED))])
    assert files(machine) == [NAME]


def test_a_download_cut_short_is_resumed_at_the_next_mirror(mirror):
    first, second = mirror(cut=HALF), mirror()
    folder = fetch(small(first, second))
    assert second.requested_ranges == [f"bytes={HALF}-"]
    assert (folder / NAME).read_bytes() == PACKED


@pytest.mark.parametrize(
    "failing",
    [
        {"content": gzip.compress(CONTENT[:-1] + b"?")},
        {"content": b"<html>log in to the network</html>"},
        {"content": bytes(10 * len(CONTENT))},
        {"status": 404},
        {"status": 503},
        {"cut": 100, "silent": True},
    ],
)
def test_after_a_failing_mirror_the_next_is_tried(mirror, machine, failing):
    second = mirror()
    folder = fetch(small(mirror(**failing), closed_port(), second))
    assert (folder / NAME).read_bytes() == PACKED
    assert files(machine) == [NAME]


def test_when_all_mirrors_fail_the_message_names_each_and_no_complete_file_is_left(mirror, machine):
    flood = mirror(content=bytes(10 * len(CONTENT)))
    mirrors = mirror(content=b"wrong"), flood, mirror(status=404), closed_port(), mirror(cut=HALF)
    message = refusal(fetch, small(*mirrors))
    for word in (
        NAME,
        "wrong checksum",
        "sends more",
        "HTTP 404",
        "refused",
        f"stopped after {HALF:,}",
        "GANFORGE_DATA",
        "--data",
    ):
        assert word in message
    assert files(machine) == [f"{NAME}.part"]
    assert find(small()) is None


def test_a_mirror_without_an_answer_times_out(machine, monkeypatch):
    monkeypatch.setattr(downloads, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        assert "timed out" in refusal(fetch, small(f"http://127.0.0.1:{mute.getsockname()[1]}/"))


def test_offline_no_request_is_sent(mirror, monkeypatch):
    monkeypatch.setenv("GANFORGE_OFFLINE", "1")
    server = mirror()
    assert "GANFORGE_OFFLINE" in refusal(fetch, small(server))
    assert server.requested_ranges == []


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root, and Windows here, may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(mirror, machine):
    machine.chmod(0o500)
    assert "cannot be written" in refusal(fetch, small(mirror()))


def test_a_cache_that_is_a_file_is_named(mirror, machine):
    (machine / "cache").write_text("no folder")
    assert str(machine / "cache") in refusal(fetch, small(mirror()))


def test_digits_need_no_download():
    assert "no download" in refusal(fetch, "digits")


@pytest.mark.parametrize("partial", [b"", PACKED[:HALF], PACKED, b"x" * HALF])
def test_a_file_with_an_md5_is_downloaded_and_resumed(mirror, machine, partial):
    part(machine, partial)
    first, second = mirror(cut=HALF // 2), mirror()
    folder = fetch(by_md5(first, second))
    assert (folder / NAME).read_bytes() == PACKED
    assert files(machine) == [NAME]
    assert (machine / "cache" / "small" / f"{NAME}.part").exists() is False


@pytest.mark.parametrize("content", [gzip.compress(CONTENT, 1, mtime=1), CONTENT, b"wrong"])
def test_a_file_with_another_md5_is_refused(mirror, machine, content):
    assert "wrong checksum" in refusal(fetch, by_md5(mirror(content=content)))
    assert files(machine) == []


@pytest.mark.parametrize(
    ("name", "form", "read", "content"),
    [
        ("emnist-letters", SMALL_LETTERS, read_letters, zipped(letter_members().items())),
        ("cifar10", SMALL_CIFAR10, read_cifar10, tarred(cifar10_members().items())),
    ],
)
def test_an_archive_is_downloaded_and_read_in_place(mirror, machine, name, form, read, content):
    entry, server = ENTRIES[name], mirror(content=content)
    file = StoredFile(entry.files[0].name, "", len(content), hashlib.md5(content).hexdigest())
    entry = replace(entry, read=partial(read, form), files=(file,), mirrors=(server.address,))
    assert load(entry).origin.startswith("downloaded to the cache")
    splits = load(entry)
    assert splits.origin == f"found in the cache ({machine / 'cache' / name})"
    assert (len(splits.test), splits.test.class_names, splits.test.shape) == (form.counts[1], form.classes, form.shape)
    assert files(machine) == [file.name] and len(server.requested_ranges) == 1


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
    assert available == dict.fromkeys(("mnist", "fashion", "kmnist", "emnist-letters", "cifar10"), False)


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
    assert "give 4 or more" in refusal(load, numbered(3))


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
