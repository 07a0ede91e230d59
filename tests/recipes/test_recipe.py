import tomllib

import pytest

from ganforge.errors import UserError
from ganforge.recipes.reading import built_in, load_recipe, parse
from ganforge.recipes.recipe import Recipe


@pytest.mark.parametrize("name", built_in())
def test_a_built_in_recipe_round_trips_through_toml_and_names_its_source(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.summary and recipe.source
    assert parse(tomllib.loads(recipe.to_toml()), "toml") == recipe


def test_tutorial_recipes_have_the_published_values():
    vanilla, tutorial, udacity = load_recipe("vanilla"), load_recipe("cgan-tutorial"), load_recipe("udacity")
    assert (vanilla.latent.dim, vanilla.generator.hidden, vanilla.batch_size, vanilla.run.epochs) == (
        128,
        (256,),
        100,
        100,
    )
    assert (vanilla.generator_lr, vanilla.adam.beta1, vanilla.adam.beta2) == (2e-4, 0.9, 0.999)
    assert (vanilla.generator.init.scheme, vanilla.generator.init.std, vanilla.pixel_range) == ("normal", 0.01, "0..1")
    assert vanilla.game.shared_noise and not load_recipe("two-phase").game.shared_noise
    assert (tutorial.conditional, tutorial.latent.mean, tutorial.generator_lr) == (True, -1.0, 1e-3)
    assert tutorial.generator.init.scheme == "glorot-uniform"
    assert (udacity.latent.distribution, udacity.latent.dim, udacity.objective.label_smoothing) == ("uniform", 100, 0.1)
    assert (udacity.generator_lr, udacity.discriminator.slope, udacity.pixel_range) == (2e-3, 0.01, "-1..1")
    assert load_recipe("mlp-tanh") == udacity
    deep = load_recipe("udacity-deep")
    assert deep.generator.hidden == deep.discriminator.hidden == (512, 512, 512)
    assert deep.generator.batch_norm and deep.discriminator.batch_norm
    truncated = load_recipe("vanilla-truncated").generator.init
    assert (truncated.scheme, truncated.std, truncated.biases) == ("truncated-normal", 0.1, True)


def test_set_overrides_any_field():
    changes = ["latent.dim=7", "generator.hidden=[5, 6]", "discriminator.init.std=0.5", "objective.name=minimax"]
    recipe = load_recipe("vanilla", changes)
    assert recipe.latent.dim == 7
    assert recipe.generator.hidden == (5, 6)
    assert recipe.discriminator.init.std == 0.5
    assert type(recipe.objective).__name__ == "Minimax"


def test_a_users_own_file_works_like_a_built_in(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(built_in()["vanilla"].replace('"vanilla"', '"mine"'))
    assert load_recipe(str(path), ["latent.dim=3"]).latent.dim == 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("latent.dim=0", "latent.dim: must be greater than 0, found 0"),
        ("latent.dim=2.5", "latent.dim: must be a whole number"),
        ("generator_lr=nan", "generator_lr: must be a finite number"),
        ("generator_lr=-1", "generator_lr: must be greater than 0"),
        ("generator_lr=inf", "generator_lr"),
        ("generator_lr=fast", "generator_lr: must be a number, found 'fast'"),
        ("batch_size=true", "batch_size: must be a whole number"),
        ("generator_lrr=1e-3", "no such field; did you mean generator_lr?"),
        ("generator_rl=1e-3", "no such field; did you mean generator_lr"),
        ("half_life=3", "half_life: no such field; did you mean averaging.half_life"),
        ("ema_half_lif=3", "ema_half_lif: no such field; did you mean averaging.half_life"),
        ("game.pack=3", "game.pack: no such field; did you mean packing?"),
        ("game=3", "game: must be a table of fields"),
        ("averaging.ramp=wide", "averaging.ramp: must be a number, found 'wide'"),
        ("generator.hiden=[3]", "generator.hiden: no such field; did you mean hidden?"),
        ("generator.init.sd=3", "generator.init.sd: no such field; did you mean std?"),
        ("generator.hidden=[3, 3, 3]", "batch_norm = true"),
        ("generator.hidden=[]", "generator.hidden"),
        ("game.order=together", "game.order: must be 'alternating' or 'simultaneous'"),
        ("objective.name=wgan", "'wgan' is not an objective"),
        ("objective.label_smoothing=0.7", "label_smoothing: must be less than 0.5"),
        ("objective.smoothing=0.1", "objective.smoothing: no such field; did you mean label_smoothing?"),
        ("latent.distribution=cauchy", "cauchy"),
        ("latent.low=0", "latent.low: no such field"),
        ("generator.hidden=wide", "generator.hidden: must be a list, such as [256], found 'wide'"),
        ("name=Mine", "name: lower-case letters, digits, '.', '_' and '-' only"),
        ("conditional=1", "conditional: must be true or false"),
        ("generator=3", "generator"),
        ("generator.hidden.x=3", "not a table"),
        ("nonsense", "write field=value"),
        ("=3", "write field=value"),
        ("name=Über", "name"),
        ("name=../x", "name"),
    ],
)
def test_a_bad_field_is_named_in_one_line(change, words):
    with pytest.raises(UserError) as caught:
        load_recipe("vanilla", [change])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_simultaneous_order_needs_one_update_of_each_network():
    assert load_recipe("vanilla", ["game.order=simultaneous"]).game.order == "simultaneous"
    with pytest.raises(UserError, match=r"needs game\.discriminator_steps = 1 and game\.generator_steps = 1"):
        load_recipe("vanilla", ["game.order=simultaneous", "game.generator_steps=2"])


