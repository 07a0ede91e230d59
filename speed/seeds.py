"""Several seeds as one computation beside one run, in turn: speed/seeds.py vanilla|gan-2d|forge-2d [SEEDS] [--cpu].

Prints what a step of all members takes in steps of one run of ours, and, for `vanilla`, of plain eager PyTorch.
"""

import statistics
import sys
import time

import torch
from step import IMAGES, SHAPE, PlainVanilla

from ganforge.benchmarks.protocols import find
from ganforge.data.batches import Batches
from ganforge.data.images import ImageSet
from ganforge.recipes.reading import load_recipe
from ganforge.training.draws import Draws
from ganforge.training.ensemble import CrewDraws, ensemble, together
from ganforge.training.memory import keep_freed_memory
from ganforge.training.state import new_state, prepare
from ganforge.training.step import adversarial

ROUNDS, STEPS, CPU = 7, 60, torch.device("cpu")


class Runs:
    """So many seeds of a recipe, played as one."""

    def __init__(self, name: str, count: int) -> None:
        self.recipe = load_recipe(name, ["device=cpu", "precision=fp32"])
        if name == "vanilla":
            random = torch.Generator().manual_seed(0)
            pixels = torch.randint(0, 256, (IMAGES, *SHAPE), dtype=torch.uint8, generator=random)
            data, shape = ImageSet(pixels, torch.full((IMAGES,), -1)), SHAPE
        else:
            problem = find("ring").problem
            shape = problem.shape
        states, streams, draws = [], [], []
        for seed in range(count):
            if name == "vanilla":
                size, pixels = self.recipe.batch_size, self.recipe.pixel_range
                stream = Batches(data, size, pixels, seed=seed, labels=False, device=CPU)
            else:
                stream = problem.batches(self.recipe, seed)
            streams.append({"real": stream})
            draws.append(Draws(self.recipe, seed, CPU))
            states.append(new_state(self.recipe, shape, 0, seed, CPU))
            prepare(states[-1], self.recipe, streams[-1], draws[-1])
        alone = count == 1
        self.state = states[0] if alone else ensemble(states, self.recipe)
        self.streams = streams[0] if alone else together(streams)
        self.draws = draws[0] if alone else CrewDraws(draws)

    def __call__(self) -> None:
        """Play ``STEPS`` steps."""
        for _ in range(STEPS):
            adversarial(self.state, self.recipe, self.streams, self.draws)


def main() -> None:
    """Print the ratios, round by round, then their medians."""
    words = [word for word in sys.argv[1:] if word != "--cpu"]
    clock = time.process_time if "--cpu" in sys.argv else time.perf_counter
    name, count = words[0], int(words[1]) if len(words) > 1 else 8
    keep_freed_memory()
    players = {"one run": (Runs(name, 1), STEPS), f"{count} as one": (Runs(name, count), STEPS)}
    if name == "vanilla":
        images = torch.randint(0, 256, (IMAGES, *SHAPE), dtype=torch.uint8)
        players["plain eager"] = (PlainVanilla(images, False), PlainVanilla.steps)
    ratios: dict[str, list[float]] = {who: [] for who in players}
    for round_ in range(ROUNDS + 1):
        taken = {}
        for who, (play, steps) in players.items():
            began = clock()
            play()
            taken[who] = (clock() - began) / steps
        if round_:  # the first warms up
            for who, one in taken.items():
                ratios[who].append(taken[f"{count} as one"] / one)
            print(f"round {round_}: " + ", ".join(f"{who} {1e3 * one:.2f} ms a step" for who, one in taken.items()))
    for who, found in ratios.items():
        if who != f"{count} as one":
            least, most = min(found), max(found)
            print(f"{count} seeds take {statistics.median(found):.2f} ({least:.2f} to {most:.2f}) times {who}")


if __name__ == "__main__":
    main()
