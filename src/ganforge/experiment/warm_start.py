"""``train --from``: a new run starts with the weights of another run, or the message says what does not fit."""

import re
from collections.abc import Iterator
from typing import Any

from ganforge.data.images import ImageSet
from ganforge.errors import UserError
from ganforge.recipes.old_names import with_present_names
from ganforge.recipes.recipe import Recipe
from ganforge.runs.checkpoint import Damaged, newest_checkpoint, read_tensors
from ganforge.runs.folder import RunFolder
from ganforge.training.state import State

WEIGHTLESS = ("activation", "slope", "output", "init", "deep_without_batch_norm")
"""Fields of a network that change neither names nor shapes of its weights."""
NOT_TAKEN = r"\.(optimizer|average)\."
"""Names of the tensors of a checkpoint that are no weights."""


def load_initial_weights(state: State, recipe: Recipe, images: ImageSet, folder: RunFolder) -> None:
    """Load the weights of a run's newest checkpoint; optimisers and steps start anew.

    Raises:
        UserError: the folder is not a run, it has no whole checkpoint, or networks, image shape or classes differ.
    """
    folder.read_run()
    try:
        tensors, _, _ = newest_checkpoint(folder.checkpoints)
    except Damaged as damage:
        raise UserError(f"--from {folder.path}: its weights cannot be used: {damage}; name another run") from None
    try:
        weights = {name: value for name, value in tensors.items() if not re.search(NOT_TAKEN, name)}
        initial = {name: value for name, value in state.tensors().items() if _stays_initial(name)}
        state.load(weights | initial, 0, 0)
        state.begin_averages()
    except ValueError:
        reason = _what_differs(folder, recipe, images)
        raise UserError(f"--from {folder.path}: its weights cannot be used here: {reason}") from None


def continue_state(state: State, folder: RunFolder) -> None:
    """Load the newest checkpoint of a run with optimisers and steps; averages that the run does not keep begin now.

    Raises:
        UserError: it has no whole checkpoint, or its networks differ.
    """
    try:
        tensors, note, _ = newest_checkpoint(folder.checkpoints)
        copies = {name: name.replace(".ema.", ".module.", 1) for name in state.tensors() if ".ema." in name}
        begun = {name: tensors[module] for name, module in copies.items() if name not in tensors}
        state.load(begun | tensors, note["step"], note["images_seen"])
    except Damaged as damage:
        raise UserError(f"{folder.path}: its weights cannot be used: {damage}") from None
    except (KeyError, ValueError) as error:
        raise UserError(f"{folder.path}: its weights do not fit the changed recipe: {error}") from None


def _stays_initial(name: str) -> bool:
    """Whether a tensor keeps its initial value: running averages, and class frequencies, which come from the images."""
    return ".average." in name or name.endswith(".shares")


def _what_differs(folder: RunFolder, recipe: Recipe, images: ImageSet) -> str:
    """Return how a run differs from the one that shall start with its weights, and what to do."""
    try:
        _, note = read_tensors(folder.generator)
        data_differences = list(_data_differences(note, recipe, images))
        saved = with_present_names(note["recipe"], str(folder.generator))
        field_differences = list(_field_differences(saved, recipe.to_dict()))
    except (Damaged, KeyError, TypeError, ValueError, AttributeError):
        data_differences, field_differences = [], []
    if data_differences:
        return f"{'; '.join(data_differences)}; name a run that was trained on images like these"
    differences = "; ".join(field_differences[:3]) or "its networks differ"
    return f"{differences}; take its recipe, {folder.recipe}, which has the same networks"


def _data_differences(note: dict[str, Any], recipe: Recipe, images: ImageSet) -> Iterator[str]:
    there, here = _shape(note["shape"]), _shape(images.shape)
    if there != here:
        yield f"it draws images of {there}, these are {here}"
    classes = len(note["class_names"]), len(images.class_names)
    if recipe.conditional and note["recipe"]["conditional"] and classes[0] != classes[1]:
        yield f"it draws {classes[0]} classes, these data have {classes[1]}"


def _field_differences(there: dict[str, Any], here: dict[str, Any]) -> Iterator[str]:
    clustered = there["data"].get("clusters") or here["data"]["clusters"]
    compared_fields = [("", "conditional"), ("latent", "dim"), *([("data", "clusters")] if clustered else [])]
    for network in ("generator", "discriminator", "encoder"):
        if network in there and network in here:
            compared_fields += _network_fields(network, there[network], here[network])
        elif network in there:
            yield f"its {network} is not part of this recipe"
        elif network in here:
            yield f"it lacks the {network} of this recipe"
    for section, field in compared_fields:
        old, new = ((values[section] if section else values).get(field) for values in (there, here))
        # the kind of conditioning does not matter without classes
        if old != new and (field != "label" or here["conditional"] or here["data"]["clusters"]):
            yield f"{f'{section}.' if section else ''}{field} is {_plain(old)} there and {_plain(new)} here"
    half_lives = there["averaging"]["half_life"], here["averaging"]["half_life"]
    if half_lives[1] and not half_lives[0]:
        yield f"it keeps no average of its weights (averaging.half_life is 0 there and {half_lives[1]:g} here)"


def _network_fields(network: str, there: dict[str, Any], here: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the fields of a network that decide on its weights; of two families, only the family."""
    fields = there | here if there["family"] == here["family"] else ("family",)
    return [(network, field) for field in fields if field not in WEIGHTLESS]


def _plain(value: object) -> str:
    """Return a value as in a recipe file."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shape(shape: tuple[int, int, int] | list[int]) -> str:
    channels, height, width = shape
    return f"{width}×{height} px, {'grey' if channels == 1 else 'colour'}"
