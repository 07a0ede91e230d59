"""The patients of ``benchmark diagnosis`` as data: each illness with its cause, how it is planted, and what names it.

An illness is planted as users cause it: by a change of a recipe, or by spoiled data. The accepted names were committed
before any finding was tuned. Odd seeds are held out from tuning, and so are some illnesses whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Severity = Literal["severe", "mild"]
HELD_OUT_SEEDS = 2
"""Every second seed, 1, 3, 5, ..., is held out from tuning."""
SEEDS = 6
"""Seeds of each illness in the protocol: three for tuning and three held out."""
HEALTHY_SEEDS = 34
"""Seeds of each healthy recipe in the protocol: three recipes on two data sets give 204 runs."""


@dataclass(frozen=True)
class Setting:
    """How a patient is made.

    Attributes:
        recipe: a built-in recipe.
        changes: ``field=value`` changes to the recipe.
        steps: length of the training.
        spoil, strength: how the data are spoiled (`spoiled_data.SPOILS`); empty: clean data.
    """

    recipe: str
    steps: int
    changes: tuple[str, ...] = ()
    spoil: str = ""
    strength: float = 0.0


@dataclass(frozen=True)
class Illness:
    """One way in which a training goes wrong.

    Attributes:
        name: fixed identifier.
        planted: the finding that names its cause; "healthy" for a training in which nothing is wrong.
        accepted: further findings that count as naming it: its direct consequences, never a mere symptom that another
            cause would give as well.
        severe, mild: how to make it; ``mild`` is None where there is no half of it.
        data: the data sets on which it makes sense.
        at_the_end: whether it can be judged at the end of a run alone, so that no step is the first.
        held_out: whether all its seeds are held out from tuning.
    """

    name: str
    planted: str
    accepted: tuple[str, ...]
    severe: Setting
    mild: Setting | None = None
    data: tuple[str, ...] = ("mnist", "glyphs", "cifar10")
    at_the_end: bool = False
    held_out: bool = False


@dataclass(frozen=True)
class Patient:
    """One run of an illness: on which data, how severe, with which seed."""

    illness: Illness
    data: str
    severity: Severity
    seed: int

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"{self.illness.name}-{self.data}-{self.severity}-seed-{self.seed}"

    @property
    def held_out(self) -> bool:
        """Whether no threshold may be tuned on it."""
        return self.illness.held_out or self.seed % HELD_OUT_SEEDS == 1

    @property
    def setting(self) -> Setting:
        """How it is made."""
        setting = self.illness.severe if self.severity == "severe" else self.illness.mild
        assert setting is not None
        return setting

    @property
    def names(self) -> tuple[str, ...]:
        """The findings that count as naming its illness."""
        return (self.illness.planted, *self.illness.accepted)


GREY = ("mnist", "glyphs")
"""The data sets on which a training of a minute comes near to real pictures."""
SMALL = ("generator.filters=24", "discriminator.filters=16", "batch_size=48")
"""Networks with which a step of the convolutional recipes takes a core 20 ms."""
MEDIUM = ("generator.filters=32", "discriminator.filters=24")
CODES = ("batch_size=48", "generator.filters=24", "latent.normal=1", "latent.std=0.001", "latent.uniform=0")
"""Codes alone decide on the picture: there are as many pictures as codes."""
DEEP = ("discriminator.hidden=[256,256,256,256,256,256]", "discriminator.deep_without_batch_norm=true")
SMALL_DCGAN = ("generator.filters=16", "discriminator.filters=16", "batch_size=64")


def _rates(generator: float, discriminator: float) -> tuple[str, str]:
    return f"generator_lr={generator:g}", f"discriminator_lr={discriminator:g}"


COLLAPSED = ("class-collapse", "narrow", "repetition", "missing-classes")
RUNAWAY = ("diverged", "oscillating", "discriminator-won", "mode-collapse")

ILLNESSES = (
    # the two players
    Illness(
        "generator-too-fast",
        "mode-collapse",
        (*COLLAPSED, "unstable", "oscillating"),
        Setting("vanilla", 1000, _rates(1e-2, 1e-4)),
        Setting("vanilla", 1000, _rates(4e-3, 1e-4)),
    ),
    Illness(
        "discriminator-too-fast",
        "discriminator-won",
        ("unstable", "mode-collapse"),
        Setting("vanilla", 1000, _rates(2e-4, 1e-2)),
        Setting("vanilla", 1000, _rates(2e-4, 4e-3)),
    ),
    Illness(
        "discriminator-too-large",
        "discriminator-won",
        ("unstable", "mode-collapse"),
        Setting("minimax", 1000, ("generator.hidden=[32]", "discriminator.hidden=[1024]", *_rates(1e-4, 1e-3))),
        Setting("minimax", 1000, ("generator.hidden=[64]", "discriminator.hidden=[512]", *_rates(2e-4, 1e-3))),
        held_out=True,
    ),
    Illness(
        "discriminator-too-slow",
        "discriminator-weak",
        (),
        Setting("forge-1-unconditional", 400, (*SMALL, *_rates(2e-3, 2e-5))),
        Setting("forge-1-unconditional", 400, (*SMALL, *_rates(2e-3, 1e-4))),
    ),
    Illness(
        "discriminator-too-small",
        "discriminator-weak",
        (),
        Setting("vanilla", 1000, ("discriminator.hidden=[2]",)),
        Setting("vanilla", 1000, ("discriminator.hidden=[8]",)),
        held_out=True,
    ),
    Illness(
        "discriminator-learns-by-heart",
        "discriminator-overfits",
        ("memorising", "few-data"),
        Setting("cgan", 2000, ("discriminator.hidden=[512]", "penalties={}"), "few", 500),
        Setting("cgan", 2000, ("discriminator.hidden=[512]", "penalties={}"), "few", 1500),
    ),
    # the pictures vary too little
    Illness(
        "noise-too-small",
        "class-collapse",
        ("mode-collapse", "narrow", "noise-ignored", "repetition"),
        # without batch norm by class, which would bring the noise back to its size
        Setting("acgan", 400, (*SMALL_DCGAN, "latent.std=0.01", *_rates(1e-3, 1e-3))),
        Setting("acgan", 400, (*SMALL_DCGAN, "latent.std=0.1", *_rates(1e-3, 1e-3))),
    ),
    Illness(
        "few-codes",
        "repetition",
        ("mode-collapse", "class-collapse", "narrow"),
        Setting("infogan", 400, (*CODES, "latent.categorical=[20]")),
        Setting("infogan", 400, (*CODES, "latent.categorical=[100]")),
        data=GREY,
    ),
    Illness(
        "generator-too-small",
        "rough",
        ("plateau", "narrow", "class-collapse", "mode-collapse"),
        Setting("vanilla", 1500, ("generator.hidden=[4]",)),
        Setting("vanilla", 1500, ("generator.hidden=[12]",)),
    ),
    # labels
    Illness(
        "label-too-weak",
        "label-ignored",
        ("class-collapse", "mode-collapse"),
        Setting("cgan-tutorial", 1100),
        data=GREY,
    ),
    Illness(
        "label-without-weight",
        "label-ignored",
        (),
        Setting("acgan", 400, (*SMALL_DCGAN, "terms.classification.weight=1e-6", *_rates(1e-3, 1e-3))),
        Setting("acgan", 400, (*SMALL_DCGAN, "terms.classification.weight=1e-3", *_rates(1e-3, 1e-3))),
        held_out=True,
    ),
    Illness(
        "labels-shuffled",
        "label-noise",
        (),
        Setting("cgan", 300, (), "wrong-labels", 1.0),
    ),
    Illness(
        "labels-wrong",
        "label-noise",
        (),
        Setting("cgan", 300, (), "wrong-labels", 0.6),
        Setting("cgan", 300, (), "wrong-labels", 0.25),
    ),
    # too few pictures
    Illness(
        "100-by-heart",
        "memorising",
        ("repetition", "discriminator-overfits"),
        Setting("cgan", 3000, ("batch_size=50",), "few", 100),
        data=GREY,
    ),
    Illness(
        "300-by-heart",
        "memorising",
        ("repetition", "discriminator-overfits"),
        Setting("cgan", 5000, ("batch_size=50", "penalties={}"), "few", 300),
        data=GREY,
    ),
    Illness(
        "200-in-all",
        "few-data",
        ("memorising", "discriminator-overfits"),
        Setting("forge-1-unconditional", 400, SMALL, "few-in-all", 200),
        Setting("forge-1-unconditional", 400, SMALL, "few-in-all", 600),
    ),
    # the data
    Illness(
        "half-inverted",
        "data-polarity",
        (),
        Setting("cgan", 300, (), "inverted", 0.5),
        Setting("cgan", 300, (), "inverted", 0.15),
        data=GREY,
    ),
    Illness(
        "few-grey-levels",
        "data-range",
        (),
        Setting("vanilla", 300, (), "dark", 1 / 12),
        Setting("vanilla", 300, (), "dark", 1 / 4),
    ),
    Illness(
        "copies-in-the-data",
        "data-duplicates",
        ("memorising", "repetition", "few-data"),
        Setting("cgan", 300, (), "copies", 0.9),
        Setting("cgan", 300, (), "copies", 0.3),
    ),
    Illness(
        "test-in-training",
        "data-duplicates",
        (),
        Setting("cgan", 300, (), "test-in-training", 1.0),
        Setting("cgan", 300, (), "test-in-training", 0.3),
        held_out=True,
    ),
    Illness(
        "classes-removed",
        "data-classes",
        ("missing-classes",),
        Setting("cgan", 300, (), "without-classes", 3),
        Setting("cgan", 300, (), "without-classes", 1),
    ),
    Illness(
        "classes-tiny",
        "missing-classes",
        ("data-classes",),
        Setting("forge-1-unconditional", 500, SMALL, "tiny-classes", 0.01),
        Setting("forge-1-unconditional", 500, SMALL, "tiny-classes", 0.1),
    ),
    # rates
    Illness(
        "rates-x30",
        "unstable",
        (*RUNAWAY, "recipe"),
        Setting("vanilla", 1000, _rates(6e-3, 6e-3)),
        Setting("vanilla", 1000, _rates(2e-3, 2e-3)),
    ),
    Illness(
        "momentum",
        "unstable",
        (*RUNAWAY, "recipe"),
        Setting("dcgan", 400, (*SMALL_DCGAN, "adam.beta1=0.9", "adam.beta2=0.999", *_rates(2e-2, 2e-2))),
        Setting("dcgan", 400, (*SMALL_DCGAN, "adam.beta1=0.9", "adam.beta2=0.999", *_rates(4e-3, 4e-3))),
        held_out=True,
    ),
    Illness(
        "wasserstein-without-penalty",
        "unstable",
        RUNAWAY,
        Setting("wgan-gp", 500, (*SMALL_DCGAN, "penalties={}", "game.discriminator_steps=1", *_rates(1e-3, 1e-3))),
    ),
    Illness(
        "divergence",
        "diverged",
        ("unstable", "recipe"),
        Setting("vanilla", 200, (*DEEP, "penalties.r1.weight=1", *_rates(10, 10))),
    ),
    Illness(
        "simultaneous-with-momentum",
        "oscillating",
        ("unstable", "mode-collapse", "missing-classes", "narrow"),
        Setting("minimax", 1200, ("game.order=simultaneous", "adam.beta1=0.95", *_rates(1e-3, 1e-3))),
        Setting("minimax", 1200, ("game.order=simultaneous", "adam.beta1=0.9", *_rates(5e-4, 5e-4))),
        data=GREY,
    ),
    # the length
    Illness(
        "stopped-early",
        "undertrained",
        (),
        Setting("forge-2", 150, SMALL),
        Setting("forge-2", 300, SMALL),
        at_the_end=True,
    ),
    # without an adversary, and from pictures
    Illness(
        "loss-without-draws",
        "noise-ignored",
        (),
        Setting(
            "complete",
            300,
            ("generator.filters=8", "discriminator.filters=12", "pairs.draws=1", "terms.fidelity.score=l1"),
        ),
        data=GREY,
    ),
    Illness(
        "kl-too-heavy",
        "posterior-collapse",
        (),
        Setting("vae", 400, ("generator.filters=24", "encoder.filters=16", "reconstruction.kl_weight=50")),
        Setting("vae", 400, ("generator.filters=24", "encoder.filters=16", "reconstruction.kl_weight=20")),
    ),
    Illness(
        "autoencoder-as-generator",
        "never-drew",
        (),
        Setting("autoencoder", 400, ("generator.filters=24", "encoder.filters=16")),
    ),
)
"""All illnesses; a user meets each of them."""

HEALTHY = (
    Illness("healthy-forge-2", "healthy", (), Setting("forge-2", 1200, MEDIUM), data=GREY, at_the_end=True),
    Illness("healthy-forge-2-small", "healthy", (), Setting("forge-2", 2200, SMALL), data=("glyphs",), at_the_end=True),
    Illness("healthy-forge-1", "healthy", (), Setting("forge-1", 1200, MEDIUM), data=GREY, at_the_end=True),
)
"""Trainings in which nothing is wrong; whether one became healthy is measured (`health`)."""


def patients(
    illnesses: tuple[Illness, ...], data: tuple[str, ...], severities: tuple[Severity, ...], seeds: int
) -> Iterator[Patient]:
    """Yield the patients of these illnesses on these data sets, seed by seed, where the combination makes sense."""
    for seed in range(seeds):
        for severity in severities:
            for name in data:
                for illness in illnesses:
                    if name in illness.data and (severity == "severe" or illness.mild):
                        yield Patient(illness, name, severity, seed)
