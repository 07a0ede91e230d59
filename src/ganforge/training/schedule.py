"""What changes while a run goes on, as functions of the images seen and never of the run's length."""

from ganforge.recipes.recipe import Recipe


def learning_rate_factor(recipe: Recipe, images_seen: int) -> float:
    """Return 1 up to t0 = ``lr_decay_start`` images, then t0 / t; 1 throughout where t0 is 0.

    It suits a run of any length, where a decay to zero at the end would have to know the end.
    """
    if not recipe.lr_decay_start or images_seen <= recipe.lr_decay_start:
        return 1.0
    return recipe.lr_decay_start / images_seen


def learning_rates(recipe: Recipe, images_seen: int) -> tuple[float, float]:
    """Return the rates of generator and discriminator; p is ``generator_lr_decay_power``.

    The discriminator's is ``discriminator_lr`` · f and the generator's ``generator_lr`` · fᵖ, f being
    ``learning_rate_factor``. With p > 1 the generator becomes ever slower beside its discriminator, which so keeps up
    with it: two time scales, a(n) = o(b(n)) (Heusel et al. 2017, section 2, assumption A2). Their theorem wants the sum
    of a(n) to be infinite too; with p > 1 it is not, and the generator comes to rest.
    """
    factor = learning_rate_factor(recipe, images_seen)
    return recipe.generator_lr * factor**recipe.generator_lr_decay_power, recipe.discriminator_lr * factor


def ema_decay(recipe: Recipe, images_seen: int) -> float:
    """Return the share that the averaged weights keep in this step.

    What a step put in halves every ``ema_half_life`` images. With ``ema_ramp`` r the half-life is never more than r
    times the images seen: an average that forgets the blurred beginning however short the run.
    """
    half_life = recipe.ema_half_life
    if recipe.ema_ramp:
        half_life = min(half_life, recipe.ema_ramp * images_seen)
    return float(0.5 ** (recipe.batch_size * recipe.discriminator_steps / half_life)) if half_life else 0.0


def noise_sigma(recipe: Recipe, images_seen: int) -> float:
    """Return the standard deviation of the noise on all images that the discriminator sees.

    It falls in a straight line from ``instance_noise`` to 0 over ``instance_noise_images``, or stays where that is 0.
    """
    if not recipe.instance_noise_images:
        return recipe.instance_noise
    return recipe.instance_noise * max(0.0, 1 - images_seen / recipe.instance_noise_images)
