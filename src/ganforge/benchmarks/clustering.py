"""``benchmark clusters``: unsupervised clustering of handwritten digits by a categorical code.

Training uses no labels. The categorical code that the discriminator reads from a test image is its cluster; labels only
match clusters to classes.
"""

import statistics
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

import ganforge
from ganforge.benchmarks.common import QUICK_STEPS, BenchmarkOptions, BenchmarkReport, count_of, measure_once
from ganforge.data.images import scale
from ganforge.data.load import load
from ganforge.errors import UserError
from ganforge.experiment.experiment import Experiment
from ganforge.experiment.run import Run
from ganforge.experiment.trainer import load_state
from ganforge.files import write_atomically
from ganforge.generation.grids import png, traversal_grid
from ganforge.metrics.clustering import clustering_accuracy
from ganforge.recipes.reading import load_recipe
from ganforge.runs.folder import RunFolder

METHOD = "infogan"
BLOCK = 500
PUBLISHED = (
    ("InfoGAN", "95 %", "its authors' claim"),
    ("InfoGAN", "89.0 %", "a rerun by others"),
    ("ClusterGAN", "90.97 % ± 3.98", "10 runs"),
    ("DC3-GAN", "97.6 %", "the best of 5"),
)


@dataclass(frozen=True)
class Clustering:
    """The result of one seed; ``accuracy`` is in [0, 1]."""

    seed: int
    step: int
    accuracy: float


@dataclass(frozen=True)
class ClustersReport(BenchmarkReport):
    """The results of all seeds, with published rows."""

    recipe: str
    folder: Path
    quick: bool
    results: tuple[Clustering, ...]
    title = "clusters: MNIST test digits clustered without labels; accuracy under the best one-to-one map to classes"
    header = ("method", "accuracy", "how")

    @property
    def terms(self) -> str:
        """Seeds, steps and data of our row on one line."""
        terms = f"{count_of(len(self.results), 'seed')}, {self.results[0].step:,} steps"
        return f"{'--quick: ' if self.quick else ''}{terms}, test images, no selection by labels"

    def notes(self) -> list[str]:
        """Return where the pictures are."""
        return [f"the effect of each code: {self.folder}/seed-*/codes.png"]

    def table(self) -> list[tuple[str, ...]]:
        """Return the rows: method, accuracy, how."""
        accuracies = [result.accuracy for result in self.results]
        cell = f"{statistics.fmean(accuracies):.2%}"
        if len(accuracies) > 1:
            cell += f" ± {100 * statistics.stdev(accuracies):.2f} (worst {min(accuracies):.2%})"
        return [*PUBLISHED, (f"ours: {self.recipe}", cell, self.terms)]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return {
            "benchmark": "clusters",
            "recipe": self.recipe,
            "folder": str(self.folder),
            "terms": self.terms,
            "published": [dict(zip(("method", "accuracy", "how"), row, strict=True)) for row in PUBLISHED],
            "seeds": [asdict(result) for result in self.results],
        }


def run_clustering(options: BenchmarkOptions) -> ClustersReport:
    """Train seeds 0, 1, ... on MNIST without labels, and measure the clustering accuracy on test digits.

    Complete runs in the folder are not trained again.

    Raises:
        UserError: the recipe has no categorical code, or as in `ganforge.train_seeds`.
    """
    checked = options.recipe_or(METHOD)
    if not checked.codes.categorical:
        raise UserError(f"clusters needs a recipe with a categorical code, such as {METHOD}; {checked.name} has none")
    if checked.conditional or not checked.terms.mutual_information:
        reason = "is conditional" if checked.conditional else "reads no code: add terms.mutual_information"
        raise UserError(
            f"clusters needs an unconditional recipe that reads codes from pictures; {checked.name} {reason}"
        )
    steps, folder = options.steps_or(None, quick=QUICK_STEPS), options.folder(checked.name)
    runs = options.train_on_mnist(options.recipe or METHOD, folder, steps)
    results = []
    for seed, run in enumerate(runs):
        accuracy = measure_once(run.folder / f"clusters-{run.step}.json", partial(_accuracy, run, seed), float)
        results.append(Clustering(seed, run.step, accuracy))
    return ClustersReport(checked.name, folder, options.quick, tuple(results))


def _accuracy(run: Run, seed: int) -> float:
    """Draw the sheet of codes and return the clustering accuracy."""
    write_atomically(run.folder / "codes.png", png(traversal_grid(ganforge.load(run.folder), seed=seed)))
    return clustering_accuracy(load("mnist").test.labels.numpy(), read_codes(run.folder, seed))


@torch.no_grad()
def read_codes(place: Path, seed: int) -> Any:
    """Return the first categorical code that a run's discriminator reads from each test digit, int64 [N]."""
    folder, splits = RunFolder(place), load("mnist")
    recipe = load_recipe(str(folder.recipe))
    state = Experiment(recipe, splits, folder, seed).new_state()
    load_state(folder.checkpoints, state)
    discriminator = state.discriminator.published.eval()
    blocks = []
    for pixels in splits.test.images.split(BLOCK):
        codes = discriminator(scale(pixels, recipe.pixel_range), None).codes
        blocks.append(recipe.codes.split(codes)[0][0].argmax(1))
    return torch.cat(blocks).numpy()
