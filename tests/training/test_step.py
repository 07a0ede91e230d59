import copy

import pytest
import torch

from ganforge.data.batches import Batch, Batches
from ganforge.data.label_subset import labelled_subset, repeat_to
from ganforge.recipes.reading import load_recipe
from ganforge.training.noise import NoiseSource
from ganforge.training.state import new_state, prepare
from ganforge.training.step import adversarial_step

CPU = torch.device("cpu")
WIDE = ["generator.init.std=0.5", "discriminator.init.std=0.5"]
"""Weights so large that images, classes and latents differ clearly in their outputs."""
SMALL = ["latent.dim=6", "generator.hidden=[12]", "discriminator.hidden=[10]", "batch_size=8"]


def small_setup(data, name="vanilla", changes=(), seed=0, dtype=torch.float32):
    small = [change for change in SMALL if not (change.startswith("latent.") and "latent={" in "".join(changes))]
    recipe = load_recipe(name, [*small, *changes])
    state = new_state(recipe, data.shape, len(data.class_names), seed, CPU)
    streams = {
        "real": Batches(data, 8, recipe.pixel_range, seed=seed, labels=recipe.conditional, device=CPU, dtype=dtype)
    }
    for term in recipe.terms.streams:
        labelled = repeat_to(labelled_subset(data, recipe.data.labels), 8)
        streams[term] = Batches(labelled, 8, recipe.pixel_range, seed=seed, labels=True, device=CPU, dtype=dtype)
    noise = NoiseSource(recipe, seed, CPU, dtype)
    prepare(state, recipe, streams, noise)
    return state, recipe, streams, noise


def weights(player):
    return [tensor.clone() for tensor in player.module.state_dict().values()]


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("name", ["vanilla", "minimax", "two-phase", "cgan-tutorial", "udacity", "udacity-deep"])
def test_a_step_updates_both_players_and_the_counters(bars, name):
    state, *rest = small_setup(bars, name)
    before = weights(state.generator), weights(state.discriminator)
    stats = adversarial_step(state, *rest)
    assert state.step == 1 and state.images_seen == 8
    assert not same(before[0], weights(state.generator))
    assert not same(before[1], weights(state.discriminator))
    assert all(torch.isfinite(value) for value in stats.values())


@pytest.mark.parametrize("norm", ["false", "true"])
@pytest.mark.parametrize("shared", ["false", "true"])
def test_frozen_means_frozen(bars, norm, shared):
    """While one player learns, nothing of the other changes: no weight, no statistic, no optimiser state."""
    changes = [f"generator.batch_norm={norm}", f"discriminator.batch_norm={norm}", f"game.shared_noise={shared}"]
    changes += ["generator.hidden=[12, 12]", "discriminator.hidden=[10, 10]"]
    for frozen, trained in (("discriminator", "generator"), ("generator", "discriminator")):
        state, recipe, streams, noise = small_setup(bars, "vanilla", changes)
        for _ in range(3):
            adversarial_step(state, recipe, streams, noise)
        player = state.players()[frozen]
        player.optimizer.step = lambda: None
        before, other = weights(player), weights(state.players()[trained])
        adversarial_step(state, recipe, streams, noise)
        assert same(before, weights(player))
        assert not same(other, weights(state.players()[trained]))


def test_the_generators_turn_leaves_no_gradient_on_the_discriminator(bars):
    state, recipe, streams, noise = small_setup(bars)
    gradients = []
    step = state.generator.optimizer.step
    d_step = state.discriminator.optimizer.step
    state.discriminator.optimizer.step = lambda: (
        d_step(),
        gradients.append([p.grad.clone() for p in state.discriminator.parameters]),
    )
    state.generator.optimizer.step = lambda: (
        step(),
        gradients.append([p.grad.clone() for p in state.discriminator.parameters]),
    )
    adversarial_step(state, recipe, streams, noise)
    assert same(gradients[0], gradients[1])


def test_with_shared_noise_both_players_use_the_same_fakes_and_otherwise_different_ones(bars):
    def latents(shared):
        state, recipe, streams, noise = small_setup(bars, changes=[f"game.shared_noise={shared}"])
        inputs = []
        forward = state.generator.module.forward
        state.generator.module.forward = lambda z, c=None: (inputs.append(z.clone()), forward(z, c))[1]
        adversarial_step(state, recipe, streams, noise)
        return inputs

    assert len(latents("true")) == 1  # one forward serves both players
    first, second = latents("false")
    assert not torch.equal(first, second)


def test_shared_noise_with_two_generator_steps_generates_again_from_the_same_latents(bars):
    state, recipe, streams, noise = small_setup(bars, changes=["game.generator_steps=2"])
    latents = []
    forward = state.generator.module.forward
    state.generator.module.forward = lambda z, c=None: (latents.append(z.clone()), forward(z, c))[1]
    adversarial_step(state, recipe, streams, noise)
    assert len(latents) == 2 and torch.equal(latents[0], latents[1])


