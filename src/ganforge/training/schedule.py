"""Schedules of learning rates, EMA decay and instance noise, as functions of the images seen, not of the run length."""

from ganforge.recipes.recipe import Recipe


def learning_rate_factor(recipe: Recipe, images_seen: int) -> float:
    """Return 1 up to t0 = ``lr_decay_start`` images, then t0 / t; always 1 where t0 is 0.

    Unlike a decay to zero at the end, this schedule does not depend on the length of the run.
    """
    if not recipe.schedule.lr_decay_start or images_seen <= recipe.schedule.lr_decay_start:
        return 1.0
    return recipe.schedule.lr_decay_start / images_seen


def learning_rates(recipe: Recipe, images_seen: int) -> tuple[float, float]:
    """Return the learning rates of generator and discriminator.

    They are ``generator_lr`` · fᵖ and ``discriminator_lr`` · f, with f = ``learning_rate_factor`` and
    p = ``generator_lr_decay_power``. With p > 1 the generator becomes ever slower than its discriminator, which can so
    keep up: two time scales, a(n) = o(b(n)) (Heusel et al. 2017, section 2, assumption A2). Their theorem also requires
    an infinite sum of a(n); with p > 1 the sum is finite, and the generator comes to rest.
    """
    factor = learning_rate_factor(recipe, images_seen)
    return recipe.generator_lr * factor**recipe.schedule.generator_lr_decay_power, recipe.discriminator_lr * factor


def ema_decay(recipe: Recipe, images_seen: int) -> float:
    """Return the decay of the averaged weights in this step.

    The contribution of a step halves every ``averaging.half_life`` images. With ``averaging.ramp`` r the half-life is
    at most r times the images seen, so the average forgets the initial weights in short runs too.
    """
    half_life = recipe.averaging.half_life
    if recipe.averaging.ramp:
        half_life = min(half_life, recipe.averaging.ramp * images_seen)
    return float(0.5 ** (recipe.batch_size * recipe.game.discriminator_steps / half_life)) if half_life else 0.0


def noise_sigma(recipe: Recipe, images_seen: int) -> float:
    """Return the standard deviation of the instance noise on all inputs of the discriminator.

    It falls linearly from ``instance_noise`` to 0 over ``instance_noise_images`` images, or stays constant where that
    is 0.
    """
    if not recipe.schedule.instance_noise_images:
        return recipe.schedule.instance_noise
    return recipe.schedule.instance_noise * max(0.0, 1 - images_seen / recipe.schedule.instance_noise_images)
