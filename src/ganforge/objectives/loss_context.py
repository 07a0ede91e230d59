"""What terms see of the game when a player's turn comes: both sides, and whatever else they asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from torch import Tensor

Phase = Literal["discriminator", "generator"]


class Output(Protocol):
    """What a discriminator says of N images."""

    @property
    def logits(self) -> Tensor:
        """How real, [N]."""
        ...

    @property
    def features(self) -> Tensor:
        """What the logits are made of, [N, F]."""
        ...

    @property
    def class_logits(self) -> Tensor | None:
        """Which class, [N, K], where it is asked."""
        ...

    @property
    def codes(self) -> Tensor | None:
        """Which codes, [N, C], where the latent has some."""
        ...


@dataclass(frozen=True)
class Codes:
    """How the codes lie at the end of a latent: so many one-hot ones of these widths, then uniform numbers."""

    categorical: tuple[int, ...] = ()
    uniform: int = 0

    @property
    def width(self) -> int:
        """Numbers in all."""
        return sum(self.categorical) + self.uniform

    def split(self, row: Tensor) -> tuple[list[Tensor], Tensor]:
        """Cut the last numbers of rows [N, D] into the categorical codes and the uniform ones."""
        *categorical, uniform = row[:, row.shape[1] - self.width :].split([*self.categorical, self.uniform], 1)
        return categorical, uniform


@dataclass(frozen=True)
class Samples:
    """Images, what they were asked to be or are, what they were drawn from, and what the discriminator says of them."""

    images: Tensor
    output: Output
    labels: Tensor | None = None
    latent: Tensor | None = None


@dataclass(frozen=True)
class LossContext:
    """One turn of one player.

    Attributes:
        turn: whose.
        fake: the generated side.
        real: the real side; in the generator's turn only where a term or the objective looks at it.
        streams: further batches by name, as terms declare them, in the discriminator's turn.
        codes: how codes lie in the latent.
        weights: the player's own.
        averages: the averages over all steps of these weights, where a term remembers them.
    """

    turn: Phase
    fake: Samples
    real: Samples | None
    streams: Mapping[str, Samples] = field(default_factory=dict)
    codes: Codes = Codes()
    weights: Sequence[Tensor] = ()
    averages: Sequence[Tensor] = ()
