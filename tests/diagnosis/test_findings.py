"""The findings of a run with a judge, as they were before signals: their words, and the runs they must tell apart."""

import pytest

from diagnosis_cases import FACTS
from ganforge.diagnosis.case import Case
from ganforge.diagnosis.diagnose import diagnose
from ganforge.experiment.verdict import Verdict
from ganforge.metrics.measurement import Measurement

HEALTHY = {
    "judge": "digits-1",
    "judge_hash": "b2",
    "n_fake": 10_000,
    "n_real": 10_000,
    "n_real_reference": 10_000,
    "class_spread": [0.9] * 10,
    "noun": "digit",
    "class_names": list("0123456789"),
    "class_shares": [0.095] * 10,
    "real_class_shares": [0.099] * 10,
    "classes_present": 10,
    "confident": 0.95,
    "confident_on_real": 0.99,
    "agreement_on_real": 0.997,
    "within_class_spread": 0.9,
    "total_spread": 0.95,
    "label_agreement": None,
    "class_agreement": None,
    "class_recall": [0.9] * 10,
    "class_recall_real_reference": [0.93] * 10,
    "frechet_distance": 0.3,
    "frechet_real_reference": 0.1,
}
EVEN = [{"epoch": 20.0, "discriminator_loss": 1.2, "generator_loss": 0.9, "d_real": 0.6, "d_fake": 0.4}] * 10
LOST = [{"epoch": 20.0, "discriminator_loss": 0.0001, "generator_loss": 11.0, "d_real": 1.0, "d_fake": 1e-5}] * 10


FAR = {"frechet_distance": 1.2}


