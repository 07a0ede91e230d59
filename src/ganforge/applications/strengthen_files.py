"""The folder of a strengthening: strengthen.json, the weights of a torch module, or the pictures to train on."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import save
from torch import nn

from ganforge.applications.found_files import Found
from ganforge.applications.strength_verdict import best_arm, in_words, table_of
from ganforge.applications.strengthen import Strengthened
from ganforge.data.corruptions import PROTOCOL
from ganforge.files import ensure_writable, write_atomically
from ganforge.json_text import to_json

REPORT, WEIGHTS, PICTURES = "strengthen.json", "classifier.safetensors", "train.npz"


def check_folder(folder: Path) -> None:
    """Check before any work that the files can be written.

    Raises:
        UserError: no permission, or the path is that of a file.
    """
    ensure_writable(folder / REPORT)


def write_closed(found: Found, folder: Path) -> Path:
    """Write the pictures that a classifier that cannot be trained here may learn from, and return the file.

    ``images`` uint8 [N, C, H, W], ``labels`` int64 [N], ``class_names``.
    """
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, images=found.images.numpy(), labels=found.labels.numpy(), class_names=np.array(found.class_names)
    )
    write_atomically(folder / PICTURES, buffer.getvalue())
    return folder / PICTURES


def write_strengthened(result: Strengthened, folder: Path, *, steps: int) -> tuple[dict[str, Any], list[Path]]:
    """Write the report, and the weights of the best arm's first seed if it is a torch module; return report and files.

    Raises:
        RunFailed: a file could not be written.
    """
    header, rows = table_of(result.errors)
    best = best_arm(result.errors)
    report = {
        "trained": True,
        "steps": steps,
        "corruptions": PROTOCOL,
        "header": header,
        "rows": rows,
        "errors": result.errors,
        "words": in_words(result.errors),
        "best": best,
    }
    files = [folder / REPORT]
    if isinstance(module := result.classifiers[best], nn.Module):
        weights = {name: value.contiguous() for name, value in module.state_dict().items()}
        write_atomically(folder / WEIGHTS, save(weights))
        files.append(folder / WEIGHTS)
    write_atomically(folder / REPORT, to_json(report, indent=2).encode())
    return report, files
