"""Does a generator copy? Its pictures nearest to training images, beside these images, and a test in words."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from ganforge.applications.report.films import as_picture
from ganforge.applications.report.record import RunRecord
from ganforge.data.images import ImageSet, Splits
from ganforge.data.kinds import Signals
from ganforge.errors import UserError
from ganforge.evaluation.evaluator import generate_images, random_subset
from ganforge.evaluation.features import FeatureExtractor, kept_features
from ganforge.experiment.experiment import ProgressListener, count_images
from ganforge.generation.generator import Generator, load_generator
from ganforge.generation.grids import image_grid
from ganforge.judge.choice import choose_judge
from ganforge.metrics.intervals import Interval, interval_of_splits
from ganforge.metrics.memorisation import closer_probability, nearest_distances
from ganforge.reports.blocks import Block, Words

FAKES = 1000
"""Generated pictures that are compared, and held-out ones."""
SHOWN = 10
"""Largest number of pictures that are shown beside their training images."""
MOST_TRAINING = 20_000
"""Training images that pixels are compared with, where no judge reads them; a judge's features are kept and small."""
SIDE = 16
"""Pixels of a side to which pictures are averaged before they are compared."""
SPLITS = 10


@dataclass(frozen=True)
class Nearest:
    """Generated pictures and their nearest training images.

    Attributes:
        fakes: uint8 [M, C, H, W], those nearest to a training image, nearest first.
        training: uint8 [M, C, H, W], that image of each.
        closer: probability that a fake is nearer to a training image than a held-out picture is: .5 without copying.
        interval: of ``closer``.
        count: generated pictures that were compared.
        features: by what they were compared, in words.
    """

    fakes: Tensor
    training: Tensor
    closer: float
    interval: Interval
    count: int
    features: str

    @property
    def words(self) -> str:
        """The result in words: what the share says, and whether it is more than chance."""
        share = (
            f"Of a generated picture and a held-out real one, the generated one is nearer to a training image in "
            f"{self.closer:.0%} of all such pairs; without copying in 50 % (95 % interval {self.interval.low:.0%} to "
            f"{self.interval.high:.0%}; {self.count:,} of each, by {self.features})."
        )
        if self.interval.low > 0.5:
            return (
                f"{share} That is nearer than chance: the generator copies, or it draws only the most usual pictures. "
                "The pairs show which."
            )
        if self.interval.high < 0.5:
            return f"{share} The generated pictures lie farther away than real ones: no sign of copying."
        return f"{share} That is as near as real pictures are: no sign of copying."


def copying_blocks(record: RunRecord, splits: Splits | str, watcher: ProgressListener) -> list[Block]:
    """Return the pictures nearest to training images with the test in words, or why there are none."""
    if isinstance(splits, str):
        return [Words(f"Copies need the training pictures. {splits}", "missing")]
    if splits.train.parts is not None:
        kind = splits.train.parts.kind
        return [Words(f"The data are {kind}s, whose copies this page does not look for.", "missing")]
    try:
        generator = load_generator(record.folder.path)
    except UserError as error:
        return [Words(f"The generator cannot be loaded: {error}.", "missing")]
    watcher.say(f"looking for copies among pictures of {record.name} ...")
    try:
        nearest = nearest_of(generator, splits, watcher)
    finally:
        watcher.end()
    count = len(nearest.fakes)
    sheet = image_grid(torch.cat([nearest.fakes, nearest.training]), count, width=64 * count, kind=generator.kind)
    alt = f"{count} generated pictures of {record.name}, each above its nearest training image"
    caption = (
        f"{record.name}. Above: the generated pictures nearest to a training image, one for each such image. Below: "
        "that image. A copy is equal in every detail; plain pictures resemble each other without copying."
    )
    return [Words(nearest.words), as_picture(sheet, alt, caption)]


def nearest_of(generator: Generator, splits: Splits, watcher: ProgressListener) -> Nearest:
    """Compare generated pictures, and as many held-out ones, with the training images."""
    count = min(FAKES, len(splits.test))
    held_out = random_subset(splits.test, count, "reals")
    fakes = generate_images(generator, held_out, count, seed=0)
    train_rows, train, compared, name = _features(splits, [fakes, held_out], watcher)
    (distances, rows), (held_out_distances, _) = (nearest_distances(features, train) for features in compared)
    closer = closer_probability(distances, held_out_distances)
    closest = _nearest_first(distances, rows)[:SHOWN]
    images = splits.train.gather(train_rows[torch.from_numpy(rows[closest])])
    interval = _interval(closer, distances, held_out_distances)
    return Nearest(fakes.images[torch.from_numpy(closest)], images, closer, interval, count, name)


def _nearest_first(distances: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the fakes by distance; of several fakes near one training image the nearest alone."""
    order = distances.argsort(kind="stable")
    _, first = np.unique(rows[order], return_index=True)
    return order[np.sort(first)]


def _interval(closer: float, fake: NDArray[np.float64], held_out: NDArray[np.float64]) -> Interval:
    """Return the interval of `closer_probability`; the widest one where there are too few pictures for parts."""
    if len(fake) < 2 * SPLITS:
        return Interval(0.0, 1.0)
    parts = zip(np.array_split(fake, SPLITS), np.array_split(held_out, SPLITS), strict=True)
    return interval_of_splits(closer, [closer_probability(*pair) for pair in parts], (0.0, 1.0))


def _features(
    splits: Splits, sets: list[ImageSet], watcher: ProgressListener
) -> tuple[Tensor, Tensor, list[Tensor], str]:
    """Return rows of training images [T], their features [T, F], those of the sets, and what they are in words."""
    judge = None if isinstance(splits.train.kind, Signals) else choose_judge(splits)[0]
    count = len(splits.train)
    if judge is None:
        rows = torch.linspace(0, count - 1, min(count, MOST_TRAINING)).long()
        few = f", against {MOST_TRAINING:,} of the training images" if count > MOST_TRAINING else ""
        train = _averaged(splits.train.gather(rows))
        return rows, train, [_averaged(images.images) for images in sets], f"their pixels{few}"
    extractor = FeatureExtractor(judge)
    on_progress = count_images(watcher, count + sum(map(len, sets)))
    train = kept_features(extractor, splits.train, on_progress)
    compared = [extractor.look(images.images, None, on_progress).features for images in sets]
    return torch.arange(count), train, compared, "the judge's features"


def _averaged(images: Tensor) -> Tensor:
    """Return pixels float32 [N, F] of uint8 images, averaged to at most `SIDE` pixels a side."""
    height, width = (min(side, SIDE if min(images.shape[2:]) > 1 else 256) for side in images.shape[2:])
    blocks = (adaptive_avg_pool2d(block.float(), (height, width)).flatten(1) for block in images.split(2000))
    return torch.cat(list(blocks))
