"""In which numbers the layers compute, found out by playing the real step for a moment."""

import hashlib
import json
import platform
import time
from pathlib import Path

import torch

from ganforge.data.batches import Batches
from ganforge.data.images import ImageSet
from ganforge.errors import RunFailed
from ganforge.files import cache_folder, write_atomically
from ganforge.recipes.recipe import Recipe
from ganforge.training.draws import Draws
from ganforge.training.rules import rule_of
from ganforge.training.state import new_state

WARM_UP, ROUNDS = 2, 3


def choose_precision(recipe: Recipe, shape: tuple[int, int, int], classes: int) -> Recipe:
    """Return the recipe with ``auto`` precision settled: bf16 where a step is faster with it on this machine, or fp32.

    bf16 halves the time on processors with units for it and multiplies it on others, so it is measured, once: the
    answer is kept in the cache folder for this machine, torch, number of threads and recipe, and the same recipe gets
    the same answer again.
    """
    if recipe.precision != "auto":
        return recipe
    file = cache_folder() / "precision" / f"{_key(recipe, shape, classes)}.json"
    known = _read(file)
    if known is None:
        known = _faster(recipe, shape, classes)
        _keep(file, known)
    return recipe.model_copy(update={"precision": known})


def _key(recipe: Recipe, shape: tuple[int, int, int], classes: int) -> str:
    here = (platform.machine(), platform.processor(), torch.get_num_threads(), torch.__config__.show())
    text = json.dumps([recipe.to_dict(), shape, classes, here], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _read(file: Path) -> str | None:
    try:
        precision = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return precision if precision in ("bf16", "fp32") else None


def _keep(file: Path, precision: str) -> None:
    """Remember the answer; where nothing can be written it is found out anew next time."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, json.dumps(precision).encode())
    except (OSError, RunFailed):
        return


def _faster(recipe: Recipe, shape: tuple[int, int, int], classes: int) -> str:
    """Time steps on made-up images, in turn, and return the precision whose fastest step is the fastest."""
    device = torch.device(recipe.device)
    names = tuple(map(str, range(classes)))
    count = recipe.batch_size
    labels = torch.arange(count) % classes if classes else torch.full((count,), -1)
    images = ImageSet(torch.randint(256, (count, *shape), dtype=torch.uint8), labels, names)
    batches = Batches(images, count, recipe.pixel_range, seed=0, labels=recipe.conditional, device=device)
    known = Batches(images, count, recipe.pixel_range, seed=0, labels=True, device=device)
    streams = {"real": batches, **dict.fromkeys(recipe.terms.streams, known)}
    times: dict[str, list[float]] = {"fp32": [], "bf16": []}
    players = {}
    for precision in times:
        changed = recipe.model_copy(update={"precision": precision})
        players[precision] = changed, new_state(changed, shape, classes, 0, device)
    for round_ in range(WARM_UP + ROUNDS):
        for precision, (changed, state) in players.items():
            started = time.perf_counter()
            stats = rule_of(changed)(state, changed, streams, Draws(changed, 0, device))
            stats["generator_loss"].item()  # waits for the device
            if round_ >= WARM_UP:
                times[precision].append(time.perf_counter() - started)
    return min(times, key=lambda precision: min(times[precision]))
