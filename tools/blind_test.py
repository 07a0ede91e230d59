"""A blind test: python tools/blind_test.py MODEL draws 50 generated and 50 real test digits in random order.

docs/pictures/blind.png is the sheet (rows A to J, ten in each, counted from 1); tools/blind_test_key.json names the
generated ones. Judge the sheet before you open the key; python tools/blind_test.py --score A1,A4,... counts a guess of
the generated ones.
"""

import json
import sys
from pathlib import Path

import torch

from ganforge import load
from ganforge.data.load import load as load_data
from ganforge.generation.grids import image_grid, png
from ganforge.randomness import random_generator

KEY = Path(__file__).with_name("blind_test_key.json")
SHEET = Path(__file__).parents[1] / "docs" / "pictures" / "blind.png"
ROWS = "ABCDEFGHIJ"
PLACES = [f"{row}{column}" for row in ROWS for column in range(1, 11)]


def draw(model: str) -> None:
    """Write sheet and key; as many of each digit among the real ones as among the generated ones."""
    test = load_data("mnist").test
    lot = torch.randperm(len(test), generator=random_generator("blind", "real"))
    chosen = [lot[test.labels[lot] == digit][:5] for digit in range(10)]
    real = test.images[torch.cat(chosen)]
    fake = load(model).sample(labels=[digit for digit in range(10) for _ in range(5)], seed=50)
    order = torch.randperm(100, generator=random_generator("blind", "order"))
    images = torch.cat([real, fake])[order]
    picture = image_grid(images, 10, width=840, row_names=list(ROWS), caption="50 are generated, 50 are real: which?")
    SHEET.write_bytes(png(picture))
    key = [place for place, index in zip(PLACES, order.tolist(), strict=True) if index >= 50]
    KEY.write_text(json.dumps({"model": model, "generated": key}) + "\n")


def score(guess: set[str]) -> float:
    """Share of the hundred that were called rightly."""
    generated = set(json.loads(KEY.read_text())["generated"])
    return sum((place in guess) == (place in generated) for place in PLACES) / len(PLACES)


if __name__ == "__main__":
    if sys.argv[1] == "--score":
        print(f"{score(set(sys.argv[2].split(','))):.0%} called rightly")
    else:
        draw(sys.argv[1])
