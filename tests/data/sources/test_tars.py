"""Tars of pictures: plain, compressed, damaged and malicious."""

import bz2
import gzip
import lzma
import tarfile
import threading

import numpy as np
import pytest

from ganforge.data.load import load
from ganforge.data.reading_rules import ReadingRules
from ganforge.data.sources import archives
from ganforge.data.sources.archives import open_archive
from ganforge.errors import UserError
from picture_archives import CLASSES, EXPECTED, PLAIN, contents, png, read_all, tarred, write

pytestmark = pytest.mark.usefixtures("cache")


def refusal(path):
    with pytest.raises(UserError) as caught:
        load(path)
    message = str(caught.value)
    assert message.isprintable() and str(path) in message
    return message


def unpacked(content):
    return content


# What is read


@pytest.mark.parametrize("pack", [unpacked, gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("name", ["set.tar", "no-ending"])
def test_a_tar_is_recognised_by_its_content_for_every_compression(tmp_path, pack, format, name):
    path = write(tmp_path, pack(tarred(CLASSES, format)), name)
    before = sorted(tmp_path.rglob("*"))
    splits = load(path)
    assert contents(splits) == EXPECTED and splits.train.class_names == ("cat", "dog")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_and_names_of_other_letters_are_read(tmp_path, format):
    long = "x" * 120
    files = {f"{long}/{'y' * 90}/{n}é.png": png(n) for n in range(10)} | {f"数字/{n}.png": png(n) for n in range(10)}
    assert load(write(tmp_path, tarred(files, format))).train.class_names == (long, "数字")


def test_names_that_are_not_utf_8_are_read(tmp_path):
    content = tarred({f"{name}/{n}.png": png(n) for name in ("QQQ", "b") for n in range(6)}, tarfile.USTAR_FORMAT)
    path = write(tmp_path, rechecked(content.replace(b"QQQ/", b"\xe9\xff\x01/")))
    assert load(path).train.class_names == ("b", "???")


def test_hidden_and_system_files_are_ignored(tmp_path):
    extra = {
        "./": None,
        "./cat/": None,
        "./cat/._00.png": b"no",
        "__MACOSX/a.png": b"no",
        ".DS_Store": b"no",
        "cat": None,
    }

    def folder(info):
        info.type = tarfile.DIRTYPE

    files = {f"./{name}": content for name, content in CLASSES.items()} | extra
    assert contents(load(write(tmp_path, tarred(files, change=folder)))) == EXPECTED


def test_tars_called_train_and_test_give_the_parts(tmp_path):
    write(tmp_path, gzip.compress(tarred(CLASSES)), "train.tar.gz")
    write(tmp_path, tarred({"cat/a.png": png(201), "dog/b.png": png(202)}), "test.tar")
    splits = load(tmp_path)
    assert sorted(splits.test.images[:, 0, 0, 0].tolist()) == [201, 202]


def test_an_empty_tar_holds_no_picture(tmp_path):
    assert "holds no picture" in refusal(write(tmp_path, tarred({})))


def test_threads_read_different_members_at_once(tmp_path):
    files = {f"{n}.bin": bytes([n]) * (1000 + n) for n in range(40)}
    archive, wrong = open_archive(write(tmp_path, gzip.compress(tarred(files)))), []
    listed = archive.files()

    def check():
        for file in listed * 5:
            with archive.open(file) as stream:
                stream.seek(7)
                if stream.read(9) != files[file.name][7:16] or archive.read(file) != files[file.name]:
                    wrong.append(file.name)

    threads = [threading.Thread(target=check) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    archive.close()
    assert len(listed) == 40 and not wrong


# What means harm


def kind(type, **more):
    def change(info):
        info.type = type
        for name, value in more.items():
            setattr(info, name, value)

    return change


@pytest.mark.parametrize(
    ("name", "change", "word"),
    [
        ("bad.png", kind(tarfile.SYMTYPE, linkname="/etc/passwd"), "bad.png is a link"),
        ("bad.png", kind(tarfile.LNKTYPE, linkname="cat/00.png"), "bad.png is a link"),
        ("bad.png", kind(tarfile.FIFOTYPE), "bad.png is a link or a device"),
        ("bad.png", kind(tarfile.CHRTYPE, devmajor=1, devminor=5), "bad.png is a link or a device"),
        ("bad.png", kind(tarfile.GNUTYPE_SPARSE), "bad.png is stored as a sparse file"),
        ("bad.png", kind(b"Q"), "bad.png is neither a file nor a folder"),
        ("../bad.png", kind(tarfile.REGTYPE), "../bad.png leads outside"),
        ("a/../../bad.png", kind(tarfile.REGTYPE), "leads outside"),
        ("/etc/bad.png", kind(tarfile.REGTYPE), "leads outside"),
        ("C:/bad.png", kind(tarfile.REGTYPE), "leads outside"),
        ("..\\bad.png", kind(tarfile.REGTYPE), "leads outside"),
        ("inner.tar.gz", kind(tarfile.REGTYPE), "inner.tar.gz is an archive within"),
        ("a\x1b[31m\n.zip", kind(tarfile.REGTYPE), "a?[31m?.zip is an archive"),
        ("cat//00.png", kind(tarfile.REGTYPE), "holds cat/00.png twice"),
        ("./cat/00.png", kind(tarfile.REGTYPE), "holds cat/00.png twice"),
    ],
)
@pytest.mark.parametrize("pack", [unpacked, gzip.compress])
def test_a_malicious_tar_is_refused(tmp_path, name, change, word, pack):
    assert word in refusal(write(tmp_path, pack(tarred(CLASSES | {name: None}, change=change))))


def test_a_sparse_file_of_pax_is_refused(tmp_path):
    change = kind(tarfile.REGTYPE, pax_headers={"GNU.sparse.major": "1", "GNU.sparse.minor": "0"})
    path = write(tmp_path, tarred(CLASSES | {"bad.png": None}, tarfile.PAX_FORMAT, change))
    assert "bad.png is stored as a sparse file" in refusal(path)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_bomb_stops_early(tmp_path, monkeypatch, pack):
    path, written = write(tmp_path, pack(tarred({"a.png": bytes(60_000_000)}))), []
    real = archives.tempfile.TemporaryFile

    def watched():
        file = real()
        write_to = file.write
        return type("Watched", (), {"write": lambda self, piece: (written.append(len(piece)), write_to(piece)),
                                    "close": lambda self: file.close()})()  # fmt: skip

    monkeypatch.setattr(archives.tempfile, "TemporaryFile", watched)
    assert "too many for pictures" in refusal(path)
    assert sum(written) < max(2**21, 260 * path.stat().st_size)


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    def full():
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archives.tempfile, "TemporaryFile", full)
    assert "the disk is too full to unpack it" in refusal(write(tmp_path, gzip.compress(tarred(CLASSES))))


# Damage


def rechecked(content):
    """Return the tar with corrected header checksums; no content block may look like a header."""
    content = bytearray(content)
    for place in range(0, len(content), 512):
        if content[place + 257 : place + 262] == b"ustar":
            content[place + 148 : place + 156] = b" " * 8
            content[place + 148 : place + 156] = b"%06o\0 " % sum(content[place : place + 512])
    return bytes(content)


def sized(content, size, at=0):
    """Return the tar with another size in the header at byte ``at``."""
    content = bytearray(content)
    content[at + 124 : at + 136] = size
    return rechecked(content)


LONG, LONG_RECORD = tarred({"x" * 150: b"content"}, tarfile.PAX_FORMAT), b"160 path=" + b"x" * 150


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "is damaged or not a tar"),
        (b"no tar", "is damaged or not a tar"),
        (bytes(300), "cut short"),
        (PLAIN[:700], "cut short"),
        (PLAIN[:1024], "cut short"),
        (PLAIN[:20_480], "cut short"),
        (PLAIN[:1024] + b"x" + PLAIN[1025:], "damaged at byte 1,024"),
        (gzip.compress(PLAIN)[:-20], "is damaged or not a tar"),
        (gzip.compress(PLAIN)[:200], "cut short"),
        (bz2.compress(PLAIN)[:-20], "cut short"),
        (lzma.compress(PLAIN)[:-20], "is damaged or not a tar"),
        (sized(PLAIN, b"77777777777\0"), "cut short"),
        (sized(PLAIN, b"\x80" + b"\xff" * 11), "cut short"),
        (sized(PLAIN, b"\xff" * 12), "damaged at byte 0"),
        (sized(PLAIN, b"-0000000001\0"), "damaged at byte 0"),
        (sized(PLAIN, b"00000000009\0"), "damaged at byte 0"),
        (sized(LONG, b"77777777777\0"), "a header of"),
        (sized(LONG, b"\x80" + b"\xff" * 11), "a header of"),
        (LONG.replace(b" path=", b"-path="), "damaged header"),
        (LONG.replace(LONG_RECORD, b"999" + LONG_RECORD[3:]), "damaged header"),
        (LONG.replace(LONG_RECORD, b"9" * len(LONG_RECORD)), "damaged header"),
        (LONG.replace(LONG_RECORD, b"0" + LONG_RECORD[1:]), "damaged header"),
    ],
)
def test_a_damaged_tar_is_one_line(tmp_path, content, word):
    assert word in refusal(write(tmp_path, content))


