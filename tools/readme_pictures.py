"""The pictures of the docs, from runs: python tools/readme_pictures.py RUN...

Writes docs/pictures/<recipe>.png for each run. A conditional run gives its last sheet; another one four of its sheets,
one below the other.
"""

import json
import sys
from pathlib import Path

from PIL import Image

TARGET = Path(__file__).parents[1] / "docs" / "pictures"


def main() -> None:
    """Write one picture for each run that was named."""
    TARGET.mkdir(exist_ok=True)
    for run in map(Path, sys.argv[1:]):
        recipe = json.loads((run / "run.json").read_text())["recipe"]
        sheets = sorted((run / "samples").glob("epoch-*.png"))
        conditional = "conditional = true" in (run / "recipe.toml").read_text()
        spread = sorted({0, min(1, len(sheets) - 1), max(0, min(3, len(sheets) - 2)), len(sheets) - 1})
        final = sorted((run / "samples").glob("step-*.png")) or sheets
        chosen = final[-1:] if conditional else [sheets[index] for index in spread]
        pictures = [Image.open(path) for path in chosen]
        whole = Image.new("L", (pictures[0].width, sum(picture.height for picture in pictures)))
        top = 0
        for picture in pictures:
            whole.paste(picture, (0, top))
            top += picture.height
        whole.save(TARGET / f"{recipe}.png", optimize=True)


if __name__ == "__main__":
    main()
