"""Timing of real training steps on synthetic images, with a cache of the answers."""

import hashlib
import platform
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from ganforge.data.batches import Batches
from ganforge.data.images import ImageSet
from ganforge.files import cache_folder
from ganforge.json_text import to_json
from ganforge.recipes.recipe import Recipe
from ganforge.training.noise import NoiseSource
from ganforge.training.state import DTYPES, new_state
from ganforge.training.step_function import step_function

Shape = tuple[int, int, int]
WARM_UP, ROUNDS = 2, 3


def fastest_steps(variants: dict[str, Callable[[], float]]) -> dict[str, float]:
    """Return the seconds of the fastest step of each variant; the variants run in turn, a few times each."""
    times: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(WARM_UP + ROUNDS):
        for name, step in variants.items():
            times[name].append(step())
    return {name: min(seconds[WARM_UP:]) for name, seconds in times.items()}


def timed_step(recipe: Recipe, shape: Shape, classes: int) -> Callable[[], float]:
    """Return a function that does the next training step on synthetic images and returns its seconds."""
    device, dtype = torch.device(recipe.run.device), DTYPES[recipe.run.precision]
    classes = recipe.condition_classes(classes) or classes
    names = tuple(map(str, range(classes)))
    count = recipe.batch_size
    labels = torch.arange(count) % classes if classes else torch.full((count,), -1)
    images = ImageSet(torch.randint(256, (count, *shape), dtype=torch.uint8), labels, names)
    stream = partial(Batches, images, count, recipe.pixel_range, seed=0, device=device, dtype=dtype, pairs=recipe.pairs)
    batches, labelled = stream(labels=recipe.uses_classes), stream(labels=True)
    streams = {"real": batches, **dict.fromkeys(recipe.terms.streams, labelled)}
    state, noise = new_state(recipe, shape, classes, 0, device), NoiseSource(recipe, 0, device, dtype)

    def step() -> float:
        started = time.perf_counter()
        stats = step_function(recipe)(state, recipe, streams, noise)
        stats["generator_loss"].item()  # waits for the device
        return time.perf_counter() - started

    return step


def cache_path(kind: str, recipe: Recipe, shape: Shape, classes: int) -> Path:
    """Return the cache file of an answer for this machine, torch build, number of threads and recipe."""
    environment = (platform.machine(), platform.processor(), torch.get_num_threads(), torch.__config__.show())
    text = to_json([recipe.training_values(), shape, classes, environment], sort_keys=True)
    return cache_folder() / kind / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.json"
