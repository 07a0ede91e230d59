import pytest
import torch

from ganforge.data.batches import Batches
from ganforge.recipes.reading import load_recipe
from ganforge.training.ema import average
from ganforge.training.noise import NoiseSource
from ganforge.training.schedule import ema_decay, learning_rate_factor
from ganforge.training.state import new_state
from ganforge.training.step import adversarial_step


def recipe(*changes):
    return load_recipe("vanilla", ["batch_size=10", *changes])


def test_learning_rates_are_constant_by_default():
    assert {learning_rate_factor(recipe(), seen) for seen in (0, 10, 10**9)} == {1.0}


def test_learning_rates_fall_as_one_over_images_seen():
    falling = recipe("schedule.lr_decay_start=1000.0")
    assert [learning_rate_factor(falling, seen) for seen in (0, 1000, 2000, 10_000)] == [1, 1, 0.5, 0.1]


def test_a_generator_can_slow_down_faster_than_its_discriminator(bars):
    changed = recipe(
        "schedule.lr_decay_start=10.0",
        "generator_lr=0.1",
        "discriminator_lr=0.2",
        "schedule.generator_lr_decay_power=3.0",
    )
    cpu = torch.device("cpu")
    state = new_state(changed, bars.shape, 0, 0, cpu)
    streams = {"real": Batches(bars, 10, changed.pixel_range, seed=0, labels=False, device=cpu)}
    for generator, discriminator in ((0.1, 0.2), (0.1, 0.2), (0.1 / 8, 0.1)):
        adversarial_step(state, changed, streams, NoiseSource(changed, 0, cpu))
        assert state.generator.optimizer.lr == pytest.approx(generator)
        assert state.discriminator.optimizer.lr == pytest.approx(discriminator)


def test_the_step_uses_the_current_learning_rates(bars):
    changed = recipe("schedule.lr_decay_start=10.0", "generator_lr=0.1", "discriminator_lr=0.2")
    cpu = torch.device("cpu")
    state = new_state(changed, bars.shape, 0, 0, cpu)
    streams = {"real": Batches(bars, 10, changed.pixel_range, seed=0, labels=False, device=cpu)}
    for expected in (0.1, 0.1, 0.05):
        adversarial_step(state, changed, streams, NoiseSource(changed, 0, cpu))
        rates = [player.optimizer.lr for player in (state.generator, state.discriminator)]
        assert rates == [expected, 2 * expected]


def test_a_half_life_in_images():
    remaining = 1.0
    for step in range(1, 31):
        remaining *= ema_decay(recipe("averaging.half_life=100.0"), 10 * step)
    assert remaining == pytest.approx(1 / 8)  # 300 images are three half-lives


def test_a_ramp_shortens_the_half_life_early_in_the_run():
    ramped = recipe("averaging.half_life=1000.0", "averaging.ramp=0.1")
    assert ema_decay(ramped, 100) == pytest.approx(0.5)  # a half-life of 10 images
    assert ema_decay(ramped, 10_000) == ema_decay(ramped, 20_000) == pytest.approx(0.5**0.01)


def test_averages_follow_the_weights_with_the_given_decay():
    state = new_state(recipe("averaging.half_life=100.0"), (1, 8, 8), 0, 0, torch.device("cpu"))
    player = state.generator
    before = [p.clone() for p in player.ema.parameters()]
    for parameter in player.parameters:
        parameter.data.add_(1)
    average(player, 0.75)
    for old, new in zip(before, player.ema.parameters(), strict=True):
        assert torch.allclose(new, old + 0.25, atol=1e-6)
