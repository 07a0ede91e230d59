"""The pictures of docs/applications.md that show a task: python tools/apply_sheets.py RUN...

Writes docs/pictures/<recipe>.png for each run of colour, repair or next-frame: what 'ganforge apply' makes of test
pictures that the run has not seen, one of each of the first six classes, or of one clip, beside the truth.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from ganforge.applications.apply import CELL, apply
from ganforge.applications.continue_clips import continue_source
from ganforge.data.images import ImageSet
from ganforge.data.load import load
from ganforge.data.pairs import NextFrame
from ganforge.evaluation.translation import evaluation_pairs
from ganforge.files import write_atomically
from ganforge.generation.generator import Generator, load_generator
from ganforge.generation.grids import image_grid, png
from ganforge.runs.folder import RunFolder

TARGET = Path(__file__).parents[1] / "docs" / "pictures"
PICTURES, DRAWS, FRAMES = 6, 2, 10


def pictures(generator: Generator, test: ImageSet) -> Image.Image:
    """Return a sheet with a row for the first test picture of each class: given, results, simple method, truth."""
    assert generator.recipe.pairs is not None
    chosen = test.select(torch.tensor([int((test.labels == label).nonzero()[0]) for label in range(PICTURES)]))
    pair = evaluation_pairs(generator.recipe.pairs, chosen)
    results = apply(generator, pair.condition.numpy(), draws=DRAWS)
    columns: dict[str, Any] = {"given": results.given}
    columns |= {f"result {k + 1}": draw for k, draw in enumerate(results.draws)}
    columns |= dict([results.simple] if results.simple else []) | {"true": pair.target}
    return image_grid(
        torch.stack(list(columns.values()), 1).flatten(0, 1),
        len(columns),
        caption=results.caption,
        width=CELL * len(columns),
        row_names=[test.class_names[label] for label in range(PICTURES)],
        column_names=list(columns),
    )


def clip(generator: Generator, test: ImageSet) -> Image.Image:
    """Return a sheet of the first test clip: given frames, continuations, the truth, and simple methods."""
    rule = generator.recipe.pairs
    assert isinstance(rule, NextFrame)
    frames = test.images[:1].unflatten(1, (-1, rule.channels))
    given, future = frames[:, : rule.given], frames[:, rule.given : rule.given + FRAMES]
    results = continue_source(generator, given.numpy(), FRAMES, draws=DRAWS)
    return replace(results, names=["test clip"], simple={"true": future, **results.simple}).sheet()


def main() -> None:
    """Write one picture for each run that was named."""
    for run in map(Path, sys.argv[1:]):
        generator = load_generator(run)
        test = load(RunFolder(run).read_run()["data"]["source"]).test
        draw = clip if isinstance(generator.recipe.pairs, NextFrame) else pictures
        write_atomically(TARGET / f"{generator.recipe.name}.png", png(draw(generator, test), compress_level=9))


if __name__ == "__main__":
    main()
