"""The published protocols: problem, recipe, lengths, numbers of samples, and the rows that others reached by them."""

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
    """What somebody reported: means over trials, the standard error of ``modes`` beside some.

    ``same``: whether by this protocol, nets included; else the nets were the authors' own ("open architecture"), and
    the number of samples may have been another.
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
    """How a benchmark is done.

    Attributes:
        name: what the command line calls it.
        about: what is to be found, and whose protocol it is.
        problem: what is to be learned and measured.
        recipe: the method's, with the protocol's nets, unless the user swaps it.
        steps: how many rounds of the game.
        seeds: how many trials the published rows are the means of.
        samples: how many the published figures were measured on.
        curve: how many each point of a curve is measured on; 0 for no curve.
        quick_steps: a length that leaves ``--quick`` within three minutes on two cores.
        published: rows by the name of the recipe whose nets they had.
        claim: how many our own claims are measured on, besides.
        batch_statistics: whether the generator is measured with the statistics of batches, as it is trained.
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
        """The published rows that stand beside a recipe's: those of its discriminator, else of the protocol's."""
        known = {name: load_recipe(name).discriminator for name in self.published}
        same = [name for name in known if known[name] == recipe.discriminator]
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
    """What a call of a benchmark settled; ``samples``: on how many the final figures are measured."""

    protocol: BenchmarkSpec
    recipe: Recipe
    steps: int
    quick: bool
    folder: Path

    @property
    def samples(self) -> tuple[int, ...]:
        """The protocol's number, and that of our own claims; fewer where it is to be quick."""
        wanted = [n for n in (self.protocol.samples, self.protocol.claim) if n]
        return tuple(dict.fromkeys(min(n, QUICK_SAMPLES) if self.quick else n for n in wanted))

    def result(self, seed: int) -> Path:
        """Where the figures of a seed are, once it is finished."""
        return self.folder / f"seed-{seed}" / f"step-{self.steps}.json"

    @property
    def is_open(self) -> bool:
        """Whether the recipe has other nets than any the published rows were reached with."""
        nets = [(r.generator, r.discriminator, r.latent) for r in map(load_recipe, self.protocol.published)]
        return (self.recipe.generator, self.recipe.discriminator, self.recipe.latent) not in nets

    @property
    def identity(self) -> dict[str, Any]:
        """What two results in one folder must have in common."""
        about = {"benchmark": self.protocol.name, "quick": self.quick, "samples": list(self.samples)}
        return {**about, "problem": self.protocol.problem.identity(), "recipe": self.recipe.to_dict()}


def find(name: str) -> BenchmarkSpec:
    """Return the protocol of that name.

    Raises:
        UserError: there is none.
    """
    if name not in PROTOCOLS:
        raise UserError(f"no benchmark is called {name!r}; {suggest_names(name, PROTOCOLS)}")
    return PROTOCOLS[name]
