"""Small changes that leave an image in its class, drawn from a keyed random generator."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Distortion:
    """How far one training image may be moved: uniform in ±limit, but for the elastic field, which is normal.

    Attributes:
        shift: pixels, each way.
        rotate: degrees.
        scale: part of the size, each axis by itself.
        shear: part of the height.
        elastic: standard deviation of the smooth displacement field, in pixels.
    """

    shift: float = 2.0
    rotate: float = 12.0
    scale: float = 0.1
    shear: float = 0.15
    elastic: float = 0.7

    @classmethod
    def fitting(cls, side: int) -> "Distortion":
        """Return the limits of 28×28 digits for images of another size: what is in pixels grows with it."""
        return cls(shift=cls.shift * side / 28, elastic=cls.elastic * side / 28)


def distort(pixels: Tensor, limits: Distortion, generator: torch.Generator) -> Tensor:
    """Move, turn, scale, shear and bend every image by its own draw; what comes in from outside is black.

    Args:
        pixels: float [N, C, H, W], black is 0.
        limits: how far.
        generator: where the draws come from.

    Returns:
        float [N, C, H, W].
    """
    count, _, height, width = pixels.shape
    draws = torch.rand(count, 6, generator=generator).mul_(2).sub_(1)
    angle, shear = draws[:, 0] * math.radians(limits.rotate), draws[:, 1] * limits.shear
    wide, high = 1 + draws[:, 2] * limits.scale, 1 + draws[:, 3] * limits.scale
    cos, sin = angle.cos(), angle.sin()
    # grid_sample measures in half-images: 2/width of them are one pixel
    right, down = draws[:, 4] * limits.shift * 2 / width, draws[:, 5] * limits.shift * 2 / height
    rows = [torch.stack([wide * cos, shear - sin, right], 1), torch.stack([sin, high * cos, down], 1)]
    grid = F.affine_grid(torch.stack(rows, 1), [count, 1, height, width], align_corners=False)
    if limits.elastic:
        coarse = torch.randn(count, 2, 6, 6, generator=generator) * (limits.elastic * 2 / width)
        field = F.interpolate(coarse, (height, width), mode="bicubic", align_corners=True)
        grid = grid + field.permute(0, 2, 3, 1)
    return F.grid_sample(pixels, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def mirror_and_shift(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror half of the images left to right and move each by up to an eighth of its size, edges drawn on by mirror.

    For pictures that stay in their class in a mirror, as most photographs do and hardly any glyph does.

    Args:
        pixels: float [N, C, H, W].
        generator: where the draws come from.

    Returns:
        float [N, C, H, W].
    """
    count, _, height, width = pixels.shape
    down, right = height // 8, width // 8
    padded = F.pad(pixels, (right, right, down, down), mode="reflect")
    draws = torch.rand(3, count, 1, generator=generator)
    rows = torch.arange(height) + (draws[0] * (2 * down + 1)).long()
    columns = torch.arange(width) + (draws[1] * (2 * right + 1)).long()
    columns = torch.where(draws[2] < 0.5, columns.flip(1), columns)
    image = torch.arange(count)[:, None, None]
    moved = padded.permute(0, 2, 3, 1)[image, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)


def corrupt(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Spoil the first half of a batch as young generators do; a person still reads every image.

    An eighth each of grey noise (standard deviation to .25), specks (to 12 % of all pixels), holes in the ink (to 30 %)
    and blur (3×3, more or less of it). Without this a judge that is sure of clean digits fails on speckled ones.

    Args:
        pixels: float [N, C, H, W] in [0, 1], N a multiple of 8, in random order.
        generator: where the draws come from.

    Returns:
        float [N, C, H, W] in [0, 1].
    """
    noisy, specked, holed, blurred, *clean = pixels.chunk(8)
    draws = torch.rand(4, len(noisy), 1, 1, 1, generator=generator)
    noisy = noisy + torch.randn(noisy.shape, generator=generator) * draws[0] * 0.25
    where, value = torch.rand(2, *specked.shape, generator=generator)
    specked = torch.where(where < draws[1] * 0.12, value, specked)
    holed = holed * (torch.rand(holed.shape, generator=generator) >= draws[2] * 0.3)
    blurred = blurred.lerp(F.avg_pool2d(blurred, 3, 1, 1), draws[3])
    return torch.cat([noisy, specked, holed, blurred, *clean]).clamp_(0, 1)


def no_class_images(pixels: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Make images that are of no class, out of at least eight that are.

    A quarter each of specks (none to half of all pixels, so black too), their smoothed version (clouds), means of four
    to eight images made brighter (the blob that a young generator draws) and images cut into sixteen shuffled tiles.

    Args:
        pixels: float [N, C, H, W] in [0, 1].
        count: how many to make, a multiple of 4.
        generator: where the draws come from.

    Returns:
        float [count, C, H, W] in [0, 1].
    """
    channels, height, width = pixels.shape[1:]
    each = count // 4
    chance = torch.rand(2 * each, channels, height, width, generator=generator)
    density = torch.rand(2 * each, 1, 1, 1, generator=generator).sub_(0.1).clamp_(min=0) * 0.55
    specks = (chance < density) * torch.rand(chance.shape, generator=generator)
    clouds = F.avg_pool2d(specks[each:], 5, 1, 2) * 2
    several = torch.rand(each, len(pixels), generator=generator).argsort(1)[:, :8]
    weights = torch.rand(each, 8, generator=generator) + 0.2
    weights[:, 4:] *= torch.rand(each, 1, generator=generator) < 0.5
    weights = weights / weights.sum(1, keepdim=True)
    blobs = torch.einsum("nk,nkchw->nchw", weights, pixels[several])
    blobs = blobs * (1 + torch.rand(each, 1, 1, 1, generator=generator))
    tile = (height // 4, width // 4)
    # what is left over by the tiles stays black
    whole = (4 * tile[0], 4 * tile[1])
    tiles = F.unfold(pixels[several[:, 0], :, : whole[0], : whole[1]], tile, stride=tile)
    order = torch.rand(each, 1, 16, generator=generator).argsort(2).expand_as(tiles)
    shuffled = F.fold(tiles.gather(2, order), whole, tile, stride=tile)
    shuffled = F.pad(shuffled, (0, width - whole[1], 0, height - whole[0]))
    return torch.cat([specks[:each], clouds, blobs, shuffled]).clamp_(0, 1)
