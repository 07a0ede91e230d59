"""Recipes: what a method is made of, as names and numbers, checked field by field."""

from typing import Annotated, Any, Literal, Self

import tomli_w
from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SerializeAsAny,
    field_validator,
    model_validator,
)

from ganforge.errors import suggest_names
from ganforge.networks.registry import DiscriminatorTable, EncoderTable, GeneratorTable
from ganforge.networks.strided import StridedDiscriminatorSettings
from ganforge.objectives.adversarial import OBJECTIVES, Objective
from ganforge.objectives.loss_context import Codes
from ganforge.objectives.penalties import Penalties
from ganforge.objectives.reconstruction import Reconstruction
from ganforge.objectives.terms import LABELLED, Terms
from ganforge.recipes.latents import NormalLatent, PartsLatent, UniformLatent
from ganforge.settings import Settings

DEFAULT_RECIPE = "forge-2"
"""What ``ganforge train`` takes when no recipe is named."""

DEFAULT_WITHOUT_LABELS = "forge-2-unconditional"
"""What it takes instead where the images have no labels, or all the same one."""

DEFAULT_FOR_FEW, FEW = "forge-1-unconditional", 2_500
"""And where these are fewer than so many: clusters of them would be small."""

OF_THE_GAME = (
    *("discriminator_lr", "discriminator_steps", "generator_steps", "packing", "spectral_norm", "instance_noise"),
    *("adversarial_weight", "unroll", "shared_noise", "order", "average_discriminator", "penalties", "terms"),
    *("generator_lr_decay_power", "instance_noise_images", "joint_batch"),
)
"""Fields that say how a generator and a discriminator play."""

TOLD = "conditional = true (or data.clusters)"
"""What makes players be told classes, in the words of messages."""

LearningRate = Annotated[float, Field(gt=0, le=10)]
Beta = Annotated[float, Field(ge=0, lt=1)]


class Adam(Settings):
    """Adam (Kingma and Ba 2015); the learning rates stand beside the recipe's other numbers, one for each player."""

    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: PositiveFloat = 1e-8


class DataSettings(Settings):
    """Which of the data a recipe sees.

    ``train`` leaves the validation images out of training, ``all`` trains on them too; test images never. ``labels``
    is how many images a semi-supervised recipe knows the class of, as many of each, drawn by ``draw``; 0 is all.
    ``clusters``: so many clusters, found among the training images, stand for classes; nobody asks for one of them when
    pictures are drawn.
    """

    images: Literal["train", "all"] = "train"
    clusters: Annotated[int, Field(ge=0, le=1000)] = 0
    labels: NonNegativeInt = 0
    draw: NonNegativeInt = 0


