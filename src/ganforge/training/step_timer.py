"""The real step, played for a moment on made-up images: what is faster is measured, never assumed, and remembered."""

import hashlib
import platform
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ganforge.data.batches import Batches
from ganforge.data.images import ImageSet
from ganforge.errors import RunFailed
from ganforge.files import cache_folder, write_atomically
from ganforge.json_text import parse_json, to_json
from ganforge.recipes.recipe import Recipe
from ganforge.training.noise import NoiseSource
from ganforge.training.rules import rule_of
from ganforge.training.state import DTYPES, new_state

Shape = tuple[int, int, int]
WARM_UP, ROUNDS = 2, 3


def fastest_steps(ways: dict[str, Callable[[], float]]) -> dict[str, float]:
    """Return the seconds of the fastest step of each way to play it; they are played in turn, a few times each."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(WARM_UP + ROUNDS):
        for name, play in ways.items():
            times[name].append(play())
    return {name: min(taken[WARM_UP:]) for name, taken in times.items()}


def timed_step(recipe: Recipe, shape: Shape, classes: int) -> Callable[[], float]:
    """Return what plays the next step of a game on made-up images and says how many seconds it took."""
    device, dtype = torch.device(recipe.device), DTYPES[recipe.precision]
    classes = recipe.condition_classes(classes) or classes
    names = tuple(map(str, range(classes)))
    count = recipe.batch_size
    labels = torch.arange(count) % classes if classes else torch.full((count,), -1)
    images = ImageSet(torch.randint(256, (count, *shape), dtype=torch.uint8), labels, names)
    stream = partial(Batches, images, count, recipe.pixel_range, seed=0, device=device, dtype=dtype)
    batches, known = stream(labels=recipe.uses_classes), stream(labels=True)
    streams = {"real": batches, **dict.fromkeys(recipe.terms.streams, known)}
    state, draws = new_state(recipe, shape, classes, 0, device), NoiseSource(recipe, 0, device, dtype)

    def play() -> float:
        started = time.perf_counter()
        stats = rule_of(recipe)(state, recipe, streams, draws)
        stats["generator_loss"].item()  # waits for the device
        return time.perf_counter() - started

    return play


def cache_path(kind: str, recipe: Recipe, shape: Shape, classes: int) -> Path:
    """Where such an answer is kept for this machine, torch, number of threads and recipe."""
    here = (platform.machine(), platform.processor(), torch.get_num_threads(), torch.__config__.show())
    text = to_json([recipe.to_dict(), shape, classes, here], sort_keys=True)
    return cache_folder() / kind / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.json"


def read(file: Path) -> Any:
    """Return what was found out before; None where nothing was, or nobody can read it."""
    try:
        return parse_json(file.read_bytes())
    except (OSError, ValueError):
        return None


def write(file: Path, answer: Any) -> None:
    """Keep an answer; where nothing can be written it is found out anew next time."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, to_json(answer).encode())
    except (OSError, RunFailed):
        return
