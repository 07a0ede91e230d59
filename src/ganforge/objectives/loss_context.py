"""The inputs of penalties and loss terms in one player's turn: samples, further batches, weights, further passes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from torch import Tensor

Phase = Literal["discriminator", "generator"]


class Output(Protocol):
    """A discriminator's output for N images."""

    @property
    def logits(self) -> Tensor:
        """Logits of "real", [N]."""
        ...

    @property
    def features(self) -> Tensor:
        """Input features of the last layer, [N, F]."""
        ...

    @property
    def class_logits(self) -> Tensor | None:
        """Class logits, [N, K]; None without a classifier."""
        ...

    @property
    def codes(self) -> Tensor | None:
        """Predicted latent codes, [N, C]; None where the latent has no codes."""
        ...


@dataclass(frozen=True)
class Codes:
    """Layout of the codes at the end of a latent: one-hot codes of these widths, then ``uniform`` uniform numbers."""

    categorical: tuple[int, ...] = ()
    uniform: int = 0

    @property
    def width(self) -> int:
        """Total width of all codes."""
        return sum(self.categorical) + self.uniform

    def split(self, latents: Tensor) -> tuple[list[Tensor], Tensor]:
        """Split the last columns of latents [N, D] into the categorical codes and the uniform ones."""
        *categorical, uniform = latents[:, latents.shape[1] - self.width :].split([*self.categorical, self.uniform], 1)
        return categorical, uniform


@dataclass(frozen=True)
class Samples:
    """Images with the discriminator's output for them, their condition and their latents.

    Attributes:
        images: [N, C, H, W], as the discriminator saw them.
        output: its output for them, with its graph.
        condition: labels int64 [N], images [N, C, H, W] to translate, or None.
        latent: the latents [N, D] of generated images.
        target: the true pictures [N, C, H, W] for the conditions, in image-to-image recipes.
        draws: how many times the conditions of the batch repeat, one whole repetition after the other.
    """

    images: Tensor
    output: Output
    condition: Tensor | None = None
    latent: Tensor | None = None
    target: Tensor | None = None
    draws: int = 1


@dataclass(frozen=True)
class LossContext:
    """One turn of one player.

    Attributes:
        turn: the player whose turn it is.
        fake: the generated samples.
        real: the real samples; in the generator's turn only where a term or the objective needs them.
        streams: further batches by name, as terms declare them, in the discriminator's turn.
        codes: the layout of the codes in the latent.
        weights: the weights of the player.
        averages: the averages of these weights over all steps, where a term needs them.
    """

    turn: Phase
    fake: Samples
    real: Samples | None
    streams: Mapping[str, Samples] = field(default_factory=dict)
    codes: Codes = Codes()
    weights: Sequence[Tensor] = ()
    averages: Sequence[Tensor] = ()


@dataclass(frozen=True, kw_only=True)
class DiscriminatorContext(LossContext):
    """One turn of the discriminator, with further passes and random numbers for its penalties.

    Attributes:
        real: the real samples.
        logits: the discriminator for further images under the condition of ``real``: [N, C, H, W] -> [M].
        noise: N(0, 1) of the shape of the real images, the same for the same name, seed and step.
    """

    real: Samples
    logits: Callable[[Tensor], Tensor]
    noise: Callable[[str], Tensor]
