"""What the judge of digits takes for digits: a table of docs/judge.md, and the training behind it.

    python tools/foreign_images.py                 the table, in about three minutes
    python tools/foreign_images.py train [FILE]    the network that tells digits from other shapes, in about two

All foreign shapes are drawn here: letters in the fonts that come with matplotlib (moved, slanted, bent), scribbles of
Bézier curves, filled outlines of garments, mirrored and turned digits, noise. The training sees the training images of
MNIST as other pens and scans would have them, printed digits, foreign shapes of one seed and the fonts of FONTS; the
table takes the test images, other draws, and letters of HELD_OUT too.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from safetensors.torch import save_file
from torch import Tensor

from ganforge.data.images import ImageSet
from ganforge.data.load import load
from ganforge.judge.augmentation import Distortion, distort
from ganforge.judge.choice import ALIKE, SURE
from ganforge.judge.digit_check import DOMAIN_FILE, MOST, Domain, digit_domain
from ganforge.judge.judge import Predictions
from ganforge.judge.shipped import load_judge
from ganforge.metrics.thresholds import CONFIDENT

FONTS = [
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSansMono", "DejaVuSerif", "DejaVuSerif-Italic",
    "DejaVuSerif-Bold", "cmr10", "cmss10", "cmti10", "cmmi10", "STIXGeneral", "STIXGeneralItalic",
]  # fmt: skip
HELD_OUT = ["DejaVuSansMono-BoldOblique", "cmtt10", "STIXGeneralBolIta"]
DIGITS = "0123456789"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LIKE_DIGITS = "OODQSSssZZzzIIllBggqqbbTAGCij"
TRIALS = 500
EPOCHS, BATCH = 20, 256


class Draughtsman:
    """Draws foreign shapes, uint8 [N, 1, 28, 28]; the same seed draws the same ones."""

    def __init__(self, seed: int) -> None:
        self.lot = np.random.default_rng(seed)
        self.bends = torch.Generator().manual_seed(seed)

    def letters(self, characters: str, count: int, fonts: list[str], plain: bool = False) -> Tensor:
        """Letters in these fonts, some of them bold, each slanted and turned; ``plain``: of any size, not bent."""
        shapes: list[np.ndarray] = []
        while len(shapes) < count:
            character, font = self.lot.choice(list(characters)), self.lot.choice(fonts)
            canvas = Image.new("L", (160, 160))
            stroke = int(self.lot.integers(3))
            ImageDraw.Draw(canvas).text((40, 30), character, fill=255, font=_font(font), stroke_width=stroke)
            slant = (1, self.lot.uniform(-0.2, 0.2), 0, 0, 1, 0)
            canvas = canvas.transform(canvas.size, Image.Transform.AFFINE, slant, Image.Resampling.BICUBIC)
            canvas = canvas.rotate(self.lot.uniform(-12, 12), Image.Resampling.BICUBIC)
            shapes.append(framed(canvas, self.lot.uniform(14, 24) if plain else 20))
        drawn = torch.from_numpy(np.stack(shapes))[:, None]
        return drawn if plain else self.bent(drawn, Distortion(1, 4, 0.08, 0.05, 0.8))

    def bent(self, images: Tensor, limits: Distortion) -> Tensor:
        """Images distorted as the judge's training distorts digits."""
        return distort(images.float() / 255, limits, self.bends).mul(255).round().byte()

    def scribbles(self, count: int, most: int = 3) -> Tensor:
        """One to ``most`` Bézier curves of one thickness."""
        shapes = []
        t = np.linspace(0, 1, 24)[:, None]
        for _ in range(count):
            canvas = Image.new("L", (160, 160))
            width = int(self.lot.uniform(8, 16))
            for _ in range(self.lot.integers(1, most + 1)):
                a, b, c, d = self.lot.uniform(30, 130, (4, 2))
                curve = (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d
                ImageDraw.Draw(canvas).line([tuple(p) for p in curve], fill=255, width=width, joint="curve")
            shapes.append(framed(canvas, 20))
        return torch.from_numpy(np.stack(shapes))[:, None]

    def garments(self, count: int) -> Tensor:
        """Filled outlines of shirts, trousers, dresses and shoes, blurred, some of them striped."""
        outlines = {
            "shirt": [(28, 14), (46, 12), (66, 12), (84, 14), (100, 45), (88, 52), (80, 38), (80, 100), (32, 100),
                      (32, 38), (24, 52), (12, 45)],
            "trousers": [(36, 6), (76, 6), (80, 106), (62, 106), (56, 46), (50, 106), (32, 106)],
            "dress": [(46, 8), (66, 8), (70, 40), (84, 104), (28, 104), (42, 40)],
            "shoe": [(8, 64), (30, 50), (50, 56), (90, 70), (106, 82), (106, 94), (6, 94)],
        }  # fmt: skip
        shapes = []
        for kind in self.lot.choice(list(outlines), count):
            canvas = Image.new("L", (112, 112))
            points = np.array(outlines[kind]) + self.lot.normal(0, 4, (len(outlines[kind]), 2))
            fill = int(self.lot.integers(90, 255))
            ImageDraw.Draw(canvas).polygon([tuple(point) for point in points], fill=fill)
            cloth = np.asarray(canvas.filter(ImageFilter.GaussianBlur(1.5)), float)
            if self.lot.random() < 0.5:
                cloth *= 1 + 0.3 * np.sign(np.sin(np.arange(112) / self.lot.uniform(1.5, 5)))[:, None]
            small = Image.fromarray(cloth.clip(0, 255).astype(np.uint8)).resize((28, 28), Image.Resampling.LANCZOS)
            shapes.append(np.asarray(small))
        return torch.from_numpy(np.stack(shapes))[:, None]

    def turned(self, digits: ImageSet, count: int) -> Tensor:
        """Digits mirrored, upside down, transposed or turned by a quarter, but for those that are digits again."""
        turns: list[tuple[list[int], Callable[[Tensor], Tensor]]] = [
            ([2, 3, 4, 5, 6, 7, 9], lambda x: x.flip(3)),
            ([2, 4, 5, 6, 7, 9], lambda x: x.flip(2)),
            ([2, 3, 4, 5, 6, 7, 9], lambda x: x.transpose(2, 3)),
            ([2, 3, 4, 5, 7], lambda x: x.rot90(1, (2, 3))),
            ([2, 3, 4, 5, 7], lambda x: x.rot90(3, (2, 3))),
            ([3, 4, 7], lambda x: x.flip(2, 3)),
        ]
        parts = []
        for digits_that_change, turn in turns:
            rows = torch.nonzero(torch.isin(digits.labels, torch.tensor(digits_that_change)))[:, 0]
            chosen = rows[torch.randperm(len(rows), generator=self.bends)[: count // len(turns)]]
            parts.append(turn(digits.images[chosen]))
        return self.bent(torch.cat(parts).contiguous(), Distortion(1.5, 10, 0.15, 0.2, 0.7))


_FONTS: dict[str, ImageFont.FreeTypeFont] = {}


def _font(name: str) -> ImageFont.FreeTypeFont:
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return _FONTS.setdefault(name, ImageFont.truetype(str(folder / f"{name}.ttf"), 72))


def framed(canvas: Image.Image, size: float) -> np.ndarray:
    """The drawing scaled into ``size`` pixels and set into 28×28 by its centre of mass, as MNIST's digits are."""
    drawn = canvas.crop(canvas.getbbox())
    scale = size / max(drawn.size)
    drawn = drawn.resize([max(1, round(side * scale)) for side in drawn.size], Image.Resampling.LANCZOS)
    ink = np.asarray(drawn, float)
    rows, columns = (ink.sum(axis) @ np.arange(ink.shape[1 - axis]) / ink.sum() for axis in (1, 0))
    top, left = (
        int(np.clip(round(13.5 - centre), 0, 28 - side))
        for centre, side in zip((rows, columns), ink.shape, strict=True)
    )
    picture = np.zeros((28, 28), np.uint8)
    picture[top : top + ink.shape[0], left : left + ink.shape[1]] = ink.round()
    return picture


def hands(digits: Tensor, draw: Draughtsman) -> Tensor:
    """Digits as other pens, scans and scalings have them: an eighth each of thick, thin, blurred, coarse, pale ones."""
    pixels = distort(digits.float() / 255, Distortion(2, 12, 0.15, 0.2, 0.7), draw.bends)
    one, two, thick, thicker, thin, blurred, coarse, pale = pixels.chunk(8)
    sides = draw.lot.integers(7, 13, 10)
    coarse = torch.cat(
        [scaled(F.interpolate(x, (s, s), mode="area")) for x, s in zip(coarse.chunk(10), sides, strict=True)]
    )
    changed = [
        F.max_pool2d(thick, 2, 1, 1)[:, :, 1:, 1:],
        F.max_pool2d(thicker, 3, 1, 1),
        F.pad(-F.max_pool2d(-thin, 2, 1), (0, 1, 0, 1)),
        F.avg_pool2d(blurred, 3, 1, 1),
        coarse,
        pale * torch.linspace(0.5, 1, len(pale))[:, None, None, None],
    ]
    return torch.cat([one, two, *changed]).mul(255).round().byte()


def scaled(pixels: Tensor) -> Tensor:
    """Pixels in 0..1 brought to 28×28 by bicubic interpolation."""
    return F.interpolate(pixels, (28, 28), mode="bicubic").clamp(0, 1)


def train(file: Path) -> None:
    """Train the network on the judge's features, digits against other shapes, and write it."""
    judge, mnist, draw = load_judge(), load("mnist"), Draughtsman(7)
    lot = torch.randperm(len(mnist.train), generator=draw.bends)
    digits = judge.look(hands(mnist.train.images[lot[:24_000]], draw))
    printed = judge.look(torch.cat([draw.letters(DIGITS, 4500, FONTS), draw.letters(DIGITS, 1500, FONTS, plain=True)]))
    digits = Predictions(*(torch.cat(pair) for pair in zip(vars(digits).values(), vars(printed).values(), strict=True)))
    shapes = [
        draw.letters(LETTERS, 6000, FONTS),
        draw.letters(LIKE_DIGITS, 9000, FONTS),
        draw.letters(LIKE_DIGITS + LETTERS, 3000, FONTS, plain=True),
        draw.scribbles(3000),
        draw.scribbles(1500, most=8),
        draw.garments(1500),
        draw.turned(mnist.train.select(lot[24_000:]), 12_000),
    ]
    others = judge.look(torch.cat(shapes))
    domain = fitted(digits, others)
    validation = judge.look(mnist.validation.images)
    with torch.no_grad():
        found = domain(validation.features, validation.classes).clamp(-MOST, MOST)
    domain.expected.copy_(torch.stack([found[validation.classes == k].mean() for k in range(10)]))
    save_file({name: value.contiguous() for name, value in domain.state_dict().items()}, file)
    print(f"{file}: expected log-odds {[round(x, 2) for x in domain.expected.tolist()]}")


def fitted(digits: Predictions, others: Predictions) -> Domain:
    """A domain that tells the two apart; within each class that is read, both weigh the same."""
    torch.manual_seed(0)
    domain = Domain()
    features, classes = (
        torch.cat(pair) for pair in ((digits.features, others.features), (digits.classes, others.classes))
    )
    target = torch.cat([torch.ones(len(digits)), torch.zeros(len(others))])
    middle, spread = features.mean(0), features.std(0) + 1e-3
    features = (features - middle) / spread
    group = classes * 2 + target.long()
    weights = 1 / torch.bincount(group, minlength=20).clamp(min=50)[group]
    weights /= weights.mean()
    optimiser = torch.optim.AdamW(domain.layers.parameters(), lr=2e-3, weight_decay=0.01)
    for epoch in range(EPOCHS):
        optimiser.param_groups[0]["lr"] = 2e-3 * (1 - epoch / EPOCHS)
        for rows in torch.randperm(len(target)).split(BATCH):
            log_odds = domain(features[rows], classes[rows])
            loss = F.binary_cross_entropy_with_logits(log_odds, target[rows], weights[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    first = domain.layers[0]
    assert isinstance(first, torch.nn.Linear)
    with torch.no_grad():  # standardisation goes into the first layer, so that the network takes plain features
        first.weight /= spread
        first.bias.sub_(first.weight @ middle)
    return domain


def digit_sets() -> Iterator[tuple[str, Tensor]]:
    """Digits that the network was not trained on."""
    test, ours = load("mnist").test, load("digits")
    yield "MNIST's test images", test.images
    yield "those but for the zeros", test.images[test.labels != 0]
    yield "scikit-learn's digits", torch.cat([part.images for part in (ours.train, ours.validation, ours.test)])
    pixels = test.images[:5000].float() / 255
    changed = {
        "MNIST, strokes thicker by 2 pixels": F.max_pool2d(pixels, 3, 1, 1),
        "MNIST, strokes thinner by 1 pixel": F.pad(-F.max_pool2d(-pixels, 2, 1), (0, 1, 0, 1)),
        "MNIST, blurred 3×3": F.avg_pool2d(pixels, 3, 1, 1),
        "MNIST, black and white": (pixels > 0.5).float(),
        "MNIST, moved by 3 pixels": pixels.roll((3, 3), (2, 3)),
        "MNIST, scaled by .8": F.pad(F.interpolate(pixels, (22, 22), mode="area"), (3, 3, 3, 3)),
    }
    yield "printed digits", Draughtsman(2).letters(DIGITS, 2000, HELD_OUT)
    yield from ((name, images.mul(255).round().byte()) for name, images in changed.items())


def foreign_sets() -> Iterator[tuple[str, Tensor]]:
    """Shapes that are no digits, drawn with another seed than those of the training."""
    draw, test = Draughtsman(1), load("mnist").test
    yield "letters S, Z, O, l", draw.letters("SZOl", 2000, FONTS)
    yield "the same in fonts not trained on", draw.letters("SZOl", 2000, HELD_OUT)
    yield "the same in one font, plain", draw.letters("SZOl", 2000, FONTS[:1], plain=True)
    yield "O, I, l, S, Z, B, q, g, not trained on", draw.letters("OIlSZBqg", 2000, HELD_OUT)
    yield "all letters", draw.letters(LETTERS, 2000, HELD_OUT)
    yield "scribbles", draw.scribbles(2000)
    yield "many strokes, as of glyphs", draw.scribbles(2000, most=10)
    yield "garments", draw.garments(2000)
    yield "turned and mirrored digits", draw.turned(test, 2000)
    yield "digits, dark on white", 255 - test.images[:2000]
    yield "noise", torch.randint(256, (2000, 1, 28, 28), dtype=torch.uint8, generator=draw.bends)


def table() -> None:
    """Print a row for each set: its figures, and the share of subsets without labels that are refused."""
    judge, lot = load_judge(), torch.Generator().manual_seed(0)
    sizes = (50, 200, 1000)
    print(f"| images | sure | likeness | refused of {TRIALS} × {' | × '.join(map(str, sizes))} |")
    print("|---|---|---|" + "---|" * len(sizes))
    for name, images in [*digit_sets(), *foreign_sets()]:
        seen = judge.look(images)
        refused = [
            np.mean([not taken(part(seen, torch.randint(len(seen), (size,), generator=lot))) for _ in range(TRIALS)])
            for size in sizes
        ]
        sure = float((seen.confidence >= CONFIDENT).double().mean())
        cells = [f"{sure:.0%}", f"{digit_domain().likeness(seen):.2f}", *(f"{share:.1%}" for share in refused)]
        print(f"| {name} ({len(seen):,}) | {' | '.join(cells)} |")


def part(seen: Predictions, rows: Tensor) -> Predictions:
    """What was seen of some images."""
    return Predictions(*(column[rows] for column in vars(seen).values()))


def taken(seen: Predictions) -> bool:
    """Whether images without labels are taken for digits."""
    sure = float((seen.confidence >= CONFIDENT).double().mean())
    return sure >= SURE and digit_domain().likeness(seen) >= ALIKE


if __name__ == "__main__":
    if sys.argv[1:2] == ["train"]:
        train(Path(sys.argv[2]) if len(sys.argv) > 2 else DOMAIN_FILE)
    else:
        table()