def test_in_the_simultaneous_order_both_players_use_gradients_at_the_old_weights(bars):
    changes = [
        "game.order=simultaneous",
        "run.precision=fp64",
        "generator.batch_norm=true",
        "generator.hidden=[12, 12]",
    ]
    state, recipe, streams, noise = small_setup(bars, changes=changes, dtype=torch.float64)
    reference = copy.deepcopy(state)
    adversarial_step(state, recipe, streams, noise)
    generator, discriminator = reference.generator.module, reference.discriminator.module
    fake = generator(noise.latent(8, "discriminator", 0, 0))
    real_logits, fake_logits = discriminator(streams["real"][0].images).logits, discriminator(fake).logits
    softplus = torch.nn.functional.softplus
    losses = (softplus(-real_logits) + softplus(fake_logits)).mean(), softplus(-fake_logits).mean()
    players = reference.discriminator, reference.generator
    gradients = [
        torch.autograd.grad(loss, p.parameters, retain_graph=True) for loss, p in zip(losses, players, strict=True)
    ]
    for player, of_player in zip(players, gradients, strict=True):
        for parameter, gradient in zip(player.parameters, of_player, strict=True):
            parameter.grad = gradient
        player.optimizer.step()
    for name, player in state.players().items():
        for one, other in zip(weights(player), weights(reference.players()[name]), strict=True):
            assert torch.allclose(one, other, rtol=1e-12, atol=1e-15)


def test_several_discriminator_steps_use_different_images_and_noise(bars):
    state, recipe, streams, noise = small_setup(bars, changes=["game.discriminator_steps=3"])
    inputs = []
    forward = state.discriminator.module.forward
    state.discriminator.module.forward = lambda x, c=None: (inputs.append(x.detach().clone()), forward(x, c))[1]
    adversarial_step(state, recipe, streams, noise)
    assert len(inputs) == 4 and state.images_seen == 24  # three times reals and fakes together, then fakes
    reals, fakes = [x[:8] for x in inputs[:3]], [x[8:] for x in inputs[:3]]
    for i in range(2):
        assert not torch.equal(reals[i], reals[i + 1])
        assert not torch.equal(fakes[i], fakes[i + 1])
    assert torch.equal(fakes[2], inputs[3])  # the generator's loss uses the last fakes


@pytest.mark.parametrize("order", ["alternating", "simultaneous"])
def test_separate_learning_rates_reach_the_weights_of_their_player(bars, order):
    """Adam's first update changes every weight by the learning rate, also after the rate has fallen."""
    changes = ["generator_lr=0.5", "discriminator_lr=0.25", f"game.order={order}", "schedule.lr_decay_start=8.0"]
    state, *rest = small_setup(bars, changes=changes)
    for factor in (1, 1, 0.5):  # 0, 8 and 16 images seen
        for player in state.players().values():
            player.optimizer.load({})  # makes the next update a first one
        before = {name: [p.detach().clone() for p in player.parameters] for name, player in state.players().items()}
        adversarial_step(state, *rest)
        for name, rate in (("generator", 0.5), ("discriminator", 0.25)):
            changes_of_weights = [
                (p - old).abs().max() for p, old in zip(state.players()[name].parameters, before[name], strict=True)
            ]
            assert max(changes_of_weights).item() == pytest.approx(factor * rate, rel=1e-3), name


@pytest.mark.parametrize(
    ("changes", "steps", "expected"),
    [
        (["averaging.half_life=80.0"], 10, 0.5),  # ten steps of 8 images
        (["averaging.half_life=160.0", "game.discriminator_steps=2"], 10, 0.5),
        (["averaging.half_life=1e9", "averaging.ramp=1.0"], 1, 0.5),  # a half-life of the 8 images seen
        (["averaging.half_life=1e9", "averaging.ramp=1.0"], 2, 1 - 0.5**1.5),  # and of 16
    ],
)
def test_ema_halves_its_distance_every_half_life(bars, changes, steps, expected):
    state, *rest = small_setup(bars, changes=changes)
    state.generator.optimizer.step = lambda: None
    with torch.no_grad():
        for parameter in state.generator.parameters:
            parameter.fill_(1.0)
        for parameter in state.generator.ema.parameters():
            parameter.fill_(0.0)
    for _ in range(steps):
        adversarial_step(state, *rest)
    assert all(torch.allclose(p, torch.tensor(expected), atol=1e-5) for p in state.generator.ema.parameters())


def test_averages_start_at_the_weights_initialised_from_the_first_batch(bars):
    changes = [
        *SWITCHES["weight norm and noise"],
        "terms.historical_averaging.weight=1",
        "averaging.discriminator=true",
    ]
    state, *_ = small_setup(bars, changes=[*changes, "averaging.half_life=100.0"])
    for name, player in state.players().items():
        assert same(player.parameters, state.averages[name]) and same(player.parameters, player.ema.parameters())


def test_the_data_dependent_init_depends_on_the_seed_of_the_run_alone(bars):
    """Also with a noise layer: torch's global generator has no effect."""
    initial = []
    for global_seed in (1, 2):
        with torch.random.fork_rng([]):
            torch.manual_seed(global_seed)
            state, *_ = small_setup(bars, changes=["discriminator.weight_norm=true", "discriminator.input_noise=0.5"])
        initial.append(weights(state.discriminator))
    assert same(*initial)


