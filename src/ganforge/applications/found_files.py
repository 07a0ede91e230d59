"""The folder of a probe: found.npz, groups.json and sheet.png, written and read."""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganforge.applications.corruption_trials import CorruptionTrial
from ganforge.applications.probe import Probe
from ganforge.errors import UserError
from ganforge.files import ensure_writable, user_path, write_atomically
from ganforge.generation.grids import GUTTER, image_grid, png
from ganforge.json_text import to_json

FOUND, GROUPS, SHEET = "found.npz", "groups.json", "sheet.png"
NUMBERS = ("labels", "group", "predicted")
"""Arrays of whole numbers in found.npz."""
ON_SHEET, COLUMNS = 12, 12
"""Groups on the sheet, and pictures of each."""
CORRUPTIONS_ON_SHEET = 6


@dataclass(frozen=True)
class Found:
    """Found pictures as a file has them.

    Attributes:
        images: uint8 [N, C, H, W].
        labels: int64 [N], the class that both readers are sure of.
        group, predicted: int64 [N].
        seed: of the probe.
        fingerprint: of the data that the generator was trained on.
        class_names: the names of the labels.
    """

    images: Tensor
    labels: Tensor
    group: Tensor
    predicted: Tensor
    seed: int
    fingerprint: str
    class_names: tuple[str, ...]


def check_folder(folder: Path) -> None:
    """Check before any work that the files of a probe can be written.

    Raises:
        UserError: no permission, or the path is that of a file.
    """
    ensure_writable(folder / GROUPS)


def report(probe: Probe, caption: str) -> dict[str, Any]:
    """Return the content of groups.json as plain values."""
    names = probe.class_names
    groups = [
        {"number": k, **asdict(group), "class": names[group.label], "read_as": names[group.predicted]}
        for k, group in enumerate(probe.groups)
    ]
    return {
        "probe": caption,
        "random_draws": probe.drawn,
        "sure": probe.sure,
        "error": probe.error,
        "interval": probe.interval,
        "searched": probe.searched,
        "found": len(probe.found),
        "groups": groups,
        "styles": [{**asdict(style), "class": names[style.label]} for style in probe.styles.table],
        "corruptions": [_plain(trial, names) for trial in probe.corruptions],
    }


def _plain(trial: CorruptionTrial, names: Sequence[str]) -> dict[str, Any]:
    """Return a trial without its pictures."""
    values = {field.name: getattr(trial, field.name) for field in fields(trial) if field.name != "misread"}
    return {**values, "class": names[trial.label]}


def sheet(probe: Probe, caption: str) -> Image.Image:
    """Return the first pictures of the most common groups and of the worst corruptions, a row for each."""
    rows, titles = [], []
    for number, group in enumerate(probe.groups[:ON_SHEET]):
        rows.append(probe.found.images[probe.group == number][:COLUMNS])
        titles.append(f"{group.name} · {group.rate:.2%}")
    for trial in [trial for trial in probe.corruptions if trial.hole][:CORRUPTIONS_ON_SHEET]:
        rows.append(trial.misread[:COLUMNS])
        titles.append(f"{trial.corruption} on {probe.class_names[trial.label]} · {trial.error:.0%} misread")
    filled = [torch.cat([row, row.new_full((COLUMNS - len(row), *row.shape[1:]), GUTTER)]) for row in rows]
    return image_grid(torch.cat(filled), COLUMNS, caption=caption, row_names=titles)


def write_probe(probe: Probe, folder: Path, *, seed: int, fingerprint: str, caption: str) -> list[Path]:
    """Write the three files and return them; a file that would hold no picture is left out.

    `check_folder` made the folder.

    Raises:
        RunFailed: a file could not be written.
    """
    files = [folder / GROUPS]
    if len(probe.found):
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            images=probe.found.images.numpy(),
            labels=probe.found.labels.numpy(),
            group=probe.group.numpy(),
            predicted=probe.found.predicted.numpy(),
            seed=np.int64(seed),
            fingerprint=np.array(fingerprint),
            class_names=np.array(probe.class_names),
        )
        write_atomically(folder / FOUND, buffer.getvalue())
        files.append(folder / FOUND)
    if len(probe.found) or any(trial.hole for trial in probe.corruptions):
        write_atomically(folder / SHEET, png(sheet(probe, caption)))
        files.append(folder / SHEET)
    write_atomically(folder / GROUPS, to_json(report(probe, caption), indent=2).encode())
    return files


def read_found(path: Path) -> Found:
    """Read the pictures of a probe from its folder or its .npz file.

    Raises:
        UserError: there is no such file, or it is no file of a probe.
    """
    file = user_path(path)
    file = file / FOUND if file.is_dir() else file
    if not file.is_file():
        raise UserError(f"{file}: is missing; 'ganforge probe CLASSIFIER --out FOLDER' writes it")
    try:
        with np.load(file, allow_pickle=False) as arrays:
            labels, group, predicted = (torch.from_numpy(arrays[name].astype(np.int64)) for name in NUMBERS)
            names = tuple(str(name) for name in arrays["class_names"])
            images = torch.from_numpy(arrays["images"])
            found = Found(images, labels, group, predicted, int(arrays["seed"]), str(arrays["fingerprint"]), names)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{file}: is no file of 'ganforge probe' ({type(error).__name__})") from None
    right = images.dtype == torch.uint8 and images.ndim == 4 and len(images) > 0
    if not right or {len(part) for part in (labels, group, predicted)} != {len(images)}:
        raise UserError(f"{file}: is no file of 'ganforge probe': its arrays do not fit together")
    if int(found.labels.min()) < 0 or int(found.labels.max()) >= len(names):
        raise UserError(f"{file}: is no file of 'ganforge probe': a label is none of its classes")
    return found
