"""Recipes: what a GAN is made of, as names and numbers; read from TOML, checked field by field."""

import functools
import re
import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import tomli_w
from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SerializeAsAny,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from ganforge.errors import UserError, nearest
from ganforge.networks.blocks import Init
from ganforge.networks.catalogue import DISCRIMINATORS, GENERATORS, DiscriminatorTable, GeneratorTable
from ganforge.objectives.adversarial import OBJECTIVES, Objective
from ganforge.objectives.penalties import Penalties
from ganforge.objectives.terms import Terms
from ganforge.settings import Settings

DEFAULT_RECIPE = "forge-1"
"""What ``ganforge train`` takes when no recipe is named."""

DEFAULT_WITHOUT_LABELS = "forge-1-unconditional"
"""What it takes instead where the images have no labels, or all the same one."""

LearningRate = Annotated[float, Field(gt=0, le=10)]
Beta = Annotated[float, Field(ge=0, lt=1)]


class NormalLatent(Settings):
    """Latent z of ``dim`` independent numbers from N(mean, std)."""

    distribution: Literal["normal"] = "normal"
    dim: PositiveInt
    mean: float = 0.0
    std: PositiveFloat = 1.0


class UniformLatent(Settings):
    """Latent z of ``dim`` independent numbers from U(low, high)."""

    distribution: Literal["uniform"]
    dim: PositiveInt
    low: float = -1.0
    high: float = 1.0

    @model_validator(mode="after")
    def _low_below_high(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low = {self.low} must be below high = {self.high}")
        return self


class Adam(Settings):
    """Adam (Kingma and Ba 2015); the learning rates stand beside the recipe's other numbers, one for each player."""

    beta1: Beta = 0.9
    beta2: Beta = 0.999
    eps: PositiveFloat = 1e-8


class DataSettings(Settings):
    """``train`` leaves the validation images out of training, ``all`` trains on them too; test images never."""

    images: Literal["train", "all"] = "train"


class Recipe(Settings):
    """One method, complete: two runs with the same recipe, data and seed give the same weights.

    It trains ``kimg`` thousand images where that is given, else ``epochs``, unless the user says how long.
    A step is one round of the game: ``discriminator_steps`` updates of the discriminator, then ``generator_steps`` of
    the generator. ``shared_noise``: the generator is judged on the very fakes the discriminator has just learned from;
    otherwise on fresh ones. ``order``: "alternating", or both move at once by gradients at the same old weights
    ("simultaneous"). Schedules run in images seen, never in a part of the run, so a longer run repeats a shorter
    one (``training/schedule.py``): ``lr_decay_start`` 0 is no decay, ``ema_half_life`` 0 no averaging.
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
    spectral_norm: bool = False
    instance_noise: NonNegativeFloat = 0.0
    instance_noise_images: NonNegativeFloat = 0.0
    adversarial_weight: NonNegativeFloat = 1.0
    unroll: NonNegativeInt = 0
    shared_noise: bool = True
    order: Literal["alternating", "simultaneous"] = "alternating"
    lr_decay_start: NonNegativeFloat = 0.0
    ema_half_life: NonNegativeFloat = 0.0
    ema_ramp: NonNegativeFloat = 0.0

    sheet: Literal["plain", "beside-real"] = "plain"
    sheet_columns: Annotated[int, Field(ge=1, le=64)] = 10
    log_every: PositiveInt = 50
    checkpoint_seconds: NonNegativeFloat = 30.0
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["auto", "bf16", "fp32", "fp64"] = "fp32"

    data: DataSettings = DataSettings()
    latent: Annotated[NormalLatent | UniformLatent, Field(discriminator="distribution")]
    generator: GeneratorTable
    discriminator: DiscriminatorTable
    objective: SerializeAsAny[Objective]
    penalties: Penalties = Penalties()
    terms: Terms = Terms()
    adam: Adam = Adam()

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
    def _packs_fit(self) -> Self:
        if self.batch_size % self.packing:
            raise ValueError(f"packing = {self.packing} must divide batch_size = {self.batch_size}")
        if self.packing > 1 and self.conditional:
            raise ValueError("packing lays several images upon each other, and each has a label: conditional = false")
        return self

    @model_validator(mode="after")
    def _something_to_learn(self) -> Self:
        if not self.adversarial_weight and not self.terms.items():
            raise ValueError("adversarial_weight = 0 leaves the generator nothing to learn from: add a term")
        return self

    @field_validator("objective", mode="before")
    @classmethod
    def _objective_by_name(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        fields = dict(value)
        name = fields.pop("name", None)
        if name not in OBJECTIVES:
            raise ValueError(f"name = {name!r} is not an objective: {nearest(str(name), OBJECTIVES)}")
        return OBJECTIVES[name].model_validate(fields)

    @property
    def pixel_range(self) -> str:
        """The range real pixels are scaled to: the one that the generator's output can reach."""
        return "0..1" if self.generator.output in ("sigmoid", "tanh-of-0..1") else "-1..1"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as TOML and JSON take them; ``parse`` reads them back to an equal recipe."""
        values = self.model_dump(mode="json", exclude_none=True)
        names = {type_: name for name, type_ in OBJECTIVES.items()}
        values["objective"] = {"name": names[type(self.objective)], **values["objective"]}
        return values

    def to_toml(self) -> str:
        """Return the recipe as a complete TOML file."""
        return tomli_w.dumps(self.to_dict())


TAGS = (("latent", "distribution", "normal"), ("generator", "family", "mlp"), ("discriminator", "family", "mlp"))
"""Tables that come in several kinds, the field that names the kind, and what it is unless it is given."""


def parse(values: dict[str, Any], where: str) -> Recipe:
    """Check plain values and return the recipe.

    Raises:
        UserError: one line that names ``where``, the field, what is wrong and what would do.
    """
    values = {"objective": {"name": "non-saturating"}, **values}
    for table, tag, default in TAGS:
        if isinstance(values.get(table), dict):
            values[table] = {tag: default, **values[table]}
    try:
        return Recipe.model_validate(values)
    except ValidationError as invalid:
        raise UserError(f"{where}: {'; '.join(_in_words(error, values) for error in invalid.errors()[:3])}") from None


def _in_words(error: ErrorDetails, values: dict[str, Any]) -> str:
    """Turn one of pydantic's findings into a phrase."""
    field = ".".join(str(part) for part in _plain(error["loc"], values))
    message = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    message = re.sub("a valid dictionary or (instance|object).*", "a table of fields", message)
    if error["type"] == "extra_forbidden":
        message = f"no such field; {nearest(str(error['loc'][-1]), _fields_at(error['loc'][:-1], values))}"
    elif error["type"] == "union_tag_invalid":
        context = error["ctx"]
        message = f"{context['discriminator']} = {context['tag']!r} is none of {context['expected_tags']}"
    elif error["type"] == "missing":
        message = "this field is required"
    elif not isinstance(error["input"], dict | Settings):
        message = f"{message}, found {error['input']!r}"
    return f"{field}: {message}" if field else message


def _plain(place: tuple[int | str, ...], values: dict[str, Any]) -> tuple[int | str, ...]:
    """Leave out the kind of a table, which pydantic puts behind the table's name."""
    kinds = {(table, values[table].get(tag)) for table, tag, _ in TAGS if isinstance(values.get(table), dict)}
    return place[:1] + place[2:] if place[:2] in kinds else place


def _fields_at(place: tuple[int | str, ...], values: dict[str, Any]) -> list[str]:
    """The field names that may stand at ``place`` in the recipe made of ``values``."""
    if not place:
        return list(Recipe.model_fields)
    if place[-1] == "init":
        return list(Init.model_fields)
    if place[-1] == "objective":
        return ["name", *OBJECTIVES[values["objective"]["name"]].model_fields]
    for table, switches in (("penalties", Penalties), ("terms", Terms)):
        if place[:-1] == (table,):
            return list(get_args(switches.model_fields[str(place[-1])].annotation)[0].model_fields)
    settings: dict[str, type[Settings]] = {"data": DataSettings, "adam": Adam, "penalties": Penalties, "terms": Terms}
    kinds: list[type[Settings]] = [NormalLatent, UniformLatent, *GENERATORS, *DISCRIMINATORS]
    table, kind = str(place[0]), place[1] if len(place) > 1 else None
    for one in kinds:
        tag = one.model_fields.get("family") or one.model_fields["distribution"]
        side = table == "latent" or (table == "generator") == (one in GENERATORS)
        if side and kind in (tag.default, *getattr(tag.annotation, "__args__", ())):
            settings[table] = one
    return list(settings[table].model_fields) if table in settings else []


@functools.cache
def built_in() -> dict[str, str]:
    """The TOML text of every recipe that comes with the package, by name, in reading order."""
    texts = [file.read_text(encoding="utf-8") for file in resources.files(__package__).iterdir() if _is_recipe(file)]
    return dict(sorted((tomllib.loads(text)["name"], text) for text in texts))


def _is_recipe(file: Any) -> bool:
    return str(file.name).endswith(".toml")


def load_recipe(name: str, changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe by its name, an alias, or the path of a TOML file, then apply ``field=value`` changes.

    Raises:
        UserError: unknown name (the nearest are offered), broken TOML, or a field that does not check.
    """
    texts = built_in()
    names = {alias: key for key, text in texts.items() for alias in (key, *tomllib.loads(text).get("aliases", ()))}
    names["default"] = DEFAULT_RECIPE
    if name in names:
        where, text = f"recipe {names[name]}", texts[names[name]]
    else:
        where, text = name, _read_file(name, list(names))
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{name}: not valid TOML: {error}") from None
    for change in changes:
        _apply(values, change)
    return parse(values, where)


def _read_file(name: str, names: list[str]) -> str:
    path = Path(name)
    if not path.suffix and not path.is_file():
        raise UserError(f"recipe {name!r} is not known: {nearest(name, names)}")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UserError(f"recipe file {name} cannot be read: {reason}; see 'ganforge recipes' for names") from None


def _apply(values: dict[str, Any], change: str) -> None:
    """Set one field by its dotted name; the value is read as TOML, and as a plain word where it is none."""
    place, equals, text = change.partition("=")
    if not equals or not place.strip():
        raise UserError(f"--set {change}: write field=value, for example --set generator_lr=1e-4")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    *tables, field = place.strip().split(".")
    for table in tables:
        values = values.setdefault(table, {})
        if not isinstance(values, dict):
            raise UserError(f"--set {change}: {table} is not a table of fields")
    values[field] = value
