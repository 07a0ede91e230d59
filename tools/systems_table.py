"""The table of all systems in docs/systems.md: three seeds of each, the same time for all, every figure over the seeds.

    make table MINUTES=1            # a minute for each seed on one core: about 30 minutes with two at a time
    python tools/systems_table.py --minutes 2 --out runs/table [--only dcgan,lsgan]

A run that is complete in the folder is neither trained nor measured again.
"""

import argparse
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

import ganforge
from ganforge.evaluation.compare import Group, distance_to_ideal
from ganforge.evaluation.result import shown
from ganforge.experiment.evaluate import read_group
from ganforge.runs.folder import RunFolder
from ganforge.runs.log import read_lines

SYSTEMS = (
    "vanilla",
    "vanilla-truncated",
    "minimax",
    "two-phase",
    "udacity",
    "udacity-deep",
    "cgan-tutorial",
    "cgan",
    "dcgan",
    "lsgan",
    "forge-1",
    "forge-2",
    "forge-1-unconditional",
    "forge-2-unconditional",
)
COLUMNS = {
    "classes_present": "digits",
    "label_agreement": "as asked",
    "confident": "sure",
    "class_spread": "spread",
    "recall": "recall",
    "coverage": "coverage",
    "frechet_distance": "Fréchet",
}
SEEDS = 3


def train(system: str, minutes: float, folder: Path) -> None:
    """Train and measure the seeds of a system, in a process of its own with one thread."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    log = folder / f"{system}.txt"
    arguments = ["--data", "mnist", "--minutes", str(minutes), "--seeds", str(SEEDS), "--out", str(folder / system)]
    with log.open("w", encoding="utf-8") as file:
        command = [sys.executable, "-m", "ganforge", "train", system, *arguments]
        subprocess.run(command, env=environment, stdout=file, stderr=file, check=True)
    for seed in range(SEEDS):
        run = RunFolder(folder / system / f"seed-{seed}")
        if not any("evaluation" in line for line in read_lines(run.metrics)):
            ganforge.evaluate(run.path)
    print(f"{system}: done", file=sys.stderr, flush=True)


def cell(group: Group, figure: str) -> str:
    """Mean ± standard deviation over the seeds, and the worst."""
    values = group.values(figure)
    if not values:
        return ""
    worst = max(values, key=lambda value: distance_to_ideal(figure, value))
    cells = (shown(value, figure) for value in (statistics.fmean(values), statistics.stdev(values), worst))
    return "{} ± {} ({})".format(*cells)


def main() -> None:
    """Train what is missing, two at a time, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--out", type=Path, default=Path("runs/table"))
    parser.add_argument("--only", default=",".join(SYSTEMS))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    systems = given.only.split(",")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda system: train(system, given.minutes, given.out), systems))
    groups = [read_group(given.out / system) for system in systems]
    protocol = groups[0].evaluations[0].protocol
    print(f"| recipe | images | {' | '.join(COLUMNS.values())} |\n|{'---|' * (len(COLUMNS) + 2)}")
    for system, group in zip(systems, groups, strict=True):
        seen = [
            read_lines(given.out / system / f"seed-{seed}" / "log.jsonl")[-1]["images_seen"] for seed in range(SEEDS)
        ]
        cells = [cell(group, figure) for figure in COLUMNS]
        print(f"| `{system}` | {statistics.fmean(seen) / 1e6:.2g} M | {' | '.join(cells)} |")
    references = {metric.name: metric.real_reference for metric in groups[0].evaluations[0].metrics}
    print(f"| *other real digits* | | {' | '.join(shown(references.get(figure), figure) for figure in COLUMNS)} |")
    about = f"{protocol.judge}, n = {protocol.n:,}, {protocol.split}"
    print(f"\nprotocol {protocol.id}: {about}; {given.minutes:g} minutes for each seed on one core")


if __name__ == "__main__":
    main()
