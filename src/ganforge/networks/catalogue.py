"""Network families by name."""

from torch import nn

from ganforge.networks.mlp import MlpDiscriminator, MlpGenerator, MlpGeneratorSettings, MlpSettings

GeneratorSettings = MlpGeneratorSettings
DiscriminatorSettings = MlpSettings


def build_generator(
    settings: GeneratorSettings, latent_dim: int, shape: tuple[int, int, int], classes: int
) -> nn.Module:
    """Build an uninitialised generator: (latent [N, latent_dim], condition) -> images [N, *shape].

    ``classes`` is 0 for an unconditional one.
    """
    return MlpGenerator(settings, latent_dim, shape, classes)


def build_discriminator(settings: DiscriminatorSettings, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Build an uninitialised discriminator: (images [N, *shape], condition) -> DiscriminatorOutput."""
    return MlpDiscriminator(settings, shape, classes)
