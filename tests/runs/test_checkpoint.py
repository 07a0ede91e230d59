import pickle
import struct

import pytest
import torch

from ganforge.errors import RunFailed
from ganforge.runs.checkpoint import (
    Damaged,
    all_finite,
    checkpoints,
    newest_checkpoint,
    read_tensors,
    write_checkpoint,
    write_tensors,
)

TENSORS = {"b": torch.arange(6.0).view(2, 3), "a": torch.tensor(3), "half": torch.ones(3, dtype=torch.float64)}
NOTE = {"step": 5, "name": "x", "list": [1, 2]}


def test_tensors_and_note_come_back(tmp_path):
    write_tensors(tmp_path / "f", TENSORS, NOTE)
    tensors, note = read_tensors(tmp_path / "f")
    assert note == NOTE
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[k], TENSORS[k]) and tensors[k].dtype == TENSORS[k].dtype for k in TENSORS)


def test_same_content_same_bytes(tmp_path):
    write_tensors(tmp_path / "a", TENSORS, NOTE)
    write_tensors(tmp_path / "b", dict(reversed(TENSORS.items())), dict(reversed(NOTE.items())))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def damage(kind, content):
    if kind == "empty":
        return b""
    if kind == "pickle":
        return pickle.dumps({"weights": [1.0]})
    if kind == "torch file":
        return b"PK\x03\x04" + content
    if kind == "claims 2^62 bytes":
        return struct.pack("<Q", 2**62) + content[8:]
    if kind == "tensor claims 2^62 bytes":
        header = b'{"x":{"dtype":"U8","shape":[4611686018427387904],"data_offsets":[0,4611686018427387904]}}'
        return struct.pack("<Q", len(header)) + header + b"1234"
    if kind == "cut short":
        return content[:-10]
    if kind == "cut in the header":
        return content[:30]
    if kind == "noise":
        return bytes(range(256)) * 10
    if kind == "not ours":
        header = b'{"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}'
        return struct.pack("<Q", len(header)) + header + b"1234"
    flipped = bytearray(content)
    flipped[-5] ^= 1
    return bytes(flipped)


KINDS = [
    "empty", "pickle", "torch file", "claims 2^62 bytes", "tensor claims 2^62 bytes",
    "cut short", "cut in the header", "noise", "not ours", "one bit flipped",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_refused_with_a_reason(tmp_path, kind):
    write_tensors(tmp_path / "f", TENSORS, NOTE)
    (tmp_path / "f").write_bytes(damage(kind, (tmp_path / "f").read_bytes()))
    with pytest.raises(Damaged) as caught:
        read_tensors(tmp_path / "f")
    assert "\n" not in str(caught.value)
    if kind == "pickle":
        assert "never loaded" in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_the_checkpoint_before_a_damaged_one_is_used(tmp_path, kind):
    for step in (1, 2, 3):
        write_checkpoint(tmp_path, TENSORS, {"step": step})
    newest = checkpoints(tmp_path)[0]
    newest.write_bytes(damage(kind, newest.read_bytes()))
    _, note, complaints = newest_checkpoint(tmp_path)
    assert note["step"] == 2
    assert len(complaints) == 1 and newest.name in complaints[0]


def test_only_the_last_two_are_kept(tmp_path):
    for step in (1, 20, 300):
        write_checkpoint(tmp_path, TENSORS, {"step": step})
    assert [path.name for path in checkpoints(tmp_path)] == ["step-000000300.safetensors", "step-000000020.safetensors"]


def test_without_a_usable_checkpoint_the_message_gives_the_reason(tmp_path):
    with pytest.raises(Damaged, match="no checkpoint"):
        newest_checkpoint(tmp_path)
    write_checkpoint(tmp_path, TENSORS, {"step": 1})
    checkpoints(tmp_path)[0].write_bytes(b"")
    with pytest.raises(Damaged, match=r"step-000000001.safetensors is damaged \(it is empty\)"):
        newest_checkpoint(tmp_path)


def test_a_full_disk_leaves_the_old_file_and_no_temporary_file(tmp_path, monkeypatch):
    write_tensors(tmp_path / "f", TENSORS, NOTE)
    before = (tmp_path / "f").read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ganforge.files.os.fsync", full)
    with pytest.raises(RunFailed, match="No space left on device"):
        write_tensors(tmp_path / "f", {"other": torch.zeros(3)}, NOTE)
    assert (tmp_path / "f").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_all_finite_detects_one_bad_number():
    assert all_finite(TENSORS)
    assert not all_finite({**TENSORS, "bad": torch.tensor([1.0, float("nan")])})
    assert not all_finite({**TENSORS, "bad": torch.tensor([float("-inf")])})
