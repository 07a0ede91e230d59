"""Loss terms by hand at fixed numbers, and the turns that they belong to."""

import math
from dataclasses import dataclass

import pytest
import torch

from ganforge.objectives.loss_context import Codes, LossContext, Samples
from ganforge.objectives.terms import (
    IIC,
    Classification,
    FeatureMatching,
    HistoricalAveraging,
    MutualInformation,
    RealClassification,
    Supervised,
    Terms,
    mutual_information,
)


@dataclass
class FakeOutput:
    logits: torch.Tensor = None
    features: torch.Tensor = None
    class_logits: torch.Tensor = None
    codes: torch.Tensor = None


def samples(labels=None, latent=None, **outputs):
    return Samples(None, FakeOutput(**outputs), labels, latent)


def test_feature_matching_by_hand():
    real = samples(features=torch.tensor([[1.0, 2.0], [3.0, 6.0]]))
    fake = samples(features=torch.tensor([[0.0, 0.0], [2.0, 2.0]]))
    assert FeatureMatching()(LossContext("generator", fake, real)) == pytest.approx(1 + 9)


def log_softmax(row, k):
    return row[k] - math.log(sum(math.exp(x) for x in row))


REAL, FAKE = [[2.0, 0.0, -1.0], [0.0, 1.0, 0.0]], [[0.5, 0.5, 0.0], [3.0, -1.0, 0.0]]
LABELS = [0, 2]


def test_classification_by_hand_for_either_turn():
    labels = torch.tensor(LABELS)
    real, fake = (samples(labels, class_logits=torch.tensor(rows)) for rows in (REAL, FAKE))
    real_loss, fake_loss = (
        -sum(log_softmax(row, k) for row, k in zip(rows, LABELS, strict=True)) / 2 for rows in (REAL, FAKE)
    )
    assert Classification()(LossContext("discriminator", fake, real)) == pytest.approx(real_loss + fake_loss, rel=1e-6)
    assert Classification()(LossContext("generator", fake, real)) == pytest.approx(fake_loss, rel=1e-6)
    assert Classification()(LossContext("generator", fake, None)) == pytest.approx(fake_loss, rel=1e-6)


def test_real_classification_is_the_real_half_of_classification():
    labels = torch.tensor(LABELS)
    real, fake = (samples(labels, class_logits=torch.tensor(rows)) for rows in (REAL, FAKE))
    expected = -sum(log_softmax(row, k) for row, k in zip(REAL, LABELS, strict=True)) / 2
    assert RealClassification()(LossContext("discriminator", fake, real)) == pytest.approx(expected, rel=1e-6)
    assert RealClassification.turns == ("discriminator",)


def test_supervised_uses_the_labelled_batch_alone():
    labelled = samples(torch.tensor(LABELS), class_logits=torch.tensor(REAL))
    fake = samples(torch.tensor([1, 1]), class_logits=torch.tensor(FAKE))
    expected = -sum(log_softmax(row, k) for row, k in zip(REAL, LABELS, strict=True)) / 2
    assert Supervised()(LossContext("discriminator", fake, fake, {"labelled": labelled})) == pytest.approx(
        expected, rel=1e-6
    )


def test_mutual_information_by_hand():
    """Two noise numbers, a categorical code of width 3, one of width 2, two uniform codes."""
    codes = Codes((3, 2), 2)
    latent = torch.tensor([[9.0, 9.0, 0, 1, 0, 1, 0, 0.5, -0.5], [8.0, 8.0, 1, 0, 0, 0, 1, 0.0, 1.0]])
    predicted = torch.tensor([[1.0, 2.0, 0.0, 0.3, 0.1, 0.0, -0.5], [0.0, 0.0, 4.0, 0.0, 0.0, 1.0, 1.0]])
    rows = predicted.tolist()
    expected = -(log_softmax(rows[0][:3], 1) + log_softmax(rows[1][:3], 0)) / 2
    expected -= (log_softmax(rows[0][3:5], 0) + log_softmax(rows[1][3:5], 1)) / 2
    uniform = 0.5 * (0.25 + 0 + 1 + 0) / 2
    context = LossContext("generator", samples(latent=latent, codes=predicted), None, codes=codes)
    assert MutualInformation()(context) == pytest.approx(expected + uniform, rel=1e-6)
    assert MutualInformation(uniform_weight=0.1)(context) == pytest.approx(expected + 0.1 * uniform, rel=1e-6)


