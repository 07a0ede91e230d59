"""Builders of generators, discriminators and encoders from their recipe tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, reduce
from operator import or_
from typing import Annotated, Any

from pydantic import Field, SerializeAsAny, TypeAdapter, WrapValidator
from torch import nn

from ganforge.networks.conditioning import LatentClassGenerator, WithConditionImage
from ganforge.networks.consistency import Consistency
from ganforge.networks.dcgan import (
    DcganDiscriminator,
    DcganDiscriminatorSettings,
    DcganEncoderSettings,
    DcganGenerator,
    DcganGeneratorSettings,
)
from ganforge.networks.encoder_head import EncodingHead
from ganforge.networks.heads import Heads, HeadSpec
from ganforge.networks.mlp import (
    MlpDiscriminator,
    MlpDiscriminatorSettings,
    MlpEncoderSettings,
    MlpGenerator,
    MlpGeneratorSettings,
)
from ganforge.networks.normalisation import WithReference
from ganforge.networks.signal import (
    SignalDiscriminator,
    SignalDiscriminatorSettings,
    SignalGenerator,
    SignalGeneratorSettings,
)
from ganforge.networks.strided import (
    StridedDiscriminator,
    StridedDiscriminatorSettings,
    StridedGenerator,
    StridedGeneratorSettings,
)
from ganforge.networks.subpixel import (
    SubpixelDiscriminator,
    SubpixelDiscriminatorSettings,
    SubpixelEncoderSettings,
    SubpixelGenerator,
    SubpixelGeneratorSettings,
)
from ganforge.networks.unet import UnetGenerator, UnetGeneratorSettings
from ganforge.settings import Settings

GeneratorSettings = (
    MlpGeneratorSettings
    | DcganGeneratorSettings
    | StridedGeneratorSettings
    | SubpixelGeneratorSettings
    | UnetGeneratorSettings
    | SignalGeneratorSettings
)
DiscriminatorSettings = (
    MlpDiscriminatorSettings
    | DcganDiscriminatorSettings
    | StridedDiscriminatorSettings
    | SubpixelDiscriminatorSettings
    | SignalDiscriminatorSettings
)
EncoderSettings = MlpEncoderSettings | DcganEncoderSettings | SubpixelEncoderSettings

GENERATORS: dict[type[GeneratorSettings], type[nn.Module]] = {
    MlpGeneratorSettings: MlpGenerator,
    DcganGeneratorSettings: DcganGenerator,
    StridedGeneratorSettings: StridedGenerator,
    SubpixelGeneratorSettings: SubpixelGenerator,
    UnetGeneratorSettings: UnetGenerator,
    SignalGeneratorSettings: SignalGenerator,
}
DISCRIMINATORS: dict[type[DiscriminatorSettings], type[nn.Module]] = {
    MlpDiscriminatorSettings: MlpDiscriminator,
    DcganDiscriminatorSettings: DcganDiscriminator,
    StridedDiscriminatorSettings: StridedDiscriminator,
    SubpixelDiscriminatorSettings: SubpixelDiscriminator,
    SignalDiscriminatorSettings: SignalDiscriminator,
}
ENCODERS: dict[type[EncoderSettings], type[nn.Module]] = {
    MlpEncoderSettings: MlpDiscriminator,
    DcganEncoderSettings: DcganDiscriminator,
    SubpixelEncoderSettings: SubpixelDiscriminator,
}
"""An encoder is a discriminator network with an `EncodingHead`."""


@cache
def _union(settings: tuple[type[Settings], ...]) -> TypeAdapter[Any]:
    union: Any = Annotated[reduce(or_, settings), Field(discriminator="family")]
    return TypeAdapter(union)


def _by_family(networks: Mapping[Any, type[nn.Module]]) -> WrapValidator:
    """Return a validator that reads a table as the settings of its family, among the networks registered by then."""
    return WrapValidator(lambda table, _: _union(tuple(networks)).validate_python(table))


GeneratorTable = Annotated[GeneratorSettings, SerializeAsAny(), _by_family(GENERATORS)]
DiscriminatorTable = Annotated[DiscriminatorSettings, SerializeAsAny(), _by_family(DISCRIMINATORS)]
EncoderTable = Annotated[EncoderSettings, SerializeAsAny(), _by_family(ENCODERS)]

LOGIT_ONLY = HeadSpec()


@dataclass(frozen=True)
class ImageCondition:
    """The condition of image-to-image networks: its number of channels, and how results are made to agree with it."""

    channels: int
    consistency: Consistency | None = None


def build_generator(
    settings: GeneratorSettings,
    latent_dim: int,
    shape: tuple[int, int, int],
    classes: int,
    *,
    drawn: bool = False,
    image_condition: ImageCondition | None = None,
) -> nn.Module:
    """Build an uninitialised generator: (latent [N, latent_dim], condition) -> images [N, *shape].

    ``classes`` is 0 for an unconditional generator. With ``drawn`` the generator derives the class from the latent
    where no condition is given (`LatentClassGenerator`). ``image_condition``: of a generator whose condition is images.
    """
    if image_condition is not None:
        assert isinstance(settings, UnetGeneratorSettings)
        return UnetGenerator(settings, latent_dim, shape, image_condition.channels, image_condition.consistency)
    if drawn:
        return LatentClassGenerator(build_generator(settings, latent_dim - 1, shape, classes), classes)
    generator = GENERATORS[type(settings)](settings, latent_dim, shape, classes)
    if settings.virtual_batch_norm:
        return WithReference(generator, settings.virtual_batch_norm, latent_dim, classes)
    return generator


def build_discriminator(
    settings: DiscriminatorSettings,
    shape: tuple[int, int, int],
    classes: int,
    spec: HeadSpec = LOGIT_ONLY,
    *,
    condition_channels: int = 0,
) -> nn.Module:
    """Build an uninitialised discriminator: (images [N, *shape], condition) -> DiscriminatorOutput.

    ``classes`` is the number of condition classes, 0 for an unconditional discriminator; ``spec`` are the sizes of its
    further outputs. With ``condition_channels`` the condition is images with as many channels.
    """
    if condition_channels:
        joined = (shape[0] + condition_channels, *shape[1:])
        return WithConditionImage(build_discriminator(settings, joined, 0, spec))
    condition_classes = 0 if settings.label == "none" else classes

    def heads(features: int, classes: int) -> nn.Module:
        weight_norm = settings.family == "mlp" and settings.weight_norm
        return Heads(features, classes, settings, spec, weight_norm=weight_norm)

    return DISCRIMINATORS[type(settings)](settings, shape, condition_classes, heads)


def build_encoder(
    settings: EncoderSettings, latent_dim: int, shape: tuple[int, int, int], variational: bool
) -> nn.Module:
    """Build an uninitialised encoder: images [N, *shape] -> Encoding; ``variational``: with variances."""

    def head(features: int, classes: int) -> nn.Module:
        return EncodingHead(features, latent_dim, variational)

    return ENCODERS[type(settings)](settings, shape, 0, head)
