"""The fields of a recipe, their types and ranges, and the checks of how fields fit together."""

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
"""The recipe of ``ganforge train`` when the user names none."""

DEFAULT_WITHOUT_LABELS = "forge-2-unconditional"
"""The default recipe for images without labels, or with a single class."""

DEFAULT_FOR_FEW, FEW = "forge-1-unconditional", 2_500
"""The default recipe for fewer than ``FEW`` unlabelled images, whose clusters would be too small."""

ADVERSARIAL_FIELDS = (
    *("discriminator_lr", "discriminator_steps", "generator_steps", "packing", "spectral_norm", "instance_noise"),
    *("adversarial_weight", "unroll", "shared_noise", "order", "average_discriminator", "penalties", "terms"),
    *("generator_lr_decay_power", "instance_noise_images", "joint_batch"),
)
"""Fields of adversarial training, which a recipe with ``[reconstruction]`` must leave at their defaults."""

CONDITIONED = "conditional = true (or data.clusters)"
"""The settings that condition the networks on classes, as messages name them."""

LearningRate = Annotated[float, Field(gt=0, le=10)]
Beta = Annotated[float, Field(ge=0, lt=1)]


class Adam(Settings):
    """Adam (Kingma and Ba 2015); the learning rates are `Recipe` fields, one for each network."""

    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: PositiveFloat = 1e-8


class DataSettings(Settings):
    """The images and labels that a recipe trains on.

    ``images``: "train" excludes the validation images from training, "all" includes them; test images are never used.
    ``labels``: number of labelled images of a semi-supervised recipe, the same number for each class, selected with
    the seed ``draw``; 0 means all. ``clusters``: number of clusters of the training images that replace class labels;
    sampling draws the cluster at random.
    """

    images: Literal["train", "all"] = "train"
    clusters: Annotated[int, Field(ge=0, le=1000)] = 0
    labels: NonNegativeInt = 0
    draw: NonNegativeInt = 0


