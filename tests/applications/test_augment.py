import io

import numpy as np
import pytest
import torch
from torch import nn

import ganforge
from conftest import small_images
from ganforge.applications import augment as task
from ganforge.applications import augment_sets as sets
from ganforge.applications.augment import Option, Trained, augment
from ganforge.applications.augment_parts import divide
from ganforge.applications.augment_report import BOTH, FIXMATCH, GAN_ALONE, GUESSES, MOVES, NOTHING
from ganforge.applications.augment_sets import DrawnSets
from ganforge.applications.learner import load_learner, predict
from ganforge.applications.own_learners import FixMatch, SmallLearner
from ganforge.data.images import Splits, scale
from ganforge.data.moves import MOVES as CHANGES
from ganforge.errors import UserError
from ganforge.randomness import random_generator


@pytest.fixture(autouse=True)
def few_pictures(monkeypatch):
    monkeypatch.setattr(sets, "ENOUGH", 48)


@pytest.fixture
def parts():
    return divide(Splits(small_images(60, seed=1), small_images(40, seed=2), small_images(40, seed=3)), 12)


@pytest.fixture
def generator(bars_file, no_verdict):
    changes = ["latent.dim=4", "batch_size=8", "run.precision=fp32"]
    return ganforge.train("cgan", data=bars_file, steps=1, out="run", changes=changes).generator()


def column_means(images, labels, *, steps, seed, start=None):
    """A learner without steps: the nearest class mean."""
    del steps, seed, start
    means = torch.stack([images[labels == number].float().mean(0) for number in labels.unique()]) / 255
    return lambda pixels: -torch.cdist(pixels.flatten(1), means.flatten(1))


# Learners


@pytest.mark.parametrize("learner", [SmallLearner(), SmallLearner(mixup=True), "fixmatch"])
def test_our_learners_learn_and_the_seed_determines_them(learner):
    bars = small_images(40)
    learner = FixMatch(small_images(200, seed=9).images) if learner == "fixmatch" else learner
    one, again = (learner(bars.images, bars.labels, steps=60, seed=4) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), again.parameters(), strict=True))
    tested = small_images(100, seed=5)
    assert (predict(one, tested.images, 4) == tested.labels).float().mean() > 0.6
    longer = learner(bars.images, bars.labels, steps=1, seed=4, start=one)
    assert longer is not one
    with pytest.raises(UserError, match="no torch module"):
        learner(bars.images, bars.labels, steps=1, seed=4, start=lambda pixels: pixels)


