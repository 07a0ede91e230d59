"""``benchmark autoencoders``: who copies, who invents, who blurs.

An autoencoder, a variational one and a GAN with the same generator, after equally many of the same images.
"""

import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganforge.benchmarks.run import read_kept
from ganforge.data.images import ImageSet, Splits
from ganforge.data.load import load
from ganforge.encoding import fitted
from ganforge.errors import UserError
from ganforge.evaluation.evaluator import Evaluator, random_subset
from ganforge.evaluation.features import FeatureExtractor
from ganforge.evaluation.metric_table import METRICS
from ganforge.evaluation.report import shown
from ganforge.experiment.experiment import ProgressListener
from ganforge.experiment.multi_seed import train_seeds
from ganforge.experiment.preflight import RUNS
from ganforge.experiment.reconstruction import load_reconstructor
from ganforge.experiment.run import Run
from ganforge.files import user_path, write_atomically
from ganforge.json_text import to_json
from ganforge.judge.measure import other_reals
from ganforge.judge.shipped import load_judge
from ganforge.metrics.reconstruction import relative_mse, sharpness
from ganforge.recipes.reading import load_recipe
from ganforge.recipes.recipe import Recipe
from ganforge.sampling import image_grid, png

POINTS, CLOUDS, GAN = "autoencoder", "vae", "forge-1-unconditional"
QUICK_STEPS, N, QUICK_N = 300, 10_000, 1_000
COLUMNS = 10
COPIES, FITTED = "test images again", "noise like its codes"
FIGURES = ("frechet_distance", "recall", "coverage", "class_spread", "confident", "copying", "repetition")
EXTRA = ("lost", "sharpness")
Figures = dict[str, float]
Rows = dict[str, Figures]
"""Figures by what was measured."""


