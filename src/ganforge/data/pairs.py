"""Pairs of a condition and a target picture: what an image-to-image recipe is given, and what the result should be.

A recipe's table ``[pairs]`` turns any set of pictures into pairs. The pair of a picture is a function of (seed, index)
alone, so training resumes exactly, and every evaluation sees the same test pairs.
"""

import io
import math
from abc import ABC, abstractmethod
from typing import Annotated, Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pydantic import Field, PositiveInt
from torch import Tensor

from ganforge.data.parts import Parts
from ganforge.errors import UserError
from ganforge.networks.consistency import LUMA, Consistency, KnownPixels, WeightedMean
from ganforge.randomness import seed_of
from ganforge.settings import Settings

Pixels = NDArray[np.uint8]

Shape = tuple[int, int, int]
"""Channels, height and width of a picture."""


class Pair(NamedTuple):
    """Target pictures uint8 [N, C, H, W] and their conditions uint8 [N, C', H, W], at the size of the targets."""

    target: Tensor
    condition: Tensor


class PairRule(Settings, ABC):
    """The rule that makes pairs: a subclass for each kind of task."""

    draws: PositiveInt = Field(
        1, description="results for each condition in a batch, so that a term can compare them; divides batch_size"
    )

    @property
    def parts(self) -> Parts | None:
        """The parts of the pictures that the rule takes; None for single pictures."""
        return None

    @abstractmethod
    def shapes(self, shape: Shape) -> tuple[Shape, Shape]:
        """Return the shapes of target and condition for pictures of ``shape``.

        Raises:
            UserError: the rule does not fit such pictures.
        """

    @abstractmethod
    def pairs(self, images: Tensor, seed: int, indices: Tensor) -> Pair:
        """Return the pairs of pictures uint8 [N, C, H, W]; ``indices`` int64 [N] are their positions in their set."""

    @abstractmethod
    def condition_of(self, images: Tensor) -> Tensor:
        """Return the conditions uint8 [N, C', H, W] of pictures that a user gives: of the small, grey, damaged kind.

        Raises:
            UserError: the pictures are not of that kind.
        """

    def consistency(self) -> Consistency | None:
        """Return the projection after which a result agrees with its condition; None where the input is not exact."""
        return None

    def visible(self, condition: Tensor) -> Tensor:
        """Return conditions uint8 [N, C', H, W] as pictures [N, C, H, W] to look at."""
        return condition

    def compact(self, condition: Tensor) -> Tensor:
        """Return conditions without repeated pixels, as a classifier or a search of neighbours reads them."""
        return condition


class Downsampling(PairRule):
    """Enlarging: the condition is the picture reduced by ``factor``, each pixel the mean of its block (area sampling).

    A real small photograph has another kernel: docs/applications.md. At the target's size every condition pixel is
    repeated ``factor`` times.
    """

    kind: Literal["downsample"]
    factor: Annotated[int, Field(ge=2, le=32)]

    def shapes(self, shape: Shape) -> tuple[Shape, Shape]:
        """Return twice the picture's shape; ``factor`` must divide height and width."""
        if shape[1] % self.factor or shape[2] % self.factor:
            raise UserError(
                f"pairs.factor = {self.factor} must divide the pictures' height and width, {shape[1]} and {shape[2]}: "
                "set another factor, or scale the pictures with --resize"
            )
        return shape, shape

    def pairs(self, images: Tensor, seed: int, indices: Tensor) -> Pair:
        """Reduce each picture by area means, rounded to grey levels."""
        small = F.avg_pool2d(images.float(), self.factor).round_().to(torch.uint8)
        return Pair(images, enlarged(small, self.factor))

    def condition_of(self, images: Tensor) -> Tensor:
        """Repeat each pixel of small pictures."""
        return enlarged(images, self.factor)

    def consistency(self) -> Consistency:
        """Each block of the result has the mean of its condition pixel."""
        return WeightedMean(block=self.factor)

    def compact(self, condition: Tensor) -> Tensor:
        """Return the small pictures."""
        return condition[:, :, :: self.factor, :: self.factor].contiguous()


