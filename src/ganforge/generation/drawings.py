"""Drawings of a trained generator on request: samples of chosen classes, and morphs."""

from collections.abc import Sequence

from ganforge.data.class_names import parse_classes
from ganforge.errors import UserError
from ganforge.generation.generator import Generator
from ganforge.generation.output import Drawing

PER_CLASS = 10
"""Images of each class, unless their number is given."""
FRAMES = 32
"""Frames of a morph, unless their number is given."""
STOPS = 5
"""Seeds that a morph without labels visits."""


def parse_labels(text: str | None, generator: Generator) -> list[int] | None:
    """Return the class indices of "0-9", "3,1,4" or names of classes; None for None.

    Raises:
        UserError: the text is malformed, or the generator has no such class.
    """
    if text is None:
        return None
    _require_classes(generator)
    return parse_classes(text, generator.class_names)


def parse_digits(text: str, generator: Generator) -> list[int]:
    """Return the class index of each digit of a text: "20261122".

    Raises:
        UserError: the text has other characters, or the generator has no such class.
    """
    _require_classes(generator)
    if not text.isascii() or not text.isdigit():
        raise UserError(f"--digits {text!r}: write digits only, for example --digits 20261122")
    return [number for digit in text for number in parse_classes(digit, generator.class_names, "--digits")]


def draw_samples(
    generator: Generator, n: int | None = None, *, labels: Sequence[int] | None = None, seed: int = 0
) -> Drawing:
    """Draw ``n`` images of these class indices in turn; without labels, equally many of each class, a row for each.

    Without ``n``, one image for each label, ten for each class, or 64 by a generator without classes.

    Raises:
        UserError: no image is requested.
    """
    names, by_class = generator.class_names, False
    if labels is None and names:
        labels = sorted(k % len(names) for k in range(n or PER_CLASS * len(names)))
        by_class = len(labels) >= len(names)
    images = generator.sample(n, labels=_names(generator, labels), seed=seed)
    columns = 10 if labels else 8
    return Drawing(images, columns, caption(generator, seed), labels, names, by_class, kind=generator.kind)


def draw_morph(
    generator: Generator, n: int | None = None, *, labels: Sequence[int] | None = None, seed: int = 0
) -> Drawing:
    """Draw ``n`` frames between these class indices, or without labels between the seeds from ``seed`` on.

    Raises:
        UserError: fewer than two labels or frames.
    """
    seeds = None if labels else [seed + k for k in range(STOPS)]
    frames = FRAMES if n is None else n
    images = generator.morph(seeds=seeds, labels=_names(generator, labels), frames=frames, seed=seed)
    below = caption(generator, seed)
    return Drawing(images, 10 if labels else 8, below, labels, generator.class_names, kind=generator.kind)


def caption(generator: Generator, seed: int, content: str = "") -> str:
    """Return the text below a sheet: recipe, step, content and seed."""
    parts = [generator.recipe.name, f"step {generator.note['step']}", content, f"seed {seed}"]
    return " · ".join(part for part in parts if part)


def _require_classes(generator: Generator) -> None:
    if not generator.class_names:
        raise UserError(f"{generator.recipe.name} was trained without labels: leave out --labels and --digits")


def _names(generator: Generator, labels: Sequence[int] | None) -> list[str] | None:
    return [generator.class_names[label] for label in labels] if labels else None
