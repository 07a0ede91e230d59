import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import weak_digits
from ganforge.applications.found_files import read_found, write_probe
from ganforge.applications.latent_search import Explorer
from ganforge.applications.probe import fitting, probe, without_copies
from ganforge.applications.weakness_groups import describe
from ganforge.data.traits import measured_traits
from ganforge.errors import UserError
from ganforge.evaluation.user_classifier import of_callable
from weak_digits import generator, readers, splits


@pytest.fixture(scope="module")
def probed():
    classifier = of_callable("slanted", weak_digits.slanted_fours)
    return probe(classifier, generator(), readers(), splits(), budget=600, seed=3)


def test_a_planted_weakness_is_found_and_named(probed):
    assert probed.groups[0].common
    assert probed.groups[0].name.startswith("4 read as 9: slanted right")
    assert probed.groups[0].rate > 0.05 > probed.error > 0
    assert (probed.found.labels == 4).all() and (probed.found.predicted == 9).all()
    assert (measured_traits(probed.found.images)["slant"] > 0.3).all()


def test_the_real_pictures_near_a_group_are_misread_too(probed):
    group = probed.groups[0]
    assert group.real_error > group.class_error > 0


def test_the_search_finds_more_than_as_many_random_draws(probed):
    explorer = Explorer(generator(), of_callable("slanted", weak_digits.slanted_fours), readers())
    random = explorer.draw(500, seed=3)
    searched = explorer.search(random, 200, seed=3)
    assert len(searched) == 200
    assert searched.wrong.float().mean() > 2 * random.wrong.float().mean()


def test_gradients_lead_a_module_into_its_weakness():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10))
    explorer = Explorer(generator(), of_callable("linear", network), readers())
    random = explorer.draw(60, seed=1)
    children = explorer.search(random, 60, seed=1)
    assert len(children) == 10  # a child costs five steps and a look
    parents = random.select(random.sure).margin.sort().values[:10]
    assert children.margin.mean() < parents.mean()


def test_the_files_hold_what_was_found(probed, tmp_path):
    write_probe(probed, tmp_path, seed=3, fingerprint="abc", caption="a test")
    found = read_found(tmp_path)
    assert torch.equal(found.images, probed.found.images) and torch.equal(found.group, probed.group)
    assert (found.seed, found.fingerprint, found.class_names) == (3, "abc", weak_digits.NAMES)
    told = json.loads((tmp_path / "groups.json").read_text())
    assert told["groups"][0]["read_as"] == "9" and told["found"] == len(found.images)
    assert {"groups.json", "found.npz", "sheet.png"} == {file.name for file in tmp_path.iterdir()}


def test_the_same_seed_finds_the_same(probed):
    classifier = of_callable("slanted", weak_digits.slanted_fours)
    again = probe(classifier, generator(), readers(), splits(), budget=600, seed=3)
    assert torch.equal(again.found.images, probed.found.images) and again.groups == probed.groups


def test_a_right_classifier_has_no_groups():
    result = probe(of_callable("judge", readers().judge.network), generator(), readers(), splits(), budget=200)
    assert not result.groups and not len(result.found) and result.error == 0


def test_other_data_than_the_generators_are_refused():
    recipe = generator().recipe.model_copy(update={"conditional": False})
    with pytest.raises(UserError, match="draws no pictures of a class"):
        fitting(replace(generator(), recipe=recipe), splits())
    with pytest.raises(UserError, match="may have seen these test pictures"):
        fitting(replace(generator(), note={**generator().note, "fingerprint": "another"}), splits())


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_a_damaged_file_is_refused(tmp_path, content):
    file = tmp_path / "found.npz"
    if content is None:
        np.savez(file, images=np.zeros((2, 1, 4, 4), np.uint8))
    else:
        file.write_bytes(content)
    with pytest.raises(UserError, match="no file of 'ganforge probe'"):
        read_found(file)


def test_copies_are_dropped(probed):
    twice = probed.found.concat(probed.found)
    assert len(without_copies(twice)) == len(probed.found)


def test_large_deviations_are_named_first():
    assert describe({"slant": -1.0, "thickness": 2.0, "ink": 0.1}) == "thick (+2.0 sd), slanted left (-1.0 sd)"


def rows_are_sevens(pixels):
    """The judge, but it reads a picture with a bright row as a 7."""
    bright = (pixels > 0.999).all(3).any(2).flatten()
    return torch.where(bright, 7, readers().judge.network(pixels).argmax(1))


def test_a_corruption_that_readers_read_and_the_classifier_does_not_is_named(tmp_path):
    result = probe(of_callable("rows", rows_are_sevens), generator(), readers(), splits(), budget=2000, seed=3)
    holes = [trial for trial in result.corruptions if trial.hole]
    assert {trial.corruption for trial in holes} == {"bright row"} and all(trial.label != 7 for trial in holes)
    assert all(trial.error > trial.usual and len(trial.misread) <= trial.wrong for trial in holes)
    write_probe(result, tmp_path, seed=3, fingerprint="abc", caption="a test")
    told = json.loads((tmp_path / "groups.json").read_text())["corruptions"]
    assert len(told) == len(result.corruptions) and "misread" not in told[0] and told[0]["class"]
    assert (tmp_path / "sheet.png").is_file()


def test_no_corruption_of_a_right_classifier_is_a_hole():
    """A copy counts only where the readers are sure, and here the classifier is one of them."""
    result = probe(of_callable("judge", readers().judge.network), generator(), readers(), splits(), budget=1000)
    assert result.corruptions and not any(trial.hole or trial.wrong for trial in result.corruptions)
