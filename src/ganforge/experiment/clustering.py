"""``benchmark clusters``: handwritten digits sorted without labels, by a code read from each picture.

The runs see no label. The categorical code read from each test image is its cluster; labels only name the clusters.
"""

import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

import ganforge
from ganforge.benchmarks.run import read_kept
from ganforge.data.images import scale
from ganforge.data.load import load
from ganforge.errors import UserError
from ganforge.experiment.experiment import Experiment, ProgressListener
from ganforge.experiment.multi_seed import train_seeds
from ganforge.experiment.preflight import RUNS
from ganforge.experiment.run import Run
from ganforge.files import user_path, write_atomically
from ganforge.json_text import to_json
from ganforge.metrics.clustering import clustering_accuracy
from ganforge.recipes.reading import load_recipe
from ganforge.runs.checkpoint import newest_checkpoint
from ganforge.runs.folder import RunFolder
from ganforge.sampling import png, traversal_grid

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
    """What one seed found; ``accuracy`` as a part of 1."""

    seed: int
    step: int
    accuracy: float


@dataclass(frozen=True)
class ClustersReport:
    """All seeds beside published rows."""

    recipe: str
    folder: Path
    quick: bool
    results: tuple[Clustering, ...]

    @property
    def terms(self) -> str:
        """How ours was done."""
        count = len(self.results)
        how = f"{count} seed{'s' * (count != 1)}, {self.results[0].step:,} steps, test images, no choice by labels"
        return f"{'--quick: ' if self.quick else ''}{how}"

    def table(self) -> list[tuple[str, ...]]:
        """Rows: method, accuracy, how."""
        found = [result.accuracy for result in self.results]
        shown = f"{statistics.fmean(found):.2%}"
        if len(found) > 1:
            shown += f" ± {100 * statistics.stdev(found):.2f} (worst {min(found):.2%})"
        return [*PUBLISHED, (f"ours: {self.recipe}", shown, self.terms)]

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values for JSON."""
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
    """Train seeds 0, 1, ... on MNIST without labels, and compare the code that is read from test digits with classes.

    Runs that are complete in the folder are not trained again.

    Raises:
        UserError: a recipe without a categorical code, or as `ganforge.train_seeds`.
    """
    watcher = watcher or ProgressListener()
    checked = load_recipe(recipe or METHOD)
    if not checked.codes.categorical:
        raise UserError(f"clusters needs a recipe with a categorical code, such as {METHOD}; {checked.name} has none")
    if checked.conditional or not checked.terms.mutual_information:
        why = "is told the classes" if checked.conditional else "reads no code: add terms.mutual_information"
        raise UserError(f"clusters needs codes that are read from pictures without a label; {checked.name} {why}")
    length = QUICK_STEPS if quick and steps is None else steps
    folder = user_path(out) if out else RUNS / f"benchmark-clusters-{checked.name}{'-quick' if quick else ''}"
    runs = train_seeds(recipe or METHOD, seeds, data="mnist", steps=length, out=folder, watcher=watcher)
    results = tuple(Clustering(seed, run.step, _accuracy(run, seed)) for seed, run in enumerate(runs))
    return ClustersReport(checked.name, folder, quick, results)


def _accuracy(run: Run, seed: int) -> float:
    kept = run.folder / f"clusters-{run.step}.json"
    if not kept.exists():
        write_atomically(run.folder / "codes.png", png(traversal_grid(ganforge.load(run.folder), seed=seed)))
        found = read_codes(run.folder, seed)
        write_atomically(kept, to_json(clustering_accuracy(load("mnist").test.labels.numpy(), found)).encode())
    return float(read_kept(kept, float))


@torch.no_grad()
def read_codes(place: Path, seed: int) -> Any:
    """Return which value of its first categorical code a run's discriminator reads from each test digit, int64 [N]."""
    recipe, splits = load_recipe(str(RunFolder(place).recipe)), load("mnist")
    experiment = Experiment(recipe, splits, RunFolder(place), seed)
    state = experiment.new_state()
    tensors, note, _ = newest_checkpoint(RunFolder(place).checkpoints)
    state.load(tensors, note["step"], note["images_seen"])
    net = state.discriminator.published.eval()
    read = []
    for pixels in splits.test.images.split(BLOCK):
        codes = net(scale(pixels, recipe.pixel_range), None).codes
        read.append(recipe.codes.split(codes)[0][0].argmax(1))
    return torch.cat(read).numpy()
