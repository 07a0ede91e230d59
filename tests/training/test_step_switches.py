"""Every switch of a recipe, and every update against a slow reference."""

import copy

import pytest
import torch

from ganforge.training.step import adversarial_step
from small_step import SWITCHES, WIDE, same, small_setup, weights


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
