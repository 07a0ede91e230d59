"""The checks of how the fields of a recipe fit together, grouped by what they protect.

Each check is a function of the recipe that raises ValueError with the reason and the remedy; `CHECKS` is their order.
The first failing check is the one that the user reads.
"""

from collections.abc import Callable

from ganforge.networks.strided import StridedDiscriminatorSettings
from ganforge.objectives.terms import LABELLED
from ganforge.recipes.fields import RecipeFields
from ganforge.recipes.latents import NormalLatent
from ganforge.recipes.run_tables import Game

CONDITIONED = "conditional = true (or data.clusters)"
"""The settings that condition the networks on classes, as messages name them."""

ADVERSARIAL_FIELDS = {
    "": ("discriminator_lr", "penalties", "terms"),
    "game": tuple(Game.model_fields),
    "schedule": ("generator_lr_decay_power", "instance_noise", "instance_noise_images"),
    "averaging": ("discriminator",),
}
"""Fields of adversarial training by table, which a recipe with ``[reconstruction]`` must leave at their defaults."""


# The generator has a partner that trains it.


def check_partner_network(recipe: RecipeFields) -> None:
    """Require a discriminator with an objective, or an encoder with a reconstruction loss, not a mixture."""
    if recipe.reconstruction is not None:
        if recipe.encoder is None or recipe.discriminator is not None or recipe.objective is not None:
            raise ValueError("[reconstruction] needs an [encoder] and allows neither [discriminator] nor [objective]")
    elif recipe.encoder is not None:
        raise ValueError("an [encoder] needs a reconstruction loss: add a table [reconstruction]")
    elif not is_regression(recipe) and (recipe.discriminator is None or recipe.objective is None):
        raise ValueError(
            "no network trains the generator: add a table [discriminator], or [encoder] and [reconstruction]"
        )


def is_regression(recipe: RecipeFields) -> bool:
    """Whether the true pictures alone train the generator, without an adversary."""
    without_adversary = recipe.discriminator is None and recipe.objective is None
    return without_adversary and recipe.pairs is not None and recipe.terms.fidelity is not None


def check_generator_loss(recipe: RecipeFields) -> None:
    """Require a loss of the generator besides historical averaging, which alone would keep it where it is."""
    losses = [term for _, term in recipe.terms.items() if "generator" in term.turns and not term.needs_weight_average]
    if not recipe.game.adversarial_weight and not losses:
        raise ValueError("game.adversarial_weight = 0 leaves the generator without a loss: add a term of the generator")


# An autoencoder has no adversary.


def check_no_adversarial_fields(recipe: RecipeFields) -> None:
    """Refuse fields that an autoencoder would ignore."""
    if recipe.reconstruction is None:
        return
    for table, names in ADVERSARIAL_FIELDS.items():
        section = getattr(recipe, table) if table else recipe
        for name in names:
            if getattr(section, name) != type(section).model_fields[name].default:
                field = f"{table}.{name}" if table else name
                raise ValueError(f"{field} belongs to adversarial training, not to [reconstruction]: remove it")
    if recipe.conditional:
        raise ValueError("[reconstruction] uses no labels: set conditional = false")


def check_reconstruction(recipe: RecipeFields) -> None:
    """Require N(0, 1), the target of the codes, and a generator whose output are grey levels."""
    if recipe.reconstruction is None:
        return
    if recipe.latent != NormalLatent(dim=recipe.latent.dim):
        raise ValueError("[reconstruction] needs latents from N(0, 1): remove the other fields of [latent]")
    if recipe.generator.output not in ("sigmoid", "tanh"):
        raise ValueError(
            f'generator.output = "{recipe.generator.output}" gives no grey levels, which [reconstruction] needs: '
            'use "sigmoid" or "tanh"'
        )
    if recipe.generator.virtual_batch_norm:
        raise ValueError(
            "virtual_batch_norm takes its reference batch from noise, and [reconstruction] has none: "
            "set virtual_batch_norm = 0"
        )


# Classes come from labels or from clusters, and every part that needs them has them.