def test_a_preview_uses_the_averaged_weights(bars):
    state, recipe, streams, noise = small_setup(bars, changes=["averaging.half_life=100.0", "generator_lr=1e-2"])
    adversarial_step(state, recipe, streams, noise)
    latent = noise.latent(4, "test")
    assert torch.equal(state.generator.preview(latent), state.generator.ema(latent))
    assert not torch.equal(state.generator.preview(latent), state.generator.module(latent))


def test_real_images_have_their_own_labels_and_fakes_the_same_labels(bars):
    state, recipe, streams, noise = small_setup(bars, "cgan-tutorial")
    calls = []
    forward = state.discriminator.module.forward
    state.discriminator.module.forward = lambda x, c=None: (calls.append((x.detach().clone(), c)), forward(x, c))[1]
    adversarial_step(state, recipe, streams, noise)
    (both, conditions), (_, generator_labels) = calls
    real, labels, fake_labels = both[:8], conditions[:8], conditions[8:]
    assert torch.equal(labels, fake_labels)
    assert torch.equal(labels, generator_labels)
    by_pixels = (real.mean(2).view(8, 4, 2).mean(2)).argmax(1)  # the position of the bar is the class
    assert torch.equal(by_pixels, labels)


def test_statistics_have_their_defined_values(bars):
    state, recipe, streams, noise = small_setup(bars, changes=WIDE)
    before = copy.deepcopy(state)
    stats = adversarial_step(state, recipe, streams, noise)
    real = streams["real"][0].images
    fake = before.generator.module(noise.latent(8, "discriminator", 0, 0))
    d = torch.sigmoid(before.discriminator.module(real).logits), torch.sigmoid(before.discriminator.module(fake).logits)
    assert stats["d_real"].item() == pytest.approx(d[0].mean().item(), rel=1e-5)
    assert stats["value"].item() == pytest.approx((d[0].log().mean() + (1 - d[1]).log().mean()).item(), rel=1e-5)
    assert stats["value"].item() == pytest.approx(-stats["discriminator_loss"].item(), rel=1e-5)
    assert stats["d_fake"].item() == pytest.approx(d[1].mean().item(), rel=1e-5)
    for name, images, probability in (("real", real, d[0]), ("fake", fake, d[1])):
        assert stats[f"{name}_spread"].item() == pytest.approx(images.var(0).sum().item(), rel=1e-5)
        assert stats[f"{name}_logit"].item() == pytest.approx(probability.logit().mean().item(), rel=1e-4)
        assert stats[f"{name}_logit_std"].item() == pytest.approx(probability.logit().std().item(), rel=1e-3)
    for name, player in state.players().items():
        norm = sum(p.grad.square().sum() for p in player.parameters).sqrt()
        assert stats[f"{name}_gradient"].item() == pytest.approx(norm.item(), rel=1e-5)


def test_real_and_fake_images_never_share_batch_statistics(bars):
    """One pass for both is an optimisation; with batch norm there are two passes."""
    for norm, passes in (("false", 2), ("true", 3)):
        state, recipe, streams, noise = small_setup(
            bars, changes=[f"discriminator.batch_norm={norm}", "discriminator.hidden=[10, 10]"]
        )
        sizes = []
        forward = state.discriminator.module.forward
        state.discriminator.module.forward = lambda x, c=None, f=forward, s=sizes: (s.append(len(x)), f(x, c))[1]
        adversarial_step(state, recipe, streams, noise)
        assert len(sizes) == passes


def test_spread_is_the_summed_variance(bars):
    from ganforge.training.stats import spread

    images = torch.rand(10, 3, 4, 4)
    assert spread(images).item() == pytest.approx(images.var(0).sum().item(), rel=1e-5)
    assert spread(images[:1].expand(10, -1, -1, -1)).item() == pytest.approx(0, abs=1e-4)


def test_a_penalty_makes_the_discriminator_flatter(bars):
    """With a large penalty the logits of real and fake images end nearer to each other than without."""
    gaps = {}
    for name, changes in (("without", []), ("with", ["penalties.approximate_r1.weight=10"])):
        state, *rest = small_setup(bars, "vanilla", ["discriminator_lr=1e-2", *changes])
        for _ in range(40):
            stats = adversarial_step(state, *rest)
        gaps[name] = float(stats["real_logit"] - stats["fake_logit"])
    assert gaps["with"] < 0.5 * gaps["without"]


def test_a_lazy_penalty_is_computed_in_every_kth_step_with_k_times_the_weight(bars, monkeypatch):
    from ganforge.objectives.penalties import ApproximateR1

    noises = []
    monkeypatch.setattr(
        ApproximateR1,
        "__call__",
        lambda self, context: noises.append(context.noise("approximate_r1")) or torch.ones(8),
    )
    state, recipe, streams, noise = small_setup(bars, "vanilla", ["penalties.approximate_r1.every=3"])
    losses = []
    import ganforge.training.step as step

    update = step.update
    monkeypatch.setattr(step, "update", lambda p, loss, *a, **k: (losses.append(loss.item()), update(p, loss, *a, **k)))
    stats = [adversarial_step(state, recipe, streams, noise) for _ in range(7)]
    assert len(noises) == 3  # in steps 0, 3 and 6
    assert not torch.equal(noises[0], noises[1])
    added = [d - float(s["discriminator_loss"]) for d, s in zip(losses[::2], stats, strict=True)]
    assert added == pytest.approx([0.3, 0, 0, 0.3, 0, 0, 0.3], abs=1e-6)


