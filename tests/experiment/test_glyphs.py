"""The default recipe learns to draw new pictures of an odd size in class folders."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import ganforge
from ganforge.data.load import load

GLYPHS, SIZE = "AKRSX", (21, 27)


@pytest.fixture
def glyphs(tmp_path):
    """500 letters, 21 px wide and 27 high, of varying position, size and weight."""
    random = np.random.default_rng(0)
    for glyph in GLYPHS:
        folder = tmp_path / "glyphs" / f"letter {glyph}"
        folder.mkdir(parents=True)
        for index in range(100):
            picture = Image.new("L", SIZE, 0)
            place = (10 + random.integers(-2, 3), 13 + random.integers(-2, 3))
            font = ImageFont.load_default(size=int(random.integers(17, 22)))
            ImageDraw.Draw(picture).text(
                place, glyph, fill=255, font=font, anchor="mm", stroke_width=int(random.integers(2))
            )
            picture.rotate(int(random.integers(-12, 13)), Image.Resampling.BICUBIC).save(folder / f"{index:03d}.png")
    return tmp_path / "glyphs"


@pytest.mark.slow
def test_glyphs_of_an_odd_size_are_learned_by_the_default_recipe(glyphs):
    half_as_wide = ["generator.filters=32", "discriminator.filters=24"]
    run = ganforge.train(data=glyphs, out="run", steps=200, changes=half_as_wide)
    generator = run.generator()
    assert generator.class_names == tuple(f"letter {glyph}" for glyph in GLYPHS)
    drawn = generator.sample(labels=[label for label in range(5) for _ in range(20)]).flatten(1).double()
    train = load(glyphs).train
    means = [train.images[train.labels == label].flatten(1).double().mean(0) for label in range(5)]
    likeness = np.array([[np.corrcoef(one, mean)[0, 1] for mean in means] for one in drawn])
    expected = np.repeat(np.arange(5), 20)
    assert (likeness.argmax(1) == expected).mean() >= 0.6  # chance: 0.2
    assert likeness.max(1).mean() >= 0.5
    with Image.open(sorted((run.folder / "samples").glob("step-*.png"))[-1]) as sheet:
        assert sheet.width > 300
