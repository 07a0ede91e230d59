"""The findings on data before step 1, each on a small set with the fault, and none on a set without."""

from dataclasses import replace

import pytest
import torch

from ganforge.data.images import ImageSet, Splits
from ganforge.data.load import load
from ganforge.diagnosis.data_checks import check_data
from ganforge.diagnosis.finding import NAMES
from ganforge.randomness import random_generator

DIGITS = load("digits")
COUNT = len(DIGITS.train)


def faulty(images=None, labels=None, **others):
    train = replace(
        DIGITS.train,
        images=DIGITS.train.images if images is None else images,
        labels=DIGITS.train.labels if labels is None else labels,
        span=None,
    )
    return replace(DIGITS, train=train, **others)


def names(splits):
    return [finding.name for finding in check_data(splits)]


def inverted(share):
    images = DIGITS.train.images.clone()
    images[: int(share * COUNT)] = 255 - images[: int(share * COUNT)]
    return images


def wrong_labels(share, splits=DIGITS, seed=0):
    labels, random = splits.train.labels.clone(), random_generator("wrong", seed)
    chosen = torch.rand(len(labels), generator=random) < share
    classes = len(splits.train.class_names)
    labels[chosen] = (labels[chosen] + torch.randint(1, classes, (int(chosen.sum()),), generator=random)) % classes
    return labels


def levels(low, high):
    return (DIGITS.train.images.float() / 255 * (high - low) + low).byte()


def photographs(count=1_500, classes=4, seed=0):
    """Smooth random pictures; the class changes the mean colour a little, so that it is hard to tell."""
    random = random_generator("photographs", seed)
    coarse = torch.rand(count, 3, 6, 6, generator=random)
    labels = torch.arange(count) % classes
    coarse[:, 0] += 0.12 * labels[:, None, None]
    pictures = torch.nn.functional.interpolate(coarse, size=(24, 24), mode="bilinear")
    images = (pictures / pictures.max() * 255).byte()
    train = ImageSet(images, labels, tuple("abcd"[:classes]), "photographs")
    held_out = ImageSet(255 - images[:50], labels[:50], train.class_names)
    return Splits(train, held_out, held_out)


def test_a_clean_set_has_no_finding():
    assert names(DIGITS) == []
    assert names(photographs()) == []


RARE = torch.nonzero((DIGITS.train.labels != 3) | (torch.arange(COUNT) % 10 == 0)).flatten()
WITHOUT_3 = torch.nonzero(DIGITS.train.labels != 3).flatten()
CUT = DIGITS.train.images[:, :, 3:-3, 3:-3]
SICK = {
    "a twelfth of the levels": (faulty(levels(0, 21)), "data-range", 2),
    "a third, raised": (faulty(levels(100, 185)), "data-range", 1),
    "a twelfth but for three pictures": (
        faulty(torch.cat([levels(0, 21)[3:], DIGITS.train.images[:3]])),
        "data-range",
        2,
    ),
    "grey in colour": (faulty(DIGITS.train.images.expand(-1, 3, -1, -1).contiguous()), "data-range", 0),
    "half inverted": (faulty(inverted(0.5)), "data-polarity", 1),
    "a fifth inverted": (faulty(inverted(0.2)), "data-polarity", 1),
    "half inverted, and strokes that touch the border": (
        faulty(torch.where(torch.arange(COUNT)[:, None, None, None] % 2 == 0, CUT, 255 - CUT)),
        "data-polarity",
        1,
    ),
    "copies": (replace(DIGITS, train=DIGITS.train.select(torch.arange(COUNT) % 700)), "data-duplicates", 1),
    "one picture": (replace(DIGITS, train=DIGITS.train.select(torch.zeros(900).long())), "data-duplicates", 2),
    "test among training": (replace(DIGITS, test=DIGITS.train.select(slice(0, 100))), "data-duplicates", 1),
    "a few copies": (
        replace(DIGITS, train=DIGITS.train.select(torch.arange(COUNT) % (COUNT - 30))),
        "data-duplicates",
        0,
    ),
    "22 % wrong labels": (faulty(labels=wrong_labels(0.22)), "label-noise", 1),
    "a rare class": (replace(DIGITS, train=DIGITS.train.select(RARE)), "data-classes", 1),
    "an empty class": (replace(DIGITS, train=DIGITS.train.select(WITHOUT_3)), "data-classes", 1),
    "60 % wrong labels": (faulty(labels=wrong_labels(0.6)), "label-noise", 2),
    "30 % wrong labels": (faulty(labels=wrong_labels(0.3)), "label-noise", 1),
    "shuffled labels": (
        faulty(labels=DIGITS.train.labels[torch.randperm(COUNT, generator=random_generator("shuffled"))]),
        "label-noise",
        2,
    ),
    "shuffled labels of photographs": (
        replace(photographs(), train=replace(photographs().train, labels=wrong_labels(0.75, photographs()))),
        "label-noise",
        2,
    ),
}


def is_outside(evidence):
    """Whether a figure lies outside its healthy range."""
    low, high = evidence.low, evidence.high
    return (low is not None and evidence.value < low) or (high is not None and evidence.value > high)


@pytest.mark.parametrize("fault", SICK)
def test_each_fault_is_found(fault):
    splits, name, severity = SICK[fault]
    found = {finding.name: finding for finding in check_data(splits)}
    assert name in found
    finding = found[name]
    assert finding.severity == severity
    assert finding.name in NAMES and finding.text and finding.cause and finding.remedies and finding.reconsider
    assert not severity or any(is_outside(evidence) for evidence in finding.evidence)


@pytest.mark.parametrize(
    "splits",
    [
        pytest.param(faulty(inverted(0.05)), id="a few inverted"),
        pytest.param(faulty(labels=wrong_labels(0.05)), id="a few wrong labels"),
        pytest.param(faulty(labels=torch.full((COUNT,), -1)), id="no labels"),
        pytest.param(replace(DIGITS, train=DIGITS.train.select(slice(0, 60))), id="too few to tell"),
        pytest.param(faulty(255 - DIGITS.train.images), id="all dark on light"),
    ],
)
def test_no_false_alarm(splits):
    assert not {"label-noise", "data-polarity", "data-range"} & set(names(splits))


def test_signals_have_no_border_and_no_polarity():
    waves = torch.randint(0, 256, (800, 1, 1, 64), dtype=torch.uint8, generator=random_generator("waves"))
    train = ImageSet(waves, torch.full((800,), -1))
    assert names(Splits(train, train.select(slice(0, 1)), ImageSet(255 - waves[:1], torch.tensor([-1])))) == []


def test_the_same_data_give_the_same_findings():
    splits = faulty(labels=wrong_labels(0.4))
    assert check_data(splits) == check_data(splits)