def test_label_smoothing_is_refused_for_objectives_without_targets():
    with pytest.raises(UserError, match="label_smoothing: minimax has no such field; it belongs to non-saturating"):
        load_recipe("minimax", ["objective.label_smoothing=0.1"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"name = ", "not valid TOML"),
        (b"\xff\xfe", "not text"),
        (b'name = "x"', r"has no \[latent\] and no \[generator\]"),
        (b"", "a recipe needs the tables"),
    ],
)
def test_a_broken_file_is_named_in_the_message(tmp_path, content, words):
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=words) as caught:
        load_recipe(str(path))
    assert "broken.toml" in str(caught.value)


def test_an_unknown_name_suggests_similar_names():
    with pytest.raises(UserError, match="did you mean vanilla"):
        load_recipe("vanila")
    with pytest.raises(UserError, match="cannot be read"):
        load_recipe("missing.toml")


def test_unknown_fields_are_refused():
    assert set(Recipe.model_fields) >= {"generator_lr", "discriminator_lr", "game", "averaging"}
    with pytest.raises(UserError):
        parse({"name": "x", "latent": {"dim": 1}, "generator": {}, "discriminator": {}, "extra": 1}, "x")


@pytest.mark.parametrize(("written", "meant"), [(".001", 0.001), ("1.", 1.0), ("2E-4", 2e-4), ("+.5", 0.5)])
def test_numbers_in_python_spelling_are_accepted(written, meant):
    assert load_recipe("vanilla", [f"generator_lr={written}"]).generator_lr == meant


def test_booleans_in_python_spelling_are_accepted():
    assert not load_recipe("vanilla", ["game.shared_noise=False"]).game.shared_noise
    assert load_recipe("two-phase", ["game.shared_noise=True"]).game.shared_noise


@pytest.mark.parametrize(
    ("recipe", "change", "words"),
    [
        ("forge-1", "penalties.approximate_r1.every=1", "penalties.approximate_r1 needs them apart"),
        ("vanilla", "batch_size=10", "neither batch norm nor minibatch layers"),
        ("dcgan", "discriminator.batch_norm=false", "neither batch norm nor minibatch layers"),
        ("infogan-iic", "batch_size=10", "joint_batch joins real and generated images only, .* also use moved images"),
        ("vae", "batch_size=10", "game.joint_batch belongs to adversarial training"),
    ],
)
def test_joint_batch_is_refused_for_recipes_that_cannot_use_it(recipe, change, words):
    with pytest.raises(UserError, match=words):
        load_recipe(recipe, ["game.joint_batch=true", change])
    for name, more in (("dcgan", []), ("dcgan-tiny-quarter", []), ("vanilla", ["discriminator.minibatch_kernels=5"])):
        assert load_recipe(name, ["game.joint_batch=true", *more]).game.joint_batch
