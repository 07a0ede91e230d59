"""The tables of docs/measuring.md: every figure for digits whose sickness is known, and for trained runs.

    python tools/metric_calibration.py runs/vanilla runs/cgan-tutorial ...

All rows are of one protocol: 5,000 fakes against 5,000 of MNIST's test images. The healthy fakes are its 5,000
validation images, which no generator was trained on.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F

import ganforge
from ganforge.data.images import ImageSet
from ganforge.data.load import load
from ganforge.evaluation.evaluator import Evaluator, generate_images
from ganforge.evaluation.features import FeatureExtractor
from ganforge.evaluation.result import Evaluation, shown
from ganforge.judge.shipped import load_judge

N = 5000
COLUMNS = {
    "frechet_distance": "Fréchet",
    "kernel_distance": "kernel",
    "precision": "precision",
    "density": "density",
    "recall": "recall",
    "coverage": "coverage",
    "confident": "sure",
    "class_spread": "spread",
    "classes_present": "classes",
    "class_reverse_kl": "reverse KL",
    "label_agreement": "agreement",
    "swap_changed": "swap: changed",
    "swap_kept": "swap: kept",
    "copying": "copying",
    "copies": "copies",
    "repetition": "repetition",
}


def blurred(own: ImageSet) -> ImageSet:
    """The mean of 3×3 pixels in the place of each."""
    smooth = F.avg_pool2d(own.images.float(), 3, 1, 1).round().to(torch.uint8)
    return ImageSet(smooth, own.labels, own.class_names)


def noise(own: ImageSet) -> ImageSet:
    """Pixels of which each is drawn alone."""
    pixels = torch.randint(256, own.images.shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return ImageSet(pixels, own.labels, own.class_names)


def shuffled(own: ImageSet) -> ImageSet:
    """Real digits, each with the label of another."""
    lot = torch.randperm(len(own), generator=torch.Generator().manual_seed(0))
    return ImageSet(own.images, own.labels[lot], own.class_names)


def without_fours(own: ImageSet) -> ImageSet:
    """Real digits, other ones again in the place of fours."""
    kept = torch.nonzero(own.labels != 4).flatten()
    return own.select(torch.cat([kept, kept[: len(own) - len(kept)]]))


def half_collapsed(own: ImageSet) -> ImageSet:
    """Every second picture of a digit is the same one."""
    images = own.images.clone()
    for digit in own.labels.unique():
        rows = torch.nonzero(own.labels == digit).flatten()
        images[rows[::2]] = own.images[rows[0]]
    return ImageSet(images, own.labels, own.class_names)


def one_of_each(own: ImageSet) -> ImageSet:
    """One picture of each digit, again and again."""
    first = torch.stack([torch.nonzero(own.labels == digit)[0, 0] for digit in own.labels])
    return own.select(first)


def a_small_stock(own: ImageSet) -> ImageSet:
    """Two hundred real digits, each shown 25 times."""
    return own.select(torch.arange(len(own)) % 200)


SICK: dict[str, Callable[[ImageSet], ImageSet]] = {
    "real digits": lambda own: own,
    "their labels shuffled": shuffled,
    "blurred 3×3": blurred,
    "no fours": without_fours,
    "half of each class one picture": half_collapsed,
    "200 digits shown 25 times": a_small_stock,
    "one picture of each class": one_of_each,
    "uniform noise": noise,
}


def row(name: str, found: Evaluation) -> str:
    """A line of the Markdown table."""
    values = {figure.name: figure for figure in found.metrics}
    cells = [shown(values[key].value, key) if key in values else "" for key in COLUMNS]
    return f"| {name} | {' | '.join(cells)} |"


def half_widths(found: Evaluation) -> str:
    """The same for the half-width of each interval."""
    values = {figure.name: figure for figure in found.metrics}
    cells = []
    for key in COLUMNS:
        interval = values[key].interval if key in values else None
        cells.append(shown((interval.high - interval.low) / 2, key) if interval else "")
    return f"| ± of real digits | {' | '.join(cells)} |"


def main(runs: list[Path]) -> None:
    """Print the table."""
    mnist = load("mnist")
    yardstick = Evaluator(
        FeatureExtractor(load_judge()), mnist, "test", N, say=lambda text: print(text, file=sys.stderr)
    )
    print(f"| fakes | {' | '.join(COLUMNS.values())} |\n|{'---|' * (len(COLUMNS) + 1)}")
    healthy = mnist.validation.select(slice(0, N))
    fakes = {name: make(healthy) for name, make in SICK.items()} | {"training images": mnist.train.select(slice(0, N))}
    for name, images in fakes.items():
        found = yardstick.evaluate(images, name)
        print(row(name, found), flush=True)
        if name == "real digits":
            print(half_widths(found))
    for run in runs:
        generator = ganforge.load(run)
        drawn = generate_images(generator, mnist.test, N, seed=0)
        print(
            row(
                f"`{run.name}`",
                yardstick.evaluate(drawn, str(run), generator),
            ),
            flush=True,
        )


if __name__ == "__main__":
    main([Path(run) for run in sys.argv[1:]])