def test_fixmatch_takes_no_label_of_unlabelled_pictures_it_is_unsure_of():
    """With no steps of training the guesses are unsure, so the unlabelled pictures do not change the first step."""
    bars = small_images(40)
    one, other = (FixMatch(small_images(99, seed=s).images)(bars.images, bars.labels, steps=1, seed=0) for s in (1, 2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


LEARNER = """
import numpy as np
def learn(images, labels, *, steps, seed, start=None):
    return lambda pixels: np.eye(4)[np.zeros(len(pixels), int)]
def raises(images, labels, *, steps, seed, start=None):
    raise ValueError("no \\n good")
def nothing(images, labels, *, steps, seed, start=None):
    return None
def failing(images, labels, *, steps, seed, start=None):
    return lambda pixels: 1 / 0
"""


def test_a_users_learner_is_found_in_the_working_folder_and_its_errors_take_one_line(tmp_path, bars):
    (tmp_path / "mine29.py").write_text(LEARNER)
    classifier = load_learner("mine29:learn")(bars.images, bars.labels, steps=1, seed=0)
    assert (predict(classifier, bars.images, 4) == 0).all()
    for name, words in (
        ("raises", "mine29:raises failed on 200 pictures: ValueError: no good"),
        ("nothing", "returned NoneType, which is no classifier"),
        ("failing", "the learner's classifier: failed on 200 pictures: ZeroDivisionError"),
    ):
        with pytest.raises(UserError, match=words):
            predict(load_learner(f"mine29:{name}")(bars.images, bars.labels, steps=1, seed=0), bars.images, 4)
    (tmp_path / "broken29.py").write_text("1 +")
    for text, words in (
        ("mine29", "give module:function"),
        ("mine29:", "give module:function"),
        ("mine29:absent", "has no absent"),
        ("broken29:learn", "cannot import broken29"),
        ("no.such.module:learn", "cannot import no.such.module"),
    ):
        with pytest.raises(UserError, match=words):
            load_learner(text)


def test_a_users_module_is_evaluated_and_its_answers_are_checked(bars):
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(), torch.nn.Linear(64, 4))
    assert torch.equal(predict(module.train(), bars.images, 4), predict(module, bars.images, 4))
    with pytest.raises(UserError, match="the learner's classifier: returned shape"):
        predict(lambda pixels: pixels, bars.images, 4)


# Sets and their provenance


def test_every_picture_can_be_made_again_from_its_provenance(parts, generator):
    teacher = SmallLearner()(parts.labelled.images, parts.labelled.labels, steps=1, seed=0)
    moved = sets.with_moved(parts, "small moves", 5)
    assert len(moved) == 48 and moved.source[0] == "original" and moved.source[-1] == "original, small moves"
    train = small_images(60, seed=1)
    assert torch.equal(train.images[moved.original[:12]], moved.images[:12])
    assert torch.equal(train.labels[moved.original], moved.labels)
    again = CHANGES["small moves"](
        scale(train.images[moved.original[12:]], "0..1"), random_generator(5, "small moves", 0)
    )
    assert torch.equal((again * 255).round().to(torch.uint8), moved.images[12:])
    drawn = DrawnSets(generator, parts, teacher)[7].pictures
    assert set(drawn.source) == {"generated"} and len(drawn) == 72
    assert torch.equal(generator.sample_classes(72, drawn.labels, seed=7)[drawn.row], drawn.images)


def test_copies_are_of_each_class_in_turn():
    given = sets.originals(divide(Splits(*(small_images(60, seed=seed) for seed in (1, 2, 3))), 9))
    rare = given.select(torch.tensor([row for row, label in enumerate(given.labels.tolist()) if label != 2] + [2]))
    copies = sets.repeated(rare, 42)
    counts = torch.bincount(copies.labels).tolist()
    assert sum(counts) == 42 and max(counts) - min(counts) <= 1
    assert torch.equal(small_images(60, seed=1).labels[copies.original], copies.labels)


def test_guessed_labels_are_those_the_teacher_is_sure_of(parts):
    class Sure(nn.Module):
        def forward(self, pixels):
            return 50 * torch.eye(4)[torch.arange(len(pixels)) % 2 * 3] * (torch.arange(len(pixels)) % 3 > 0)[:, None]

    made = sets.with_guessed(parts, Sure(), 0)
    rows = [k for k, source in enumerate(made.source) if source.startswith("label guessed")]
    assert len(rows) == 24 and set(made.labels[rows].tolist()) <= {0, 3}
    assert not set(made.original[rows].tolist()) & set(parts.original.tolist())
    assert "label guessed" not in "".join(
        sets.with_guessed(
            parts, SmallLearner()(parts.labelled.images, parts.labelled.labels, steps=0, seed=0), 0
        ).source
    )


def test_filters_keep_what_their_names_say(parts, generator):
    class Blind(nn.Module):
        def forward(self, pixels):
            return torch.tensor([9.0, 0, 0, 0]).expand(len(pixels), 4)

    drawn = DrawnSets(generator, parts, Blind())[0]
    kept = drawn.kept
    assert tuple(kept) == sets.FILTERS
    assert torch.equal(kept[sets.FILTERS[0]], drawn.pictures.labels == 0)
    assert torch.equal(drawn.kept_by_all, torch.stack(list(kept.values())).all(0))
    some = drawn.some(torch.ones(72, dtype=torch.bool), 8)
    assert torch.bincount(some.labels).tolist() == [2, 2, 2, 2]


def test_a_copy_and_a_far_picture_are_filtered(parts):
    class Copyist:
        class_names = parts.labelled.class_names

        def sample_classes(self, count, numbers, *, seed):
            images = parts.labelled.images[torch.arange(count) % 12].clone()
            images[0] = 255
            return images

    class Any4(nn.Module):
        def forward(self, pixels):
            return torch.zeros(len(pixels), 4)

    kept = DrawnSets(Copyist(), parts, Any4())[0].kept
    assert not kept["not far from every labelled picture"][0] and kept["not far from every labelled picture"][1]
    assert kept["no near copy of a labelled picture"][0] and not kept["no near copy of a labelled picture"][1]


# The choice


def made_up(name, wrong):
    return Trained(Option(name, lambda seed: None, column_means), [], wrong)


def test_the_choice_is_the_best_option_beyond_noise():
    random = torch.Generator().manual_seed(0)
    hard = torch.rand(3, 500, generator=random) < 0.3
    solved = hard & (torch.rand(3, 500, generator=random) < 0.2)
    other = torch.rand(3, 500, generator=random) < 0.3
    chosen, rows = task._choose([made_up(NOTHING, hard), made_up("good", solved), made_up("noise", other)])
    assert chosen.option.name == "good" and [row.beyond_noise for row in rows] == [False, True, False]
    chosen, _ = task._choose([made_up(NOTHING, hard), made_up("noise", other)])
    assert chosen.option.name == NOTHING
    chosen, rows = task._choose([made_up(NOTHING, solved), made_up("harmful", hard)])
    assert chosen.option.name == NOTHING and rows[1].beyond_noise  # beyond noise, for the worse


def test_all_options_are_measured_and_test_images_are_opened_last(parts, generator, monkeypatch):
    opened = []
    for once in (parts.validation, parts.test):
        monkeypatch.setattr(
            once, "open", lambda once=once, open_it=once.open: (opened.append(once.purpose), open_it())[1]
        )
    choice, trained, test = augment(parts, generator, learner=column_means, steps=1)
    assert opened == ["choose", "report"]
    assert [row.name for row in choice.rows] == [NOTHING, MOVES, "strong moves", GUESSES, "GAN", "GAN, no filter", BOTH]
    assert len(choice.filters) == 4 and all(0 <= row.removed <= 1 for row in choice.filters)
    assert choice.used == (12, 40, 40) and len(test) == 40
    assert all(len(one.classifiers) == 3 for one in trained)
    words = " ".join(choice.words())
    assert "GAN pictures beside small moves" in words and "12 to learn from, 40 to choose, 40 to report" in words
    assert choice.chosen == NOTHING and "nothing helps beyond noise" in words  # class means solve bars
    with np.load(io.BytesIO(choice.made.file(parts.labelled.class_names, choice.chosen))) as file:
        assert set(file) == {"images", "labels", "source", "original", "seed", "row", "class_names", "method"}
        assert file["images"].shape == (12, 8, 8, 1) and (file["seed"] == -1).all()
    with pytest.raises(RuntimeError, match="opened already"):
        augment(parts, generator, learner=column_means, steps=1)


class Bars:
    """A generator that draws bars of the class that is asked for."""

    class_names = ("0", "1", "2", "3")

    def sample_classes(self, count, labels, *, seed):
        fresh = small_images(8 * count, seed=100 + seed)
        rows = [torch.nonzero(fresh.labels == number).flatten() for number in range(4)]
        return fresh.images[torch.stack([rows[number][k] for k, number in enumerate(labels.tolist())])]


def test_generated_pictures_alone_hold_no_original_and_the_words_say_the_cost(parts, monkeypatch):
    many = small_images(400, seed=9)
    reader = column_means(many.images, many.labels, steps=0, seed=0)
    monkeypatch.setattr(
        sets, "probabilities_of", lambda _, images: (99 * reader(scale(images, "0..1"))).softmax(1)
    )  # a teacher after one step removes everything
    choice, trained, _ = augment(parts, Bars(), learner=column_means, steps=1)
    alone = next(one.option for one in trained if one.option.name == GAN_ALONE).make(0)
    assert set(alone.source) == {"generated"} and (alone.original == -1).all()
    assert set(alone.labels.tolist()) == {0, 1, 2, 3} and len(alone) <= 48
    known = {picture.tobytes() for picture in parts.labelled.images.numpy()}
    assert not known & {picture.tobytes() for picture in alone.images.numpy()}
    assert GAN_ALONE in [row.name for row in choice.rows]
    assert "GAN pictures alone, without an original: error 0.0%, beside 0.0% without anything" in "\n".join(
        choice.words()
    )


def test_generated_pictures_alone_are_left_out_where_a_class_is_missing(parts, generator):
    choice, _, _ = augment(parts, generator, learner=column_means, steps=1)
    assert GAN_ALONE not in [row.name for row in choice.rows]
    assert "not measured, the filters leave none of some class" in " ".join(choice.words())


def test_without_a_generator_or_unlabelled_pictures_those_options_are_left_out(parts, monkeypatch):
    monkeypatch.setattr(task, "_steps_within", lambda *_: 1)
    choice, _, _ = augment(parts, None)
    assert FIXMATCH in [row.name for row in choice.rows] and choice.steps == 1
    assert not choice.filters and choice.gan_beside_moves is None
    whole = divide(Splits(small_images(60, seed=1), small_images(40, seed=2), small_images(40, seed=3)))
    choice, _, _ = augment(whole, None, learner=column_means, steps=1)
    assert [row.name for row in choice.rows] == [NOTHING, MOVES, "strong moves"]