class Recipe(Settings):
    """A complete training method: two runs with the same recipe, data and seed give the same weights.

    A run trains on ``kimg`` thousand images if ``kimg`` is above 0, else for ``epochs``, unless the user sets the
    length. A step is ``discriminator_steps`` updates of the discriminator, then ``generator_steps`` of the generator.
    ``shared_noise``: the generator loss uses the fakes of the last discriminator update, otherwise fresh fakes.
    ``order``: "alternating", or "simultaneous": both updates use gradients at the same old weights. Schedules count
    images seen, never a fraction of the run, so a longer run repeats a shorter one (``training/schedule.py``).
    ``lr_decay_start`` 0 means no decay, ``ema_half_life`` 0 no weight average. The generator's learning rate decays as
    the discriminator's to the power ``generator_lr_decay_power``. ``average_discriminator`` averages the
    discriminator's weights like the generator's. ``joint_batch``: the discriminator sees real and generated images as
    one batch, in generator updates too, so batch norm and minibatch layers compute joint statistics. The generator
    trains against ``discriminator`` by ``objective``; or, without an adversary, together with ``encoder``, which maps
    images to latents, by ``reconstruction``, both at the rate ``generator_lr``.
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
    def _check_training_networks(self) -> Self:
        if self.reconstruction is None:
            if self.encoder is not None:
                raise ValueError("an [encoder] needs a reconstruction loss: add a table [reconstruction]")
            if self.discriminator is None or self.objective is None:
                raise ValueError(
                    "no network trains the generator: add a table [discriminator], or [encoder] and [reconstruction]"
                )
            return self
        if self.encoder is None or self.discriminator is not None or self.objective is not None:
            raise ValueError("[reconstruction] needs an [encoder] and allows neither [discriminator] nor [objective]")
        for name in ADVERSARIAL_FIELDS:
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} belongs to adversarial training, not to [reconstruction]: remove it")
        if self.conditional:
            raise ValueError("[reconstruction] uses no labels: set conditional = false")
        return self

    @model_validator(mode="after")
    def _check_reconstruction(self) -> Self:
        if self.reconstruction is None:
            return self
        if self.latent != NormalLatent(dim=self.latent.dim):
            raise ValueError("[reconstruction] needs latents from N(0, 1): remove the other fields of [latent]")
        if self.generator.output not in ("sigmoid", "tanh"):
            raise ValueError(
                f'generator.output = "{self.generator.output}" gives no grey levels, which [reconstruction] needs: '
                'use "sigmoid" or "tanh"'
            )
        if self.generator.virtual_batch_norm:
            raise ValueError(
                "virtual_batch_norm takes its reference batch from noise, and [reconstruction] has none: "
                "set virtual_batch_norm = 0"
            )
        return self

    @model_validator(mode="after")
    def _check_clusters(self) -> Self:
        if not self.data.clusters:
            return self
        if self.data.clusters == 1:
            raise ValueError("data.clusters = 1 separates nothing: give 2 or more, or 0 for no clusters")
        if self.conditional or self.terms.supervised:
            raise ValueError(
                "data.clusters replaces unknown class labels: set conditional = false and remove terms.supervised"
            )
        if self.discriminator is None:
            raise ValueError(
                "data.clusters conditions a discriminator, and this recipe has none: set data.clusters = 0"
            )
        if self.latent != NormalLatent(dim=self.latent.dim) or self.latent.dim < 2:
            raise ValueError(
                "data.clusters needs a latent of two or more numbers from N(0, 1): the first selects the cluster"
            )
        if self.generator.virtual_batch_norm:
            raise ValueError("virtual_batch_norm needs given classes for its reference batch: set data.clusters = 0")
        return self

    @model_validator(mode="after")
    def _check_sheet(self) -> Self:
        if self.sheet == "beside-real" and not self.conditional:
            raise ValueError(
                'sheet = "beside-real" shows real and generated images of the same labels: set conditional = true'
            )
        return self

    @model_validator(mode="after")
    def _check_simultaneous(self) -> Self:
        if self.order == "simultaneous" and (self.discriminator_steps, self.generator_steps) != (1, 1):
            raise ValueError('order = "simultaneous" needs discriminator_steps = 1 and generator_steps = 1')
        return self

    @model_validator(mode="after")
    def _check_lr_decay(self) -> Self:
        if self.generator_lr_decay_power != 1 and not self.lr_decay_start:
            raise ValueError(
                "generator_lr_decay_power sets how fast the generator's learning rate decays: set lr_decay_start"
            )
        return self

    @model_validator(mode="after")
    def _check_packing(self) -> Self:
        if self.batch_size % self.packing:
            raise ValueError(f"packing = {self.packing} must divide batch_size = {self.batch_size}")
        if self.packing > 1 and self.uses_classes:
            raise ValueError(
                "packing joins several images, each with its own label: set conditional = false and data.clusters = 0"
            )
        if self.batch_size // self.packing < 2:
            raise ValueError(
                f"packing = {self.packing} makes one pack of batch_size = {self.batch_size}: two or more are needed"
            )
        if self.packing > 1 and self.penalties.gradient_penalty:
            raise ValueError("penalties.gradient_penalty interpolates single images, packing joins several: remove one")
        return self

    @model_validator(mode="after")
    def _check_joint_batch(self) -> Self:
        if not self.joint_batch:
            return self
        if streams := self.terms.streams:
            raise ValueError(
                f"joint_batch joins real and generated images only, and this recipe's terms also use {streams[0]} "
                "images: remove those terms, or joint_batch"
            )
        if penalties := [name for name, _ in self.penalties.items()]:
            raise ValueError(
                f"joint_batch joins real and generated images, penalties.{penalties[0]} needs them apart: remove one"
            )
        batch_norm = getattr(
            self.discriminator, "batch_norm", isinstance(self.discriminator, StridedDiscriminatorSettings)
        )
        minibatch_layers = (getattr(self.discriminator, name, 0) for name in ("minibatch_kernels", "minibatch_std"))
        if not batch_norm and not any(minibatch_layers):
            raise ValueError("joint_batch has no effect: the discriminator has neither batch norm nor minibatch layers")
        return self

    @model_validator(mode="after")
    def _check_generator_loss(self) -> Self:
        losses = [term for _, term in self.terms.items() if "generator" in term.turns and not term.needs_weight_average]
        if not self.adversarial_weight and not losses:
            raise ValueError("adversarial_weight = 0 leaves the generator without a loss: add a term of the generator")
        return self

    @model_validator(mode="after")
    def _check_classifier(self) -> Self:
        if self.discriminator is None:
            return self
        terms, classifier = self.terms, self.discriminator.classifier
        if terms.classification and not (self.uses_classes and classifier == "beside"):
            raise ValueError(f'terms.classification needs {CONDITIONED} and discriminator.classifier = "beside"')
        for name in ("classification", "real_classification"):
            if getattr(terms, name) and self.discriminator.label not in ("projection", "none"):
                raise ValueError(
                    f"terms.{name} predicts the class, which the discriminator already gets as an input: set "
                    'discriminator.label = "projection" or "none"'
                )
        if terms.real_classification and not (self.uses_classes and classifier in ("beside", "projection")):
            raise ValueError(
                f'terms.real_classification needs {CONDITIONED} and discriminator.classifier = "projection" or "beside"'
            )
        if classifier == "projection" and not (self.uses_classes and self.discriminator.label == "projection"):
            raise ValueError(
                f'discriminator.classifier = "projection" needs {CONDITIONED} and discriminator.label = "projection"'
            )
        if terms.supervised and classifier == "none":
            raise ValueError('terms.supervised needs discriminator.classifier = "instead" (or "beside")')
        if terms.supervised and self.conditional and self.discriminator.label != "none":
            raise ValueError(
                "terms.supervised predicts the class, which the discriminator already gets as an input: "
                'set discriminator.label = "none"'
            )
        if classifier != "none" and not (terms.classification or terms.real_classification or terms.supervised):
            raise ValueError(
                f'discriminator.classifier = "{classifier}" has no loss: add terms.classification,'
                " terms.real_classification or terms.supervised"
            )
        if classifier == "instead" and self.uses_classes and self.discriminator.label != "none":
            raise ValueError(
                'discriminator.classifier = "instead" predicts the class itself: set discriminator.label = "none"'
            )
        if self.packing > 1 and (classifier != "none" or terms.mutual_information):
            raise ValueError(
                "packing joins several images, each with a class or codes of its own: set packing = 1, or remove "
                "discriminator.classifier and terms.mutual_information"
            )
        reads_codes = terms.mutual_information and self.codes.categorical
        if terms.invariant_information and not (reads_codes or classifier != "none"):
            raise ValueError(
                "terms.invariant_information needs categorical logits: categorical codes with"
                ' terms.mutual_information, or a classifier (discriminator.classifier = "instead" or "beside")'
            )
        if terms.mutual_information and not self.codes.width:
            raise ValueError('terms.mutual_information needs codes: latent.distribution = "parts"')
        if self.uses_classes and self.discriminator.label == "none" and classifier == "none":
            raise ValueError(
                'discriminator.label = "none" without a classifier ignores the class of an image: set another label '
                "or a classifier"
            )
        return self

    @model_validator(mode="after")
    def _check_class_std(self) -> Self:
        partners = {"discriminator": self.discriminator, "encoder": self.encoder}
        if name := next((name for name, table in partners.items() if table and table.init.class_std), None):
            raise ValueError(f"{name}.init.class_std: only a generator has batch norm by class, remove this field")
        if self.generator.init.class_std and not (self.uses_classes and self.generator.label == "batch-norm"):
            raise ValueError(f'generator.init.class_std needs {CONDITIONED} and generator.label = "batch-norm"')
        return self

    @model_validator(mode="after")
    def _check_noise_and_norms(self) -> Self:
        noise_fields = [name for name in ("input_noise", "hidden_noise") if getattr(self.discriminator, name, 0)]
        if self.penalties.approximate_r1 and noise_fields:
            raise ValueError(
                f"penalties.approximate_r1 compares two outputs for an image, and discriminator.{noise_fields[0]}"
                " makes them differ at random: use penalties.r1"
            )
        if self.spectral_norm and getattr(self.discriminator, "weight_norm", False):
            raise ValueError("spectral_norm has no effect with discriminator.weight_norm: remove one")
        return self

    @model_validator(mode="after")
    def _check_virtual_batch_norm(self) -> Self:
        if self.generator.virtual_batch_norm and self.packing > 1:
            raise ValueError(
                "virtual_batch_norm makes images independent of their batch, packing joins them: remove one"
            )
        if self.generator.virtual_batch_norm == 1:
            raise ValueError("virtual_batch_norm = 1: a reference batch needs 2 or more images")
        return self

    @model_validator(mode="after")
    def _check_average_and_labels(self) -> Self:
        if self.average_discriminator and not self.ema_half_life:
            raise ValueError("average_discriminator = true needs ema_half_life above 0")
        if self.data.labels and LABELLED not in self.terms.streams:
            raise ValueError("data.labels limits the labels of terms.supervised, which this recipe lacks: set it to 0")
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
        """Whether the networks are conditioned on classes, those of the labels or clusters."""
        return self.conditional or self.data.clusters > 0

    def condition_classes(self, classes: int) -> int:
        """Return the number of classes that condition the networks on data with ``classes`` classes; 0 means none."""
        return self.data.clusters or (classes if self.conditional else 0)

    @property
    def pixel_range(self) -> str:
        """The range of real pixels in training, which is the range of the generator's output."""
        return "0..1" if self.generator.output in ("sigmoid", "tanh-of-0..1") else "-1..1"

    @property
    def rates(self) -> tuple[str, ...]:
        """The names of the fields with the networks' learning rates."""
        return ("generator_lr",) if self.discriminator is None else ("generator_lr", "discriminator_lr")

    @property
    def codes(self) -> Codes:
        """The layout of the codes in the latent; most recipes have none."""
        return self.latent.codes if isinstance(self.latent, PartsLatent) else Codes()

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain values for TOML and JSON; ``parse`` restores an equal recipe."""
        values = self.model_dump(mode="json", exclude_none=True)
        names = {type_: name for name, type_ in OBJECTIVES.items()}
        if self.objective is not None:
            values["objective"] = {"name": names[type(self.objective)], **values["objective"]}
        return values

    def to_toml(self) -> str:
        """Return the recipe as a complete TOML file."""
        return tomli_w.dumps(self.to_dict())