class Recipe(Settings):
    """One method, complete: two runs with the same recipe, data and seed give the same weights.

    It trains ``kimg`` thousand images where that is given, else ``epochs``, unless the user says how long.
    A step is one round of the game: ``discriminator_steps`` updates of the discriminator, then ``generator_steps`` of
    the generator. ``shared_noise``: the generator is judged on the very fakes the discriminator has just learned from;
    otherwise on fresh ones. ``order``: "alternating", or both move at once by gradients at the same old weights
    ("simultaneous"). Schedules run in images seen, never in a part of the run, so a longer run repeats a shorter
    one (``training/schedule.py``): ``lr_decay_start`` 0 is no decay, ``ema_half_life`` 0 no averaging;
    the generator's rate falls as the discriminator's to the power ``generator_lr_decay_power``;
    ``average_discriminator`` averages its weights as the generator's. ``joint_batch``: it is shown real and generated
    images as one batch, in the generator's turn too, so that batch norm and minibatch layers measure both together.
    The generator plays against ``discriminator`` by ``objective``; or ``encoder`` makes its latents of images, and both
    learn by ``reconstruction``, at the rate ``generator_lr``, without an adversary.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=60)]
    summary: str = ""
    source: str = ""
    aliases: Annotated[tuple[str, ...], Field(strict=False)] = ()

    conditional: bool = False
    batch_size: Annotated[int, Field(ge=2)] = 100
    epochs: PositiveInt = 100
    kimg: NonNegativeInt = 0
    generator_lr: LearningRate = 2e-4
    discriminator_lr: LearningRate = 2e-4
    discriminator_steps: PositiveInt = 1
    generator_steps: PositiveInt = 1
    packing: PositiveInt = 1
    joint_batch: bool = False
    spectral_norm: bool = False
    instance_noise: NonNegativeFloat = 0.0
    instance_noise_images: NonNegativeFloat = 0.0
    adversarial_weight: NonNegativeFloat = 1.0
    unroll: NonNegativeInt = 0
    shared_noise: bool = True
    order: Literal["alternating", "simultaneous"] = "alternating"
    lr_decay_start: NonNegativeFloat = 0.0
    generator_lr_decay_power: PositiveFloat = 1.0
    ema_half_life: NonNegativeFloat = 0.0
    ema_ramp: NonNegativeFloat = 0.0
    average_discriminator: bool = False

    sheet: Literal["plain", "beside-real"] = "plain"
    sheet_columns: Annotated[int, Field(ge=1, le=64)] = 10
    log_every: PositiveInt = 50
    checkpoint_seconds: NonNegativeFloat = 30.0
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["auto", "bf16", "fp32", "fp64"] = "fp32"

    data: DataSettings = DataSettings()
    latent: Annotated[NormalLatent | UniformLatent | PartsLatent, Field(discriminator="distribution")]
    generator: GeneratorTable
    discriminator: DiscriminatorTable | None = None
    objective: SerializeAsAny[Objective] | None = None
    encoder: EncoderTable | None = None
    reconstruction: Reconstruction | None = None
    penalties: Penalties = Penalties()
    terms: Terms = Terms()
    adam: Adam = Adam()

    @model_validator(mode="after")
    def _one_partner(self) -> Self:
        if self.reconstruction is None:
            if self.encoder is not None:
                raise ValueError("an encoder learns by reconstruction: add a table [reconstruction]")
            if self.discriminator is None or self.objective is None:
                raise ValueError("give a table [discriminator], or [encoder] and [reconstruction]")
            return self
        if self.encoder is None or self.discriminator is not None or self.objective is not None:
            raise ValueError("[reconstruction] needs an [encoder], and takes neither [discriminator] nor [objective]")
        for name in OF_THE_GAME:
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} is of the game with a discriminator, and [reconstruction] has none")
        if self.conditional:
            raise ValueError("[reconstruction] takes no labels: conditional = false")
        return self

    @model_validator(mode="after")
    def _latents_can_be_made_of_images(self) -> Self:
        if self.reconstruction is None:
            return self
        if self.latent != NormalLatent(dim=self.latent.dim):
            raise ValueError("[reconstruction] needs latents from N(0, 1), which the codes are to be like")
        if self.generator.output not in ("sigmoid", "tanh"):
            raise ValueError(f'generator.output = "{self.generator.output}" has no grey levels for [reconstruction]')
        if self.generator.virtual_batch_norm:
            raise ValueError("virtual_batch_norm draws its reference batch from noise, [reconstruction] plays without")
        return self

    @model_validator(mode="after")
    def _clusters_fit(self) -> Self:
        if not self.data.clusters:
            return self
        if self.data.clusters == 1:
            raise ValueError("data.clusters = 1 tells nothing apart: two or more, or 0 for none")
        if self.conditional or self.terms.supervised:
            raise ValueError(
                "data.clusters stand for classes that nobody knows: conditional = false, no terms.supervised"
            )
        if self.discriminator is None:
            raise ValueError("data.clusters: they are for a discriminator to know, and there is none")
        if self.latent != NormalLatent(dim=self.latent.dim) or self.latent.dim < 2:
            raise ValueError("data.clusters are chosen by the first of two or more latent numbers from N(0, 1)")
        if self.generator.virtual_batch_norm:
            raise ValueError("virtual_batch_norm has a reference batch of classes that are given: data.clusters = 0")
        return self

    @model_validator(mode="after")
    def _real_ones_beside_need_classes(self) -> Self:
        if self.sheet == "beside-real" and not self.conditional:
            raise ValueError('sheet = "beside-real" shows the same labels twice and needs conditional = true')
        return self

    @model_validator(mode="after")
    def _at_once_means_once(self) -> Self:
        if self.order == "simultaneous" and (self.discriminator_steps, self.generator_steps) != (1, 1):
            raise ValueError('order = "simultaneous" needs discriminator_steps = 1 and generator_steps = 1')
        return self

    @model_validator(mode="after")
    def _rates_fall(self) -> Self:
        if self.generator_lr_decay_power != 1 and not self.lr_decay_start:
            raise ValueError(
                "generator_lr_decay_power says how fast the generator's rate falls: it needs lr_decay_start"
            )
        return self

    @model_validator(mode="after")
    def _packs_fit(self) -> Self:
        if self.batch_size % self.packing:
            raise ValueError(f"packing = {self.packing} must divide batch_size = {self.batch_size}")
        if self.packing > 1 and self.uses_classes:
            raise ValueError(
                "packing lays several images upon each other, and each has a label: conditional = false and no"
                " data.clusters"
            )
        if self.batch_size // self.packing < 2:
            raise ValueError(f"packing = {self.packing} leaves one pack of batch_size = {self.batch_size}: two or more")
        if self.packing > 1 and self.penalties.gradient_penalty:
            raise ValueError("penalties.gradient_penalty mixes images one by one, packing judges several at once")
        return self

    @model_validator(mode="after")
    def _one_batch_fits(self) -> Self:
        if not self.joint_batch:
            return self
        if further := self.terms.streams:
            raise ValueError(f"joint_batch joins real and generated images, and terms show {further[0]} ones besides")
        if played := [name for name, _ in self.penalties.items()]:
            raise ValueError(f"joint_batch shows both sides at once, and penalties.{played[0]} looks at them apart")
        normed = getattr(self.discriminator, "batch_norm", isinstance(self.discriminator, StridedDiscriminatorSettings))
        compares = (getattr(self.discriminator, name, 0) for name in ("minibatch_kernels", "minibatch_std"))
        if not normed and not any(compares):
            raise ValueError("joint_batch joins what batch norm and minibatch layers measure, and there are none here")
        return self

    @model_validator(mode="after")
    def _something_to_learn(self) -> Self:
        teachers = [
            term for _, term in self.terms.items() if "generator" in term.turns and not term.needs_weight_average
        ]
        if not self.adversarial_weight and not teachers:
            raise ValueError("adversarial_weight = 0 leaves the generator nothing to learn from: add a term")
        return self

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        if self.discriminator is None:
            return self
        terms, classifier = self.terms, self.discriminator.classifier
        if terms.classification and not (self.uses_classes and classifier == "beside"):
            raise ValueError(f'terms.classification needs {TOLD} and discriminator.classifier = "beside"')
        for name in ("classification", "real_classification"):
            if getattr(terms, name) and self.discriminator.label not in ("projection", "none"):
                raise ValueError(
                    f"terms.{name} asks for a class that the discriminator sees beside the image: "
                    'discriminator.label = "projection" or "none"'
                )
        if terms.real_classification and not (self.uses_classes and classifier in ("beside", "projection")):
            raise ValueError(
                f'terms.real_classification needs {TOLD} and discriminator.classifier = "projection" or "beside"'
            )
        if classifier == "projection" and not (self.uses_classes and self.discriminator.label == "projection"):
            raise ValueError(
                f'discriminator.classifier = "projection" needs {TOLD} and discriminator.label = "projection"'
            )
        if terms.supervised and classifier == "none":
            raise ValueError('terms.supervised needs discriminator.classifier = "instead" (or "beside")')
        if terms.supervised and self.conditional and self.discriminator.label != "none":
            raise ValueError(
                'terms.supervised asks for a class that the discriminator is told: discriminator.label = "none"'
            )
        if classifier != "none" and not (terms.classification or terms.real_classification or terms.supervised):
            raise ValueError(
                f'discriminator.classifier = "{classifier}" is taught by nobody: add terms.classification,'
                " terms.real_classification or terms.supervised"
            )
        if classifier == "instead" and self.uses_classes and self.discriminator.label != "none":
            raise ValueError(
                'discriminator.classifier = "instead" names the class itself: discriminator.label = "none"'
            )
        if self.packing > 1 and (classifier != "none" or terms.mutual_information):
            raise ValueError("packing judges several images at once, and each has a class or codes of its own")
        reads_codes = terms.mutual_information and self.codes.categorical
        if terms.invariant_information and not (reads_codes or classifier != "none"):
            raise ValueError(
                "terms.invariant_information needs something to be read: categorical codes with"
                ' terms.mutual_information, or a class (discriminator.classifier = "instead" or "beside")'
            )
        if terms.mutual_information and not self.codes.width:
            raise ValueError('terms.mutual_information needs codes: latent.distribution = "parts"')
        if self.uses_classes and self.discriminator.label == "none" and classifier == "none":
            raise ValueError(
                'discriminator.label = "none" with no classifier: nobody would notice a picture of another class'
            )
        return self

    @model_validator(mode="after")
    def _classes_begin_apart(self) -> Self:
        partners = {"discriminator": self.discriminator, "encoder": self.encoder}
        if name := next((name for name, table in partners.items() if table and table.init.class_std), None):
            raise ValueError(f"{name}.init.class_std: only generators have batch norm by class")
        if self.generator.init.class_std and not (self.uses_classes and self.generator.label == "batch-norm"):
            raise ValueError(f'generator.init.class_std needs {TOLD} and generator.label = "batch-norm"')
        return self

    @model_validator(mode="after")
    def _quiet_enough(self) -> Self:
        inside = [name for name in ("input_noise", "hidden_noise") if getattr(self.discriminator, name, 0)]
        if self.penalties.approximate_r1 and inside:
            raise ValueError(
                f"penalties.approximate_r1 compares two looks at an image, and discriminator.{inside[0]} makes them"
                " differ anyhow: take penalties.r1"
            )
        if self.spectral_norm and getattr(self.discriminator, "weight_norm", False):
            raise ValueError("spectral_norm has no effect beside discriminator.weight_norm: take one")
        return self

    @model_validator(mode="after")
    def _virtual_batches_fit(self) -> Self:
        if self.generator.virtual_batch_norm and self.packing > 1:
            raise ValueError("virtual_batch_norm makes images independent of their batch, packing joins them: take one")
        if self.generator.virtual_batch_norm == 1:
            raise ValueError("virtual_batch_norm = 1: a reference batch needs two images or more")
        return self

    @model_validator(mode="after")
    def _averages_fit(self) -> Self:
        if self.average_discriminator and not self.ema_half_life:
            raise ValueError("average_discriminator = true needs ema_half_life above 0")
        if self.data.labels and LABELLED not in self.terms.streams:
            raise ValueError("data.labels keeps labels for terms.supervised, which this recipe does not play")
        return self

    @field_validator("objective", mode="before")
    @classmethod
    def _objective_by_name(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        fields = dict(value)
        name = fields.pop("name", None)
        if not isinstance(name, str) or name not in OBJECTIVES:
            raise ValueError(f"name = {name!r} is not an objective: {suggest_names(str(name), OBJECTIVES)}")
        return OBJECTIVES[name].model_validate(fields)

    @property
    def uses_classes(self) -> bool:
        """Whether the players are told classes: those of the labels, or clusters."""
        return self.conditional or self.data.clusters > 0

    def condition_classes(self, classes: int) -> int:
        """How many classes the players are told of, where the data have so many; 0: none."""
        return self.data.clusters or (classes if self.conditional else 0)

    @property
    def pixel_range(self) -> str:
        """The range real pixels are scaled to: the one that the generator's output can reach."""
        return "0..1" if self.generator.output in ("sigmoid", "tanh-of-0..1") else "-1..1"

    @property
    def rates(self) -> tuple[str, ...]:
        """The fields with the players' learning rates."""
        return ("generator_lr",) if self.discriminator is None else ("generator_lr", "discriminator_lr")

    @property
    def codes(self) -> Codes:
        """How codes lie in the latent; there are none in most."""
        return self.latent.codes if isinstance(self.latent, PartsLatent) else Codes()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as TOML and JSON take them; ``parse`` reads them back to an equal recipe."""
        values = self.model_dump(mode="json", exclude_none=True)
        names = {type_: name for name, type_ in OBJECTIVES.items()}
        if self.objective is not None:
            values["objective"] = {"name": names[type(self.objective)], **values["objective"]}
        return values

    def to_toml(self) -> str:
        """Return the recipe as a complete TOML file."""
        return tomli_w.dumps(self.to_dict())
