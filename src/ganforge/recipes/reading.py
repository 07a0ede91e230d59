"""Read a recipe from a built-in name or a TOML file, apply the user's changes, and report errors in one line."""

import functools
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ganforge.errors import UserError, nearest_names, suggest_names
from ganforge.files import user_path
from ganforge.networks.blocks import Init
from ganforge.networks.registry import DISCRIMINATORS, ENCODERS, GENERATORS
from ganforge.objectives.adversarial import OBJECTIVES
from ganforge.objectives.penalties import Penalties
from ganforge.objectives.reconstruction import Reconstruction
from ganforge.objectives.terms import Terms
from ganforge.python_arguments import as_path, as_texts, shown
from ganforge.recipes.latents import NormalLatent, PartsLatent, UniformLatent
from ganforge.recipes.old_names import FIELDS, FLAT, with_present_names
from ganforge.recipes.recipe import DEFAULT_RECIPE, Recipe
from ganforge.recipes.run_tables import Adam, Averaging, DataSettings, Game, RunSettings, Schedule
from ganforge.settings import Settings

NETS: dict[str, Mapping[Any, type]] = {"generator": GENERATORS, "discriminator": DISCRIMINATORS, "encoder": ENCODERS}
TAGS = (("latent", "distribution", "normal"), *((net, "family", "mlp") for net in NETS))
"""Tables of several kinds: the table, the field that names the kind, and the default kind."""
TABLES: dict[str, type[Settings]] = {
    **{"data": DataSettings, "game": Game, "schedule": Schedule, "averaging": Averaging, "adam": Adam},
    **{"run": RunSettings, "penalties": Penalties, "terms": Terms, "reconstruction": Reconstruction},
}
"""Tables of a single kind."""
LIKE = 0.6
"""Smallest likeness of a recipe's name that is suggested."""


def parse(values: dict[str, Any], where: str) -> Recipe:
    """Check plain values, whose fields may have old names, and return the recipe.

    Raises:
        UserError: a field is invalid; the message names ``where``, the field, the fault and what is allowed.
    """
    values = with_present_names(values, where)
    if "discriminator" in values:
        values = {"objective": {"name": "non-saturating"}, **values}
    if missing := [f"[{table}]" for table in ("latent", "generator") if table not in values]:
        raise UserError(
            f"{where}: has no {' and no '.join(missing)}; a recipe needs the tables [latent] and [generator], and "
            "[discriminator] or [encoder]; 'ganforge recipes show NAME' prints a whole one"
        )
    for table, tag, default in TAGS:
        if isinstance(values.get(table), dict):
            values[table] = {tag: default, **values[table]}
    try:
        return Recipe.model_validate(values)
    except ValidationError as invalid:
        raise UserError(f"{where}: {'; '.join(_describe(error, values) for error in invalid.errors()[:3])}") from None


def _describe(error: ErrorDetails, values: dict[str, Any]) -> str:
    """Turn one of pydantic's errors into a phrase."""
    field = ".".join(str(part) for part in _without_kind(error["loc"], values))
    message = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    message = re.sub("a valid dictionary or (instance|object).*", "a table of fields", message)
    message = message.replace("a valid tuple", "a list, such as [256]").replace("a valid integer", "a whole number")
    message = message.replace("a valid number", "a number").replace("a valid boolean", "true or false")
    if error["type"] == "extra_forbidden":
        message = _no_such_field(str(error["loc"][-1]), error["loc"][:-1], values)
    elif error["type"] == "union_tag_invalid":
        context = error["ctx"]
        message = f"{context['discriminator']} = {context['tag']!r} is none of {context['expected_tags']}"
    elif error["type"] == "string_pattern_mismatch":
        message = (
            "lower-case letters, digits, '.', '_' and '-' only, starting with a letter or digit; "
            f"found {error['input']!r}"
        )
    elif error["type"] == "missing":
        message = "this field is required"
    elif not isinstance(error["input"], dict | Settings):
        message = f"{message}, found {error['input']!r}"
    return f"{field}: {message}" if field else message


def _no_such_field(name: str, place: tuple[int | str, ...], values: dict[str, Any]) -> str:
    owners = [label for label, objective in OBJECTIVES.items() if name in objective.model_fields]
    if place == ("objective",) and owners:
        return f"{values['objective']['name']} has no such field; it belongs to {', '.join(owners)}"
    # a field of a table is also found where its table was forgotten
    names = _fields_at(place, values) if place else [*Recipe.model_fields, *FLAT.values()]
    return f"no such field; {suggest_names(name, names)}"


def _without_kind(place: tuple[int | str, ...], values: dict[str, Any]) -> tuple[int | str, ...]:
    """Remove the kind of a table, which pydantic adds after the table's name."""
    kinds = {(table, str(values[table].get(tag))) for table, tag, _ in TAGS if isinstance(values.get(table), dict)}
    return place[:1] + place[2:] if place[:2] in kinds else place


