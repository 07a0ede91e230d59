"""Tensors on disk as safetensors with one JSON note: written whole or not at all, checked when read, never a pickle."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_safetensors
from safetensors.torch import save as to_safetensors
from torch import Tensor

from ganforge.files import write_atomically
from ganforge.json_text import parse_json, to_json

# safetensors writes several metadata keys in arbitrary order; under a single key the same content is the same bytes.
_KEY = "ganforge"
KEPT = 2


class Damaged(Exception):
    """A file that cannot be what it should be; the message is a phrase that says what is wrong with it."""


def write_tensors(path: Path, tensors: dict[str, Tensor], note: dict[str, Any]) -> None:
    """Write tensors and a JSON note; the same content gives the same bytes.

    Raises:
        RunFailed: the disk is full or cannot be written to; an older file of that name is untouched.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(tensors.items())}
    text = to_json({**note, "digest": _digest(plain)}, sort_keys=True)
    write_atomically(path, to_safetensors(plain, {_KEY: text}))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors and note, on the CPU, and check their digest.

    Raises:
        Damaged: the file is not one of ours, or a single bit of its tensors has changed.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Damaged(f"it cannot be read: {error.strerror}") from None
    if not content:
        raise Damaged("it is empty")
    header = int.from_bytes(content[:8], "little")
    if content[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK"):
        raise Damaged("it is a pickle, which could run code and is never loaded")
    if header > len(content):
        raise Damaged(f"its header claims {header} bytes and the file has {len(content)}")
    try:
        tensors = parse_safetensors(content)
        note = parse_json(parse_json(content[8 : 8 + header])["__metadata__"][_KEY])
        digest = note.pop("digest")
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Damaged(f"it is not a ganforge file ({type(error).__name__})") from None
    if digest != _digest(tensors):
        raise Damaged("its content does not match its digest")
    return tensors, note


def _digest(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(np.ascontiguousarray(tensor.numpy()).data)
    return digest.hexdigest()


def all_finite(tensors: dict[str, Tensor]) -> bool:
    """Whether no tensor holds a NaN or an infinity; one answer for all, so the device is waited for once."""
    flags = [tensor.isfinite().all() for tensor in tensors.values() if tensor.is_floating_point()]
    return bool(torch.stack(flags).all()) if flags else True


def checkpoint_path(folder: Path, step: int) -> Path:
    """Where the checkpoint of ``step`` lies."""
    return folder / f"step-{step:09d}.safetensors"


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in ``folder``, newest first."""
    return sorted(folder.glob("step-*.safetensors"), reverse=True)


def write_checkpoint(folder: Path, tensors: dict[str, Tensor], note: dict[str, Any]) -> None:
    """Write the checkpoint of ``note["step"]``, then delete all but the newest ``KEPT``."""
    folder.mkdir(parents=True, exist_ok=True)
    write_tensors(checkpoint_path(folder, note["step"]), tensors, note)
    for old in checkpoints(folder)[KEPT:]:
        old.unlink()


def _check_counts(note: dict[str, Any]) -> None:
    """Refuse a note that does not say how far the run was, which the digest of the tensors does not cover."""
    for name, value in {"step": None, **note}.items():
        kinds = (int,) if name in ("step", "images_seen") else (int, float)
        if name in ("step", "images_seen", "seconds") and not (type(value) in kinds and value >= 0):
            raise Damaged(f"its {name} is no number")


def newest_checkpoint(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any], list[str]]:
    """Read the newest checkpoint that is whole; also says in words which newer ones were damaged.

    Raises:
        Damaged: there is none.
    """
    found = checkpoints(folder)
    complaints: list[str] = []
    for path in found:
        try:
            tensors, note = read_tensors(path)
            _check_counts(note)
            return tensors, note, complaints
        except Damaged as damage:
            complaints.append(f"checkpoint {path.name} is damaged ({damage})")
    raise Damaged("; ".join(complaints) if found else "it has no checkpoint")
