"""``benchmark autoencoders``: reconstruction, sample quality, copying and blur of three models.

An autoencoder, a variational one and a GAN with the same generator, trained on the same number of the same images.
"""

import statistics
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganforge.applications.reconstruction import load_reconstructor
from ganforge.benchmarks.common import (
    QUICK_STEPS,
    BenchmarkOptions,
    BenchmarkReport,
    count_of,
    mean_and_sd,
    measure_once,
)
from ganforge.data.images import ImageSet, Splits
from ganforge.data.load import load
from ganforge.errors import UserError
from ganforge.evaluation.evaluator import Evaluator, other_reals, random_subset
from ganforge.evaluation.features import FeatureExtractor
from ganforge.evaluation.metric_table import METRICS
from ganforge.evaluation.result import shown
from ganforge.experiment.run import Run
from ganforge.files import write_atomically
from ganforge.generation.encoder import fitted
from ganforge.generation.grids import image_grid, png
from ganforge.judge.shipped import load_judge
from ganforge.metrics.reconstruction import relative_mse, sharpness
from ganforge.recipes.reading import load_recipe
from ganforge.recipes.recipe import Recipe

AUTOENCODER, VARIATIONAL, GAN = "autoencoder", "vae", "forge-1-unconditional"
N, QUICK_N = 10_000, 1_000
COLUMNS = 10
COPIES, FITTED = "test images again", "noise like its codes"
FIGURES = ("frechet_distance", "recall", "coverage", "class_spread", "confident", "copying", "repetition")
EXTRA = ("lost", "sharpness")
Figures = dict[str, float]


@dataclass(frozen=True)
class AutoencodersReport(BenchmarkReport):
    """The results of all seeds: for each, metrics by row and ``seconds`` of training by recipe."""

    gan: str
    folder: Path
    steps: int
    images: int
    n: int
    quick: bool
    results: tuple[dict[str, Any], ...]

    @property
    def terms(self) -> str:
        """Seeds, steps and images on one line."""
        seeds = count_of(len(self.results), "seed")
        return f"{'--quick: ' if self.quick else ''}{seeds}, {self.steps:,} steps of each ({self.images:,} images)"

    @property
    def title(self) -> str:
        """The question, and how the models were trained."""
        return f"autoencoders: reconstruction, copying and blur of three models; {self.terms}, n = {self.n:,}"

    @property
    def header(self) -> tuple[str, ...]:
        """The titles of the columns."""
        return ("pictures", *EXTRA, *(METRICS[name].title for name in FIGURES))

    def table(self) -> list[tuple[str, ...]]:
        """Return the rows: kind of pictures, then mean and standard deviation of each metric over the seeds."""
        return [(row, *(self._cell(row, name) for name in (*EXTRA, *FIGURES))) for row in self.results[0]["rows"]]

    def notes(self) -> list[str]:
        """Return how to read the table, the training times, and where the pictures are."""
        return [
            "lost: squared error of reconstructions over the variance of test images; sharpness: 1 for real images",
            f"equal numbers of images, not equal time: {self.seconds()}; pictures: {self.folder}/seed-*.png",
        ]

    def seconds(self) -> str:
        """Return the training time of each model on one line."""
        names = self.results[0]["seconds"]
        mean = {name: statistics.fmean(result["seconds"][name] for result in self.results) for name in names}
        return ", ".join(f"{name} {seconds:,.0f} s" for name, seconds in mean.items())

    def _cell(self, row: str, name: str) -> str:
        values = [result["rows"][row][name] for result in self.results if name in result["rows"][row]]
        if not values:
            return ""
        return mean_and_sd(values, "{:.1%}".format if name == "lost" else partial(shown, name=name))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return {
            "benchmark": "autoencoders",
            "gan": self.gan,
            "folder": str(self.folder),
            "terms": self.terms,
            "n": self.n,
            "seeds": list(self.results),
        }


