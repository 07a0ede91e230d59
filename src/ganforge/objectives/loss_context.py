"""The inputs of loss terms in one player's turn: real and generated samples, further batches, weights."""

from collections.abc import Mapping, Sequence
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
    """Images with their labels, their latents and the discriminator's output for them."""

    images: Tensor
    output: Output
    labels: Tensor | None = None
    latent: Tensor | None = None


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
