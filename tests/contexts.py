"""The discriminator's turn for tests of penalties."""

from types import SimpleNamespace

from ganforge.objectives.loss_context import DiscriminatorContext, Samples


def discriminator_context(logits, real, fake, noise):
    """Return the turn of a discriminator ``logits``, with the outputs for images that require a gradient."""
    real, fake = (
        Samples(leaf, SimpleNamespace(logits=logits(leaf)))
        for leaf in (images.detach().requires_grad_() for images in (real, fake))
    )
    return DiscriminatorContext("discriminator", fake=fake, real=real, logits=logits, noise=lambda name: noise)
