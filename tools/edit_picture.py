"""Makes docs/pictures/edit.png: what 'ganforge edit' does with real validation digits of MNIST."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ganforge.applications import edit
from ganforge.data.load import load
from ganforge.files import write_atomically
from ganforge.generation.generator import load_generator
from ganforge.generation.grids import image_grid, png

FILE = Path(__file__).parents[1] / "docs" / "pictures" / "edit.png"
COLUMNS = 8


def drawing(*lines: list[tuple[int, int]]) -> tuple[Tensor, Tensor]:
    """Return a picture of lines two pixels wide, and the places that are drawn."""
    canvas = Image.new("L", (28, 28))
    pen = ImageDraw.Draw(canvas)
    for line in lines:
        pen.line(line, fill=255, width=2)
    pixels = torch.from_numpy(np.array(canvas))[None, None]
    return pixels, pixels > 0


def main() -> None:
    """Draw the rows and write the sheet."""
    generator, digits = load_generator("mnist"), load("mnist").validation.images
    free = torch.zeros(1, 1, 28, 28, dtype=torch.bool)
    free[..., 14:, :] = True
    start = {index: edit.reconstruct(generator, digits[index : index + 1])[1] for index in (2, 5)}
    directions = edit.attributes(generator)
    rows = {
        "given, nearest": edit.reconstruct(generator, digits[1:2], draws=7)[0],
        "completed": edit.complete(generator, digits[1:2], free, draws=7),
        "drawn, answers": edit.answer_strokes(generator, *drawing([(8, 6), (20, 6), (12, 24)]), draws=7),
        "toward 9": edit.toward_class(generator, start[2], 9),
        "7 to 4": edit.mix(generator, digits[3:5]),
        "slant +3": edit.change_along(generator, start[5], directions["slant"], 3.0, "slant"),
        "ink +3": edit.change_along(generator, start[5], directions["ink"], 3.0, "ink"),
    }
    images = torch.cat([row.images[:COLUMNS] for row in rows.values()])
    write_atomically(FILE, png(image_grid(images, COLUMNS, row_names=list(rows))))


if __name__ == "__main__":
    main()
