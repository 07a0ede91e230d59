"""Random numbers of a run, as a pure function of (seed, name, step, substep)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ganforge.randomness import random_generator, seed_of
from ganforge.recipes.latents import PartsLatent, UniformLatent
from ganforge.recipes.recipe import Recipe


class NoiseSource:
    """Random numbers of one run, generated on its device."""

    def __init__(self, recipe: Recipe, seed: int, device: torch.device, dtype: torch.dtype = torch.float32) -> None:
        self._latent, self._seed, self._device, self._dtype = recipe.latent, seed, device, dtype

    def latent(self, count: int, name: str, *position: int) -> Tensor:
        """Return ``count`` latents [count, latent_dim], the same for the same name and position."""
        random = random_generator(self._seed, "latent", name, *position, device=self._device)
        z = torch.empty(count, self._latent.dim, device=self._device, dtype=self._dtype)
        if isinstance(self._latent, PartsLatent):
            noise, *categories, uniform = z.split(self._latent.widths, 1)
            noise.normal_(0.0, self._latent.std, generator=random)
            for category in categories:
                indices = torch.randint(category.shape[1], (count, 1), device=self._device, generator=random)
                category.zero_().scatter_(1, indices, 1.0)
            uniform.uniform_(-1.0, 1.0, generator=random)
            return z
        if isinstance(self._latent, UniformLatent):
            return z.uniform_(self._latent.low, self._latent.high, generator=random)
        return z.normal_(self._latent.mean, self._latent.std, generator=random)

    def noise_like(self, images: Tensor, name: str, *position: int) -> Tensor:
        """Return numbers from N(0, 1) of the shape of ``images``, the same for the same name and position."""
        random = random_generator(self._seed, "noise", name, *position, device=self._device)
        return torch.empty_like(images).normal_(generator=random)

    def seed(self, name: str, *position: int) -> int:
        """Return a seed for noise layers inside a network, the same for the same name and position."""
        return seed_of(self._seed, "inside", name, *position)

    def at(self, *position: int) -> "UpdateNoise":
        """Return the random numbers of one update: all of them at this position, (step, substep)."""
        return UpdateNoise(self, position)


@dataclass(frozen=True)
class UpdateNoise:
    """The random numbers of one update of a player, by name."""

    source: NoiseSource
    position: tuple[int, ...]

    def latent(self, count: int, name: str) -> Tensor:
        """Return ``count`` latents [count, latent_dim]."""
        return self.source.latent(count, name, *self.position)

    def noise_like(self, images: Tensor, name: str) -> Tensor:
        """Return numbers from N(0, 1) of the shape of ``images``."""
        return self.source.noise_like(images, name, *self.position)

    def seed(self, name: str) -> int:
        """Return a seed for noise layers inside a network."""
        return self.source.seed(name, *self.position)
