"""All seeds of a recipe beside one run of plain eager PyTorch, in turn: speed/seeds.py [vanilla|ring] [SEEDS] [STEPS].

Both are whole programs on made-up digits, or on the ring, with all cores of the machine: start-up, saving and, for
points, measuring count on both sides, and plain PyTorch is given only torch and its steps. Prints how many runs of
plain PyTorch (float32) the seeds take, played as they are played here. ``--bf16``: vanilla in bf16, which its recipe
does not ask for; ``--in-turn``: one seed after the other as well.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROUNDS = 3
PLAIN = """
import sys; sys.path.insert(0, {here!r})
import torch
from step import IMAGES, SHAPE, PlainVanilla
play = PlainVanilla(torch.randint(0, 256, (IMAGES, *SHAPE), dtype=torch.uint8), False)
play.steps = {steps}
play()
"""


def took(*command: str) -> float:
    """Run a program, return its seconds."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    """Print the ratios, round by round, then their medians."""
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    name = words[0] if words else "vanilla"
    count = int(words[1]) if len(words) > 1 else 8
    steps = int(words[2]) if len(words) > 2 else 6_000
    here = Path(__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        plain: tuple[str, ...]
        ours: tuple[str, ...]
        ways: dict[str, tuple[str, ...]]
        if name == "vanilla":
            data = place / "digits.npz"
            np.savez(data, images=np.random.default_rng(0).integers(0, 256, (60_000, 28, 28), dtype=np.uint8))
            plain = ("-c", PLAIN.format(here=str(here), steps=steps))
            ours = ("-m", "ganforge", "train", "vanilla", "--data", str(data), "--seeds", str(count))
            ours += ("--set", "run.precision=bf16") if "--bf16" in sys.argv else ()
            ways = {"as chosen here": (), **({"in turn": ("--at-once", "1")} if "--in-turn" in sys.argv else {})}
        else:
            plain = (str(here / "points_plain.py"), name, str(steps), str(place / "plain"), "0")
            ours = ("-m", "ganforge", "benchmark", name, "--seeds", str(count))
            ways = {"as chosen here": ()}
        ratios: dict[str, list[float]] = {way: [] for way in ways}
        for round_ in range(ROUNDS):
            alone = took(*plain)
            print(f"round {round_}: one plain run {alone:.1f} s", end="", flush=True)
            for way, flags in ways.items():
                out = place / f"{way.replace(' ', '-')}-{round_}"
                seconds = took(*ours, "--steps", str(steps), "--out", str(out), *flags)
                ratios[way].append(seconds / alone)
                print(f", {count} seeds {way} {seconds:.1f} s", end="", flush=True)
            print()
        for way, found in ratios.items():
            least, most = min(found), max(found)
            print(f"{count} seeds {way}: {statistics.median(found):.2f} ({least:.2f} to {most:.2f}) plain runs")


if __name__ == "__main__":
    main()