def test_mutual_information_without_uniform_codes_is_finite():
    context = LossContext(
        "generator", samples(latent=torch.eye(3), codes=torch.zeros(3, 3)), None, codes=Codes((3,), 0)
    )
    assert MutualInformation()(context) == pytest.approx(math.log(3), rel=1e-6)


def test_mutual_information_of_two_predictions_by_hand():
    first, second = (
        torch.tensor([[0.3, 1.1], [2.0, 0.0], [0.0, 0.4]]),
        torch.tensor([[0.0, 0.2], [1.0, 0.0], [0.5, 2.0]]),
    )
    p, q = ([[math.exp(x) / sum(map(math.exp, row)) for x in row] for row in rows.tolist()] for rows in (first, second))
    joint = [[sum(p[n][i] * q[n][j] + p[n][j] * q[n][i] for n in range(3)) / 6 for j in range(2)] for i in range(2)]
    margin = [sum(row) for row in joint]
    expected = sum(joint[i][j] * math.log(joint[i][j] / margin[i] / margin[j]) for i in range(2) for j in range(2))
    assert mutual_information(first, second) == pytest.approx(expected, rel=1e-5)
    entropy = -sum(p * math.log(p) for p in margin)
    assert mutual_information(first, second, 2.5) == pytest.approx(expected + 1.5 * 2 * entropy, rel=1e-5)
    codes = Codes((2,), 1)
    plain, augmented = (samples(codes=torch.cat([rows, torch.zeros(3, 1)], 1)) for rows in (first, second))
    context = LossContext("discriminator", samples(), plain, {"moved": augmented}, codes=codes)
    assert IIC()(context) == pytest.approx(-expected, rel=1e-5)
    plain, augmented = (samples(class_logits=rows) for rows in (first, second))
    assert IIC()(LossContext("discriminator", samples(), plain, {"moved": augmented})) == pytest.approx(
        -expected, rel=1e-5
    )
    plain, augmented = (
        samples(class_logits=rows, codes=torch.cat([rows, torch.zeros(3, 1)], 1)) for rows in (first, second)
    )
    context = LossContext("discriminator", samples(), plain, {"moved": augmented}, codes=codes)
    assert IIC()(context) == pytest.approx(-2 * expected, rel=1e-5)


def test_information_is_log_k_for_confident_uniform_predictions_and_zero_for_vague_or_constant_ones():
    confident = 50 * torch.eye(4)
    assert mutual_information(confident, confident) == pytest.approx(math.log(4), rel=1e-5)
    assert mutual_information(torch.zeros(4, 4), torch.zeros(4, 4)) == pytest.approx(0, abs=1e-6)
    assert mutual_information(confident[:1].expand(4, 4), confident[:1].expand(4, 4)) == pytest.approx(0, abs=1e-6)


def test_historical_averaging_by_hand():
    weights = [torch.tensor([1.0, 2.0]), torch.tensor([[3.0]])]
    averages = [torch.tensor([0.0, 2.5]), torch.tensor([[1.0]])]
    context = LossContext("generator", samples(), None, weights=weights, averages=averages)
    assert HistoricalAveraging()(context) == pytest.approx(1 + 0.25 + 4)


def test_terms_are_added_to_the_turns_they_belong_to():
    terms = Terms(feature_matching=FeatureMatching(weight=2.0), supervised=Supervised(weight=3.0))
    real, fake = samples(features=torch.ones(2, 1)), samples(features=torch.zeros(2, 1))
    labelled = samples(torch.tensor([0, 0]), class_logits=torch.zeros(2, 4))
    loss = torch.tensor(10.0)
    assert terms.add(loss, LossContext("generator", fake, real)) == 12
    assert terms.add(loss, LossContext("discriminator", fake, real, {"labelled": labelled})) == pytest.approx(
        10 + 3 * math.log(4)
    )
    assert terms.streams == ("labelled",) and terms.needs_real_outputs and not terms.needs_weight_average
    assert Terms().add(loss, LossContext("generator", fake, None)) is loss
