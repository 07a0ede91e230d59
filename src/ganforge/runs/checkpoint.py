"""Tensors as safetensors files with JSON metadata: written atomically, verified when read, never pickled."""

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

# safetensors writes several metadata keys in arbitrary order; with a single key, equal content gives equal bytes.
_KEY = "ganforge"
KEPT = 2


class Damaged(Exception):
    """The file is damaged or of another format; the message is a phrase with the reason."""


def write_tensors(path: Path, tensors: dict[str, Tensor], note: dict[str, Any]) -> None:
    """Write tensors and JSON metadata; equal content gives equal bytes.

    Raises:
        RunFailed: the disk is full or cannot be written to; an older file of that name is unchanged.
    """
    cpu_tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(tensors.items())}
    text = to_json({**note, "digest": _digest(cpu_tensors)}, sort_keys=True)
    write_atomically(path, to_safetensors(cpu_tensors, {_KEY: text}))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors, on the CPU, and metadata, and verify the digest of the tensors.

    Raises:
        Damaged: the file was not written by ganforge, or its tensors have changed.
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
    """Whether no tensor holds a NaN or an infinity; checked with a single synchronisation of the device."""
    flags = [tensor.isfinite().all() for tensor in tensors.values() if tensor.is_floating_point()]
    return bool(torch.stack(flags).all()) if flags else True


def checkpoint_path(folder: Path, step: int) -> Path:
    """Return the path of the checkpoint of ``step``."""
    return folder / f"step-{step:09d}.safetensors"


def checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in ``folder``, newest first."""
    return sorted(folder.glob("step-*.safetensors"), reverse=True)


def write_checkpoint(folder: Path, tensors: dict[str, Tensor], note: dict[str, Any]) -> None:
    """Write the checkpoint of ``note["step"]``, then delete all but the newest ``KEPT``."""
    folder.mkdir(parents=True, exist_ok=True)
    write_tensors(checkpoint_path(folder, note["step"]), tensors, note)
    for old in checkpoints(folder)[KEPT:]:
        old.unlink()


def _check_counts(note: dict[str, Any]) -> None:
    """Refuse metadata without valid counters: the digest covers the tensors only."""
    for name, value in {"step": None, **note}.items():
        types = (int,) if name in ("step", "images_seen") else (int, float)
        if name in ("step", "images_seen", "seconds") and not (type(value) in types and value >= 0):
            raise Damaged(f"its {name} is not a number")


def newest_checkpoint(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any], list[str]]:
    """Return tensors and metadata of the newest whole checkpoint, and messages on newer ones that are damaged.

    Raises:
        Damaged: no whole checkpoint is left.
    """
    paths = checkpoints(folder)
    messages: list[str] = []
    for path in paths:
        try:
            tensors, note = read_tensors(path)
            _check_counts(note)
            return tensors, note, messages
        except Damaged as damage:
            messages.append(f"checkpoint {path.name} is damaged ({damage})")
    raise Damaged("; ".join(messages) if paths else "it has no checkpoint")
