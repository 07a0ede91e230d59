"""The published protocols: problem, recipe, lengths, numbers of samples, and published results."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganforge.benchmarks.problems import Points, Problem, StackedDigits
from ganforge.data.synthetic import grid, ring
from ganforge.errors import UserError, suggest_names
from ganforge.recipes.reading import load_recipe
from ganforge.recipes.recipe import Recipe

PACGAN = "PacGAN, 10 trials"
QUOTED = "quoted by PacGAN"
TINY = "PacGAN, table 3, 50 trials"
QUICK_SAMPLES = 2_500


@dataclass(frozen=True)
class Published:
    """A published result: means over trials, with the standard error of ``modes`` where it was reported.

    ``same``: whether the protocol and its networks were used; otherwise the networks were the authors' own ("open
    architecture"), and the number of samples may differ.
    """

    method: str
    modes: float
    reverse_kl: float
    high_quality: float | None = None
    error: float | None = None
    source: str = PACGAN
    same: bool = True


@dataclass(frozen=True)
class BenchmarkSpec:
    """The protocol of a benchmark.

    Attributes:
        name: on the command line.
        about: the task and the source of the protocol.
        problem: data set and metrics.
        recipe: the default recipe, with the networks of the protocol.
        steps: generator updates.
        seeds: trials behind the means of the published rows.
        samples: samples behind the published metrics.
        curve: samples for each point of a curve; 0 for no curve.
        quick_steps: a length that keeps ``--quick`` within three minutes on two cores.
        published: published rows, by the name of the recipe with their networks.
        claim: samples for our own claims, in addition.
        batch_statistics: whether the generator is measured with batch statistics, as in training.
    """

    name: str
    about: str
    problem: Problem
    recipe: str
    steps: int
    seeds: int
    samples: int
    curve: int
    quick_steps: int
    published: Mapping[str, tuple[Published, ...]]
    claim: int | None = None
    batch_statistics: bool = False

    def rows(self, recipe: Recipe) -> tuple[Published, ...]:
        """Return the published rows to compare with: those of the recipe's discriminator, else the protocol's."""
        discriminators = {name: load_recipe(name).discriminator for name in self.published}
        same = [name for name in discriminators if discriminators[name] == recipe.discriminator]
        return self.published[same[0] if same else self.recipe]


RING = (
    Published("GAN", 6.3, 0.45, 98.2),
    Published("ALI", 6.6, 0.36, 97.6),
    Published("PacGAN2", 7.9, 0.07, 95.6),
    Published("PacGAN4", 7.8, 0.07, 95.9),
)
GRID = (
    Published("GAN", 17.3, 0.70, 94.8),
    Published("ALI", 24.1, 0.14, 95.7),
    Published("PacGAN2", 23.8, 0.13, 91.3),
    Published("PacGAN4", 24.8, 0.04, 93.6),
)
STACKED = (
    Published("DCGAN", 99, 3.40, source=QUOTED),
    Published("Unrolled", 48.7, 4.32, source=QUOTED),
    Published("VEEGAN", 150, 2.95, source=QUOTED),
    Published("PacDCGAN2", 1000, 0.06),
    Published("WGAN-GP", 959, 0.73, source="Kumar et al. 2019", same=False),
    Published("MEG", 1000, 0.0313, source="Kumar et al. 2019", same=False),
    Published("StyleGAN2", 940, 0.42, source="Huang et al. 2024", same=False),
    Published("R3GAN", 1000, 0.029, source="Huang et al. 2024", same=False),
)
QUARTER = (
    Published("DCGAN", 78.5, 5.21, error=17.6, source=TINY),
    Published("Unrolled, 10 steps", 327, 4.66, error=75, source=TINY),
    Published("PacDCGAN3", 601, 2.00, error=32, source=TINY),
    Published("PacDCGAN4", 667.4, 1.81, error=29, source=TINY),
)
HALF = (
    Published("DCGAN", 487.7, 2.24, error=34.6, source=TINY),
    Published("Unrolled, 10 steps", 817, 1.43, error=38, source=TINY),
    Published("PacDCGAN3", 866.6, 0.90, error=12, source=TINY),
    Published("PacDCGAN4", 820, 1.15, error=26, source=TINY),
)


def _points(name: str, about: str, problem: Points, published: tuple[Published, ...]) -> BenchmarkSpec:
    about += " (PacGAN: Lin et al. 2018, section 4.1)"
    rows = {"gan-2d": published}
    return BenchmarkSpec(name, about, problem, "gan-2d", 400_000, 10, 2_500, 2_500, 5_000, rows, claim=100_000)


PROTOCOLS = {
    "ring": _points("ring", "8 normal distributions on a circle", Points(ring()), RING),
    "grid": _points("grid", "25 normal distributions in a square", Points(grid()), GRID),
    "stacked-mnist": BenchmarkSpec(
        "stacked-mnist",
        "1,000 numbers in stacked digits (PacGAN: Lin et al. 2018, section 4.2)",
        StackedDigits("all", kept=128_000),
        recipe="dcgan-stacked",
        steps=100_000,
        seeds=10,
        samples=26_000,
        curve=5_200,
        quick_steps=100,
        published={"dcgan-stacked": STACKED},
    ),
    "stacked-mnist-tiny": BenchmarkSpec(
        "stacked-mnist-tiny",
        "1,000 numbers in stacked digits, D tiny (Metz et al. 2017, section 3.3.1; Lin et al. 2018, table 3)",
        StackedDigits("train", kept=None),
        recipe="dcgan-tiny-quarter",
        steps=500_000,
        seeds=50,
        samples=25_600,
        curve=5_120,
        quick_steps=1_500,
        published={"dcgan-tiny-quarter": QUARTER, "dcgan-tiny-half": HALF},
        batch_statistics=True,
    ),
}


@dataclass(frozen=True)
class Plan:
    """The settings of one call of a benchmark."""

    protocol: BenchmarkSpec
    recipe: Recipe
    steps: int
    quick: bool
    folder: Path

    @property
    def samples(self) -> tuple[int, ...]:
        """Numbers of samples for the final metrics: the protocol's, and that of our own claims; fewer if quick."""
        counts = [n for n in (self.protocol.samples, self.protocol.claim) if n]
        return tuple(dict.fromkeys(min(n, QUICK_SAMPLES) if self.quick else n for n in counts))

    def result(self, seed: int) -> Path:
        """Return the file with the metrics of a finished seed."""
        return self.folder / f"seed-{seed}" / f"step-{self.steps}.json"

    @property
    def is_open(self) -> bool:
        """Whether no published row used the networks of the recipe."""
        networks = [(r.generator, r.discriminator, r.latent) for r in map(load_recipe, self.protocol.published)]
        return (self.recipe.generator, self.recipe.discriminator, self.recipe.latent) not in networks

    @property
    def identity(self) -> dict[str, Any]:
        """What all results in one folder must have in common."""
        about = {"benchmark": self.protocol.name, "quick": self.quick, "samples": list(self.samples)}
        return {**about, "problem": self.protocol.problem.identity(), "recipe": self.recipe.to_dict()}


def find(name: str) -> BenchmarkSpec:
    """Return the protocol with this name.

    Raises:
        UserError: no protocol has this name.
    """
    if name not in PROTOCOLS:
        raise UserError(f"no benchmark is called {name!r}; {suggest_names(name, PROTOCOLS)}")
    return PROTOCOLS[name]
