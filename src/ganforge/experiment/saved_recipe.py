"""The recipe of a run, as saved in its folder."""

from ganforge.errors import UserError
from ganforge.recipes.reading import parse, parse_toml
from ganforge.recipes.recipe import Recipe
from ganforge.runs.folder import RunFolder


def saved_recipe(folder: RunFolder) -> Recipe:
    """Return the recipe of a run.

    Raises:
        UserError: the recipe file is missing or damaged.
    """
    try:
        values = parse_toml(folder.recipe.read_text(encoding="utf-8"), str(folder.recipe))
    except (OSError, ValueError, UserError):
        raise UserError(
            f"{folder.recipe} is missing or damaged; restore it, or train again into another folder"
        ) from None
    return parse(values, str(folder.recipe))
