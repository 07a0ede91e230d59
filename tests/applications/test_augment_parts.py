"""Leakage: labels beyond K, pictures in two parts, images used twice, generators that have seen other pictures."""

from dataclasses import replace

import pytest
import torch

import ganforge
from conftest import small_images
from ganforge.applications.augment_parts import AlreadyUsedError, UsedOnce, check_generator, divide
from ganforge.data.images import Splits
from ganforge.errors import UserError
from ganforge.runs.folder import RunFolder

SMALL = ["latent.dim=4", "batch_size=8", "run.precision=fp32"]


def bars_splits(**changes):
    parts = {
        "train": small_images(60, seed=1),
        "validation": small_images(30, seed=2),
        "test": small_images(30, seed=3),
    }
    return Splits(**parts | changes)


def pictures(images):
    return {picture.tobytes() for picture in images.images.numpy()}


def with_labels(images, labels):
    return replace(images, labels=labels)


def test_k_labels_are_balanced_and_the_rest_has_none():
    parts = divide(bars_splits(), 10)
    assert len(parts.labelled) == 10 and len(parts.unlabelled) == 50
    assert sorted(torch.bincount(parts.labelled.labels).tolist()) == [2, 2, 3, 3]
    assert (parts.unlabelled.labels == -1).all()
    train = bars_splits().train
    assert torch.equal(train.images[parts.original], parts.labelled.images)
    assert torch.equal(train.images[parts.unlabelled_original], parts.unlabelled.images)
    assert not torch.equal(parts.original, divide(bars_splits(), 10, draw=1).original)
    assert divide(bars_splits()).unlabelled is None


def test_labels_beyond_k_change_nothing():
    train = bars_splits().train
    parts = divide(bars_splits(), 8)
    hidden = train.labels.clone()
    hidden[parts.unlabelled_original] = 3 - hidden[parts.unlabelled_original]
    assert (parts.unlabelled.labels == -1).all()
    # the chosen ones depend on labels, so the same ones are named: only they have a label in a second reading
    known = torch.full_like(hidden, -1)
    known[parts.original] = train.labels[parts.original]
    again = divide(bars_splits(train=with_labels(train, known)), 8)
    assert set(again.original.tolist()) == set(parts.original.tolist())
    assert pictures(again.unlabelled) == pictures(parts.unlabelled)


def test_no_picture_is_in_two_parts():
    splits = bars_splits()
    train = splits.train.concat(splits.validation.select(slice(0, 3))).concat(splits.test.select(slice(0, 4)))
    validation = splits.validation.concat(splits.test.select(slice(5, 7)))
    parts = divide(Splits(train, validation, splits.test), 20)
    assert parts.repeated == 9 and parts.whole_training == ""
    held_out = pictures(parts.validation.open()), pictures(parts.test.open())
    assert not held_out[0] & held_out[1]
    for trained_on in (parts.labelled, parts.unlabelled):
        assert not pictures(trained_on) & (held_out[0] | held_out[1])


def test_validation_and_test_images_are_opened_once():
    parts = divide(bars_splits(), 8, validation_labels=12)
    for once in (parts.validation, parts.test):
        assert isinstance(once, UsedOnce)
        once.open()
        with pytest.raises(AlreadyUsedError, match=f"opened already to {once.purpose}"):
            once.open()
    assert len(parts.validation) == 12


def test_a_class_called_unlabelled_has_no_labels():
    train = bars_splits().train
    names = ("0", "unlabelled", "2", "3")
    parts = divide(
        Splits(*(replace(s, class_names=names) for s in (train, train.select(slice(0, 30)), bars_splits().test)))
    )
    assert parts.labelled.class_names == ("0", "2", "3") and parts.classes == 3
    assert set(parts.labelled.labels.tolist()) == {0, 1, 2}
    assert len(parts.unlabelled) > 0


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({}, {"labels": 61}, "only 60 training images"),
        ({}, {"labels": 3}, "4 classes"),
        ({}, {"validation_labels": 31}, "has only 30 images"),
        ({"train": None}, {}, "has no labels"),
        ({"train": 0}, {}, "one class only"),
        ({"test": None}, {}, "fewer than two test images have a label"),
    ],
)
def test_data_that_cannot_be_divided_are_refused(change, options, words):
    splits = bars_splits()
    for part, label in change.items():
        images = getattr(splits, part)
        labels = torch.full_like(images.labels, -1 if label is None else label)
        splits = replace(splits, **{part: with_labels(images, labels)})
    with pytest.raises(UserError, match=words):
        divide(splits, **options)


def train(data, out, recipe="cgan", *changes, **options):
    return ganforge.train(recipe, data=data, out=out, steps=1, changes=[*SMALL, *changes], **options).folder


@pytest.fixture
def splits():
    return bars_splits()


def only(images):
    return Splits(images, images.select(slice(0, 1)), images.select(slice(0, 1)))


def test_a_generator_of_the_labelled_images_is_taken_and_any_other_refused(splits, no_verdict):
    parts = divide(splits, 16)
    run = train(only(parts.labelled), "few")
    assert check_generator(run, parts).class_names == ("0", "1", "2", "3")
    for other, words in (
        (divide(splits, 16, draw=1), "has seen other pictures"),
        (divide(splits, 20), "has seen other pictures"),
    ):
        with pytest.raises(UserError, match=words):
            check_generator(run, other)
    folder = RunFolder(run)
    for changes in ({"start_from": "runs/other"}, {"fingerprint": "f"}, {"train_fingerprint": None}):
        saved = folder.read_run()
        folder.update_run(**changes)
        with pytest.raises(UserError, match="does not say which pictures it has seen"):
            check_generator(run, parts)
        folder.update_run(**{name: saved[name] for name in changes})
    check_generator(run, parts)
    with pytest.raises(UserError, match="give a run's folder"):
        check_generator(run / "generator.safetensors", parts)


def test_a_generator_of_all_training_images_is_taken_only_without_their_labels(splits, no_verdict):
    parts = divide(splits, 16)
    labelled = train(splits, "labelled")
    with pytest.raises(UserError, match="has seen more labels"):
        check_generator(labelled, parts)
    assert check_generator(labelled, divide(splits)).class_names
    unlabelled = train(splits, "unlabelled", "vanilla")
    assert not check_generator(unlabelled, parts).class_names


def test_a_generator_that_saw_validation_or_test_images_is_refused(splits, no_verdict):
    parts = divide(splits)
    for number, more in enumerate((splits.validation, splits.test)):
        leaky = replace(splits, train=splits.train.concat(more))
        with pytest.raises(UserError, match="has seen other pictures"):
            check_generator(train(leaky, f"leaky-{number}", "vanilla"), parts)


def test_a_warm_start_is_recorded(splits, no_verdict):
    parts = divide(splits, 16)
    leaky = replace(splits, train=splits.test)
    first = train(leaky, "first")
    warm = train(only(parts.labelled), "warm", start_from=first)
    with pytest.raises(UserError, match="or --from"):
        check_generator(warm, parts)