SWITCHES = {
    "packing": ["game.packing=2"],
    "joint batch": ["game.joint_batch=true", "discriminator.hidden=[10, 10]", "discriminator.batch_norm=true"],
    "spectral norm": ["game.spectral_norm=true"],
    "instance noise": ["schedule.instance_noise=0.2", "schedule.instance_noise_images=100"],
    "feature matching": ["terms.feature_matching.weight=1", "game.adversarial_weight=0"],
    "relativistic pairing": ["objective.name=relativistic-pairing", "penalties.r1.weight=1", "penalties.r2.weight=1"],
    "wasserstein": ["objective.name=wasserstein", "penalties.gradient_penalty.weight=10", "game.discriminator_steps=2"],
    "hinge": ["objective.name=hinge"],
    "unrolled": ["game.unroll=2"],
    "minibatch discrimination": ["discriminator.minibatch_kernels=3"],
    "historical averaging": ["terms.historical_averaging.weight=1"],
    "virtual batch norm": ["generator.batch_norm=true", "generator.virtual_batch_norm=5"],
    "weight norm and noise": ["discriminator.weight_norm=true", "discriminator.hidden_noise=0.5"],
    "supervised": [
        "terms.supervised.weight=1",
        "discriminator.classifier=k_plus_one",
        "discriminator.input_noise=0.3",
        "data.labels=8",
    ],
    "auxiliary classifier": [
        "conditional=true",
        "terms.classification.weight=1",
        "discriminator.classifier=auxiliary",
        "discriminator.label=none",
    ],
    "classes by projection": [
        "conditional=true",
        "terms.real_classification.weight=1",
        "discriminator.classifier=projection",
        "discriminator.label=projection",
    ],
    "codes": [
        "latent={distribution='parts', normal=4, categorical=[3], uniform=1}",
        "terms.mutual_information.weight=1",
    ],
}
SWITCHES["unrolled codes"] = ["game.unroll=1", *SWITCHES["codes"]]
SWITCHES["unrolled auxiliary classifier"] = ["game.unroll=1", *SWITCHES["auxiliary classifier"]]


@pytest.mark.parametrize("switch", SWITCHES)
def test_every_switch_trains_both_players_reproducibly_and_has_an_effect(bars, switch):
    ends = []
    for _ in range(2):
        state, *rest = small_setup(bars, "vanilla", SWITCHES[switch])
        before = weights(state.generator), weights(state.discriminator)
        for _ in range(3):
            stats = adversarial_step(state, *rest)
        assert not same(before[0], weights(state.generator)) and not same(before[1], weights(state.discriminator))
        assert all(torch.isfinite(value) for value in stats.values())
        ends.append(weights(state.generator) + weights(state.discriminator))
    assert same(*ends)
    plain, *rest = small_setup(bars)
    for _ in range(3):
        adversarial_step(plain, *rest)
    assert not same(ends[0][:4], weights(plain.generator)[:4])


SEVERAL = [
    "game.discriminator_steps=2",
    "game.generator_steps=2",
    "game.shared_noise=false",
    "game.adversarial_weight=0.5",
]
CONDITIONAL = ["conditional=true", "generator.label=one-hot", "discriminator.label=one-hot"]
CONFIGURATIONS = {
    "conditional": [*SEVERAL, *CONDITIONAL],
    "conditional with a penalty": [*CONDITIONAL, "penalties.r1.weight=3"],
    "auxiliary classifier": [*SEVERAL, *SWITCHES["auxiliary classifier"], "terms.classification.weight=2"],
    "classes by projection": [*SEVERAL, *SWITCHES["classes by projection"]],
    "labelled images": [*SEVERAL, *SWITCHES["supervised"][:2], "data.labels=40"],
    "codes": [*SEVERAL, *SWITCHES["codes"], "terms.mutual_information.weight=2"],
    "pairs": [*SEVERAL, "objective.name=relativistic-pairing", "terms.feature_matching.weight=2"],
    "unrolled": ["game.unroll=3", "discriminator_lr=1e-2", "generator_lr=1e-3"],
    "unrolled pairs": ["game.unroll=2", "objective.name=relativistic-pairing", "discriminator_lr=1e-2"],
    "unrolled joint batch": ["game.unroll=2", "discriminator_lr=1e-2", *SWITCHES["joint batch"]],
}


