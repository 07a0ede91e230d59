import pytest
import torch

from ganforge.benchmarks import patient_runs, spoiled_data
from ganforge.benchmarks.health import Health
from ganforge.benchmarks.patient_runs import CARD, folder_of, make_patient
from ganforge.benchmarks.patients import HEALTHY, ILLNESSES, SEEDS, Illness, Patient, Setting, patients
from ganforge.benchmarks.spoiled_data import DATA, SPOILS, clean, data_file, spoiled
from ganforge.data.glyphs import glyphs
from ganforge.data.images import Splits
from ganforge.data.load import load
from ganforge.diagnosis.finding import NAMES
from ganforge.errors import UserError
from ganforge.experiment.experiment import ProgressListener
from ganforge.recipes.reading import load_recipe


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(spoiled_data, "MADE", {"train": 200, "validation": 50, "test": 100})
    return clean("glyphs")


def settings():
    return [
        pytest.param(setting, id=f"{illness.name}-{number}")
        for illness in (*ILLNESSES, *HEALTHY)
        for number, setting in enumerate((illness.severe, illness.mild))
        if setting
    ]


@pytest.mark.parametrize("setting", settings())
def test_a_setting_is_a_recipe_and_a_spoil(setting):
    load_recipe(setting.recipe, setting.changes)
    assert setting.steps > 0 and (setting.spoil in SPOILS if setting.spoil else not setting.strength)


def test_names_are_those_of_findings_and_each_illness_is_named_once():
    for illness in ILLNESSES:
        assert {illness.planted, *illness.accepted} <= NAMES.keys() - {"healthy", "learning"}
        assert set(illness.data) <= set(DATA) and illness.planted not in illness.accepted
    names = [illness.name for illness in (*ILLNESSES, *HEALTHY)]
    assert len(names) == len(set(names))


def test_half_of_the_seeds_and_some_causes_are_held_out():
    everyone = list(patients(ILLNESSES, DATA, ("severe", "mild"), SEEDS))
    tuning = [patient for patient in everyone if not patient.held_out]
    assert 0.3 < len(tuning) / len(everyone) < 0.5
    assert {patient.seed for patient in tuning} == {0, 2, 4}
    assert sum(illness.held_out for illness in ILLNESSES) >= 4
    # a cause that is held out whole is planted in another way for tuning
    tuned = {illness.planted for illness in ILLNESSES if not illness.held_out}
    assert {illness.planted for illness in ILLNESSES} <= tuned


def test_seeds_come_one_after_the_other_so_that_a_stopped_corpus_has_all_illnesses():
    seeds = [patient.seed for patient in patients(ILLNESSES, ("glyphs",), ("severe",), 2)]
    assert seeds == sorted(seeds) and seeds.count(0) == seeds.count(1)


def test_wrong_labels_keep_the_sizes_of_the_classes(small):
    wrong = spoiled(small, "wrong-labels", 0.6, 0)
    for part in ("train", "validation", "test"):
        before, after = getattr(small, part).labels, getattr(wrong, part).labels
        assert torch.equal(before.bincount(), after.bincount())
        assert 0.4 < (before != after).double().mean() < 0.65


def test_pictures_are_inverted_or_dark(small):
    inverted = spoiled(small, "inverted", 0.5, 0).train
    assert (inverted.images[:, 0, 0, 0] > 128).sum() == 100
    assert spoiled(small, "dark", 1 / 12, 0).test.images.max() <= 22


def test_few_pictures_for_training_or_in_all(small):
    few = spoiled(small, "few", 30, 0)
    assert (len(few.train), len(few.test)) == (30, 100)
    few = spoiled(small, "few-in-all", 100, 0)
    assert (len(few.train), len(few.validation), len(few.test)) == (80, 10, 10)