def find(measured, log):
    log = [{"step": 1000 * (k + 1) // len(log), **line} for k, line in enumerate(log)]
    return diagnose(Case(facts=FACTS, log=log, measured=Measurement(**measured)))


def names(log=EVEN, **changes):
    return [finding.name for finding in find({**HEALTHY, **changes}, log)]


def test_a_healthy_run_is_called_healthy():
    assert names() == ["healthy"]
    assert find(HEALTHY, EVEN)[0].text == "healthy so far"


def test_healthy_needs_all_classes_and_a_small_distance_or_the_text_names_what_is_missing():
    assert names(frechet_distance=0.5) == ["healthy"]  # five times the floor
    (far,) = find({**HEALTHY, "frechet_distance": 1.2}, EVEN)
    assert (far.name, far.severity, far.remedy) == ("learning", 0, "train longer")
    assert "the Fréchet distance is 12.0 times real against real (healthy: up to 5)" in far.text
    (two,) = find({**HEALTHY, "class_shares": [0.0, 0.01, *[0.12] * 8], "classes_present": 8}, EVEN)
    assert (two.name, two.severity) == ("missing-classes", 1) and two.text.endswith("real ones): 0, 1")
    few = {"class_shares": at(4, 0.02, 0.1), "classes_present": 9, "frechet_distance": 0.51, "n_fake": 100}
    (one,) = find({**HEALTHY, **few}, EVEN)
    assert one.name == "learning", "2 of 100 may be chance"
    assert "digit 4 is rarely drawn; the Fréchet distance is 5.1 times" in one.text
    for unknown in ({"frechet_distance": None}, {"frechet_real_reference": None}):
        assert "too few real images for a Fréchet distance" in find({**HEALTHY, **unknown}, EVEN)[0].text
        assert names(**unknown) == ["learning"]


@pytest.mark.parametrize(
    ("changes", "name", "words"),
    [
        ({"total_spread": 0.001, "within_class_spread": None}, "mode-collapse", "every noise vector gives the same"),
        ({"within_class_spread": 0.01}, "mode-collapse", "one picture for each kind"),
        ({"within_class_spread": 0.2, "class_spread": [0.2] * 10}, "narrow", "0.20 of the real spread"),
        ({"label_agreement": 0.11}, "label-ignored", "the label is ignored: 11%"),
        ({"label_agreement": 0.7}, "label-ignored", "70%"),
        ({"confident": 0.1}, "undertrained", "10%"),
        ({"class_shares": [0.3, 0.3, 0.3] + [0.0] * 7, "classes_present": 3}, "missing-classes", "3, 4, 5, 6, 7, 8, 9"),
    ],
)
def test_each_defect_has_its_finding(changes, name, words):
    found = find({**HEALTHY, **changes}, EVEN)
    assert [finding.name for finding in found] == [name]
    assert words in found[0].text


def test_discriminator_won_is_found_only_if_d_outputs_are_logged():
    assert names(LOST, **FAR) == ["discriminator-won"]
    assert "its loss is 0.000" in find({**HEALTHY, **FAR}, LOST)[0].text
    assert names(LOST) == ["healthy"], "it cannot have won against pictures as near as these"
    assert names([{"discriminator_loss": 0.0, "generator_loss": 1.0}]) == ["healthy"]


def test_discriminator_won_is_found_with_smoothed_labels():
    smoothed = [{"discriminator_loss": 0.33, "generator_loss": 8.9, "d_real": 0.9, "d_fake": 0.0002}] * 10
    assert names(smoothed, **FAR) == ["discriminator-won"]
    assert "0.330" not in find({**HEALTHY, **FAR}, smoothed)[0].text


def test_only_the_last_fifth_of_the_log_counts():
    assert names(LOST[:2] + EVEN, **FAR) == ["learning"]
    assert names(EVEN + LOST[:3], **FAR) == ["discriminator-won"]


def test_the_most_severe_finding_is_first_and_a_cause_before_its_consequences():
    lost = [{**line, "epoch": 2.0} for line in LOST]
    found = names(lost, total_spread=0.0, within_class_spread=None, confident=0.0, label_agreement=0.1, **FAR)
    assert found == ["discriminator-won", "mode-collapse"]
    assert names(LOST, label_agreement=0.1, confident=0.1, **FAR) == ["discriminator-won", "label-ignored"]


def test_a_followed_label_gives_no_finding():
    assert names(label_agreement=0.97) == ["healthy"]


def test_a_generator_that_gets_pictures_cannot_ignore_a_label():
    assert "label-ignored" in names(label_agreement=0.2)
    assert names(label_agreement=0.2, from_pictures=True) == ["healthy"]
    figures = Verdict(Measurement(**HEALTHY | {"label_agreement": 0.7, "from_pictures": True}), ()).figures
    assert "the true digit is read in 70.0%" in figures


def test_an_empty_log_is_accepted():
    assert names([]) == ["healthy"]


def test_a_blob_after_half_an_epoch_is_not_a_collapse_yet_and_has_a_remedy():
    young, lost = ([{**line, "epoch": 0.5} for line in lines] for lines in (EVEN, EVEN[:7] + LOST[:3]))
    assert names(young, total_spread=0.0, within_class_spread=0.0) == ["undertrained"]
    assert names(lost, total_spread=0.0, within_class_spread=0.0) == ["undertrained"]
    blob = {**HEALTHY, "total_spread": 0.0, "within_class_spread": 0.0}
    assert "rejects all of them" in find(blob, lost)[0].text
    for lines in (young, lost):
        assert (
            find(blob, lines)[0].remedy.startswith("train longer") and "learning rates" in find(blob, lines)[0].remedy
        )
    later = [{**line, "epoch": 0.5} for line in LOST]  # for half of the run at least
    assert names(later, total_spread=0.0, within_class_spread=0.0, **FAR) == ["discriminator-won", "mode-collapse"]


def test_unreadable_images_of_the_first_epochs_are_neither_collapse_nor_ignored_label():
    young, old = ([{**line, "epoch": epoch} for line in EVEN] for epoch in (2.7, 12.0))
    blots = {"within_class_spread": 0.03, "confident": 0.1, "label_agreement": 0.3}
    assert names(young, **blots) == ["undertrained"]
    assert names(old, **blots)[0] == "mode-collapse"
    ones = {
        "within_class_spread": 0.03,
        "class_shares": [0.0, 0.9, *[0.0] * 8],
    }  # a blot that the judge classifies as 1
    assert (names(young, **ones), names(old, **ones)[0]) == (["undertrained"], "mode-collapse")
    assert names(young, within_class_spread=0.03) == ["mode-collapse"]
    early = {"confident": 0.1, "label_agreement": 0.3}
    assert names(young, **early) == ["undertrained"]
    assert names(old, **early) == ["label-ignored", "undertrained"]


def test_after_many_epochs_the_remedy_is_not_longer_training():
    old = [{**line, "epoch": 500.0} for line in EVEN]
    assert find({**HEALTHY, "confident": 0.1}, EVEN)[0].remedy == "train longer"
    assert "hardly help" in find({**HEALTHY, "confident": 0.1}, old)[0].remedy


def at(index, value, others=0.9):
    return [others] * index + [value] + [others] * (9 - index)


def test_few_handwritings_names_the_class_and_the_recall_of_other_reals():
    (found,) = find({**HEALTHY, "class_recall": at(4, 0.3)}, EVEN)
    assert (found.name, found.severity) == ("class-collapse", 1)
    assert (
        found.text
        == "digit 4 is drawn in few handwritings: its pictures come near 30% of the real ones, other real ones near 93%"
    )
    assert "train longer" in found.remedy and "batch_size" in found.remedy
    assert names(class_recall=at(4, 0.47)) == ["healthy"]


def test_few_handwritings_needs_recall_values_and_no_graver_finding():
    few = {"class_recall": [0.0] * 10}
    assert names(**few, within_class_spread=0.2, class_spread=[0.2] * 10) == ["narrow"]
    assert names(**few, confident=0.3) == ["undertrained"]
    assert names(class_recall=[None] * 10) == names(**few, class_recall_real_reference=[None] * 10) == ["healthy"]
    assert names(class_recall=at(4, 0.0), class_agreement=at(4, 0.2)) == ["healthy"], (
        "asked for 4 it draws another digit"
    )
    assert names(class_recall=at(4, 0.0), class_agreement=at(4, 0.95)) == ["class-collapse"]
    assert names(class_recall=at(4, 0.0), class_agreement=at(4, None)) == ["healthy"], "label never requested"


def test_data_other_than_digits_are_described_as_classes_by_name():
    animals = {"noun": "class", "class_names": ["cat", "dog", "frog", "owl"], "class_shares": [0.4, 0.05, 0.5, 0.01]}
    fours = {
        "real_class_shares": [0.25] * 4,
        "class_recall": [0.1, 0.9, 0.9, 0.9],
        "class_recall_real_reference": [0.9] * 4,
        "classes_present": 2,
    }
    found = find({**HEALTHY, **animals, **fours, "label_agreement": 0.25}, EVEN)
    text = " ".join(f"{finding.text} {finding.remedy}" for finding in found)
    assert {finding.name for finding in found} == {"missing-classes", "class-collapse", "label-ignored"}
    assert (
        "class cat is drawn in few ways" in text
        and "(each in less than 30% of its share among real ones): dog, owl" in text
    )
    assert "show the requested class (chance: 25%)" in text
    assert "digit" not in text
    well = {**HEALTHY, **animals, **fours, "class_recall": [None] * 4, "classes_present": 4}
    for change in ({"confident": 0.1}, {"within_class_spread": 0.01}, {"within_class_spread": 0.2}, {}):
        assert "digit" not in find({**well, **change}, EVEN)[0].text


def test_thresholds_are_relative_to_the_judges_accuracy_on_reals():
    modest = {"agreement_on_real": 0.8, "confident_on_real": 0.6, "class_shares": [0.05] * 10}
    fair = {**modest, "real_class_shares": [0.06] * 10, "confident": 0.5, "label_agreement": 0.76}
    assert names(**fair) == ["healthy"]
    assert names(**{**fair, "label_agreement": 0.6}) == ["label-ignored"]
    assert names(**{**fair, "confident": 0.25}) == ["undertrained"]
    assert "sure of 25% of them, and of 60% of real ones" in find({**HEALTHY, **fair, "confident": 0.25}, EVEN)[0].text


COPIED = [{"epoch": 20.0, "encoder_loss": 60.0, "generator_loss": 60.0}] * 10
DRAWN = [{"epoch": 20.0, "encoder_loss": 100.0, "generator_loss": 75.0, "kl": 25.0}] * 10


def test_an_autoencoder_gets_one_finding_for_images_from_noise():
    """Only if the images from noise are unreadable; a decoder that gives digits gets the usual findings."""
    assert names(COPIED, confident=0.1, classes_present=0, total_spread=0.01) == ["never-drew"]
    assert names(COPIED) == names(DRAWN) == ["healthy"]
    assert names(DRAWN, confident=0.1) == ["undertrained"]


def test_posterior_collapse_is_reported_before_its_consequences():
    silent = [{**line, "kl": 0.1} for line in DRAWN]
    found = find({**HEALTHY, "total_spread": 0.001, "within_class_spread": None}, silent)
    assert [finding.name for finding in found] == ["posterior-collapse"]
    assert "kl_weight" in found[0].remedy and "0.10 nats" in found[0].text
    assert names([{**DRAWN[0], "kl": 0.1}] * 5 + DRAWN[:5]) == ["healthy"]
    assert names([{**line, "epoch": 0.5} for line in silent]) == ["healthy"]  # too early to say


def test_runs_without_discriminator_get_no_remedy_for_one():
    (found,) = find({**HEALTHY, "within_class_spread": 0.01}, DRAWN)
    assert found.name == "mode-collapse" and "discriminator" not in found.remedy
