"""U-Net generators for image-to-image recipes (Ronneberger et al. 2015): a picture and a latent in, a picture out.

No layer mixes the pictures of a batch, so a result never depends on its neighbours. The first layer works at half the
picture's size (space to depth), which makes the network several times as fast on CPUs. Depth to space enlarges without
the checkerboards of strided transposed convolutions (Odena et al. 2016).
"""

import math
from collections.abc import Callable
from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from ganforge.networks.blocks import Init
from ganforge.networks.consistency import clamp
from ganforge.networks.memory_layout import DepthToSpace, SpaceToDepth, channels_last, to_float32
from ganforge.settings import Settings

GROUPS = 8


class UnetGeneratorSettings(Settings):
    """A U-Net: ``filters`` at half the picture's size, twice as many at each of the ``halvings`` below.

    ``depth`` is the number of residual blocks at each size, on the way down and on the way up; ``dense`` the number of
    units that see the whole picture at the smallest size.
    """

    family: Literal["unet"]
    filters: Annotated[int, Field(ge=8, multiple_of=8)] = 24
    halvings: Annotated[int, Field(ge=1, le=4)] = 1
    depth: PositiveInt = 1
    dense: PositiveInt = 256
    output: Literal["clamp"] = "clamp"
    init: Init = Init()
    label: ClassVar[Literal["none"]] = "none"
    virtual_batch_norm: ClassVar[int] = 0


class ModulatedBlock(nn.Module):
    """A residual block whose maps the latent scales and shifts: x + W₂ ρ(W₁ ρ(a(z)·norm(x) + b(z)))."""

    def __init__(self, channels: int, latent_dim: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.modulation = nn.Linear(latent_dim, 2 * channels)
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, latent: Tensor) -> Tensor:
        """Return maps [N, C, H, W] from maps of the same shape and latents [N, latent_dim]."""
        scale, shift = self.modulation(latent)[:, :, None, None].chunk(2, 1)
        h = F.relu(torch.addcmul(shift, self.norm(x), 1 + scale))
        residual: Tensor = self.second(F.relu(self.first(h)))
        return x + residual


class Level(nn.Module):
    """The blocks at one size of the maps, [N, C, H, W] -> the same; ``positions`` adds a learned offset for each place.

    The offset tells the convolutions where they are: a digit's strokes are not equally likely everywhere.
    """

    def __init__(self, channels: int, latent_dim: int, depth: int, positions: tuple[int, int] | None = None) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.zeros(1, channels, *positions)) if positions else None
        self.blocks = nn.ModuleList(ModulatedBlock(channels, latent_dim) for _ in range(depth))

    def forward(self, x: Tensor, latent: Tensor) -> Tensor:
        """Apply the offset and the blocks."""
        x = x if self.positions is None else x + self.positions
        for block in self.blocks:
            x = block(x, latent)
        return x


class Overview(nn.Module):
    """Dense units that see all places and the latent: x + W₂ ρ(W₁ [norm(x), z]).

    A few convolutions see a few pixels. Which digit a half belongs to shows in the whole half: with these units the L1
    distance of completed digits falls three times as fast.
    """

    def __init__(self, channels: int, plane: int, latent_dim: int, units: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.first = nn.Linear(channels * plane + latent_dim, units)
        self.second = nn.Linear(units, channels * plane)

    def forward(self, x: Tensor, latent: Tensor) -> Tensor:
        """Return maps [N, C, H, W] from maps of the same shape and latents [N, latent_dim]."""
        h = F.relu(self.first(torch.cat([self.norm(x).flatten(1), latent], 1)))
        residual: Tensor = self.second(h)
        return x + residual.view(x.shape)


class UnetGenerator(nn.Module):
    """Latent [N, latent_dim] and condition [N, C', H, W] in 0..1 -> pictures [N, C, H, W] in 0..1.

    Args:
        shape: of the picture.
        condition_channels: C'.
        consistency: the projection of results to pictures that agree with the condition, where there is one.
    """

    def __init__(
        self,
        settings: UnetGeneratorSettings,
        latent_dim: int,
        shape: tuple[int, int, int],
        condition_channels: int,
        consistency: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        channels, height, width = shape
        self.consistency = consistency
        multiple = 2 ** (settings.halvings + 1)
        self.pad = (0, -width % multiple, 0, -height % multiple)
        self.size = height, width
        self.smallest = (math.ceil(height / multiple), math.ceil(width / multiple))
        widths = [settings.filters * 2**level for level in range(settings.halvings + 1)]
        self.fold, self.unfold = SpaceToDepth(), DepthToSpace()

        def level(index: int, *, positions: bool = False) -> Level:
            places = (self.smallest[0] << settings.halvings - index, self.smallest[1] << settings.halvings - index)
            return Level(widths[index], latent_dim, settings.depth, places if positions else None)

        self.first = nn.Conv2d(4 * condition_channels, widths[0], 3, padding=1)
        self.down_levels = nn.ModuleList(level(index, positions=True) for index in range(len(widths)))
        self.down = nn.ModuleList(nn.Conv2d(4 * width, 2 * width, 1) for width in widths[:-1])
        self.overview = Overview(widths[-1], math.prod(self.smallest), latent_dim, settings.dense)
        self.middle = level(settings.halvings)
        self.up = nn.ModuleList(nn.Conv2d(2 * width, 4 * width, 1) for width in widths[:-1])
        self.merge = nn.ModuleList(nn.Conv2d(2 * width, width, 1) for width in widths[:-1])
        self.up_levels = nn.ModuleList(level(index) for index in range(settings.halvings))
        self.last = nn.Conv2d(widths[0], 4 * channels, 3, padding=1)

    def forward(self, latent: Tensor, condition: Tensor) -> Tensor:
        """Return one picture for each latent and condition."""
        padded = F.pad(condition, self.pad, mode="replicate") if any(self.pad) else condition
        x = self.first(self.fold(channels_last(2 * padded - 1)))
        skipped = []
        for level, down in zip(self.down_levels, self.down, strict=False):
            skipped.append(level(x, latent))
            x = down(self.fold(skipped[-1]))
        x = self.down_levels[-1](x, latent)
        x = self.middle(self.overview(x, latent), latent)
        for k in reversed(range(len(skipped))):
            x = self.up_levels[k](self.merge[k](torch.cat([self.unfold(self.up[k](x)), skipped[k]], 1)), latent)
        values = to_float32(self.unfold(self.last(F.relu(x))))[:, :, : self.size[0], : self.size[1]]
        return self.consistency(values, condition) if self.consistency else clamp(values)
