"""Downloads from mirrors: complete, resumed, refused."""

import gzip
import hashlib
import os
import socket
from dataclasses import replace
from functools import partial

import pytest

from ganforge.data.load import ENTRIES, StoredFile, fetch, find, load
from ganforge.data.sources import fetch as downloads
from ganforge.data.sources.dataset_formats import read_cifar10, read_letters
from made_up import SMALL_CIFAR10, SMALL_LETTERS, cifar10_members, letter_members, tarred, zipped
from mirrors import CONTENT, HALF, NAME, PACKED, by_md5, closed_port, part, refusal, small

pytestmark = pytest.mark.usefixtures("machine")


def files(folder):
    return sorted(p.name for p in folder.rglob("*") if p.is_file() and p.name != ".lock")


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
