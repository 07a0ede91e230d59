import pytest

from ganforge.diagnosis.findings import find

HEALTHY = {
    "class_shares": [0.095] * 10,
    "classes_present": 10,
    "confident": 0.95,
    "within_class_spread": 0.9,
    "total_spread": 0.95,
    "label_agreement": None,
    "frechet_distance": 5.0,
    "frechet_floor": 0.1,
}
EVEN = [{"epoch": 20.0, "discriminator_loss": 1.2, "generator_loss": 0.9, "d_real": 0.6, "d_fake": 0.4}] * 10
LOST = [{"epoch": 20.0, "discriminator_loss": 0.0001, "generator_loss": 11.0, "d_real": 1.0, "d_fake": 1e-5}] * 10


def names(log=EVEN, **changes):
    return [finding.name for finding in find({**HEALTHY, **changes}, log)]


def test_a_healthy_run_is_called_healthy():
    assert names() == ["healthy"]
    assert find({**HEALTHY, "frechet_distance": 0.3}, EVEN)[0].text == "healthy so far"
    assert "still rough: their Fréchet distance is 50 times" in find(HEALTHY, EVEN)[0].text


@pytest.mark.parametrize(
    ("changes", "name", "words"),
    [
        ({"total_spread": 0.001, "within_class_spread": None}, "mode-collapse", "every noise vector gives the same"),
        ({"within_class_spread": 0.01}, "mode-collapse", "one picture for each kind"),
        ({"within_class_spread": 0.2}, "narrow", "0.20 of the real spread"),
        ({"label_agreement": 0.11}, "label-ignored", "the label is ignored: 11%"),
        ({"label_agreement": 0.7}, "label-half-followed", "70%"),
        ({"confident": 0.1}, "not-yet-digits", "10%"),
        ({"class_shares": [0.3, 0.3, 0.3] + [0.0] * 7, "classes_present": 3}, "missing-classes", "3, 4, 5, 6, 7, 8, 9"),
    ],
)
def test_each_sickness_is_named(changes, name, words):
    findings = find({**HEALTHY, **changes}, EVEN)
    assert [f.name for f in findings] == [name]
    assert words in findings[0].text


def test_a_lost_game_is_named_and_only_where_logits_are_probabilities():
    assert names(LOST) == ["discriminator-won"]
    assert "its loss is 0.000" in find(HEALTHY, LOST)[0].text
    assert names([{"discriminator_loss": 0.0, "generator_loss": 1.0}]) == ["healthy"]


def test_a_lost_game_is_seen_through_smoothed_labels_too():
    smoothed = [{"discriminator_loss": 0.33, "generator_loss": 8.9, "d_real": 0.9, "d_fake": 0.0002}] * 10
    assert names(smoothed) == ["discriminator-won"]
    assert "0.330" not in find(HEALTHY, smoothed)[0].text


def test_only_the_end_of_the_run_counts():
    assert names(LOST[:2] + EVEN) == ["healthy"]
    assert names(EVEN + LOST[:3]) == ["discriminator-won"]


def test_the_gravest_comes_first():
    found = names(LOST, total_spread=0.0, within_class_spread=None, confident=0.0, label_agreement=0.1)
    assert found == ["mode-collapse", "discriminator-won"]
    assert names(LOST, label_agreement=0.1, confident=0.1) == ["discriminator-won", "label-ignored", "not-yet-digits"]


def test_a_followed_label_is_no_finding():
    assert names(label_agreement=0.97) == ["healthy"]


def test_no_log_is_no_reason_to_fail():
    assert names([]) == ["healthy"]


def test_a_blob_after_half_an_epoch_is_no_collapse_yet_unless_the_game_is_lost():
    young = [{**line, "epoch": 0.5} for line in EVEN]
    assert names(young, total_spread=0.0, within_class_spread=0.0) == ["not-started"]
    lost = [{**line, "epoch": 0.5} for line in LOST]
    assert names(lost, total_spread=0.0, within_class_spread=0.0)[0] == "mode-collapse"


def test_after_very_many_epochs_more_of_them_are_not_the_advice():
    old = [{**line, "epoch": 500.0} for line in EVEN]
    assert find({**HEALTHY, "confident": 0.1}, EVEN)[0].remedy == "train longer"
    assert "hardly help" in find({**HEALTHY, "confident": 0.1}, old)[0].remedy
