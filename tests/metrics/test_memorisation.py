import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu
from sklearn.neighbors import NearestNeighbors

from ganforge.metrics import memorisation
from ganforge.metrics.memorisation import closer_probability, copying, exact_copies, nearest_distances, repetition
from ganforge.metrics.neighbours import nearest_others

DRAW = np.random.default_rng(1)
TRAIN, HELD_OUT, OTHERS = (DRAW.normal(size=(n, 6)) for n in (400, 300, 250))


def test_nearest_rows_agree_with_scikit_learn_far_from_the_origin_and_at_every_scale():
    for scale, shift in ((1, 0), (1, 1e4), (1e25, 0), (1e-25, 0)):
        train, rows = TRAIN * scale + shift, OTHERS * scale + shift
        oracle = NearestNeighbors(n_neighbors=1, algorithm="brute" if shift == 0 else "kd_tree").fit(train)
        expected, index = oracle.kneighbors(rows)
        distances, nearest = nearest_distances(rows, train)
        assert nearest.tolist() == index[:, 0].tolist()
        assert distances == pytest.approx(expected[:, 0], rel=1e-9)


def test_near_rows_are_compared_in_double_precision():
    train = np.concatenate([TRAIN, TRAIN + 1e-6, TRAIN - 2e-6, 100 * TRAIN[:1]])
    for offset, part in ((0, 0), (1e-6, 1), (-2e-6, 2)):
        distances, nearest = nearest_distances(TRAIN + offset, train)
        assert (distances == 0).all()
        assert nearest.tolist() == list(range(400 * part, 400 * part + 400))


def test_the_first_of_equal_rows_is_returned():
    assert nearest_distances(TRAIN, np.concatenate([TRAIN, TRAIN, TRAIN]))[1].tolist() == list(range(400))


def test_the_block_size_does_not_matter(monkeypatch):
    whole = nearest_distances(OTHERS, TRAIN)
    monkeypatch.setattr(memorisation, "BLOCK", 7)
    parts = nearest_distances(OTHERS, TRAIN)
    assert (whole[0].tolist(), whole[1].tolist()) == (parts[0].tolist(), parts[1].tolist())


def test_fewer_training_rows_than_candidates_are_enough():
    distances, nearest = nearest_distances([[3.0, 4.0], [0.0, 1.0]], [[0.0, 0.0]])
    assert distances.tolist() == [5, 1]
    assert nearest.tolist() == [0, 0]


def test_closer_probability_is_the_mann_whitney_statistic_with_ties_counted_half():
    assert closer_probability([1.0, 2.0], [2.0, 3.0]) == (2 + 1.5) / 4
    fake, held_out = DRAW.integers(0, 9, 60), DRAW.integers(1, 12, 50)
    expected = mannwhitneyu(held_out, fake).statistic / (60 * 50)
    assert closer_probability(fake, held_out) == pytest.approx(expected)
    assert closer_probability(held_out, fake) == pytest.approx(1 - expected)


def test_fresh_reals_are_as_near_as_held_out_reals():
    result = copying(TRAIN, HELD_OUT, OTHERS)
    assert result.closer_probability == pytest.approx(0.5, abs=0.1)
    assert result.ratio == result.fake_median / result.held_out_median == pytest.approx(1, abs=0.1)
    assert result.share_close == pytest.approx(0.01, abs=0.015)
    assert result.share_exact == 0


def test_copies_change_every_value_and_are_identified():
    rows = DRAW.permutation(400)[:250]
    result = copying(TRAIN, HELD_OUT, TRAIN[rows])
    assert (result.closer_probability, result.share_close, result.share_exact) == (1, 1, 1)
    assert (result.fake_median, result.ratio) == (0, 0)
    assert result.nearest.tolist() == rows.tolist()
    assert (result.fake_distances == 0).all()


def test_a_tenth_of_copies_gives_a_share_of_one_tenth():
    result = copying(TRAIN, HELD_OUT, np.concatenate([TRAIN[:25], OTHERS[:225] + 50]))
    assert result.share_exact == result.share_close == 0.1
    assert result.closer_probability == pytest.approx(0.1)