class Reference:
    """A slow reference of all losses: each batch in its own pass, unrolled by the optimiser's own steps."""

    def __init__(self, state, recipe, streams, noise):
        self.state, self.recipe, self.streams, self.noise = state, recipe, streams, noise

    def discriminate(self, module, *batches):
        images = [images for images, _ in batches]
        if self.recipe.game.joint_batch:
            return module(torch.cat(images), None).split([len(batch) for batch in images])
        return [module(images, labels) for images, labels in batches]

    def of_discriminator(self, k):
        index = self.state.step * self.recipe.game.discriminator_steps + k
        real, labels = self.streams["real"][index]
        latent = self.noise.latent(8, "discriminator", self.state.step, k)
        fake = self.state.generator.module(latent, labels).detach()
        module = self.state.discriminator.module
        on_real, on_fake = self.discriminate(module, (real, labels), (fake, labels))
        loss = self.recipe.objective.discriminator_loss(on_real.logits, on_fake.logits).mean()
        if self.recipe.penalties.r1:
            images = real.clone().requires_grad_()
            logits = self.discriminate(module, (images, labels))[0].logits
            gradient = torch.autograd.grad(logits.sum(), images, create_graph=True)[0]
            loss = loss + self.recipe.penalties.r1.weight * 0.5 * gradient.flatten(1).square().sum(1).mean()
        return loss + self.terms(True, (on_real, labels), (on_fake, labels), latent, index)

    def of_generator(self, k):
        d_steps = self.recipe.game.discriminator_steps
        real, labels = self.streams["real"][self.state.step * d_steps + d_steps - 1]
        position = (
            ("discriminator", self.state.step, 0)
            if self.recipe.game.shared_noise
            else ("generator", self.state.step, k)
        )
        latent = self.noise.latent(8, *position)
        fake = self.state.generator.module(latent, labels)
        player = copy.deepcopy(self.state.discriminator)
        for _ in range(self.recipe.game.unroll):
            on_real, on_fake = self.discriminate(player.module, (real, labels), (fake.detach(), labels))
            loss = self.recipe.objective.discriminator_loss(on_real.logits, on_fake.logits).mean()
            for weight, gradient in zip(player.parameters, torch.autograd.grad(loss, player.parameters), strict=True):
                weight.grad = gradient
            player.optimizer.lr = self.recipe.discriminator_lr
            player.optimizer.step()
        on_real, on_fake = self.discriminate(player.module, (real, labels), (fake, labels))
        loss = self.recipe.objective.generator_loss(on_real.logits, on_fake.logits).mean()
        loss = self.recipe.game.adversarial_weight * loss
        return loss + self.terms(False, (on_real, labels), (on_fake, labels), latent, 0)

    def terms(self, of_discriminator, real, fake, latent, index):
        terms, cross_entropy = self.recipe.terms, torch.nn.functional.cross_entropy
        (on_real, labels), (on_fake, fake_labels) = real, fake
        loss = torch.zeros((), dtype=torch.float64)
        if terms.classification:
            value = cross_entropy(on_fake.class_logits, fake_labels)
            value = value + cross_entropy(on_real.class_logits, labels) if of_discriminator else value
            loss = loss + terms.classification.weight * value
        if terms.real_classification and of_discriminator:
            loss = loss + terms.real_classification.weight * cross_entropy(on_real.class_logits, labels)
        if terms.supervised and of_discriminator:
            images, own_labels = self.streams["labelled"][index]
            (output,) = self.discriminate(self.state.discriminator.module, (images, None))
            loss = loss + terms.supervised.weight * cross_entropy(output.class_logits, own_labels)
        if terms.mutual_information:
            category, uniform = latent[:, 4:7], latent[:, 7:]
            category_loss = cross_entropy(on_fake.codes[:, :3], category.argmax(1))
            uniform_loss = 0.5 * (on_fake.codes[:, 3:] - uniform).square().sum(1).mean()
            loss = loss + terms.mutual_information.weight * (category_loss + uniform_loss)
        if terms.feature_matching and not of_discriminator:
            difference = on_real.features.mean(0) - on_fake.features.mean(0)
            loss = loss + terms.feature_matching.weight * difference.square().sum()
        return loss


@pytest.mark.parametrize("kind", CONFIGURATIONS)
def test_every_update_descends_on_the_loss_of_a_slow_reference(bars, monkeypatch, kind):
    import ganforge.training.step as step

    state, *rest = small_setup(
        bars, "vanilla", ["run.precision=fp64", *WIDE, *CONFIGURATIONS[kind]], dtype=torch.float64
    )
    reference, update, turns = Reference(state, *rest), step.update, {"generator": 0, "discriminator": 0}
    tolerance = 1e-5 if rest[0].game.unroll else 1e-9  # unrolling corrects the moments in single precision

    def compare(player, loss, *learning_rate, **options):
        name = "discriminator" if player is state.discriminator else "generator"
        k = turns[name] % getattr(rest[0].game, f"{name}_steps")
        turns[name] += 1
        expected = reference.of_discriminator(k) if name == "discriminator" else reference.of_generator(k)
        assert loss.item() == pytest.approx(expected.item(), rel=tolerance), (name, k)
        update(player, loss, *learning_rate, **options)

    monkeypatch.setattr(step, "update", compare)
    for _ in range(3):
        adversarial_step(state, *rest)
    assert turns == {name: 3 * getattr(rest[0].game, f"{name}_steps") for name in turns}


@pytest.mark.parametrize("switch", SWITCHES)
def test_frozen_means_frozen_with_every_switch(bars, switch):
    for frozen in ("discriminator", "generator"):
        state, *rest = small_setup(bars, "vanilla", SWITCHES[switch])
        player = state.players()[frozen]
        player.optimizer.step = lambda: None
        before = weights(player)
        adversarial_step(state, *rest)
        assert same(before, weights(player))


