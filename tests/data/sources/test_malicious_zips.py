"""Zips of pictures that mean harm."""

import stat
import zipfile

import pytest

from ganforge.data.load import load
from ganforge.data.reading_rules import ReadingRules
from picture_sets import FLAT, as_zip, png, refusal, write_zip

pytestmark = pytest.mark.usefixtures("cache")


def with_member(change, content=None, name="bad.png"):
    """Return a function that writes a zip with one modified entry."""

    def write(path):
        info = zipfile.ZipInfo(name)
        change(info)
        with zipfile.ZipFile(path, "w") as archive:
            for other, picture in FLAT.items():
                archive.writestr(other, picture)
            archive.writestr(info, png() if content is None else content)

    return write


def linked(info):
    info.external_attr = (stat.S_IFLNK | 0o777) << 16


def deflated(info):
    info.compress_type = zipfile.ZIP_DEFLATED


def deflated64(path):
    """Write a zip with compression method 9 in both headers, which Windows uses for large files."""
    write_zip(path, FLAT | {"bad.png": png()})
    content = bytearray(path.read_bytes())
    for header, method in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        content[content.rfind(header) + method] = 9
    path.write_bytes(content)


def unchanged(info):
    pass


def encrypted(path):
    """Write a zip with the encryption flag (bit 0) in both headers."""
    write_zip(path, FLAT)
    content = bytearray(path.read_bytes())
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.find(header) + flags] |= 1
    path.write_bytes(content)


def doubled(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", png())
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.png", png())


def cut_off(path):
    write_zip(path, FLAT)
    path.write_bytes(path.read_bytes()[:-40])


def understated(path):
    """Write a zip with a member that is larger than its stated size."""
    with_member(deflated, bytes(5_000_000))(path)
    content = path.read_bytes()
    path.write_bytes(content.replace((5_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little")))


@pytest.mark.parametrize(
    ("write", "word"),
    [
        (with_member(unchanged, name="../bad.png"), "../bad.png leads outside"),
        (with_member(unchanged, name="a/../../bad.png"), "leads outside"),
        (with_member(unchanged, name="..\\bad.png"), "leads outside"),
        (with_member(unchanged, name="/etc/bad.png"), "leads outside"),
        (with_member(unchanged, name="C:\\bad.png"), "leads outside"),
        (with_member(linked, b"/etc/passwd"), "bad.png is a link"),
        (with_member(deflated, bytes(3_000_000)), "claims to unpack"),
        (deflated64, "bad.png is compressed with Deflate64"),
        (with_member(unchanged, name="inner.zip"), "inner.zip is an archive within"),
        (with_member(unchanged, name="a\x1b[31m\n.zip"), "a?[31m?.zip is an archive"),
        (encrypted, "protected by a password"),
        (doubled, "a.png twice"),
        (cut_off, "is damaged or not a zip"),
        (lambda path: path.write_bytes(b""), "is damaged or not a zip"),
        (lambda path: path.write_bytes(b"no zip"), "is damaged or not a zip"),
        (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(50)), "is damaged or not a zip"),
        (understated, "bad.png (picture 21 of 21) cannot be read"),
    ],
)
def test_a_malicious_zip_is_refused(tmp_path, write, word):
    path = tmp_path / "set.zip"
    write(path)
    before = sorted(tmp_path.rglob("*"))
    message = refusal(path)
    assert word in message and str(path) in message
    assert sorted(tmp_path.rglob("*")) == before


def test_many_members_that_unpack_to_far_more_than_the_zip_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for n in range(50):
            archive.writestr(f"{n}.bmp", bytes(200_000))
    assert "it claims to unpack from" in refusal(tmp_path / "set.zip")


def test_a_damaged_member_is_an_unreadable_picture(tmp_path):
    path = as_zip(tmp_path, FLAT)
    content = bytearray(path.read_bytes())
    content[content.find(b"IDAT") + 6] ^= 0x10
    path.write_bytes(content)
    assert "00.png (picture 1 of 20) cannot be read" in refusal(path)
    assert "1 unreadable file skipped" in load(path, rules=ReadingRules(skip_bad=True)).origin
