"""A recipe as text to learn from: TOML in tables, with a comment for every table and for its fields."""

from collections.abc import Iterator
from typing import Any

import tomli_w

from ganforge.recipes.old_names import FLAT
from ganforge.recipes.recipe import Recipe
from ganforge.settings import Settings

KINDS = ("name", "family", "distribution")
"""Fields that name the kind of a table, which come first in it."""
WIDEST = 44
"""Column of the comments after a table's fields; longer lines have their comment after one blank."""


def explain(recipe: Recipe) -> str:
    """Return a recipe as TOML with comments, which loads as an equal recipe.

    A field is explained by its description, a table by the description of its field, or else by the first line of its
    class's docstring. Names of penalties and terms that the recipe lacks stand in a comment.
    """
    return "\n".join(_lines("", recipe.to_dict(), recipe, "")).strip()


def with_flat_names(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe's plain values for JSON: its tables, and the former names outside tables, which scripts read."""
    values = recipe.to_dict()
    places = {old: new.split(".") for old, new in FLAT.items()}
    return values | {old: values[table][field] for old, (table, field) in places.items()}


def _lines(table: str, values: dict[str, Any], section: Settings, comment: str) -> Iterator[str]:
    """Yield the lines of a table, then those of the tables in it."""
    if table:
        yield ""
        yield f"# {comment}"
        yield f"[{table}]"
    fields = {name: f"{name} = {_toml(value)}" for name, value in values.items() if not isinstance(value, dict)}
    width = min(WIDEST, max(map(len, fields.values()), default=0))
    for name, line in sorted(fields.items(), key=lambda field: field[0] not in KINDS):
        about = _description(section, name)
        yield f"{line:<{width}}  # {about}" if about else line
    if table and (absent := [name for name in type(section).model_fields if getattr(section, name) is None]):
        yield f"# not in this recipe: {', '.join(absent)}"
    for name, entries in values.items():
        if isinstance(entries, dict):
            inner = getattr(section, name)
            about = _description(section, name) or _first_line(inner)
            yield from _lines(f"{table}.{name}" if table else name, entries, inner, about)


def _description(section: Settings, name: str) -> str:
    field = type(section).model_fields.get(name)
    return (field.description or "") if field else ""


def _first_line(section: Settings) -> str:
    """Return the first line of the docstring of a table's class, without its markup."""
    return (type(section).__doc__ or "").partition("\n")[0].replace("``", "")


def _toml(value: Any) -> str:
    """Return a value as TOML on one line."""
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return tomli_w.dumps({"x": value}).removeprefix("x = ").strip()