def test_packed_images_share_one_logit(bars):
    """One logit for two images, which are neighbours in the batch."""
    state, _, streams, _ = small_setup(bars, "vanilla", ["game.packing=2"])
    real, _ = streams["real"][0]
    logits = state.discriminator.logits(real)
    assert logits.shape == (4,)
    expected = state.discriminator.module(torch.cat([real[4:5], real[5:6]], 1)).logits
    torch.testing.assert_close(logits[2:3], expected)


def test_a_joint_batch_is_normalised_by_real_and_generated_images_in_both_turns(bars):
    """Equal to a slow reference: both batches concatenated, one pass of the module, gradients through its statistics."""
    joint = [
        "game.joint_batch=true",
        "discriminator.hidden=[10, 10]",
        "discriminator.batch_norm=true",
        "game.packing=2",
    ]
    state, recipe, streams, noise = small_setup(bars, "vanilla", joint, dtype=torch.float64)
    g, d = (copy.deepcopy(player.module).double() for player in (state.generator, state.discriminator))
    for player in (state.generator, state.discriminator):
        player.module.double()
        player.optimizer = type(player.optimizer)(player.module.parameters(), 2e-4, (0.9, 0.999), 1e-8)
        player.__post_init__()
    adversarial_step(state, recipe, streams, noise)

    real, fake = streams["real"][0].images, g(noise.latent(8, "discriminator", 0, 0))

    def split(images):
        packs = torch.cat([real, images]).reshape(8, 2, *real.shape[2:])
        return d(packs).logits.split(4)

    softplus = torch.nn.functional.softplus
    for module, loss in (
        (d, lambda: softplus(-split(fake.detach())[0]).mean() + softplus(split(fake.detach())[1]).mean()),
        (g, lambda: softplus(-split(fake)[1]).mean()),
    ):
        adam = torch.optim.Adam(module.parameters(), 2e-4)
        gradients = torch.autograd.grad(loss(), list(module.parameters()))
        for parameter, gradient in zip(module.parameters(), gradients, strict=True):
            parameter.grad = gradient
        adam.step()
    for module, player in ((g, state.generator), (d, state.discriminator)):
        for actual, expected in zip(player.module.parameters(), module.parameters(), strict=True):
            torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-12)


def test_instance_noise_falls_to_zero():
    from ganforge.training.schedule import noise_sigma

    recipe = load_recipe("vanilla", ["schedule.instance_noise=0.4", "schedule.instance_noise_images=1000"])
    assert [noise_sigma(recipe, n) for n in (0, 500, 1000, 5000)] == [0.4, 0.2, 0.0, 0.0]
    assert noise_sigma(load_recipe("vanilla", ["schedule.instance_noise=0.4"]), 5000) == 0.4
    assert noise_sigma(load_recipe("vanilla"), 5000) == 0


def test_every_input_of_the_discriminator_has_its_own_instance_noise(bars):
    """Real images, fakes and the same fakes in the generator's turn; N(0, σ²), new in every step."""
    state, recipe, streams, noise = small_setup(
        bars, changes=["schedule.instance_noise=0.3", "game.discriminator_steps=2"]
    )
    inputs, fakes = [], []
    d_forward, g_forward = state.discriminator.module.forward, state.generator.module.forward
    state.discriminator.module.forward = lambda x, c=None: (inputs.append(x.detach()), d_forward(x, c))[1]
    state.generator.module.forward = lambda z, c=None: (fakes.append(g_forward(z, c)), fakes[-1])[1]
    residuals = []
    for step in range(2):
        inputs.clear(), fakes.clear()
        adversarial_step(state, recipe, streams, noise)
        clean = [torch.cat([streams["real"][2 * step + k].images, fakes[k].detach()]) for k in range(2)]
        for images, clean_images in zip(inputs, [*clean, fakes[1].detach()], strict=True):
            residuals += [part.flatten() for part in ((images - clean_images) / 0.3).split(8)]
    assert len(residuals) == 10
    correlations = torch.corrcoef(torch.stack(residuals)) - torch.eye(10)
    assert correlations.abs().max() < 0.2
    assert all(part.std().item() == pytest.approx(1, abs=0.15) for part in residuals)


def test_penalties_and_terms_get_the_noisy_images(bars, monkeypatch):
    from ganforge.objectives.penalties import ApproximateR1
    from ganforge.objectives.terms import FeatureMatching

    changes = ["schedule.instance_noise=0.3", "penalties.approximate_r1.weight=1", "terms.feature_matching.weight=1"]
    state, *rest = small_setup(bars, changes=changes)
    inputs, penalised, compared = [], [], []
    forward = state.discriminator.module.forward
    state.discriminator.module.forward = lambda x, c=None: (inputs.append(x.detach()), forward(x, c))[1]
    monkeypatch.setattr(
        ApproximateR1,
        "__call__",
        lambda self, context: (penalised.extend([context.real.images, context.fake.images]), penalised[1].sum())[1],
    )
    monkeypatch.setattr(
        FeatureMatching,
        "__call__",
        lambda self, context: (compared.append(context.real.images), context.fake.images.sum())[1],
    )
    adversarial_step(state, *rest)
    assert torch.equal(torch.cat(penalised), inputs[0])
    assert torch.equal(compared[0], inputs[0][:8]) and torch.equal(compared[0], inputs[2])


