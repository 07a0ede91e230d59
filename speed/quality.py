"""How fast the default recipe gets good: speed/quality.py [SEEDS] [SECONDS].

The curve of the Fréchet distance (n = 10,000, MNIST's test images; nothing is chosen by them) over seconds of the
clock, start-up included, measuring not; when it is below that of the tutorial's GAN after its 100 epochs (S1: 18.2,
docs/systems.md), the first of two measurements in a row.
"""

import time

BEGAN = time.perf_counter()  # before torch is imported: a learner waits for that too

import statistics  # noqa: E402
import sys  # noqa: E402

from ganforge.data.load import load  # noqa: E402
from ganforge.experiment.experiment import Experiment  # noqa: E402
from ganforge.recipes.reading import load_recipe  # noqa: E402
from ganforge.runs.folder import RunFolder  # noqa: E402
from ganforge.training import loop  # noqa: E402
from ganforge.training.state import State  # noqa: E402
from ganforge.training.stats import Stats  # noqa: E402
from ganforge.training.step_function import step_function  # noqa: E402
from ganforge.training.tuning.malloc import keep_freed_memory  # noqa: E402
from ganforge.training.tuning.precision import choose_precision  # noqa: E402

N, S1, FLOOR = 10_000, 18.2, 0.197
MARKS = (4, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 20, 30, 45, 60, 90, 120, 180, 300, 450, 600)
"""Seconds after which it is measured."""
splits = load("mnist")
recipe = choose_precision(load_recipe("default", ["run.device=cpu"]), splits.train.shape, 10)
keep_freed_memory()
START_UP = time.perf_counter() - BEGAN  # what follows is for measuring

from ganforge.evaluation.evaluator import generate_images, random_subset  # noqa: E402
from ganforge.evaluation.features import FeatureExtractor  # noqa: E402
from ganforge.evaluation.metric_table import compute_metrics  # noqa: E402
from ganforge.judge.shipped import load_judge  # noqa: E402


class Curve:
    """Measures at the marks, with the clock stopped."""

    def __init__(self, experiment: Experiment, eye: FeatureExtractor, limit: float) -> None:
        self._experiment, self._eye, self._limit, self._lost = experiment, eye, limit, 0.0
        test = random_subset(splits.test, N, "reals")
        self._real, self._marks = eye.look(test.images, test.labels), list(MARKS)
        self._started = time.perf_counter() - START_UP
        self.points: list[tuple[float, float, float]] = []

    def seconds(self) -> float:
        """Since the start, without measuring."""
        return time.perf_counter() - self._started - self._lost

    def is_over(self, state: State) -> bool:
        """Whether ``limit`` seconds have passed."""
        return self.seconds() > self._limit

    def __call__(self, state: State, stats: Stats) -> None:
        """Measure, if a mark has passed."""
        now = self.seconds()
        if not self._marks or now < self._marks[0]:
            return
        began = time.perf_counter()
        self._marks = [mark for mark in self._marks if mark > now]
        images = generate_images(self._experiment.freeze_for_sampling(state), self._experiment.splits.test, N, seed=0)
        values = compute_metrics(self._real, self._eye.look(images.images, images.labels), 10)
        self.points.append((now, values["frechet_distance"], values["label_agreement"]))
        print(
            f"{now:6.1f} s, step {state.step:,}: Fréchet {self.points[-1][1]:.2f}, "
            f"{self.points[-1][1] / FLOOR:.1f} times the floor, agreement {self.points[-1][2]:.1%}",
            flush=True,
        )
        self._lost += time.perf_counter() - began


def main() -> None:
    """Train and print."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    limit = float(sys.argv[2]) if len(sys.argv) > 2 else 95.0
    eye, reached = FeatureExtractor(load_judge()), []
    print(f"{recipe.name}, {recipe.run.precision}; start-up {START_UP:.1f} s, counted for every seed")
    for seed in range(seeds):
        experiment = Experiment(recipe, splits, RunFolder("."), seed)
        curve = Curve(experiment, eye, limit)
        state = experiment.new_state()
        loop.train(
            state,
            step_function(recipe),
            recipe,
            experiment.streams(),
            experiment.draws(),
            stop=curve.is_over,
            hooks=[curve],
        )
        low = [point[1] <= S1 for point in curve.points]
        first = next((curve.points[k][0] for k in range(len(low) - 1) if low[k] and low[k + 1]), None)
        print(f"seed {seed}: S1's {S1} " + (f"reached after {first:.1f} s" if first else "not reached"))
        reached.append(first if first is not None else float("inf"))
    print(f"median of {seeds} seeds: {statistics.median(reached):.1f} s")


if __name__ == "__main__":
    main()