def check_clusters(recipe: RecipeFields) -> None:
    """Require a recipe without labels, with a discriminator, whose latent can select a cluster."""
    if not recipe.data.clusters:
        return
    if recipe.data.clusters == 1:
        raise ValueError("data.clusters = 1 separates nothing: give 2 or more, or 0 for no clusters")
    if recipe.conditional or recipe.terms.supervised:
        raise ValueError(
            "data.clusters replaces unknown class labels: set conditional = false and remove terms.supervised"
        )
    if recipe.discriminator is None:
        raise ValueError("data.clusters conditions a discriminator, and this recipe has none: set data.clusters = 0")
    if recipe.latent != NormalLatent(dim=recipe.latent.dim) or recipe.latent.dim < 2:
        raise ValueError(
            "data.clusters needs a latent of two or more numbers from N(0, 1): the first selects the cluster"
        )
    if recipe.generator.virtual_batch_norm:
        raise ValueError("virtual_batch_norm needs given classes for its reference batch: set data.clusters = 0")


def check_sheet(recipe: RecipeFields) -> None:
    """Require labels for a sheet that pairs real and generated images by label."""
    if recipe.run.sheet == "real-and-fake" and not recipe.conditional:
        raise ValueError(
            'run.sheet = "real-and-fake" shows real and generated images of the same labels: set conditional = true'
        )


def check_class_std(recipe: RecipeFields) -> None:
    """Allow ``class_std`` only where batch norm by class exists."""
    partners = {"discriminator": recipe.discriminator, "encoder": recipe.encoder}
    if name := next((name for name, table in partners.items() if table and table.init.class_std), None):
        raise ValueError(f"{name}.init.class_std: only a generator has batch norm by class, remove this field")
    if recipe.generator.init.class_std and not (recipe.uses_classes and recipe.generator.label == "batch-norm"):
        raise ValueError(f'generator.init.class_std needs {CONDITIONED} and generator.label = "batch-norm"')


def check_label_budget(recipe: RecipeFields) -> None:
    """Allow a number of labels only where a term reads labelled images."""
    if recipe.data.labels and LABELLED not in recipe.terms.streams:
        raise ValueError("data.labels limits the labels of terms.supervised, which this recipe lacks: set it to 0")


# Every class or code that a loss predicts has its logits, and no network predicts what it is given.


def check_classification_terms(recipe: RecipeFields) -> None:
    """Require class logits for the terms that predict the condition class."""
    if recipe.discriminator is None:
        return
    terms, classifier = recipe.terms, recipe.discriminator.classifier
    if terms.classification and not (recipe.uses_classes and classifier == "auxiliary"):
        raise ValueError(f'terms.classification needs {CONDITIONED} and discriminator.classifier = "auxiliary"')
    for name in ("classification", "real_classification"):
        if getattr(terms, name) and recipe.discriminator.label not in ("projection", "none"):
            raise ValueError(
                f"terms.{name} predicts the class, which the discriminator already gets as an input: set "
                'discriminator.label = "projection" or "none"'
            )
    if terms.real_classification and not (recipe.uses_classes and classifier in ("auxiliary", "projection")):
        raise ValueError(
            f'terms.real_classification needs {CONDITIONED} and discriminator.classifier = "projection" or "auxiliary"'
        )


def check_projection_classifier(recipe: RecipeFields) -> None:
    """Require the class embeddings whose rows are the classifier."""
    if recipe.discriminator is None or recipe.discriminator.classifier != "projection":
        return
    if not (recipe.uses_classes and recipe.discriminator.label == "projection"):
        raise ValueError(
            f'discriminator.classifier = "projection" needs {CONDITIONED} and discriminator.label = "projection"'
        )


def check_supervised_term(recipe: RecipeFields) -> None:
    """Require a classifier that does not see the class as an input."""
    if recipe.discriminator is None or not recipe.terms.supervised:
        return
    if recipe.discriminator.classifier == "none":
        raise ValueError('terms.supervised needs discriminator.classifier = "k_plus_one" (or "auxiliary")')
    if recipe.conditional and recipe.discriminator.label != "none":
        raise ValueError(
            "terms.supervised predicts the class, which the discriminator already gets as an input: "
            'set discriminator.label = "none"'
        )