def _fields_at(place: tuple[int | str, ...], values: dict[str, Any]) -> list[str]:
    """Return the valid field names in the table at ``place`` of a recipe with these ``values``."""
    if place[-1] == "init":
        return list(Init.model_fields)
    if place[-1] == "objective":
        return ["name", *OBJECTIVES[values["objective"]["name"]].model_fields]
    for table, switches in (("penalties", Penalties), ("terms", Terms)):
        if place[:-1] == (table,):
            return list(get_args(switches.model_fields[str(place[-1])].annotation)[0].model_fields)
    settings: dict[str, type[Settings]] = {**TABLES}
    table, kind = str(place[0]), place[1] if len(place) > 1 else None
    kinds: list[type[Settings]] = [*NETS[table]] if table in NETS else [NormalLatent, UniformLatent, PartsLatent]
    for candidate in kinds:
        tag = candidate.model_fields.get("family") or candidate.model_fields["distribution"]
        if table in (*NETS, "latent") and kind in (tag.default, *getattr(tag.annotation, "__args__", ())):
            settings[table] = candidate
    return list(settings[table].model_fields) if table in settings else []


@functools.cache
def built_in() -> dict[str, str]:
    """Return the TOML text of every built-in recipe by name, sorted by name."""
    folder = resources.files(__package__) / "builtin"
    texts = [file.read_text(encoding="utf-8") for file in folder.iterdir() if file.name.endswith(".toml")]
    return dict(sorted((tomllib.loads(text)["name"], text) for text in texts))


def load_recipe(name: str | os.PathLike[str] | Recipe, changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe by its name, an alias, or the path of a TOML file, then apply ``field=value`` changes.

    A `Recipe` gets the changes and is checked again.

    Raises:
        UserError: the name is unknown (similar names are suggested), the TOML is broken, or a field is invalid.
    """
    if isinstance(name, Recipe):
        where, values = f"recipe {name.name}", name.to_dict()
    elif isinstance(name, str | os.PathLike):
        where, values = _read_values(name if isinstance(name, str) else str(as_path("recipe", name)))
    else:
        raise UserError(f"recipe {shown(name)}: give a name, the path of a TOML file, or a Recipe")
    values = with_present_names(values, where)
    _apply_changes(values, as_texts("--set", changes))
    return parse(values, where)


def _read_values(name: str) -> tuple[str, dict[str, Any]]:
    """Return how messages name a recipe, and the values of its fields."""
    texts = built_in()
    names = {alias: key for key, text in texts.items() for alias in (key, *tomllib.loads(text).get("aliases", ()))}
    names["default"] = DEFAULT_RECIPE
    if name in names:
        where, text = f"recipe {names[name]}", texts[names[name]]
    else:
        where, text = name, _read_file(name, list(names))
    try:
        return where, parse_toml(text, name)
    except UserError as error:
        raise UserError(f"{error}{_data_hint(name)}") from None


def parse_toml(text: str, where: str) -> dict[str, Any]:
    """Parse TOML text.

    Raises:
        UserError: the text is not valid TOML, or is nested too deeply.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise UserError(f"{where}: not valid TOML: it is nested too deeply") from None
    except ValueError as error:  # also a number of more than 4,300 digits
        raise UserError(f"{where}: not valid TOML: {error}") from None


def _read_file(name: str, names: list[str]) -> str:
    path = user_path(name)
    if path.is_dir():
        raise UserError(f"{name} is a folder, not a recipe; for data, write 'ganforge train --data {name}'")
    if not path.suffix and not path.is_file():
        close = nearest_names(name, names, LIKE)
        suggestion = f"did you mean {' or '.join(close)}? " if close else ""
        raise UserError(f"no recipe is called {name!r}; {suggestion}'ganforge recipes' lists them")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        hint = _data_hint(name) or "; 'ganforge recipes' lists the names"
        raise UserError(f"recipe file {name} cannot be read: {reason}{hint}") from None


def _data_hint(name: str) -> str:
    """Return the end of a message on a file that is no recipe, where its name is not that of a TOML file."""
    return "" if Path(name).suffix.lower() == ".toml" else f"; for data, write 'ganforge train --data {name}'"


def _parse_python_literal(word: str) -> bool | float | str:
    """Return the number or boolean that a word means in Python's spelling, which TOML refuses, else the word itself."""
    if word in ("True", "False"):
        return word == "True"
    try:
        return float(word)
    except ValueError:
        return word


def _apply_changes(values: dict[str, Any], changes: Sequence[str]) -> None:
    """Set fields by their dotted names; the last change of a field counts.

    Raises:
        UserError: a change is not ``field=value``, or a field is changed under its old and its present name.
    """
    written: dict[str, str] = {}
    for change in changes:
        place, equals, _ = change.partition("=")
        place = place.strip()
        if not equals or not place:
            raise UserError(f"--set {change}: write field=value, for example --set generator_lr=1e-4")
        name = FIELDS.get(place, place)
        if written.setdefault(name, place) != place:
            old = place if place != name else written[name]
            raise UserError(f"--set {change}: {old} is the old name of {name}: give one of them, not both")
        _apply(values, name, change)


def _apply(values: dict[str, Any], name: str, change: str) -> None:
    """Set the field of the dotted ``name`` to the value of a change ``field=value``.

    The value is parsed as TOML, else as a number or boolean in Python's spelling (.1, 1., True), else as a plain word.
    """
    text = change.partition("=")[2]
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = _parse_python_literal(text.strip())
    *tables, field = name.split(".")
    for table in tables:
        values = values.setdefault(table, {})
        if not isinstance(values, dict):
            raise UserError(f"--set {change}: {table} is not a table of fields")
    values[field] = value