def test_after_the_end_of_the_instance_noise_steps_equal_those_without_it(bars):
    """Once the noise has ended, a step equals the one without noise bit for bit."""
    ends = []
    for changes in ([], ["schedule.instance_noise=0.3", "schedule.instance_noise_images=1"]):
        state, *rest = small_setup(bars, "vanilla", changes)
        state.images_seen = 8
        adversarial_step(state, *rest)
        ends.append(weights(state.generator) + weights(state.discriminator))
    assert same(*ends)


def test_feature_matching_alone_brings_the_mean_features_together(bars):
    """The generator approaches the mean features of a frozen discriminator."""
    state, recipe, streams, noise = small_setup(
        bars, "vanilla", ["terms.feature_matching.weight=1", "game.adversarial_weight=0", "generator_lr=1e-2"]
    )
    state.discriminator.optimizer.step = lambda: None

    def distance():
        with torch.no_grad():
            z = noise.latent(200, "test")
            fake = state.discriminator(state.generator(z)).features.mean(0)
            real = state.discriminator(streams["real"][0][0]).features.mean(0)
        return float((real - fake).square().sum())

    before = distance()
    for _ in range(60):
        adversarial_step(state, recipe, streams, noise)
    assert distance() < 0.5 * before


def test_unrolling_one_step_equals_the_next_step_of_the_discriminator(bars):
    """The weights unrolled by one step equal those after Adam's own step on the same loss, at any point of a run."""
    from ganforge.training.step import update
    from ganforge.training.unroll import unroll

    state, recipe, streams, noise = small_setup(bars)
    player = state.discriminator
    for index in range(3):
        real, labels = streams["real"][state.step]
        with torch.no_grad():
            fake = state.generator(noise.latent(8, "test", index), labels)

        def loss(weights, real=real, fake=fake):
            on_real, on_fake = player.discriminate([Batch(real, None), Batch(fake, None)], weights)
            return recipe.objective.discriminator_loss(on_real.logits, on_fake.logits).mean()

        before = weights(player)
        unrolled = unroll(player, loss, 1, recipe.discriminator_lr)
        assert same(before, weights(player))
        update(player, loss(dict(player.module.named_parameters())), recipe.discriminator_lr)
        for name, parameter in player.module.named_parameters():
            torch.testing.assert_close(unrolled[name], parameter, rtol=1e-5, atol=1e-7)
        adversarial_step(state, recipe, streams, noise)


