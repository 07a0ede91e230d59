"""``ganforge recipes``: list the recipes that come with ganforge, or show one."""

from typing import Annotated

import typer

from ganforge.commands.completion import complete_recipe
from ganforge.commands.console import JsonFlag, inherit_json_flag, print_json, say, table

recipes_app = typer.Typer(invoke_without_command=True)


@recipes_app.callback()
def recipes(context: typer.Context, as_json: JsonFlag = False) -> None:
    """List the recipes that come with ganforge, or show one.

    Example: ganforge recipes show vanilla > mine.toml
    """
    inherit_json_flag(context, as_json)
    if context.invoked_subcommand:
        return
    from ganforge.recipes.reading import built_in, load_recipe
    from ganforge.recipes.recipe import DEFAULT_RECIPE

    shipped = [load_recipe(name) for name in built_in()]
    if as_json:
        rows = [{"name": r.name, "aliases": list(r.aliases), "summary": r.summary, "source": r.source} for r in shipped]
        print_json({"recipes": rows, "default": DEFAULT_RECIPE})
        return
    table([(r.name, r.summary) for r in shipped], ("recipe", "description"))
    say(f"default: {DEFAULT_RECIPE}; 'ganforge recipes show NAME' prints one as a template for your own TOML file")


@recipes_app.command("show")
def recipes_show(
    name: Annotated[
        str,
        typer.Argument(help="A name ('ganforge recipes' lists them) or a TOML file.", autocompletion=complete_recipe),
    ],
    as_json: JsonFlag = False,
) -> None:
    """Print a recipe as TOML with explanations, as a template for your own.

    Example: ganforge recipes show cgan-tutorial
    """
    from ganforge.recipes.explain import explain, with_flat_names
    from ganforge.recipes.reading import load_recipe

    recipe = load_recipe(name)
    if as_json:
        print_json(with_flat_names(recipe))
    else:
        say(explain(recipe))
