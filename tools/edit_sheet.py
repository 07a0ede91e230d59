"""Makes docs/pictures/edit-strokes-masks.png: ten test digits with free pixels, and ten rough drawings, answered.

The classes that the judge reads are below the answers; the counts are printed.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ganforge.applications import edit
from ganforge.data.load import load
from ganforge.data.pairs import HALVES, strokes
from ganforge.files import write_atomically
from ganforge.generation.generator import Generator, load_generator
from ganforge.generation.grids import image_grid, png
from ganforge.judge.shipped import load_judge

FILE = Path(__file__).parents[1] / "docs" / "pictures" / "edit-strokes-masks.png"
SIDE, DRAWS = 28, 3
BAND = 22
DRAWINGS = (
    (3, [(10, 5), (6, 14), (10, 23), (18, 23), (21, 13), (17, 5), (10, 5)]),
    (2, [(15, 4), (13, 24)]),
    (2, [(7, 9), (12, 5), (19, 9), (7, 22), (21, 22)]),
    (3, [(8, 5), (18, 7), (12, 13), (19, 18), (8, 23)]),
    (2, [(8, 4), (7, 14), (20, 14)], [(18, 5), (17, 24)]),
    (2, [(19, 5), (9, 5), (8, 12), (18, 15), (16, 22), (7, 22)]),
    (3, [(16, 4), (8, 15), (10, 23), (18, 21), (17, 15), (9, 16)]),
    (4, [(7, 6), (20, 6), (12, 24)]),
    (2, [(14, 13), (8, 8), (14, 4), (20, 8), (14, 13), (8, 19), (14, 24), (20, 19), (14, 13)]),
    (2, [(19, 11), (10, 13), (9, 6), (17, 4), (19, 11), (17, 24)]),
)
"""A rough drawing of each class, 0 to 9: the width of its pen and its lines, in pixels."""


def drawing(width: int, *lines: list[tuple[int, int]]) -> tuple[Tensor, Tensor]:
    """Return a picture of white lines, uint8 [1, 1, 28, 28], and the places that are drawn."""
    canvas = Image.new("L", (SIDE, SIDE))
    pen = ImageDraw.Draw(canvas)
    for line in lines:
        pen.line(line, fill=255, width=width)
    pixels = torch.from_numpy(np.array(canvas))[None, None]
    return pixels, pixels > 0


def masks() -> list[Tensor]:
    """Return ten masks uint8 [1, 1, 28, 28]: the four halves, the centre, random strokes."""
    shapes = []
    for half in HALVES:
        mask = torch.zeros(SIDE, SIDE, dtype=torch.uint8)
        mask[half(SIDE, SIDE)] = 255
        shapes.append(mask)
    centre = torch.zeros(SIDE, SIDE, dtype=torch.uint8)
    centre[7:21, 7:21] = 255
    shapes += [centre, *(strokes(SIDE, SIDE, 0, index) for index in range(5))]
    return [mask[None, None] for mask in shapes]


def completed(generator: Generator) -> list[Tensor]:
    """Return the rows given, with free pixels in grey, and completions of the first test digit of each class."""
    digits = load("mnist").test
    firsts = [int((digits.labels == label).nonzero()[0]) for label in range(10)]
    given = digits.gather(torch.tensor(firsts))
    answers = [
        edit.complete(generator, picture[None], mask > 127, draws=DRAWS).images
        for picture, mask in zip(given, masks(), strict=True)
    ]
    return [given, *torch.stack(answers, 1)]


def answered(generator: Generator) -> list[Tensor]:
    """Return the rows of rough drawings and of their answers."""
    answers = [edit.answer_strokes(generator, *drawing(*lines), draws=DRAWS).images for lines in DRAWINGS]
    return list(torch.stack(answers, 1))


def with_classes(rows: list[Tensor], names: list[str], classes: list[int]) -> Image.Image:
    """Return a sheet of rows of ten pictures, with the class of each column below."""
    sheet = image_grid(torch.cat(rows), 10, row_names=[*names])
    whole = Image.new("L", (sheet.width, sheet.height + BAND))
    whole.paste(sheet)
    text, font = ImageDraw.Draw(whole), ImageFont.load_default(size=13)
    margin = sheet.width - image_grid(torch.cat(rows), 10).width
    text.text((4, sheet.height + 3), "read as", fill=255, font=font)
    for column, label in enumerate(classes):
        centre = margin + (column + 0.5) * (sheet.width - margin) / 10
        text.text((centre, sheet.height + 3), str(label), fill=255, font=font, anchor="ma")
    return whole


def main() -> None:
    """Draw both sheets, one below the other, and print how many answers are read as meant."""
    generator = load_generator("mnist")
    sheets = []
    for title, rows in (("completed", completed(generator)), ("answer", answered(generator))):
        classes = load_judge().look(rows[-DRAWS]).classes.tolist()
        right = sum(label == column for column, label in enumerate(classes))
        print(f"{title}: read as meant: {right} of 10")
        names = ["test digit", "given"] if len(rows) > DRAWS + 1 else ["drawn"]
        sheets.append(with_classes(rows, [*names, *(f"{title} {k + 1}" for k in range(DRAWS))], classes))
    whole = Image.new("L", (max(sheet.width for sheet in sheets), sum(sheet.height for sheet in sheets)))
    top = 0
    for sheet in sheets:
        whole.paste(sheet, (0, top))
        top += sheet.height
    write_atomically(FILE, png(whole))


if __name__ == "__main__":
    main()