def check_classifier_has_loss(recipe: RecipeFields) -> None:
    """Refuse class logits that nothing trains, or that replace an input by its own prediction."""
    if recipe.discriminator is None or recipe.discriminator.classifier == "none":
        return
    terms, classifier = recipe.terms, recipe.discriminator.classifier
    if not (terms.classification or terms.real_classification or terms.supervised):
        raise ValueError(
            f'discriminator.classifier = "{classifier}" has no loss: add terms.classification,'
            " terms.real_classification or terms.supervised"
        )
    if classifier == "k_plus_one" and recipe.uses_classes and recipe.discriminator.label != "none":
        raise ValueError(
            'discriminator.classifier = "k_plus_one" predicts the class itself: set discriminator.label = "none"'
        )


def check_packed_predictions(recipe: RecipeFields) -> None:
    """Refuse predictions of a class or of codes for a pack of several images."""
    if recipe.discriminator is None or recipe.game.packing == 1:
        return
    if recipe.discriminator.classifier != "none" or recipe.terms.mutual_information:
        raise ValueError(
            "game.packing joins several images, each with a class or codes of its own: set game.packing = 1, or remove "
            "discriminator.classifier and terms.mutual_information"
        )


def check_information_terms(recipe: RecipeFields) -> None:
    """Require the codes and logits that the terms of InfoGAN and IIC read."""
    if recipe.discriminator is None:
        return
    terms = recipe.terms
    reads_codes = terms.mutual_information and recipe.codes.categorical
    if terms.invariant_information and not (reads_codes or recipe.discriminator.classifier != "none"):
        raise ValueError(
            "terms.invariant_information needs categorical logits: categorical codes with"
            ' terms.mutual_information, or a classifier (discriminator.classifier = "k_plus_one" or "auxiliary")'
        )
    if terms.mutual_information and not recipe.codes.width:
        raise ValueError('terms.mutual_information needs codes: latent.distribution = "parts"')


def check_class_is_used(recipe: RecipeFields) -> None:
    """Refuse a conditional discriminator that neither gets nor predicts the class."""
    if recipe.discriminator is None or not recipe.uses_classes:
        return
    if recipe.discriminator.label == "none" and recipe.discriminator.classifier == "none":
        raise ValueError(
            'discriminator.label = "none" without a classifier ignores the class of an image: set another label '
            "or a classifier"
        )


# The updates of a step can be carried out together.


def check_simultaneous_order(recipe: RecipeFields) -> None:
    """Require one update of each network where both start from the same weights."""
    game = recipe.game
    if game.order == "simultaneous" and (game.discriminator_steps, game.generator_steps) != (1, 1):
        raise ValueError('game.order = "simultaneous" needs game.discriminator_steps = 1 and game.generator_steps = 1')


def check_packing(recipe: RecipeFields) -> None:
    """Require two or more whole packs in a batch, and nothing that belongs to a single image."""
    packing, size = recipe.game.packing, recipe.batch_size
    if size % packing:
        raise ValueError(f"game.packing = {packing} must divide batch_size = {size}")
    if packing > 1 and recipe.uses_classes:
        raise ValueError(
            "game.packing joins several images, each with its own label: set conditional = false and data.clusters = 0"
        )
    if size // packing < 2:
        raise ValueError(f"game.packing = {packing} makes one pack of batch_size = {size}: two or more are needed")
    if packing > 1 and recipe.penalties.gradient_penalty:
        raise ValueError(
            "penalties.gradient_penalty interpolates single images, game.packing joins several: remove one"
        )


def check_joint_batch(recipe: RecipeFields) -> None:
    """Require layers that a joint batch affects, and no part that needs real and generated images apart."""
    if not recipe.game.joint_batch:
        return
    if streams := recipe.terms.streams:
        raise ValueError(
            "game.joint_batch joins real and generated images only, and this recipe's terms also use "
            f"{streams[0]} images: remove those terms, or game.joint_batch"
        )
    if penalties := [name for name, _ in recipe.penalties.items()]:
        raise ValueError(
            f"game.joint_batch joins real and generated images, penalties.{penalties[0]} needs them apart: remove one"
        )
    if not _computes_batch_statistics(recipe.discriminator):
        raise ValueError(
            "game.joint_batch has no effect: the discriminator has neither batch norm nor minibatch layers"
        )


def _computes_batch_statistics(discriminator: object) -> bool:
    """Whether a network has a layer in which the images of a batch affect each other."""
    batch_norm = getattr(discriminator, "batch_norm", isinstance(discriminator, StridedDiscriminatorSettings))
    minibatch_layers = (getattr(discriminator, name, 0) for name in ("minibatch_kernels", "minibatch_std"))
    return bool(batch_norm or any(minibatch_layers))


