"""What a user would do without a trained network: simple results for the conditions of every kind of pairs."""

import warnings
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganforge.data.images import ImageSet
from ganforge.data.pairs import Damaging, Downsampling, GivenPairs, Greying, Masking, NextFrame, PairRule
from ganforge.evaluation.motion import continue_motion
from ganforge.evaluation.translation import evaluation_pairs


def simple_results(rule: PairRule, condition: Tensor) -> dict[str, Tensor]:
    """Return the results uint8 [N, C, H, W] of simple methods by name, the best known one first.

    Enlarging: bicubic, Lanczos, bilinear and nearest interpolation (Pillow). Completing: biharmonic inpainting
    (scikit-image). Colouring: the grey picture. Repairing: non-local means and wavelet thresholding (scikit-image), and
    the damaged picture. Foretelling: constant motion, with and without bounces, and the last frame. Given pairs: the
    input itself, where it has as many channels.

    Args:
        rule: the kind of pairs.
        condition: uint8 [N, C', H, W].
    """
    return SIMPLE[type(rule)](rule, condition)


def _interpolated(rule: PairRule, condition: Tensor) -> dict[str, Tensor]:
    assert isinstance(rule, Downsampling)
    small = condition[:, :, :: rule.factor, :: rule.factor]
    filters = {
        "bicubic": Image.Resampling.BICUBIC,
        "Lanczos": Image.Resampling.LANCZOS,
        "bilinear": Image.Resampling.BILINEAR,
    }
    size = (condition.shape[3], condition.shape[2])
    results = {}
    for name, resampling in filters.items():
        planes = [np.asarray(Image.fromarray(plane.numpy()).resize(size, resampling)) for plane in small.flatten(0, 1)]
        results[name] = torch.from_numpy(np.stack(planes)).view_as(condition)
    return results | {"nearest": condition}


def _inpainted(rule: PairRule, condition: Tensor) -> dict[str, Tensor]:
    from skimage.restoration import inpaint_biharmonic

    results = []
    for picture in condition.numpy():
        known, mask = picture[:-1].astype(np.float64), picture[-1] > 127
        filled = inpaint_biharmonic(known, mask, channel_axis=0) if mask.any() and not mask.all() else known
        results.append(np.clip(np.rint(filled), 0, 255).astype(np.uint8))
    return {"biharmonic": torch.from_numpy(np.stack(results))}


def _grey(rule: PairRule, condition: Tensor) -> dict[str, Tensor]:
    return {"grey": condition.expand(-1, 3, -1, -1).contiguous()}


def _denoised(rule: PairRule, condition: Tensor) -> dict[str, Tensor]:
    from skimage.restoration import denoise_nl_means, denoise_wavelet, estimate_sigma

    means, wavelets = [], []
    for picture in condition.numpy():
        pixels = picture.astype(np.float64) / 255
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a constant picture has no noise to estimate
            sigma = float(np.nan_to_num(estimate_sigma(pixels, channel_axis=0, average_sigmas=True)))
            wavelets.append(denoise_wavelet(pixels, channel_axis=0, rescale_sigma=True))
        options = {"h": 0.8 * sigma, "sigma": sigma, "patch_size": 5, "patch_distance": 6}
        if len(pixels) == 1:  # with an axis of a single channel, scikit-image drops it and turns the picture
            means.append(denoise_nl_means(pixels[0], **options)[None])
        else:
            means.append(denoise_nl_means(pixels, channel_axis=0, **options))
    return {"non-local means": _pictures(means), "wavelets": _pictures(wavelets), "as given": condition}


def _pictures(results: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.clip(np.rint(np.nan_to_num(np.stack(results)) * 255), 0, 255).astype(np.uint8))


def _next_frame(rule: PairRule, condition: Tensor) -> dict[str, Tensor]:
    assert isinstance(rule, NextFrame)
    return {name: frames[:, 0] for name, frames in simple_continuations(rule, condition, 1).items()}


