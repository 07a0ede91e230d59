"""Groups of misread pictures: by class pair and likeness, named by what can be seen, with their rate and real pictures.

A style is a k-means cluster of the real training pictures of one class, on their pixels. The error of each style among
random draws shows where a classifier has a hole, whichever classes it answers there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from torch import Tensor

from ganforge.applications.latent_search import Drawn
from ganforge.data.images import ImageSet
from ganforge.data.traits import WORDS, measured_traits
from ganforge.evaluation.readers import Readers
from ganforge.evaluation.user_classifier import UserClassifier
from ganforge.metrics.intervals import Interval, proportion_interval

STYLES, PICTURES_FOR_STYLES = 8, 2000
"""Styles of each class, and the training pictures of each class that make them."""
LARGE, MOST_PARTS = 40, 3
"""Pictures from which a class pair is split into groups, and the largest number of these."""
FEWEST = 3
"""Pictures of the smallest group with a name of its own kind; smaller ones are freaks whatever their rate."""
COMMON = 0.002
"""Lower end of the interval of a rate, from which a group is a common hole: 1 picture in 500 of its class."""
VISIBLE, MOST_WORDS = 0.7, 2
"""Least deviation that is named, in standard deviations of the class, and most deviations in a name."""
NEIGHBOURS = 3
"""Real pictures that each found one is compared with."""


@dataclass(frozen=True)
class Style:
    """A style of a class among random draws: how often it is drawn, and misread.

    Attributes:
        number: of the style within its class, from 0.
        share: of the random draws of the class.
        drawn, wrong: random draws of this style that the readers are sure of, and those that are misread.
        error, interval: their ratio.
        rest_error: the error of the other styles of the class.
        words: what can be seen, compared with the class.
        hole: whether the error is beyond that of the rest.
    """

    label: int
    number: int
    share: float
    drawn: int
    wrong: int
    error: float
    interval: Interval
    rest_error: float
    words: str
    hole: bool


@dataclass(frozen=True)
class Group:
    """Pictures of one class that are misread as another, and alike.

    Attributes:
        label, predicted: the class, and the classifier's.
        count: found pictures.
        name: class pair and what can be seen.
        traits: deviation of the mean of each trait from that of random draws of the class, in standard deviations.
        style, style_share: the most frequent style, and the share of the group that is of this style.
        rate, interval: share of the random draws of the class that fall into this group, misread.
        common: whether the group is a common hole; else it is a rare freak.
        real_error, real_interval, real_count: error of the classifier on the nearest real test pictures of the class.
        class_error: its error on all real test pictures of the class.
    """

    label: int
    predicted: int
    count: int
    name: str
    traits: Mapping[str, float]
    style: int
    style_share: float
    rate: float
    interval: Interval
    common: bool
    real_error: float
    real_interval: Interval
    real_count: int
    class_error: float


@dataclass(frozen=True)
class Styles:
    """The centres of the styles of each class, float [STYLES, pixels] by label, and the table of random draws."""

    centres: Mapping[int, Tensor]
    table: tuple[Style, ...]

    def of(self, images: Tensor, label: int) -> Tensor:
        """Return the style of each picture uint8 [N, C, H, W] of a class, int64 [N]."""
        return torch.cdist(images.flatten(1).float() / 255, self.centres[label]).argmin(1)


def styles_of(train: ImageSet, random: Drawn) -> Styles:
    """Make the styles of every class from training pictures, and count errors of random draws by style."""
    centres, rows = {}, []
    for label in range(len(train.class_names)):
        chosen = torch.nonzero(train.labels == label).flatten()[:PICTURES_FOR_STYLES]
        pixels = train.gather(chosen).flatten(1).float().numpy() / 255
        means = KMeans(min(STYLES, len(pixels)), n_init=2, random_state=0).fit(pixels).cluster_centers_
        centres[label] = torch.from_numpy(means).float()
    styles = Styles(centres, ())
    for label in range(len(train.class_names)):
        own = random.select(random.labels == label)
        if len(own):
            rows += _style_rows(own, styles.of(own.images, label), train.class_names)
    # a hole is what is beyond chance: sorted by the lower end, large holes come before accidents of small numbers
    rows.sort(key=lambda row: row.interval.low - row.rest_error, reverse=True)
    return Styles(centres, tuple(rows))


def _style_rows(own: Drawn, numbers: Tensor, names: Sequence[str]) -> list[Style]:
    label, traits = int(own.labels[0]), measured_traits(own.images)
    rows = []
    for number in range(STYLES):
        members = numbers == number
        drawn, wrong = int(members.sum()), int((members & own.wrong).sum())
        if not drawn:
            continue
        rest = max(1, len(own) - drawn)
        rest_error = int((~members & own.wrong).sum()) / rest
        interval = proportion_interval(wrong, drawn)
        words = describe(deviations(traits, {name: values[members.numpy()] for name, values in traits.items()}))
        rows.append(
            Style(
                label,
                number,
                drawn / len(own),
                drawn,
                wrong,
                wrong / drawn,
                interval,
                rest_error,
                f"{names[label]}{words and f', {words}'}",
                interval.low > rest_error,
            )
        )
    return rows


def deviations(usual: Mapping[str, NDArray[np.float64]], own: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """Return the difference of the means of each trait in standard deviations of the usual pictures."""
    return {
        name: float((own[name].mean() - values.mean()) / values.std()) if values.std() > 1e-9 else 0.0
        for name, values in usual.items()
    }


def describe(traits: Mapping[str, float]) -> str:
    """Return words for the largest deviations, such as "slanted right (+1.8 sd), thin (−1.1 sd)"."""
    largest = sorted(traits, key=lambda name: -abs(traits[name]))
    named = [name for name in largest if abs(traits[name]) >= VISIBLE][:MOST_WORDS]
    return ", ".join(f"{WORDS[name][traits[name] > 0]} ({traits[name]:+.1f} sd)" for name in named)


def group_found(
    found: Drawn, random: Drawn, styles: Styles, readers: Readers, classifier: UserClassifier, test: ImageSet
) -> tuple[Tensor, tuple[Group, ...]]:
    """Group found pictures by class pair, large pairs also by likeness, and describe each group.

    Returns:
        the group of each found picture, int64 [N], and the groups, the highest rate first.
    """
    members, centres, pairs = _partition(found)
    if not pairs:
        return torch.zeros(0, dtype=torch.int64), ()
    of_random = _assigned(random, centres, pairs)
    tested = readers.judge.look_at_set(test).features
    wrong = classifier.probabilities(test.images, len(test.class_names)).argmax(1) != test.labels
    groups = []
    for number in range(len(pairs)):
        own = found.select(members == number)
        usual = random.select(random.labels == pairs[number][0])
        hits = int((of_random == number).sum())
        groups.append(_group(own, usual, hits, styles, test, tested, wrong))
    order = sorted(range(len(groups)), key=lambda k: (-groups[k].rate, -groups[k].count))
    place = torch.empty(len(order), dtype=torch.int64)
    place[torch.tensor(order)] = torch.arange(len(order))
    return place[members], tuple(groups[k] for k in order)


def _partition(found: Drawn) -> tuple[Tensor, Tensor, list[tuple[int, int]]]:
    """Return the group of each found picture, the centre of each in features [G, F], and its class pair."""
    members = torch.zeros(len(found), dtype=torch.int64)
    centres: list[Tensor] = []
    pairs: list[tuple[int, int]] = []
    both = list(zip(found.labels.tolist(), found.predicted.tolist(), strict=True))
    for pair in sorted(set(both)):
        rows = torch.tensor([k for k, other in enumerate(both) if other == pair])
        features = found.features[rows].numpy()
        parts = min(MOST_PARTS, max(1, len(rows) // LARGE))
        fitted = KMeans(parts, n_init=4, random_state=0).fit(features)
        members[rows] = torch.from_numpy(fitted.labels_).long() + len(pairs)
        centres.append(torch.from_numpy(fitted.cluster_centers_).float())
        pairs += [pair] * parts
    return members, torch.cat(centres) if centres else torch.zeros(0, 0), pairs


def _assigned(random: Drawn, centres: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
    """Return the group of each misread random draw: the nearest one of its class pair; -1 for the others."""
    result = torch.full((len(random),), -1)
    all_pairs = torch.tensor(pairs)
    for row in torch.nonzero(random.wrong).flatten().tolist():
        pair = torch.stack([random.labels[row], random.predicted[row]])
        distance = (centres - random.features[row]).norm(dim=1)
        fits = (all_pairs == pair).all(1)
        if bool(fits.any()):
            result[row] = int(torch.where(fits, distance, torch.inf).argmin())
    return result


def _group(own: Drawn, usual: Drawn, hits: int, styles: Styles, test: ImageSet, tested: Tensor, wrong: Tensor) -> Group:
    label, predicted = int(own.labels[0]), int(own.predicted[0])
    traits = deviations(measured_traits(usual.images), measured_traits(own.images))
    rate = proportion_interval(hits, max(1, len(usual)))
    numbers = torch.bincount(styles.of(own.images, label))
    of_class = torch.nonzero(test.labels == label).flatten()
    near = nearest(own.features, tested[of_class])
    misread = wrong[of_class[near]]
    words = describe(traits)
    name = f"{test.class_names[label]} read as {test.class_names[predicted]}{words and f': {words}'}"
    return Group(
        label,
        predicted,
        len(own),
        name,
        traits,
        int(numbers.argmax()),
        float(numbers.max()) / len(own),
        hits / max(1, len(usual)),
        rate,
        len(own) >= FEWEST and rate.low >= COMMON,
        float(misread.float().mean()) if len(near) else 0.0,
        proportion_interval(int(misread.sum()), max(1, len(near))),
        len(near),
        float(wrong[of_class].float().mean()) if len(of_class) else 0.0,
    )


def nearest(features: Tensor, others: Tensor) -> Tensor:
    """Return the rows of ``others`` [M, F] that are among the `NEIGHBOURS` nearest of any row of ``features``."""
    if not len(others):
        return torch.zeros(0, dtype=torch.int64)
    distance = torch.cdist(features, others)
    near = distance.topk(min(NEIGHBOURS, len(others)), largest=False).indices.flatten()
    rows: Tensor = torch.unique(near)
    return rows
