"""Random augmentations of a judge's training images, and images of no class."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Distortion:
    """Limits of the random distortion of an image: uniform in ±limit, except the elastic field, which is normal.

    Attributes:
        shift: in pixels, along each axis.
        rotate: in degrees.
        scale: fraction of the size, independent for each axis.
        shear: fraction of the height.
        elastic: standard deviation of the smooth displacement field, in pixels.
    """

    shift: float = 2.0
    rotate: float = 12.0
    scale: float = 0.1
    shear: float = 0.15
    elastic: float = 0.7

    @classmethod
    def fitting(cls, side: int) -> "Distortion":
        """Return the limits for images of ``side`` pixels: those of 28×28 digits, with pixel values in proportion."""
        return cls(shift=cls.shift * side / 28, elastic=cls.elastic * side / 28)


def distort(pixels: Tensor, limits: Distortion, generator: torch.Generator) -> Tensor:
    """Shift, rotate, scale, shear and bend each image at random; pixels from outside the image are black.

    Args:
        pixels: float [N, C, H, W], black is 0.
        limits: of the distortion.
        generator: source of the randomness.

    Returns:
        float [N, C, H, W].
    """
    count, _, height, width = pixels.shape
    draws = torch.rand(count, 6, generator=generator).mul_(2).sub_(1)
    angle, shear = draws[:, 0] * math.radians(limits.rotate), draws[:, 1] * limits.shear
    width_scale, height_scale = 1 + draws[:, 2] * limits.scale, 1 + draws[:, 3] * limits.scale
    cos, sin = angle.cos(), angle.sin()
    # grid_sample uses units of half an image: 2/width is one pixel
    x_shift, y_shift = draws[:, 4] * limits.shift * 2 / width, draws[:, 5] * limits.shift * 2 / height
    rows = [
        torch.stack([width_scale * cos, shear - sin, x_shift], 1),
        torch.stack([sin, height_scale * cos, y_shift], 1),
    ]
    grid = F.affine_grid(torch.stack(rows, 1), [count, 1, height, width], align_corners=False)
    if limits.elastic:
        coarse = torch.randn(count, 2, 6, 6, generator=generator) * (limits.elastic * 2 / width)
        field = F.interpolate(coarse, (height, width), mode="bicubic", align_corners=True)
        grid = grid + field.permute(0, 2, 3, 1)
    return F.grid_sample(pixels, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def mirror_and_shift(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Flip half of the images left to right and shift each by up to an eighth of its size, with reflected edges.

    For images that keep their class when mirrored: most photographs, hardly any glyph.

    Args:
        pixels: float [N, C, H, W].
        generator: source of the randomness.

    Returns:
        float [N, C, H, W].
    """
    count, _, height, width = pixels.shape
    y_limit, x_limit = height // 8, width // 8
    padded = F.pad(pixels, (x_limit, x_limit, y_limit, y_limit), mode="reflect")
    draws = torch.rand(3, count, 1, generator=generator)
    rows = torch.arange(height) + (draws[0] * (2 * y_limit + 1)).long()
    columns = torch.arange(width) + (draws[1] * (2 * x_limit + 1)).long()
    columns = torch.where(draws[2] < 0.5, columns.flip(1), columns)
    image_index = torch.arange(count)[:, None, None]
    shifted = padded.permute(0, 2, 3, 1)[image_index, rows[:, :, None], columns[:, None, :]]
    return shifted.permute(0, 3, 1, 2)


def corrupt(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Corrupt the first half of a batch with typical flaws of early fakes; every image stays legible.

    One eighth of the batch each gets Gaussian noise (standard deviation up to .25), specks (up to 12 % of the pixels),
    holes (up to 30 % of the pixels) and blur (a 3×3 mean, blended in part). A judge trained without these fails on
    speckled digits.

    Args:
        pixels: float [N, C, H, W] in [0, 1], N a multiple of 8, in random order.
        generator: source of the randomness.

    Returns:
        float [N, C, H, W] in [0, 1].
    """
    noisy, specked, with_holes, blurred, *clean = pixels.chunk(8)
    draws = torch.rand(4, len(noisy), 1, 1, 1, generator=generator)
    noisy = noisy + torch.randn(noisy.shape, generator=generator) * draws[0] * 0.25
    position, value = torch.rand(2, *specked.shape, generator=generator)
    specked = torch.where(position < draws[1] * 0.12, value, specked)
    with_holes = with_holes * (torch.rand(with_holes.shape, generator=generator) >= draws[2] * 0.3)
    blurred = blurred.lerp(F.avg_pool2d(blurred, 3, 1, 1), draws[3])
    return torch.cat([noisy, specked, with_holes, blurred, *clean]).clamp_(0, 1)


def no_class_images(pixels: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Return images of no class, made from at least eight real images.

    A quarter each: specks (on 0 to 50 % of the pixels, so black images too), smoothed specks (clouds), brightened means
    of four to eight images (the blobs of an early generator), and images cut into sixteen shuffled tiles.

    Args:
        pixels: float [N, C, H, W] in [0, 1], N ≥ 8.
        count: number of images to return, a multiple of 4.
        generator: source of the randomness.

    Returns:
        float [count, C, H, W] in [0, 1].
    """
    channels, height, width = pixels.shape[1:]
    quarter = count // 4
    uniform = torch.rand(2 * quarter, channels, height, width, generator=generator)
    density = torch.rand(2 * quarter, 1, 1, 1, generator=generator).sub_(0.1).clamp_(min=0) * 0.55
    specks = (uniform < density) * torch.rand(uniform.shape, generator=generator)
    clouds = F.avg_pool2d(specks[quarter:], 5, 1, 2) * 2
    chosen = torch.rand(quarter, len(pixels), generator=generator).argsort(1)[:, :8]
    weights = torch.rand(quarter, 8, generator=generator) + 0.2
    weights[:, 4:] *= torch.rand(quarter, 1, generator=generator) < 0.5
    weights = weights / weights.sum(1, keepdim=True)
    blobs = torch.einsum("nk,nkchw->nchw", weights, pixels[chosen])
    blobs = blobs * (1 + torch.rand(quarter, 1, 1, 1, generator=generator))
    tile = (height // 4, width // 4)
    # rows and columns beyond the tiles stay black
    whole = (4 * tile[0], 4 * tile[1])
    tiles = F.unfold(pixels[chosen[:, 0], :, : whole[0], : whole[1]], tile, stride=tile)
    order = torch.rand(quarter, 1, 16, generator=generator).argsort(2).expand_as(tiles)
    shuffled = F.fold(tiles.gather(2, order), whole, tile, stride=tile)
    shuffled = F.pad(shuffled, (0, width - whole[1], 0, height - whole[0]))
    return torch.cat([specks[:quarter], clouds, blobs, shuffled]).clamp_(0, 1)