def simple_continuations(rule: NextFrame, clips: Tensor, frames: int) -> dict[str, Tensor]:
    """Return the next ``frames`` of clips by simple methods, uint8 [N, frames, C, H, W], the best known one first.

    Constant motion, constant motion with bounces at the border (`ganforge.evaluation.motion`), and copies of the last
    frame; of clips with a single frame the copies alone.

    Args:
        rule: says how many channels a frame has.
        clips: uint8 [N, T · C, H, W].
        frames: number of new frames.
    """
    last, before = clips[:, -rule.channels :], clips[:, -2 * rule.channels : -rule.channels]
    copies = {"last frame": last[:, None].expand(-1, frames, -1, -1, -1)}
    if clips.shape[1] < 2 * rule.channels:
        return copies
    return {
        "constant motion": continue_motion(before, last, frames, bounce=False),
        "reflecting motion": continue_motion(before, last, frames, bounce=True),
        **copies,
    }


def _as_given(rule: PairRule, condition: Tensor) -> dict[str, Tensor]:
    assert isinstance(rule, GivenPairs)
    return {"as given": condition} if condition.shape[1] == rule.channels else {}


SIMPLE: dict[type[PairRule], Callable[[PairRule, Tensor], dict[str, Tensor]]] = {
    Downsampling: _interpolated,
    Masking: _inpainted,
    Greying: _grey,
    Damaging: _denoised,
    NextFrame: _next_frame,
    GivenPairs: _as_given,
}

BLOCK = 500


def training_results(rule: PairRule, train: ImageSet, condition: Tensor) -> dict[str, Tensor]:
    """Return results uint8 [N, C, H, W] that are taken from training pictures, by name.

    "nearest training picture": that with the nearest condition, a copyist. "..., fitted to the input": the same after
    the projection of the recipe, so that known pixels, luma or block means are the given ones: for colouring, the
    colours of the nearest neighbour. "mean training picture": the known pixels, and the mean of all training pictures.
    """
    nearest = nearest_training_pictures(rule, train, condition)
    results = {"nearest training picture": nearest}
    if (consistency := rule.consistency()) is not None:
        fitted = consistency(nearest.float() / 255, condition.float() / 255)
        results["nearest training picture, fitted to the input"] = (fitted * 255).round_().to(torch.uint8)
    if isinstance(rule, Masking):
        mean = _mean_picture(train).round_().to(torch.uint8)
        results["mean training picture"] = torch.where(condition[:, -1:] > 127, mean, condition[:, :-1])
    return results


def _mean_picture(train: ImageSet) -> Tensor:
    total = sum(
        (chunk.sum(0, dtype=torch.int64) for chunk in train.chunks()), torch.zeros(train.shape, dtype=torch.int64)
    )
    return total.float() / len(train)


def nearest_training_pictures(rule: PairRule, train: ImageSet, condition: Tensor) -> Tensor:
    """Return, for each condition, the training picture whose own condition is nearest (Euclidean, on pixels).

    Where pixels are missing, the distance is that of the known ones.
    """
    masked = isinstance(rule, Masking)
    own = (train.images if masked else rule.compact(evaluation_pairs(rule, train).condition)).flatten(1).float()
    given = (condition[:, :-1] if masked else rule.compact(condition)).flatten(1).float()
    squares = own.square()
    norms = squares.sum(1)
    nearest = []
    for block, of_condition in zip(given.split(BLOCK), condition.split(BLOCK), strict=True):
        # sum of m (x - c)², without the part that is the same for every training picture
        if masked:
            known = (of_condition[:, -1:] <= 127).expand(-1, condition.shape[1] - 1, -1, -1).flatten(1).float()
            distances = known @ squares.T - 2 * (known * block) @ own.T
        else:
            distances = norms - 2 * block @ own.T
        nearest.append(distances.argmin(1))
    return train.gather(torch.cat(nearest))
