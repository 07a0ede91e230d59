"""``train --from``: a new run starts with the weights of another one, or is told what does not fit."""

from collections.abc import Iterator
from typing import Any

from ganforge.data.images import ImageSet
from ganforge.errors import UserError
from ganforge.recipes.recipe import Recipe
from ganforge.runs.checkpoint import Damaged, newest_checkpoint, read_tensors
from ganforge.runs.folder import RunFolder
from ganforge.training.state import State

WEIGHTLESS = ("activation", "slope", "output", "init", "deep_without_batch_norm")
"""Fields of a network on which neither names nor shapes of its weights depend."""


def load_initial_weights(state: State, recipe: Recipe, images: ImageSet, folder: RunFolder) -> None:
    """Give the players the weights of the newest checkpoint of a run; optimisers and steps start afresh.

    Raises:
        UserError: this is no run, it has no whole checkpoint, or its networks, image shape or classes are others.
    """
    folder.read_run()
    try:
        tensors, _, _ = newest_checkpoint(folder.checkpoints)
    except Damaged as damage:
        raise UserError(f"--from {folder.path}: its weights cannot be used: {damage}") from None
    try:
        taken = {name: value for name, value in tensors.items() if not _of_the_past(name)}
        own = {name: value for name, value in state.tensors().items() if _of_this_run(name)}
        state.load(taken | own, 0, 0)
        state.begin_averages()
    except ValueError:
        why = _what_differs(folder, recipe, images)
        raise UserError(f"--from {folder.path}: its weights cannot be used here: {why}") from None


def _of_the_past(name: str) -> bool:
    return ".optimizer." in name or ".average." in name


def _of_this_run(name: str) -> bool:
    """Averages over all steps begin anew, and how often which cluster is drawn is said by the images."""
    return ".average." in name or name.endswith(".shares")


def _what_differs(folder: RunFolder, recipe: Recipe, images: ImageSet) -> str:
    """Say in which fields a run is other than the one that is to start with its weights, and what to do."""
    try:
        _, note = read_tensors(folder.generator)
        of_data = list(_other_data(note, recipe, images))
        of_recipe = list(_other_fields(note["recipe"], recipe.to_dict()))
    except (Damaged, KeyError, TypeError, ValueError, AttributeError):
        of_data, of_recipe = [], []
    if of_data:
        return f"{'; '.join(of_data)}; name a run that was trained on images like these"
    found = "; ".join(of_recipe[:3]) or "its networks are others"
    return f"{found}; take its recipe, {folder.recipe}, which has the same networks"


def _other_data(note: dict[str, Any], recipe: Recipe, images: ImageSet) -> Iterator[str]:
    there, here = _shape(note["shape"]), _shape(images.shape)
    if there != here:
        yield f"it draws images of {there}, these are {here}"
    classes = len(note["class_names"]), len(images.class_names)
    if recipe.conditional and note["recipe"]["conditional"] and classes[0] != classes[1]:
        yield f"it draws {classes[0]} classes, these data have {classes[1]}"


def _other_fields(there: dict[str, Any], here: dict[str, Any]) -> Iterator[str]:
    places = [("", "conditional"), ("latent", "dim")]
    for player in ("generator", "discriminator", "encoder"):
        if player in there and player not in here:
            yield f"its {player} has no place here"
        if player in here and player not in there:
            yield f"the {player} that is needed here is not there"
        if player not in there or player not in here:
            continue
        same_family = there[player]["family"] == here[player]["family"]
        fields = there[player] | here[player] if same_family else ("family",)
        places += [(player, field) for field in fields if field not in WEIGHTLESS]
    if there["data"].get("clusters") or here["data"]["clusters"]:
        places.append(("data", "clusters"))
    for table, field in places:
        before, now = ((values[table] if table else values).get(field) for values in (there, here))
        # how a player is told the class does not matter where it is told none
        if before != now and (field != "label" or here["conditional"] or here["data"]["clusters"]):
            yield f"{f'{table}.' if table else ''}{field} is {_plain(before)} there and {_plain(now)} here"
    if here["ema_half_life"] and not there["ema_half_life"]:
        yield f"it keeps no average of its weights (ema_half_life is 0 there and {here['ema_half_life']:g} here)"


def _plain(value: object) -> str:
    """Show a value as a recipe file has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shape(shape: tuple[int, int, int] | list[int]) -> str:
    channels, height, width = shape
    return f"{width}×{height} px, {'grey' if channels == 1 else 'colour'}"
