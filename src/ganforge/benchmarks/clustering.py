"""``benchmark clusters``: unsupervised clustering of handwritten digits by a categorical code.

Training uses no labels. The categorical code that the discriminator reads from a test image is its cluster; labels only
match clusters to classes.
"""

import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

import ganforge
from ganforge.benchmarks.mode_coverage import read_kept
from ganforge.data.images import scale
from ganforge.data.load import load
from ganforge.errors import UserError
from ganforge.experiment.experiment import Experiment, ProgressListener
from ganforge.experiment.multi_seed import train_seeds
from ganforge.experiment.preflight import RUNS
from ganforge.experiment.run import Run
from ganforge.files import user_path, write_atomically
from ganforge.generation.grids import png, traversal_grid
from ganforge.json_text import to_json
from ganforge.metrics.clustering import clustering_accuracy
from ganforge.recipes.reading import load_recipe
from ganforge.runs.checkpoint import newest_checkpoint
from ganforge.runs.folder import RunFolder

METHOD = "infogan"
QUICK_STEPS, BLOCK = 300, 500
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
class ClustersReport:
    """The results of all seeds, with published rows."""

    recipe: str
    folder: Path
    quick: bool
    results: tuple[Clustering, ...]

    @property
    def terms(self) -> str:
        """Seeds, steps and data of our row on one line."""
        count = len(self.results)
        terms = f"{count} seed{'s' * (count != 1)}, {self.results[0].step:,} steps, test images, no selection by labels"
        return f"{'--quick: ' if self.quick else ''}{terms}"

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


def clusters(
    recipe: str | None = None,
    *,
    seeds: int = 1,
    steps: int | None = None,
    quick: bool = False,
    out: str | Path | None = None,
    watcher: ProgressListener | None = None,
) -> ClustersReport:
    """Train seeds 0, 1, ... on MNIST without labels, and measure the clustering accuracy on test digits.

    Complete runs in the folder are not trained again.

    Raises:
        UserError: the recipe has no categorical code, or as in `ganforge.train_seeds`.
    """
    watcher = watcher or ProgressListener()
    checked = load_recipe(recipe or METHOD)
    if not checked.codes.categorical:
        raise UserError(f"clusters needs a recipe with a categorical code, such as {METHOD}; {checked.name} has none")
    if checked.conditional or not checked.terms.mutual_information:
        reason = "is conditional" if checked.conditional else "reads no code: add terms.mutual_information"
        raise UserError(
            f"clusters needs an unconditional recipe that reads codes from pictures; {checked.name} {reason}"
        )
    length = QUICK_STEPS if quick and steps is None else steps
    folder = user_path(out) if out else RUNS / f"benchmark-clusters-{checked.name}{'-quick' if quick else ''}"
    runs = train_seeds(recipe or METHOD, seeds, data="mnist", steps=length, out=folder, watcher=watcher)
    results = tuple(Clustering(seed, run.step, _accuracy(run, seed)) for seed, run in enumerate(runs))
    return ClustersReport(checked.name, folder, quick, results)


def _accuracy(run: Run, seed: int) -> float:
    file = run.folder / f"clusters-{run.step}.json"
    if not file.exists():
        write_atomically(run.folder / "codes.png", png(traversal_grid(ganforge.load(run.folder), seed=seed)))
        clusters = read_codes(run.folder, seed)
        write_atomically(file, to_json(clustering_accuracy(load("mnist").test.labels.numpy(), clusters)).encode())
    return float(read_kept(file, float))


@torch.no_grad()
def read_codes(place: Path, seed: int) -> Any:
    """Return the first categorical code that a run's discriminator reads from each test digit, int64 [N]."""
    recipe, splits = load_recipe(str(RunFolder(place).recipe)), load("mnist")
    experiment = Experiment(recipe, splits, RunFolder(place), seed)
    state = experiment.new_state()
    tensors, note, _ = newest_checkpoint(RunFolder(place).checkpoints)
    state.load(tensors, note["step"], note["images_seen"])
    discriminator = state.discriminator.published.eval()
    blocks = []
    for pixels in splits.test.images.split(BLOCK):
        codes = discriminator(scale(pixels, recipe.pixel_range), None).codes
        blocks.append(recipe.codes.split(codes)[0][0].argmax(1))
    return torch.cat(blocks).numpy()
