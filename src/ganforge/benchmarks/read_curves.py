"""Reads the curves that the seeds of a benchmark wrote during training."""

import math
from pathlib import Path
from typing import Any

from ganforge.benchmarks.common import IDENTITY, list_seed_files, read_kept
from ganforge.benchmarks.problems import FULL
from ganforge.errors import UserError
from ganforge.runs.log import read_lines

Curve = list[tuple[float, float, float]]
"""Points (step, modes, reverse KL)."""


def read_curves(folder: Path, benchmark: str) -> dict[str, Curve]:
    """Return the curve of every seed in the folder of a benchmark, by name of the folder and seed.

    A seed that has not reached the first point, step 100, has no curve.

    Raises:
        UserError: the folder is not one of this benchmark.
    """
    identity_file = folder / IDENTITY
    if not identity_file.exists() or read_kept(identity_file).get("benchmark") != benchmark:
        raise UserError(f"{folder} is not a folder of 'ganforge benchmark {benchmark}'; name one")
    curves: dict[str, Curve] = {}
    for file in list_seed_files(folder, "curve.jsonl"):
        lines, name = read_lines(file), f"{folder.name}, {file.parent.name.replace('-', ' ')}"
        for suffix, description in (("", ""), (FULL, ", full contrast")):
            if lines and f"modes{suffix}" in lines[0]:
                curves[name + description] = [_point(line, suffix) for line in lines]
    return curves


def _point(line: dict[str, Any], suffix: str) -> tuple[float, float, float]:
    divergence = line[f"reverse_kl{suffix}"]
    return line["step"], line[f"modes{suffix}"], math.nan if divergence is None else divergence
