"""What the seeds of a benchmark found on their way, as they wrote it down."""

import math
from pathlib import Path
from typing import Any

from ganforge.benchmarks.problems import FULL
from ganforge.benchmarks.run import read_kept
from ganforge.errors import UserError
from ganforge.runs.log import read_lines

Curve = list[tuple[float, float, float]]
"""Points (step, modes, reverse KL)."""


def curves_of(folder: Path, benchmark: str) -> dict[str, Curve]:
    """Return the curve of every seed in the folder of a benchmark, by the folder's name and the seed's.

    A seed that has not come to the first point, at step 100, has none.

    Raises:
        UserError: it is not the folder of this benchmark.
    """
    kept = folder / "benchmark.json"
    if not kept.exists() or read_kept(kept).get("benchmark") != benchmark:
        raise UserError(f"{folder} is no folder of 'ganforge benchmark {benchmark}'")
    curves: dict[str, Curve] = {}
    for file in sorted(folder.glob("seed-*/curve.jsonl"), key=lambda file: int(file.parent.name[5:])):
        lines, name = read_lines(file), f"{folder.name}, {file.parent.name.replace('-', ' ')}"
        for kind, how in (("", ""), (FULL, ", full contrast")):
            if lines and f"modes{kind}" in lines[0]:
                curves[name + how] = [_point(line, kind) for line in lines]
    return curves


def _point(line: dict[str, Any], kind: str) -> tuple[float, float, float]:
    divergence = line[f"reverse_kl{kind}"]
    return line["step"], line[f"modes{kind}"], math.nan if divergence is None else divergence