def test_copies_are_of_few_pictures(small):
    copies = spoiled(small, "copies", 0.9, 0).train
    assert len(copies) == 200 and len(copies.images.flatten(1).unique(dim=0)) <= 20
    both = spoiled(small, "test-in-training", 0.5, 0)
    assert len(both.train) == 250 and torch.equal(both.train.images[:200], small.train.images)


def test_classes_are_removed_or_tiny(small):
    left = spoiled(small, "without-classes", 3, 0)
    assert (left.train.labels.bincount(minlength=10) == 0).sum() == 3 and len(left.train.class_names) == 10
    assert (spoiled(small, "tiny-classes", 0.1, 0).train.labels.bincount() < 10).sum() == 3


def test_the_seed_determines_a_spoil(small):
    first, again, other = (spoiled(small, "few", 30, seed) for seed in (0, 0, 1))
    assert first.fingerprint == again.fingerprint != other.fingerprint


def test_a_spoiled_set_is_read_as_it_was_written(small, tmp_path):
    file = data_file(tmp_path, "glyphs", "inverted", 0.5, 0)
    read, made = load(file), spoiled(small, "inverted", 0.5, 0)
    for part in ("train", "validation", "test"):
        assert torch.equal(getattr(read, part).images, getattr(made, part).images)
        assert torch.equal(getattr(read, part).labels, getattr(made, part).labels)
    assert read.train.class_names == small.train.class_names
    with pytest.raises(UserError, match="no data of the patients are called 'letters'"):
        data_file(tmp_path, "letters", "", 0, 0)


def test_a_colour_set_is_read_as_it_was_written(tmp_path):
    grey = glyphs(60, 0)
    colour = type(grey)(torch.randint(256, (60, 3, 16, 16), dtype=torch.uint8), grey.labels, grey.class_names)
    splits = Splits(colour, colour.select(slice(0, 20)), colour.select(slice(20, 60)))
    spoiled_data.write_npz(splits, tmp_path / "colour.npz")
    assert torch.equal(load(tmp_path / "colour.npz").test.images, splits.test.images)


TINY = Illness(
    "tiny", "data-polarity", (), Setting("vanilla", 3, ("batch_size=20",), "inverted", 0.5), data=("glyphs",)
)


def test_a_patient_is_made_once(small, tmp_path, monkeypatch):
    patient, shares = Patient(TINY, "glyphs", "severe", 1), []
    card = make_patient(tmp_path, patient, shares.append, ProgressListener())
    assert card.planted == "data-polarity" and card.held_out and card.onset == 0 and shares[-1] == 1.0
    assert folder_of(tmp_path, patient) == tmp_path / "held-out" / "tiny-glyphs-severe-seed-1"
    monkeypatch.setattr(patient_runs, "train", None)
    assert make_patient(tmp_path, patient, shares.append, ProgressListener()) == card
    # without its card, the finished run is kept, too
    (folder_of(tmp_path, patient) / CARD).unlink()
    assert make_patient(tmp_path, patient, shares.append, ProgressListener()) == card


def test_a_divergence_is_an_end(small, tmp_path):
    wild = Setting("wgan-gp", 40, ("penalties={}", "generator_lr=10", "discriminator_lr=10", "batch_size=8"))
    patient = Patient(Illness("wild", "diverged", (), wild), "glyphs", "severe", 0)
    assert make_patient(tmp_path, patient, lambda _: None, ProgressListener()).diverged in (True, False)


def test_health_needs_all_four_figures():
    assert Health(10, 10, 0.99, 3.0, 0.5).is_healthy and Health(10, 10, None, 3.0, 0.5).is_healthy
    for sick in (
        Health(9, 10, 0.99, 3.0, 0.5),
        Health(10, 10, 0.9, 3.0, 0.5),
        Health(10, 10, 0.99, 6.0, 0.5),
        Health(10, 10, 0.99, None, 0.5),
        Health(10, 10, 0.99, 3.0, 0.6),
    ):
        assert not sick.is_healthy