def run_autoencoders(options: BenchmarkOptions) -> AutoencodersReport:
    """Train the three models on MNIST with seeds 0, 1, ... for equally many steps, and measure their pictures.

    Complete runs in the folder are not trained again, and saved measurements are kept.

    Args:
        options: ``recipe``: another GAN; it must have the generator of the autoencoders.

    Raises:
        UserError: the GAN is not comparable, or as in `ganforge.train_seeds`.
    """
    gan, watcher = options.recipe_or(GAN), options.watcher
    refuse(gan)
    steps = options.steps_or(-(-load_recipe(AUTOENCODER).run.kimg * 1000 // gan.batch_size), quick=QUICK_STEPS)
    folder, splits, n = options.folder(gan.name), load("mnist"), QUICK_N if options.quick else N
    sources = {AUTOENCODER: AUTOENCODER, VARIATIONAL: VARIATIONAL, gan.name: options.recipe or GAN}
    runs = {name: options.train_on_mnist(source, folder / name, steps) for name, source in sources.items()}
    evaluator = cache(lambda: Evaluator(FeatureExtractor(load_judge()), splits, "test", n, say=watcher.say))

    def measure(seed: int) -> dict[str, Any]:
        watcher.say(f"measuring seed {seed} ...")
        seed_runs = {name: by_seed[seed] for name, by_seed in runs.items()}
        result = _measure(seed_runs, gan.name, evaluator(), splits, n, seed)
        write_atomically(folder / f"seed-{seed}.png", result.pop("picture"))
        return result

    files = [folder / f"seed-{seed}-{steps}-{n}.json" for seed in range(options.seeds or 1)]
    results = tuple(measure_once(file, partial(measure, seed), indent=2) for seed, file in enumerate(files))
    return AutoencodersReport(gan.name, folder, steps, steps * gan.batch_size, n, options.quick, results)


def refuse(gan: Recipe) -> None:
    """Raise UserError unless a recipe is a GAN that differs from the autoencoders only in its training."""
    baseline = load_recipe(AUTOENCODER)
    if gan.discriminator is None or gan.uses_classes:
        raise UserError(f"autoencoders needs an unconditional GAN, and {gan.name} is not one; take {GAN}")
    for name in ("generator", "latent", "batch_size"):
        if getattr(gan, name) != getattr(baseline, name):
            raise UserError(f"{gan.name} has another {name} than {AUTOENCODER} and is not comparable; take {GAN}")
    if gan.game.discriminator_steps > 1:
        times = gan.game.discriminator_steps
        raise UserError(f"{gan.name} uses {times} times the images in a step and is not comparable; take {GAN}")


def _measure(runs: dict[str, Run], gan: str, evaluator: Evaluator, splits: Splits, n: int, seed: int) -> dict[str, Any]:
    """Return all metrics of the samples of the three models and the reconstructions of the two autoencoders."""
    # the same subsets as the evaluator's
    reals, other_images = random_subset(splits.test, n, "reals").images, other_reals(splits.train, n).images
    pictures = draw_pictures(runs, gan, splits, reals, n, seed)
    rows: dict[str, Figures] = {}
    floor: Figures = {"sharpness": sharpness(reals, other_images)}
    for row, images in pictures.items():
        fakes = ImageSet(images, torch.full((len(images),), -1), (), row)
        evaluation = evaluator.evaluate(fakes, row)
        rows[row] = {figure.name: figure.value for figure in evaluation.metrics if figure.name in FIGURES}
        rows[row]["sharpness"] = sharpness(reals, images)
        if COPIES in row:
            rows[row]["lost"] = relative_mse(reals, images)
        floor |= {
            f.name: f.real_reference for f in evaluation.metrics if f.name in FIGURES and f.real_reference is not None
        }
    strip = torch.cat([images[:COLUMNS] for images in (reals, *pictures.values())])
    caption = f"seed {seed}, {runs[gan].step:,} steps each · {COPIES}: those of the first row"
    picture = png(image_grid(strip, COLUMNS, caption=caption, row_names=["real", *pictures]))
    seconds = {name: run.seconds for name, run in runs.items()}
    return {"seed": seed, "rows": {"other real digits": floor, **rows}, "seconds": seconds, "picture": picture}


def draw_pictures(
    runs: dict[str, Run], gan: str, splits: Splits, reals: Tensor, n: int, seed: int
) -> dict[str, Tensor]:
    """Return uint8 images [n, C, H, W] by row of the table: reconstructions of the real images, and samples."""
    plain, variational = (load_reconstructor(runs[name].folder) for name in (AUTOENCODER, VARIATIONAL))
    matched_noise = fitted(
        plain.encoder.encode(splits.train.images), plain.generator.latent(n, seed=seed, name="fitted")
    )
    return {
        f"{AUTOENCODER}: {COPIES}": plain.reconstruct(reals),
        f"{VARIATIONAL}: {COPIES}": variational.reconstruct(reals),
        f"{AUTOENCODER}: noise": plain.generator.sample(n, seed=seed),
        f"{AUTOENCODER}: {FITTED}": plain.generator.draw(matched_noise),
        f"{VARIATIONAL}: noise": variational.generator.sample(n, seed=seed),
        f"{gan}: noise": runs[gan].generator().sample(n, seed=seed),
    }
