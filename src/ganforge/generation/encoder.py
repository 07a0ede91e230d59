"""Latents of images: a trained encoder, the counterpart of the generator of the same run."""

import copy
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganforge.data.batches import Batches
from ganforge.data.images import scale
from ganforge.errors import UserError
from ganforge.generation.generator import BLOCK, Note, load_module
from ganforge.networks.encoder_head import Encoding
from ganforge.networks.normalisation import measure_batch_statistics
from ganforge.networks.registry import build_encoder
from ganforge.process_state import plain_state
from ganforge.python_arguments import as_path
from ganforge.recipes.recipe import Recipe
from ganforge.runs.checkpoint import write_tensors
from ganforge.training.noise import NoiseSource
from ganforge.training.state import DTYPES, State


@dataclass(frozen=True)
class Encoder:
    """A trained encoder with fixed weights; no latent depends on the other images of its batch.

    ``note`` is the metadata of its generator.
    """

    module: nn.Module
    recipe: Recipe
    note: dict[str, Any]

    @plain_state()
    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Return the latents [N, latent_dim] of uint8 images [N, C, H, W]: the mean, for a variational encoder."""
        device, dtype = next(self.module.parameters()).device, DTYPES[self.recipe.run.precision]
        blocks = [scale(block.to(device), self.recipe.pixel_range, dtype) for block in images.split(BLOCK)]
        return torch.cat([self.module(block).mean for block in blocks])

    def as_met(self, real: Batches, draws: NoiseSource) -> Callable[[int], Tensor]:
        """Return a function of k: the latents of the k-th batch of images, with the noise that training adds.

        The batch-norm statistics of a decoder must be measured on such latents: noise from N(0, 1) gives others.
        """

        @torch.no_grad()
        def latents(k: int) -> Tensor:
            code: Encoding = self.module(real[k].images)
            return code.latent(draws.noise_like(code.mean, "statistics", k))

        return latents

    def save(self, path: Path) -> None:
        """Write the weights and the generator's metadata; the same run gives the same bytes."""
        write_tensors(path, dict(self.module.state_dict()), self.note)


def publish_encoder(state: State, recipe: Recipe, real: Batches, note: dict[str, Any], *, batches: int = 20) -> Encoder:
    """Copy the encoder (or its EMA) and measure its batch-norm statistics on ``batches`` batches of images."""
    module = copy.deepcopy(state.encoder.published).requires_grad_(False)
    measure_batch_statistics(module, lambda index: module(real[index].images), batches)
    weights = "ema" if state.encoder.ema is not None else "raw"
    return Encoder(module, recipe, {**note, "step": state.step, "weights": weights, "recipe": recipe.to_dict()})


@plain_state()
def load_encoder(folder: str | os.PathLike[str]) -> Encoder:
    """Load the encoder of a run folder.

    Raises:
        UserError: the run has no encoder, or the file is damaged.
    """
    file = as_path("encoder", folder) / "encoder.safetensors"
    if not file.exists():
        raise UserError(f"{file.parent} has no encoder for reconstructions: give a run of 'autoencoder' or 'vae'")
    return Encoder(*load_module(file, _build))


def _build(recipe: Recipe, note: Note) -> nn.Module:
    if recipe.encoder is None or recipe.reconstruction is None:
        raise ValueError("the recipe has no encoder")
    return build_encoder(recipe.encoder, recipe.latent.dim, note.shape, recipe.reconstruction.variational)


def fitted(codes: Tensor, noise: Tensor) -> Tensor:
    """Map noise from N(0, 1) [M, D] to the normal distribution with the codes' mean and covariance.

    A plain autoencoder has no prior; this distribution takes its place when one samples from the decoder.

    Args:
        codes: [N, D], N ≥ 2.
        noise: [M, D].
    """
    exact = codes.double()
    values, vectors = torch.linalg.eigh(torch.atleast_2d(torch.cov(exact.T)))
    scaled = noise.double() * values.clamp_min(0).sqrt()
    latents: Tensor = exact.mean(0) + scaled @ vectors.T
    return latents.to(noise.dtype)