def test_a_damaged_picture_in_a_tar_is_unreadable(tmp_path):
    content = bytearray(PLAIN)
    content[content.find(b"IDAT") + 6] ^= 0x10
    path = write(tmp_path, bytes(content))
    assert "cat/00.png (picture 1 of 20) cannot be read" in refusal(path)
    assert "1 unreadable file skipped" in load(path, rules=ReadingRules(skip_bad=True)).origin


@pytest.mark.parametrize("pack", [unpacked, gzip.compress, bz2.compress, lzma.compress])
def test_damage_anywhere_is_refused_or_harmless(tmp_path, pack):
    whole, chance = pack(PLAIN), np.random.default_rng(0)
    for attempt in range(150):
        content = bytearray(whole)
        for _ in range(1 + attempt % 3):
            content[int(chance.integers(len(content)) ** (1 if attempt % 2 else 0.7))] ^= int(chance.integers(1, 256))
        read_all(write(tmp_path, bytes(content[: int(chance.integers(len(content)))] if attempt % 5 == 0 else content)))


def test_wrong_headers_are_refused_or_harmless(tmp_path):
    chance = np.random.default_rng(1)
    for attempt in range(150):
        content = bytearray(PLAIN if attempt % 2 else LONG)
        for _ in range(1 + attempt % 4):
            content[512 * int(chance.integers(4)) + int(chance.integers(512))] = int(
                chance.choice([0, 48, 55, 120, 128, 255])
            )
        read_all(write(tmp_path, rechecked(content)))