def test_the_generators_gradient_passes_through_the_unrolled_steps(bars):
    """By finite differences in float64, and unlike the gradient against the current discriminator."""
    from ganforge.training.unroll import unroll, unrolled_loss

    state, recipe, streams, noise = small_setup(bars, "vanilla", ["run.precision=fp64"], dtype=torch.float64)
    adversarial_step(state, recipe, streams, noise)
    player, real = state.discriminator, streams["real"][1][0]

    def generator_loss(fake):
        d_loss = lambda w: unrolled_loss(recipe, player, Batch(real, None), Batch(fake, None), w)  # noqa: E731
        unrolled = unroll(player, d_loss, 2, 1e-2)
        return recipe.objective.generator_loss(None, player.logits(fake, None, unrolled)).mean()

    fake = torch.rand(real.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    (gradient,) = torch.autograd.grad(generator_loss(fake), fake)
    direction = torch.randn(fake.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    step = 1e-6
    losses = [generator_loss((fake + sign * step * direction).detach()).item() for sign in (1, -1)]
    assert (gradient * direction).sum().item() == pytest.approx((losses[0] - losses[1]) / (2 * step), rel=1e-4)
    plain = recipe.objective.generator_loss(None, player.logits(fake)).mean()
    (plain_gradient,) = torch.autograd.grad(plain, fake)
    assert not torch.allclose(gradient, plain_gradient, rtol=1e-2)


@pytest.mark.parametrize(
    "changes",
    [
        ["objective.name=relativistic-pairing"],
        ["terms.feature_matching.weight=1", "game.adversarial_weight=0"],
        ["objective.name=hinge"],
    ],
)
def test_the_whole_unrolled_loss_of_the_generator_is_differentiated(bars, monkeypatch, changes):
    """By finite differences of the step itself: the unrolled outputs for real images depend on the fakes too."""
    import ganforge.training.step as step

    changes = ["run.precision=fp64", "game.unroll=2", "discriminator_lr=1e-2", *changes]
    state, recipe, streams, noise = small_setup(bars, "vanilla", changes, dtype=torch.float64)
    losses, update = [], step.update
    monkeypatch.setattr(step, "update", lambda p, loss, *a, **k: (losses.append(loss.item()), update(p, loss, *a, **k)))
    for player in state.players().values():
        monkeypatch.setattr(player.optimizer, "step", lambda: None)
    weights, random = state.generator.parameters, torch.Generator().manual_seed(1)
    directions = [torch.randn(weight.shape, dtype=torch.float64, generator=random) for weight in weights]

    def loss_at(distance):
        state.step = 0
        with torch.no_grad():
            for weight, direction in zip(weights, directions, strict=True):
                weight += distance * direction
        adversarial_step(state, recipe, streams, noise)
        gradients = [weight.grad.clone() for weight in weights]
        with torch.no_grad():
            for weight, direction in zip(weights, directions, strict=True):
                weight -= distance * direction
        return losses[-1], sum((g * d).sum() for g, d in zip(gradients, directions, strict=True)).item()

    distance = 1e-6
    expected = (loss_at(distance)[0] - loss_at(-distance)[0]) / (2 * distance)
    assert loss_at(0.0)[1] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("recipe", ["dcgan", "forge-1-unconditional", "semi-supervised"])
def test_features_are_in_single_precision_also_with_bf16_layers(bars, recipe):
    from ganforge.training.state import new_state

    recipe = load_recipe(recipe, ["run.precision=bf16"])
    player = new_state(recipe, bars.shape, len(bars.class_names), 0, CPU).discriminator
    assert player(torch.rand(2, *bars.shape)).features.dtype == torch.float32


def test_historical_averages_are_the_means_of_the_weights_before_each_step(bars):
    """Compared with the formula over five steps; the initial weights count as the first."""
    state, *rest = small_setup(bars, changes=["terms.historical_averaging.weight=0.1"])
    histories = {name: [[p.detach().clone() for p in player.parameters]] for name, player in state.players().items()}
    for _ in range(5):
        adversarial_step(state, *rest)
        for name, player in state.players().items():
            histories[name].append([p.detach().clone() for p in player.parameters])
    for name, history in histories.items():
        for average, *tensors in zip(state.averages[name], *history, strict=True):
            torch.testing.assert_close(average, torch.stack(tensors).mean(0))


def test_historical_averaging_keeps_the_weights_near_their_start(bars):
    distances = {}
    for weight in ("1e-9", "1e3"):
        state, *rest = small_setup(
            bars, changes=[f"terms.historical_averaging.weight={weight}", "discriminator_lr=1e-3"]
        )
        before = weights(state.discriminator)
        for _ in range(30):
            adversarial_step(state, *rest)
        distances[weight] = sum(
            (a - b).square().sum() for a, b in zip(before, weights(state.discriminator), strict=True)
        )
    assert distances["1e3"] < 0.3 * distances["1e-9"]


def test_the_generators_turn_with_an_auxiliary_classifier_uses_fakes_alone(bars):
    """Real images do not pass again where no term needs them."""
    state, *rest = small_setup(bars, changes=SWITCHES["auxiliary classifier"])
    sizes, forward = [], state.discriminator.module.forward
    state.discriminator.module.forward = lambda x, c=None: (sizes.append(len(x)), forward(x, c))[1]
    adversarial_step(state, *rest)
    assert sizes == [16, 8]


def test_noise_layers_depend_on_seed_and_step_alone(bars):
    ends = []
    for _ in range(2):
        state, *rest = small_setup(bars, changes=SWITCHES["weight norm and noise"])
        torch.randn(7)  # advances torch's global generator
        adversarial_step(state, *rest)
        ends.append(weights(state.discriminator))
    assert same(*ends)


def test_every_turn_reseeds_the_noise_layers_of_the_discriminator(bars):
    """Every noise layer gets a different seed in every update of both players and in every step."""
    noise_layers = ["discriminator.hidden_noise=0.5", "discriminator.input_noise=0.5", "game.discriminator_steps=2"]
    state, *rest = small_setup(bars, changes=[*noise_layers, "game.generator_steps=2"])
    layers = [layer for layer in state.discriminator.module.modules() if hasattr(layer, "deviation")]
    assert len(layers) == 2
    seeds = []
    for layer in layers:
        forward = layer.forward
        layer.forward = lambda x, layer=layer, forward=forward: (seeds.append(layer.random.initial_seed()), forward(x))[
            1
        ]
    for _ in range(2):
        adversarial_step(state, *rest)
    assert len(set(seeds)) == len(seeds) == 2 * 2 * (2 + 2)


def test_the_discriminator_can_be_averaged_too(bars):
    state, *rest = small_setup(bars, changes=["averaging.discriminator=true", "averaging.half_life=8.0"])
    first = weights(state.discriminator)
    adversarial_step(state, *rest)
    halfway = [(a + b) / 2 for a, b in zip(first, weights(state.discriminator), strict=True)]
    for one, other in zip(halfway, state.discriminator.ema.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other)


def test_codes_are_one_hot_and_uniform_and_noise_is_normal():
    recipe = load_recipe("infogan", ["latent.std=2.0"])
    z = NoiseSource(recipe, 0, CPU).latent(4000, "test")
    noise, category, uniform = z.split([62, 10, 2], 1)
    assert set(category.unique().tolist()) == {0.0, 1.0} and (category.sum(1) == 1).all()
    assert category.mean(0).min() > 0.08
    assert uniform.min() < -0.99 and uniform.max() > 0.99 and abs(uniform.mean()) < 0.05
    assert noise.std().item() == pytest.approx(2, rel=0.02)
    assert torch.equal(NoiseSource(recipe, 0, CPU).latent(4000, "test"), z)
