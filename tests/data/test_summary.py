import dataclasses
import json
import time

import pytest
import torch

from ganforge.data.images import ImageSet, Splits
from ganforge.data.summary import summarise

NOISE = torch.randint(0, 256, (2000, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
TEN = tuple("abcdefghij")


def splits(images=NOISE, labels=None, names=TEN, test=None):
    labels = torch.arange(len(images)) % len(names) if labels is None else torch.as_tensor(labels)
    train = ImageSet(images, labels, names, "noise")
    other = 255 - NOISE[:50] if test is None else test
    other = ImageSet(other, torch.full((len(other),), -1), names)
    return Splits(train, other, other, "made up")


def test_a_good_set_has_no_warnings():
    summary = summarise(splits())
    assert summary.counts == {"train": 2000, "validation": 50, "test": 50}
    assert (summary.channels, summary.height, summary.width) == (1, 8, 8)
    assert (summary.pixel_min, summary.pixel_max) == (0, 255)
    assert summary.pixel_mean == pytest.approx(NOISE.double().mean().item())
    assert summary.pixel_std == pytest.approx(NOISE.double().std(correction=0).item())
    assert [(entry.name, entry.count, entry.share) for entry in summary.classes[:2]] == [
        ("a", 200, 0.1),
        ("b", 200, 0.1),
    ]
    assert summary.warnings == []


def test_a_summary_becomes_json():
    assert json.loads(json.dumps(dataclasses.asdict(summarise(splits()))))["origin"] == "made up"


def test_copies_are_counted_in_train_and_between_train_and_test():
    images = NOISE.clone()
    images[1000:1030] = images[0]
    summary = summarise(splits(images, test=torch.cat([images[:5], 255 - images[:5]])))
    assert (summary.duplicates, summary.test_in_train) == (30, 5)


def changed(change):
    images = NOISE.clone()
    change(images)
    return images


SCARCE = [n % 9 if n != 0 else 9 for n in range(2000)]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (splits(NOISE[:999]), ["only 999 training images"]),
        (splits(changed(lambda x: x[:30].copy_(x[30:60]))), ["30 of 2,000 images are exact copies"]),
        (splits(changed(lambda x: x.copy_(NOISE[:1]))), ["all training images are identical"]),
        (splits(changed(lambda x: x[7].fill_(9))), ["1 of 2,000 images have a single level"]),
        (splits(NOISE % 2), ["0/1 pixels; --levels 0,1"]),
        (splits(NOISE // 5), ["range only from 0 to 51"]),
        (splits(test=NOISE[:20]), ["20 of 20 test images are also training images"]),
        (splits(labels=[-1] * 2000, names=()), ["no labels"]),
        (splits(labels=[-1] + [n % 10 for n in range(1999)]), ["1 of 2,000 images have no label"]),
        (splits(labels=SCARCE), ["few training images of class j (1)"]),
        (splits(labels=[n % 9 for n in range(2000)]), ["no training image of class j"]),
        (splits(labels=[0] * 2000, names=("a",)), ["one class (a)"]),
        (splits(labels=[0] * 2000), ["one class (a)", "no training image of classes b, c"]),
    ],
)
def test_each_problem_gives_its_warning_only(data, words):
    warnings = summarise(data).warnings
    assert len(warnings) == len(words)
    for warning, word in zip(warnings, words, strict=True):
        assert word in warning


@pytest.mark.parametrize("channels", [1, 3])
def test_progress_counts_every_reading_of_an_image(channels):
    seen = []
    images = NOISE.expand(-1, channels, -1, -1)
    summarise(splits(images, test=images[:50]), lambda done, total: seen.append((done, total)))
    total = (3 + (channels == 3)) * 2000 + 50
    assert seen[-1] == (total, total)
    assert seen == sorted(seen)


def test_a_set_of_mnists_size_is_summarised_within_seconds():
    images = torch.randint(0, 256, (55_000, 1, 28, 28), dtype=torch.uint8)
    began = time.perf_counter()
    summarise(splits(images))
    assert time.perf_counter() - began < 3  # 0.4 s on a quiet machine