# Every setting has an effect, and none cancels another.


def check_lr_decay(recipe: RecipeFields) -> None:
    """Allow the decay's power only where there is a decay."""
    if recipe.schedule.generator_lr_decay_power != 1 and not recipe.schedule.lr_decay_start:
        raise ValueError(
            "schedule.generator_lr_decay_power sets how fast the generator's learning rate decays: "
            "set schedule.lr_decay_start"
        )


def check_averaging(recipe: RecipeFields) -> None:
    """Allow the discriminator's average only where there is an average."""
    if recipe.averaging.discriminator and not recipe.averaging.half_life:
        raise ValueError("averaging.discriminator = true needs averaging.half_life above 0")


def check_discriminator_noise(recipe: RecipeFields) -> None:
    """Refuse noise inside the discriminator where a penalty compares two of its outputs."""
    noise_fields = [name for name in ("input_noise", "hidden_noise") if getattr(recipe.discriminator, name, 0)]
    if recipe.penalties.approximate_r1 and noise_fields:
        raise ValueError(
            f"penalties.approximate_r1 compares two outputs for an image, and discriminator.{noise_fields[0]}"
            " makes them differ at random: use penalties.r1"
        )


def check_weight_norms(recipe: RecipeFields) -> None:
    """Refuse two normalisations of the same weights."""
    if recipe.game.spectral_norm and getattr(recipe.discriminator, "weight_norm", False):
        raise ValueError("game.spectral_norm has no effect with discriminator.weight_norm: remove one")


def check_virtual_batch_norm(recipe: RecipeFields) -> None:
    """Require a reference batch with statistics, and images that stay independent."""
    if recipe.generator.virtual_batch_norm and recipe.game.packing > 1:
        raise ValueError(
            "virtual_batch_norm makes images independent of their batch, game.packing joins them: remove one"
        )
    if recipe.generator.virtual_batch_norm == 1:
        raise ValueError("virtual_batch_norm = 1: a reference batch needs 2 or more images")


# A condition that is a picture has networks and terms of its own.


def check_pairs(recipe: RecipeFields) -> None:
    """Require [pairs] for generators whose condition is a picture, and nothing that needs classes or single images."""
    if (recipe.pairs is None) != (recipe.generator.family != "unet"):
        raise ValueError('[pairs] needs generator.family = "unet", and this family needs a table [pairs]')
    if recipe.pairs is None:
        if recipe.terms.fidelity:
            raise ValueError("terms.fidelity compares results with true pictures: add a table [pairs], or remove it")
        return
    if recipe.uses_classes:
        raise ValueError("[pairs] conditions on pictures: set conditional = false and data.clusters = 0")
    if recipe.game.packing > 1 or recipe.game.unroll:
        raise ValueError("[pairs] allows neither packing nor unrolling: set game.packing = 1 and game.unroll = 0")
    if recipe.batch_size % recipe.pairs.draws:
        raise ValueError(f"pairs.draws = {recipe.pairs.draws} must divide batch_size = {recipe.batch_size}")
    if recipe.terms.fidelity and recipe.terms.fidelity.score == "energy" and recipe.pairs.draws < 2:
        raise ValueError('terms.fidelity.score = "energy" compares draws for the same condition: set pairs.draws = 2')
    if streams := recipe.terms.streams:
        raise ValueError(f"[pairs] has no {streams[0]} images: remove the terms that use them")


CHECKS: tuple[Callable[[RecipeFields], None], ...] = (
    check_partner_network,
    check_no_adversarial_fields,
    check_reconstruction,
    check_clusters,
    check_sheet,
    check_simultaneous_order,
    check_lr_decay,
    check_packing,
    check_joint_batch,
    check_generator_loss,
    check_classification_terms,
    check_projection_classifier,
    check_supervised_term,
    check_classifier_has_loss,
    check_packed_predictions,
    check_information_terms,
    check_class_is_used,
    check_class_std,
    check_discriminator_noise,
    check_weight_norms,
    check_virtual_batch_norm,
    check_averaging,
    check_label_budget,
    check_pairs,
)
