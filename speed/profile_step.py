"""Where a step of a recipe spends its time: python speed/profile_step.py forge-1 [field=value ...]

Prints images/s of the bare step (no hooks), processor time and page faults of a step, and which of torch's operations,
on which shapes, take most of it. The operations are timed as they are called: torch's own profiler, which keeps their
shapes meanwhile, made a step of ``dcgan`` take twice as long, and not everything in it equally.
"""

import resource
import sys
import time
from collections import defaultdict
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ganforge.data.load import load
from ganforge.experiment.experiment import Experiment
from ganforge.recipes.reading import load_recipe
from ganforge.runs.folder import RunFolder
from ganforge.training.step import adversarial_step
from ganforge.training.tuning.malloc import keep_freed_memory
from ganforge.training.tuning.precision import choose_precision

WARM_UP, STEPS, ROUNDS, PROFILED, SHOWN = 10, 30, 3, 20, 25


class Clock(TorchDispatchMode):
    """Times every operation that is called below it; ``seconds`` and ``calls`` by name and by shapes."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seconds: dict[tuple[str, str], float] = defaultdict(float)
        self.calls: dict[tuple[str, str], int] = defaultdict(int)

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call it and look at the clock before and behind."""
        started = time.perf_counter()
        result = operation(*args, **(kwargs or {}))
        seconds = time.perf_counter() - started
        tensors = [x for x in args if isinstance(x, Tensor)]
        shapes = " ".join(f"{'x'.join(map(str, x.shape)) or '[]'}:{str(x.dtype)[6:]}" for x in tensors)
        self.seconds[str(operation), shapes] += seconds
        self.calls[str(operation), shapes] += 1
        return result


def main(name: str, changes: list[str]) -> None:
    """Play the recipe on MNIST and print."""
    splits = load("mnist")
    train = splits.train
    recipe = choose_precision(load_recipe(name, ["run.device=cpu", *changes]), train.shape, len(train.class_names))
    experiment = Experiment(recipe, splits, RunFolder("."), 0)
    state, streams, draws = experiment.new_state(), experiment.streams(), experiment.draws()

    def play(steps: int) -> None:
        for _ in range(steps):
            adversarial_step(state, recipe, streams, draws)

    keep_freed_memory()
    play(WARM_UP)
    print(f"{recipe.name}, {recipe.run.precision}, threads: {torch.get_num_threads()}")
    for _ in range(ROUNDS):
        before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        play(STEPS)
        after, seconds = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - started
        user, system = ((getattr(after, f) - getattr(before, f)) / STEPS * 1000 for f in ("ru_utime", "ru_stime"))
        faults = (after.ru_minflt - before.ru_minflt) / STEPS
        rate = STEPS * recipe.batch_size * recipe.game.discriminator_steps / seconds
        print(f"{rate:,.0f} images/s; of a step: {user:.1f} ms user, {system:.1f} ms system, {faults:.0f} page faults")
    with Clock() as clock:
        play(PROFILED)
    whole, by_name = sum(clock.seconds.values()), defaultdict[str, float](float)
    for (operation, _), seconds in clock.seconds.items():
        by_name[operation] += seconds
    print(f"\nof {whole / PROFILED * 1000:.1f} ms a step in operations:")
    for operation, seconds in sorted(by_name.items(), key=lambda item: -item[1])[: SHOWN // 2]:
        print(f"{seconds / whole:6.1%}  {operation}")
    print("\n     ms   calls  operation on shapes")
    for (operation, shapes), seconds in sorted(clock.seconds.items(), key=lambda item: -item[1])[:SHOWN]:
        calls = clock.calls[operation, shapes] / PROFILED
        print(f"{seconds / PROFILED * 1000:7.2f}  {calls:6.1f}  {operation} {shapes}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
