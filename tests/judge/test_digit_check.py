"""The judge of digits is used for digits, and not for other shapes that it classifies as digits."""

from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont

from conftest import needs_mnist
from ganforge.data.images import ImageSet, Splits
from ganforge.data.load import load
from ganforge.evaluation.evaluator import Evaluator, random_subset
from ganforge.evaluation.features import FeatureExtractor
from ganforge.experiment.evaluate import evaluate
from ganforge.experiment.experiment import ProgressListener
from ganforge.files import ensure_writable
from ganforge.judge.choice import ALIKE, choose_judge, why_foreign, why_no_digits
from ganforge.judge.digit_check import digit_domain
from ganforge.judge.shipped import DIGITS_FILE, load_judge
from ganforge.judge.user_judges import kept_file


class Listener(ProgressListener):
    """Records all messages."""

    def __init__(self):
        self.messages = []

    def say(self, text):
        self.messages.append(text)


def letters(characters, count=300, font="DejaVuSans"):
    """Return printed letters of random size and slant."""
    rng = np.random.default_rng(0)
    face = ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf"), 72)
    drawn = []
    for number in range(count):
        canvas = Image.new("L", (120, 120))
        ImageDraw.Draw(canvas).text((60, 60), characters[number % len(characters)], 255, face, "mm", stroke_width=1)
        slant = rng.uniform(-0.2, 0.2)
        canvas = canvas.transform(canvas.size, Image.Transform.AFFINE, (1, slant, -60 * slant, 0, 1, 0))
        box, side = canvas.getbbox(), rng.uniform(17, 21)
        canvas = canvas.crop(box)
        canvas = canvas.resize(
            [max(1, round(s * side / max(canvas.size))) for s in canvas.size], Image.Resampling.LANCZOS
        )
        picture = Image.new("L", (28, 28))
        picture.paste(canvas, ((28 - canvas.width) // 2, (28 - canvas.height) // 2))
        drawn.append(np.asarray(picture))
    return torch.from_numpy(np.stack(drawn))[:, None]


def bare(images):
    """Return unlabelled images in three splits."""
    return load(ImageSet(images, torch.full((len(images),), -1), (), "bare"))


def named(images, names):
    """Return images whose labels cycle through these classes, in three splits."""
    return load(ImageSet(images, torch.arange(len(images)) % len(names), tuple(names), "named"))


@pytest.mark.parametrize("font", ["DejaVuSans", "DejaVuSerif-Bold", "cmtt10"])
def test_letters_that_look_like_digits_get_no_judge_despite_its_confidence(font):
    splits = bare(letters("SZOl", font=font))
    assert float((load_judge().look(splits.train.images).confidence >= 0.8).float().mean()) > 0.85
    judge, why = choose_judge(splits)
    assert judge is None
    assert why.startswith("no judge fits these images: to the judge of digits they look like letters")


def test_labelled_letters_are_no_digits_by_names_or_numbers():
    assert "no class S" in why_no_digits(named(letters("SZOl"), "SZOl"))
    assert "agrees with the labels" in why_no_digits(named(letters("SZOl"), "0123"))


def scribbles(rng, canvas):
    ImageDraw.Draw(canvas).line([tuple(point) for point in rng.uniform(3, 25, (7, 2))], fill=255, width=2)


def garments(rng, canvas):
    wide, long = rng.uniform(5, 9), rng.uniform(20, 25)
    outline = [(14 - wide, 3), (14 + wide, 3), (14 + wide + 2, long), (14 - wide - 2, long)]
    ImageDraw.Draw(canvas).polygon(outline, fill=int(rng.integers(90, 255)))


@pytest.mark.parametrize("draw", [scribbles, garments])
def test_other_shapes_get_no_judge(draw):
    rng, shapes = np.random.default_rng(1), []
    for _ in range(200):
        canvas = Image.new("L", (28, 28))
        draw(rng, canvas)
        shapes.append(np.asarray(canvas))
    assert choose_judge(bare(torch.from_numpy(np.stack(shapes))[:, None]))[0] is None


@needs_mnist
@pytest.mark.parametrize("digits_kept", [range(10), range(1, 10), [0], [1], [3, 8]])
def test_digits_of_any_classes_get_their_judge_with_and_without_labels(digits_kept):
    test = load("mnist").test
    rows = torch.nonzero(torch.isin(test.labels, torch.tensor(list(digits_kept)))).flatten()[:200]
    labels = torch.searchsorted(torch.tensor(list(digits_kept)), test.labels[rows])
    labelled = ImageSet(test.images[rows], labels, tuple(map(str, digits_kept)), "some")
    assert choose_judge(bare(labelled.images)) == (load_judge(), "")
    assert choose_judge(load(labelled)) == (load_judge(), "")


def test_digits_in_other_handwritings_are_rarely_rejected():
    digits = load("digits")
    images = torch.cat([part.images for part in (digits.train, digits.validation, digits.test)])
    predictions, rng = load_judge().look(images), torch.Generator().manual_seed(0)
    domain = digit_domain()
    refused = 0
    for _ in range(500):
        rows = torch.randint(len(images), (50,), generator=rng)
        random_subset = type(predictions)(*(column[rows] for column in vars(predictions).values()))
        refused += (
            domain.likeness(random_subset) < ALIKE or float((random_subset.confidence >= 0.8).double().mean()) < 0.6
        )
    assert refused <= 10


@needs_mnist
def test_metrics_of_the_digits_1_to_9_match_classes_by_name():
    mnist = load("mnist")

    def without_zero(images, count):
        rows = torch.nonzero(images.labels > 0).flatten()[:count]
        return ImageSet(images.images[rows], images.labels[rows] - 1, images.class_names[1:], images.name)

    parts = (without_zero(part, 1000) for part in (mnist.train, mnist.validation, mnist.test))
    splits = Splits(*parts)
    judge, fakes = load_judge(), without_zero(mnist.validation, 500)
    evaluator = Evaluator(FeatureExtractor(judge), splits, "test", 300, say=lambda text: None)
    found = Evaluator(FeatureExtractor(judge), splits, "test", 500, reals=splits.test).measure(fakes)
    assert found.class_names == list("123456789") and found.classes_present == 9
    assert found.label_agreement > 0.98 and found.agreement_on_real > 0.98
    assert len(found.class_shares) == len(found.class_recall) == len(found.class_agreement) == 9
    unlabelled = ImageSet(splits.test.images, torch.full((1000,), -1), (), "bare")
    against_unlabelled = Evaluator(FeatureExtractor(judge), splits, "test", 500, reals=unlabelled)
    assert against_unlabelled.measure(fakes).class_names == list("123456789")
    evaluation = evaluator.evaluate(random_subset(fakes, 300, "fakes"), "validation images")
    assert evaluation["label_agreement"].value > 0.98 and evaluation["classes_present"].value == 9
    assert [row.name for row in evaluation.classes] == list("123456789")


def test_a_requested_judge_warns_of_foreign_images():
    listener, images = Listener(), letters("SZOl", 1000)
    data = ImageSet(images, torch.full((1000,), -1), (), "letters")
    evaluate(data.select(slice(0, 100)), data=data, judge=DIGITS_FILE, watcher=listener)
    assert any("look like letters" in line and "may mean little here" in line for line in listener.messages)
    assert why_foreign(load_judge(), load("digits")) == ""


def test_a_stored_judge_of_these_images_is_used_instead_of_the_digit_judge():
    splits = named(letters("SZOl"), "5201")  # the labels that the judge of digits predicts
    assert choose_judge(splits)[0] is load_judge()
    others = named(letters("SZOl"), ("five", "two", "zero", "one"))
    assert choose_judge(others)[0] is None
    ensure_writable(kept_file(others)).write_bytes(DIGITS_FILE.read_bytes())
    assert "judge of other data" in choose_judge(others)[1]
