"""The fields of a recipe, their types and ranges, and the facts that follow from them."""

from typing import Annotated

from pydantic import Field, SerializeAsAny, field_validator

from ganforge.data.pairs import PairsTable
from ganforge.errors import suggest_names
from ganforge.networks.registry import DiscriminatorTable, EncoderTable, GeneratorTable
from ganforge.objectives.adversarial import OBJECTIVES, Objective
from ganforge.objectives.loss_context import Codes
from ganforge.objectives.penalties import Penalties
from ganforge.objectives.reconstruction import Reconstruction
from ganforge.objectives.terms import Terms
from ganforge.recipes.latents import NormalLatent, PartsLatent, UniformLatent
from ganforge.recipes.run_tables import Adam, Averaging, DataSettings, Game, RunSettings, Schedule
from ganforge.settings import WIDEST, Settings

LearningRate = Annotated[float, Field(gt=0, le=10)]


class RecipeFields(Settings):
    """The fields of a recipe, not yet checked against each other (`ganforge.recipes.recipe.Recipe`).

    The generator trains against ``discriminator`` by ``objective``; or, without an adversary, together with
    ``encoder``, which maps images to latents, by ``reconstruction``, both at the rate ``generator_lr``.
    """

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=60, description="run folders are named after the recipe"
    )
    summary: str = ""
    source: str = ""
    aliases: Annotated[tuple[str, ...], Field(strict=False)] = Field((), description="other names of the recipe")

    conditional: bool = Field(False, description="both networks get the class label; needs labelled images")
    batch_size: int = Field(100, ge=2, le=WIDEST, description="images in a batch")
    generator_lr: LearningRate = Field(2e-4, description="learning rate of the generator (and of an encoder)")
    discriminator_lr: LearningRate = Field(2e-4, description="learning rate of the discriminator")

    # Tables of several kinds have no description: the docstring of their kind explains them.
    data: DataSettings = Field(DataSettings(), description="images and labels for training")
    pairs: PairsTable | None = None
    latent: Annotated[NormalLatent | UniformLatent | PartsLatent, Field(discriminator="distribution")]
    generator: GeneratorTable
    discriminator: DiscriminatorTable | None = None
    objective: SerializeAsAny[Objective] | None = None
    encoder: EncoderTable | None = None
    reconstruction: Reconstruction | None = None
    penalties: Penalties = Field(Penalties(), description="gradient penalties in the discriminator's loss")
    terms: Terms = Field(Terms(), description="further terms of the losses")
    game: Game = Field(Game(), description="updates of discriminator and generator in a step")
    schedule: Schedule = Field(Schedule(), description="changes over the images seen, whatever the length of the run")
    averaging: Averaging = Field(Averaging(), description="moving averages of the weights")
    adam: Adam = Field(Adam(), description="optimiser of all networks (Kingma and Ba 2015)")
    run: RunSettings = Field(RunSettings(), description="length, output files, machine")

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
        return "0..1" if self.generator.output in ("sigmoid", "clamp", "tanh-of-0..1") else "-1..1"

    @property
    def rates(self) -> tuple[str, ...]:
        """The names of the fields with the networks' learning rates."""
        return ("generator_lr",) if self.discriminator is None else ("generator_lr", "discriminator_lr")

    @property
    def codes(self) -> Codes:
        """The layout of the codes in the latent; most recipes have none."""
        return self.latent.codes if isinstance(self.latent, PartsLatent) else Codes()