def test_copies_up_to_float32_rounding_are_exact_and_near_ones_close():
    rounded = TRAIN.astype(np.float32) * (1 + DRAW.uniform(-1e-6, 1e-6, TRAIN.shape))
    result = copying(TRAIN, HELD_OUT, rounded)
    assert result.fake_median > 0
    assert result.share_exact == 1
    near = copying(TRAIN, HELD_OUT, TRAIN + 1e-3)
    assert (near.share_exact, near.share_close, near.closer_probability) == (0, 1, 1)


def test_the_tolerance_of_exact_copies_scales_with_the_training_rows():
    assert exact_copies([0.0, 0.9e-5, 1.1e-5], [[1.0, 0.0], [0.0, -1.0]]).tolist() == [True, True, False]
    assert exact_copies([0.0, 0.9e-2, 1.1e-2], torch.tensor([[1e3, 0.0]])).tolist() == [True, True, False]
    assert exact_copies([0.0, 1e-30], np.zeros((3, 2))).tolist() == [True, False]


def test_poor_fakes_are_farther_than_reals():
    assert copying(TRAIN, HELD_OUT, OTHERS * 5).closer_probability < 0.1
    assert copying(TRAIN, HELD_OUT, OTHERS * 5).ratio > 2


def test_held_out_reals_among_the_training_images_give_no_ratio():
    result = copying(TRAIN, TRAIN, OTHERS)
    assert np.isnan(result.ratio)
    assert result.closer_probability == result.share_close == 0


@pytest.mark.parametrize(
    ("train", "held_out", "fake", "word"),
    [
        (TRAIN, HELD_OUT[:0], OTHERS, "held-out features: a nearest neighbour needs at least 1 sample, found 0"),
        (TRAIN, HELD_OUT, OTHERS[:, :4], "training features have 6 columns and fake features 4"),
        (TRAIN, HELD_OUT, np.full((9, 6), np.nan), "fake features: 54 values"),
        (np.full((9, 6), np.inf), HELD_OUT, OTHERS, "training features: 54 values"),
        (TRAIN[0], HELD_OUT, OTHERS, r"training features must be \[N, F\]"),
    ],
)
def test_invalid_features_are_rejected_in_one_line(train, held_out, fake, word):
    with pytest.raises(ValueError, match=word) as refusal:
        copying(train, held_out, fake)
    assert "\n" not in str(refusal.value)


def test_empty_distances_are_rejected():
    with pytest.raises(ValueError, match="both fakes and held-out reals"):
        closer_probability([], [1.0])


def test_nearest_others_by_hand_and_against_scikit_learn():
    from sklearn.neighbors import NearestNeighbors

    line = np.array([[0.0], [1.0], [1.0], [4.0]])
    assert nearest_others(line) == pytest.approx([1, 0, 0, 3], abs=1e-5)
    distances = NearestNeighbors(n_neighbors=2).fit(TRAIN).kneighbors(TRAIN)[0][:, 1]
    assert nearest_others(TRAIN) == pytest.approx(distances, abs=1e-6)


def test_repetition_is_half_for_reals_and_one_for_repeated_images():
    assert repetition(HELD_OUT, HELD_OUT) == 0.5
    assert repetition(HELD_OUT, OTHERS) == pytest.approx(0.5, abs=0.07)
    assert repetition(HELD_OUT, OTHERS[np.arange(len(OTHERS)) // 2]) > 0.99  # each twice
    half = OTHERS.copy()
    half[::2] = half[0]
    # the repeated half is nearer than any real; the others are half as many, so their neighbours lie further apart
    assert 0.6 < repetition(HELD_OUT, half) < 0.75
    assert repetition(HELD_OUT, 5 * OTHERS) < 0.1  # scattered


def test_repetition_needs_two_samples_of_each():
    with pytest.raises(ValueError, match="2"):
        repetition(HELD_OUT, OTHERS[:1])