@dataclass(frozen=True)
class AutoencodersReport:
    """All seeds; ``results``: one for each, figures by pictures, ``seconds`` of training by recipe.

    ``floor`` is that of other real digits.
    """

    gan: str
    folder: Path
    steps: int
    images: int
    n: int
    quick: bool
    results: tuple[dict[str, Any], ...]

    @property
    def terms(self) -> str:
        """How it was done."""
        count = len(self.results)
        seeds = f"{count} seed{'s' * (count != 1)}"
        return f"{'--quick: ' if self.quick else ''}{seeds}, {self.steps:,} steps of each ({self.images:,} images)"

    def header(self) -> tuple[str, ...]:
        """What the columns of ``table`` are."""
        return ("pictures", *EXTRA, *(METRICS[name].title for name in FIGURES))

    def table(self) -> list[tuple[str, ...]]:
        """Rows: whose pictures, then every figure, its mean and standard deviation over the seeds."""
        return [(row, *(self._cell(row, name) for name in (*EXTRA, *FIGURES))) for row in self.results[0]["rows"]]

    def seconds(self) -> str:
        """How long the training of each took."""
        names = self.results[0]["seconds"]
        mean = {name: statistics.fmean(result["seconds"][name] for result in self.results) for name in names}
        return ", ".join(f"{name} {seconds:,.0f} s" for name, seconds in mean.items())

    def _cell(self, row: str, name: str) -> str:
        values = [result["rows"][row][name] for result in self.results if name in result["rows"][row]]
        if not values:
            return ""
        cells = [statistics.fmean(values), *([statistics.stdev(values)] if len(values) > 1 else [])]
        return " ± ".join(f"{cell:.1%}" if name == "lost" else shown(cell, name) for cell in cells)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values for JSON."""
        return {
            "benchmark": "autoencoders",
            "gan": self.gan,
            "folder": str(self.folder),
            "terms": self.terms,
            "n": self.n,
            "seeds": list(self.results),
        }


def autoencoders(
    recipe: str | None = None,
    *,
    seeds: int = 1,
    steps: int | None = None,
    quick: bool = False,
    out: str | Path | None = None,
    watcher: ProgressListener | None = None,
) -> AutoencodersReport:
    """Train the three on MNIST with seeds 0, 1, ... for equally many steps, and measure what each makes.

    Runs that are complete in the folder are not trained again, and what was measured is kept.

    Args:
        recipe: another GAN; its generator must be that of the autoencoders.

    Raises:
        UserError: a GAN that does not compare, or as `ganforge.train_seeds`.
    """
    watcher = watcher or ProgressListener()
    gan = load_recipe(recipe or GAN)
    refuse(gan)
    usual = QUICK_STEPS if quick else -(-load_recipe(POINTS).kimg * 1000 // gan.batch_size)
    length = usual if steps is None else steps
    folder = user_path(out) if out else RUNS / f"benchmark-autoencoders-{gan.name}{'-quick' if quick else ''}"
    splits, n = load("mnist"), QUICK_N if quick else N
    runs = {}
    for name, source in ((POINTS, POINTS), (CLOUDS, CLOUDS), (gan.name, recipe or GAN)):
        place = folder / name
        runs[name] = train_seeds(source, seeds, data="mnist", steps=length, out=place, watcher=watcher)
    results, yardstick = [], None
    for seed in range(seeds):
        kept = folder / f"seed-{seed}-{length}-{n}.json"
        if not kept.exists():
            watcher.say(f"measuring seed {seed} ...")
            yardstick = yardstick or Evaluator(FeatureExtractor(load_judge()), splits, "test", n, say=watcher.say)
            found = _measure({name: of[seed] for name, of in runs.items()}, gan.name, yardstick, splits, n, seed)
            write_atomically(folder / f"seed-{seed}.png", found.pop("picture"))
            write_atomically(kept, to_json(found, indent=2).encode())
        results.append(read_kept(kept))
    return AutoencodersReport(gan.name, folder, length, length * gan.batch_size, n, quick, tuple(results))


def refuse(gan: Recipe) -> None:
    """Raise UserError unless a recipe is a GAN that differs from the autoencoders in how it learns alone."""
    ours = load_recipe(POINTS)
    if gan.discriminator is None or gan.uses_classes:
        raise UserError(f"autoencoders compares with an unconditional GAN, such as {GAN}; {gan.name} is none")
    for name in ("generator", "latent", "batch_size"):
        if getattr(gan, name) != getattr(ours, name):
            raise UserError(f"{gan.name} has another {name} than {POINTS}: they would not compare; {GAN} does")
    if gan.discriminator_steps > 1:
        raise UserError(f"{gan.name} sees {gan.discriminator_steps} times the images in a step: they would not compare")


def _measure(runs: dict[str, Run], gan: str, yardstick: Evaluator, splits: Splits, n: int, seed: int) -> dict[str, Any]:
    """Let the three draw and the two copy; every set of pictures by every figure."""
    reals, others = (
        random_subset(splits.test, n, "reals").images,
        other_reals(splits.train, n).images,
    )  # the yardstick's own
    pictures = pictures_of(runs, gan, splits, reals, n, seed)
    rows: Rows = {}
    floor: Figures = {"sharpness": sharpness(reals, others)}
    for row, images in pictures.items():
        fakes = ImageSet(images, torch.full((len(images),), -1), (), row)
        found = yardstick.measure(fakes, row)
        rows[row] = {figure.name: figure.value for figure in found.figures if figure.name in FIGURES}
        rows[row]["sharpness"] = sharpness(reals, images)
        if COPIES in row:
            rows[row]["lost"] = relative_mse(reals, images)
        floor |= {f.name: f.floor for f in found.figures if f.name in FIGURES and f.floor is not None}
    strip = torch.cat([images[:COLUMNS] for images in (reals, *pictures.values())])
    caption = f"seed {seed}, {runs[gan].step:,} steps each · {COPIES}: of the row of real ones"
    picture = png(image_grid(strip, COLUMNS, caption=caption, row_names=["real", *pictures]))
    seconds = {name: run.seconds for name, run in runs.items()}
    return {"seed": seed, "rows": {"other real digits": floor, **rows}, "seconds": seconds, "picture": picture}


def pictures_of(runs: dict[str, Run], gan: str, splits: Splits, reals: Tensor, n: int, seed: int) -> dict[str, Tensor]:
    """Return uint8 images [n, C, H, W] by what they are: reconstructions of the reals, and drawn ones."""
    points, clouds = (load_reconstructor(runs[name].folder) for name in (POINTS, CLOUDS))
    near = fitted(points.encoder.encode(splits.train.images), points.generator.latent(n, seed=seed, name="fitted"))
    return {
        f"{POINTS}: {COPIES}": points.reconstruct(reals),
        f"{CLOUDS}: {COPIES}": clouds.reconstruct(reals),
        f"{POINTS}: noise": points.generator.sample(n, seed=seed),
        f"{POINTS}: {FITTED}": points.generator.draw(near),
        f"{CLOUDS}: noise": clouds.generator.sample(n, seed=seed),
        f"{gan}: noise": runs[gan].generator().sample(n, seed=seed),
    }