def enlarged(images: Tensor, factor: int) -> Tensor:
    """Repeat each pixel of pictures [N, C, H, W] ``factor`` times in both directions."""
    return images.repeat_interleave(factor, 2).repeat_interleave(factor, 3)


class Masking(PairRule):
    """Completing: part of the picture is missing; the condition is the rest, and the mask as a further channel.

    ``shapes``: the kinds of missing parts, equally often: "half" (left, right, upper or lower), "centre" (a square of
    half the side), "strokes" (1 to 4 random thick lines). The mask is 255 where pixels are missing.
    """

    kind: Literal["mask"]
    missing: Annotated[tuple[Literal["half", "centre", "strokes"], ...], Field(min_length=1, strict=False)] = ("half",)

    def shapes(self, shape: Shape) -> tuple[Shape, Shape]:
        """The condition has one channel more."""
        return shape, (shape[0] + 1, shape[1], shape[2])

    def pairs(self, images: Tensor, seed: int, indices: Tensor) -> Pair:
        """Draw a mask for each picture, and set the missing pixels to 0."""
        masks = self.masks(tuple(images.shape[2:]), seed, indices).to(images.device)
        return Pair(images, masked(images, masks))

    def masks(self, size: tuple[int, ...], seed: int, indices: Tensor) -> Tensor:
        """Return masks uint8 [N, 1, H, W], 255 where pixels are missing."""
        height, width = size
        numbers = uniform(seed, "mask", indices, 2).tolist()
        masks = torch.zeros(len(indices), 1, height, width, dtype=torch.uint8)
        for mask, (which, side), index in zip(masks[:, 0], numbers, indices.tolist(), strict=True):
            shape = self.missing[int(which * len(self.missing))]
            if shape == "half":
                mask[HALVES[int(side * 4)](height, width)] = 255
            elif shape == "centre":
                mask[height // 4 : height - height // 4, width // 4 : width - width // 4] = 255
            else:
                mask.copy_(strokes(height, width, seed, index))
        return masks

    def condition_of(self, images: Tensor) -> Tensor:
        """Refuse: pictures with holes need masks."""
        raise UserError(
            "a recipe that completes pictures needs --mask FILE: white, or transparent, where pixels are missing"
        )

    def consistency(self) -> Consistency:
        """Known pixels are kept exactly."""
        return KnownPixels()

    def visible(self, condition: Tensor) -> Tensor:
        """Show missing pixels in mid-grey."""
        return torch.where(condition[:, -1:] > 127, torch.full_like(condition[:, :-1], 128), condition[:, :-1])


HALVES = (
    lambda h, w: (slice(None), slice(0, w // 2)),
    lambda h, w: (slice(None), slice(w // 2, w)),
    lambda h, w: (slice(0, h // 2), slice(None)),
    lambda h, w: (slice(h // 2, h), slice(None)),
)
"""The left, right, upper and lower half of a picture, as indices."""


def masked(images: Tensor, masks: Tensor) -> Tensor:
    """Return conditions uint8 [N, C + 1, H, W]: pictures with the masked pixels (masks > 127) at 0, then the mask."""
    missing = masks > 127
    return torch.cat([images.masked_fill(missing, 0), missing.to(torch.uint8) * 255], 1)


def strokes(height: int, width: int, seed: int, index: int) -> Tensor:
    """Return a mask uint8 [H, W] of 1 to 4 random lines, each a seventh of the smaller side thick."""
    random = np.random.default_rng(seed_of(seed, "strokes", index))
    canvas = Image.new("L", (width, height))
    pen = ImageDraw.Draw(canvas)
    for _ in range(random.integers(1, 5)):
        points = [(float(x) * width, float(y) * height) for x, y in random.random((3, 2))]
        pen.line(points, fill=255, width=max(1, min(height, width) // 7), joint="curve")
    return torch.from_numpy(np.array(canvas))


class Greying(PairRule):
    """Colouring: the condition is the picture's luma, .299 R + .587 G + .114 B (ITU-R BT.601)."""

    kind: Literal["grey"]

    def shapes(self, shape: Shape) -> tuple[Shape, Shape]:
        """Return three channels for the target and one for the condition."""
        if shape[0] != 3:
            raise UserError("colouring learns from colour pictures, and these are grey; give pictures in colour")
        return shape, (1, shape[1], shape[2])

    def pairs(self, images: Tensor, seed: int, indices: Tensor) -> Pair:
        """Compute the luma of each pixel, rounded to a grey level."""
        return Pair(images, luma(images))

    def condition_of(self, images: Tensor) -> Tensor:
        """Return grey pictures as they are, and the luma of colour pictures."""
        return images if images.shape[1] == 1 else luma(images)

    def consistency(self) -> Consistency:
        """The luma of each pixel of the result is its grey level."""
        return WeightedMean(channel_weights=LUMA)

    def visible(self, condition: Tensor) -> Tensor:
        """Repeat the grey channel."""
        return condition.expand(-1, 3, -1, -1)


def luma(images: Tensor) -> Tensor:
    """Return the luma uint8 [N, 1, H, W] of colour pictures uint8 [N, 3, H, W]."""
    weights = torch.tensor(LUMA, device=images.device).view(1, 3, 1, 1)
    return (images.float() * weights).sum(1, keepdim=True).round_().to(torch.uint8)


Damage = Literal["noise", "blur", "jpeg", "stripes"]


class Damaging(PairRule):
    """Repairing: the condition is the picture with one kind of damage, each kind equally often.

    ``strength`` 1 scales each damage: normal noise with a standard deviation of up to 64 grey levels; a Gaussian blur
    of up to 2 pixels; JPEG of quality 40 down to 5; 2 to 6 rows replaced by one random grey level each.
    """

    kind: Literal["damage"]
    damages: Annotated[tuple[Damage, ...], Field(min_length=1, strict=False)] = ("noise", "blur", "jpeg", "stripes")
    strength: Annotated[float, Field(gt=0, le=1)] = 1.0

    def shapes(self, shape: Shape) -> tuple[Shape, Shape]:
        """Return the picture's shape twice."""
        return shape, shape

    def pairs(self, images: Tensor, seed: int, indices: Tensor) -> Pair:
        """Damage each picture."""
        numbers = uniform(seed, "damage", indices, 2).tolist()
        damaged = []
        for image, (which, amount), index in zip(images.cpu(), numbers, indices.tolist(), strict=True):
            damage = DAMAGES[self.damages[int(which * len(self.damages))]]
            random = np.random.default_rng(seed_of(seed, "damage", index))
            damaged.append(damage(image.permute(1, 2, 0).numpy(), self.strength * (0.25 + 0.75 * amount), random))
        condition = torch.from_numpy(np.stack(damaged)).permute(0, 3, 1, 2)
        return Pair(images, condition.to(images.device))

    def condition_of(self, images: Tensor) -> Tensor:
        """Return damaged pictures as they are."""
        return images


def _noise(pixels: Pixels, amount: float, random: np.random.Generator) -> Pixels:
    return np.clip(np.rint(pixels + random.normal(0, 64 * amount, pixels.shape)), 0, 255).astype(np.uint8)


def _blur(pixels: Pixels, amount: float, random: np.random.Generator) -> Pixels:
    from scipy.ndimage import gaussian_filter

    blurred: Pixels = gaussian_filter(pixels.astype(np.float32), (2 * amount, 2 * amount, 0), mode="nearest")
    return np.rint(blurred).astype(np.uint8)


def _jpeg(pixels: Pixels, amount: float, random: np.random.Generator) -> Pixels:
    file = io.BytesIO()
    grey = pixels.shape[2] == 1
    Image.fromarray(pixels[..., 0] if grey else pixels).save(file, "JPEG", quality=round(40 - 35 * amount))
    decoded: Pixels = np.asarray(Image.open(file))
    return decoded[..., None] if grey else decoded


def _stripes(pixels: Pixels, amount: float, random: np.random.Generator) -> Pixels:
    striped = pixels.copy()
    rows = random.choice(len(pixels), min(len(pixels), 2 + math.floor(4 * amount)), replace=False)
    striped[rows] = random.integers(0, 256, (len(rows), 1, 1), dtype=np.uint8)
    return striped


DAMAGES = {"noise": _noise, "blur": _blur, "jpeg": _jpeg, "stripes": _stripes}
"""Each kind of damage: pixels uint8 [H, W, C], amount in 0..1, random generator -> pixels of the same shape."""


class NextFrame(PairRule):
    """Foretelling: the condition is ``given`` successive frames of a clip, and the target is the next frame.

    A clip is a picture whose channels are those of its frames, one frame after the other. The position in the clip is
    drawn for each pair.
    """

    kind: Literal["next-frame"]
    given: PositiveInt = 4
    channels: Literal[1, 3] = 1

    @property
    def parts(self) -> Parts:
        """Clips, with frames of ``channels`` channels."""
        return Parts("clip", self.channels)

    def shapes(self, shape: Shape) -> tuple[Shape, Shape]:
        """Return one frame, and ``given`` frames."""
        frames = shape[0] // self.channels
        if shape[0] % self.channels or frames <= self.given:
            raise UserError(
                f"pairs.given = {self.given} frames and a next one need clips of {self.given + 1} frames or more; "
                f"these have {frames}; --set pairs.given={max(1, frames - 1)}, for example"
            )
        return (self.channels, *shape[1:]), (self.given * self.channels, *shape[1:])

    def pairs(self, images: Tensor, seed: int, indices: Tensor) -> Pair:
        """Cut ``given`` + 1 successive frames from each clip."""
        starts = uniform(seed, "frames", indices, 1)[:, 0] * (images.shape[1] // self.channels - self.given)
        offsets = torch.arange((self.given + 1) * self.channels, device=images.device)
        channels = starts.long().to(images.device)[:, None] * self.channels + offsets
        frames = images.gather(1, channels[:, :, None, None].expand(-1, -1, *images.shape[2:]))
        return Pair(frames[:, -self.channels :], frames[:, : -self.channels])

    def condition_of(self, images: Tensor) -> Tensor:
        """Return the last ``given`` frames of clips."""
        needed = self.given * self.channels
        if images.shape[1] < needed:
            have = images.shape[1] // self.channels
            raise UserError(f"this model looks at {self.given} frames, and the clip has {have}; give a longer clip")
        return images[:, -needed:]

    def visible(self, condition: Tensor) -> Tensor:
        """Show the last given frame."""
        return condition[:, -self.channels :]


class GivenPairs(PairRule):
    """A user's own pairs: the pictures' first ``channels`` channels are the target, the others the condition."""

    kind: Literal["given"]
    channels: PositiveInt = 1

    @property
    def parts(self) -> Parts:
        """Pairs, with targets of ``channels`` channels."""
        return Parts("pair", self.channels)

    def shapes(self, shape: Shape) -> tuple[Shape, Shape]:
        """Split the channels."""
        if shape[0] <= self.channels:
            raise UserError('pairs.kind = "given" needs pairs of pictures: give a folder with input/ and target/')
        return (self.channels, *shape[1:]), (shape[0] - self.channels, *shape[1:])

    def pairs(self, images: Tensor, seed: int, indices: Tensor) -> Pair:
        """Split the channels."""
        return Pair(images[:, : self.channels], images[:, self.channels :])

    def condition_of(self, images: Tensor) -> Tensor:
        """Return input pictures as they are."""
        return images


PairsTable = Annotated[
    Downsampling | Masking | Greying | Damaging | NextFrame | GivenPairs, Field(discriminator="kind")
]


def uniform(seed: int, name: str, indices: Tensor, count: int) -> Tensor:
    """Return numbers of U(0, 1), float64 [N, count]: row i depends on (seed, name, indices[i]) alone.

    SplitMix64 (Steele, Lea and Flood 2014, figure 17) of the index, in 64-bit integers that wrap around.
    """
    state = indices.cpu().long()[:, None] * count + torch.arange(1, count + 1)
    mixed = state * _signed(0x9E3779B97F4A7C15) + seed_of(seed, name)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        mixed = (mixed ^ ((mixed >> shift) & ((1 << (64 - shift)) - 1))) * _signed(factor)
    return ((mixed >> 11) & ((1 << 53) - 1)).double() / (1 << 53)


def _signed(value: int) -> int:
    """Return a 64-bit number as a signed one, as torch's integers are."""
    return value - (1 << 64) if value >> 63 else value
