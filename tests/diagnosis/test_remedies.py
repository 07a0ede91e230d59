"""Remedies: changes that the run's recipe accepts, with their cure rates, and anew where the weights are ill."""

import pytest

from ganforge.diagnosis import remedies
from ganforge.diagnosis.case import Facts
from ganforge.diagnosis.finding import NAMES, Finding, Remedy
from ganforge.diagnosis.remedies import REMEDIES, changed_recipe, prescribe
from ganforge.recipes.reading import built_in, load_recipe

WEIGHTS = ("generator", "discriminator", "encoder", "latent", "conditional")


def facts(recipe, n_train=55_000, **others):
    values = {"class_names": tuple("0123456789"), "shape": (1, 28, 28), "steps_per_epoch": 550} | others
    return Facts(recipe=recipe.to_dict(), n_train=n_train, **values)


def prescribed(name, recipe, *changes, step=1000, since=0, **others):
    """The remedies of a finding of severity 2, by name."""
    recipe = load_recipe(recipe, changes)
    finding = Finding(name, 2, "", since=since)
    return {remedy.name: remedy for remedy in prescribe([finding], facts(recipe, **others), step)[0].remedies}


def test_every_illness_has_a_remedy():
    assert set(REMEDIES) >= {name for name in NAMES if not name.startswith("data-")} - {"healthy"}


def test_the_words_of_a_finding_are_kept():
    recipe, words = load_recipe("forge-2"), Remedy("repair the labels")
    found = prescribe([Finding("label-noise", 1, "", remedies=(words,))], facts(recipe))
    assert [remedy.name for remedy in found[0].remedies] == ["", "known-recipe"]
    assert prescribe(found, facts(recipe)) == found
    own = (Remedy("a latent of 64", ("latent.dim=96",), anew=True), Remedy("no such field", ("latent.size=3",)))
    found = prescribe([Finding("few-data", 1, "", remedies=own)], facts(recipe))[0].remedies
    assert [remedy.name for remedy in found] == ["set-latent.dim", ""] and found[1].text.startswith("more training")


@pytest.mark.parametrize("name", built_in())
def test_every_remedy_is_a_change_that_the_recipe_accepts(name):
    recipe = load_recipe(name)
    findings = prescribe([Finding(finding, 1, "") for finding in REMEDIES], facts(recipe))
    for remedy in (remedy for finding in findings for remedy in finding.remedies):
        changed = changed_recipe(recipe, remedy)
        assert bool(remedy.changes or remedy.recipe) != changed.trains_like(recipe), remedy
        if not remedy.anew:  # the weights of the run fit
            assert {part: changed.to_dict().get(part) for part in WEIGHTS} == {
                part: recipe.to_dict().get(part) for part in WEIGHTS
            }


def test_changes_of_a_built_in_recipe_are_taken_back():
    remedy = prescribed("unstable", "wgan-gp", "penalties={}", "game.discriminator_steps=1", "batch_size=32")
    assert remedy["as-published"].changes[:2] == ("game.discriminator_steps=5", "penalties.gradient_penalty.weight=10")
    assert "as-published" not in prescribed("unstable", "wgan-gp", "batch_size=32")
    assert "as-published" not in prescribed("unstable", "vanilla", "name=mine", "generator_lr=0.1")


def test_remedies_name_values():
    assert prescribed("unstable", "vanilla")["lower-rates"].changes == ("generator_lr=4e-05", "discriminator_lr=4e-05")
    assert prescribed("discriminator-won", "vanilla")["slower-discriminator"].changes == ("discriminator_lr=2e-05",)
    assert prescribed("undertrained", "cgan")["shorter-average"].changes == ("averaging.ramp=0.05",)
    label = prescribed("label-ignored", "cgan-tutorial")["seen-label"]
    assert label.changes == ("discriminator.label=projection", "adam.beta1=0.5") and label.anew
    assert prescribed("mode-collapse", "cgan-tutorial")["known-recipe"].recipe == "forge-2"
    assert prescribed("mode-collapse", "vanilla")["known-recipe"].recipe == "forge-2-unconditional"
    assert prescribed("mode-collapse", "vanilla", n_train=500)["known-recipe"].recipe == "forge-1-unconditional"
    assert prescribed("missing-classes", "vanilla")["with-labels"].recipe == "forge-2"


def test_what_has_no_place_is_left_out():
    assert not {"slower-discriminator", "penalty"} & prescribed("discriminator-won", "autoencoder").keys()
    assert "seen-label" not in prescribed("label-ignored", "forge-2")
    assert "larger-batch" not in prescribed("class-collapse", "vanilla", n_train=100)
    assert not {"shorter-average"} & prescribed("undertrained", "forge-2").keys()
    assert "less-momentum" not in prescribed("unstable", "dcgan")


def test_an_illness_in_the_weights_needs_a_training_anew():
    assert prescribed("mode-collapse", "vanilla")["lower-rates"].anew
    assert prescribed("discriminator-won", "vanilla", since=100)["slower-discriminator"].anew
    assert not prescribed("discriminator-won", "vanilla", since=900)["slower-discriminator"].anew
    assert not prescribed("oscillating", "vanilla")["lower-rates"].anew
    both = [Finding("mode-collapse", 2, ""), Finding("oscillating", 1, "")]
    assert prescribe(both, facts(load_recipe("vanilla")))[1].remedies[0].anew


def test_measured_remedies_come_first_and_those_that_cure_nothing_are_left_out(monkeypatch):
    rates = {"unstable": {"less-momentum": (9, 10), "lower-rates": (4, 10), "penalty": (0, 10), "known-recipe": (1, 1)}}
    monkeypatch.setattr(remedies, "cure_rates", lambda: rates)
    found = prescribed("unstable", "vanilla")
    assert list(found)[:3] == ["less-momentum", "known-recipe", "lower-rates"] and "penalty" not in found
    assert (found["less-momentum"].cured, found["less-momentum"].tried) == (9, 10)


def test_another_recipe_keeps_the_machine_and_fits_few_images():
    recipe = load_recipe("vanilla", ["run.precision=fp64", "run.device=cpu"])
    changed = changed_recipe(recipe, Remedy("", name="known-recipe", recipe="forge-2"))
    assert (changed.run.precision, changed.run.device) == ("fp64", "cpu")
    assert prescribed("mode-collapse", "vanilla", n_train=40)["known-recipe"].changes == ("batch_size=20",)
