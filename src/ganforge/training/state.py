"""Everything that training changes, and nothing else: what a checkpoint must hold."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ganforge.data.batches import Streams
from ganforge.networks.blocks import MIXING, noise_layers
from ganforge.networks.heads import DiscriminatorOutput, HeadSpec
from ganforge.networks.normalisation import WithReference, data_dependent_init, normalized
from ganforge.networks.registry import build_discriminator, build_encoder, build_generator
from ganforge.randomness import random_generator
from ganforge.recipes.recipe import Recipe
from ganforge.training.adam import Adam
from ganforge.training.noise import NoiseSource

DTYPES = {"bf16": torch.float32, "fp32": torch.float32, "fp64": torch.float64}
"""In which numbers weights and statistics are kept: with bf16 only the layers' products are computed in it."""


@dataclass
class Player:
    """A network with what trains it; ``ema`` is its averaged copy, where the recipe asks for one.

    ``mixed``: its layers compute in bf16 while it trains; what it returns is single precision again. ``packing``: it
    sees so many images together, laid upon each other as channels, and says one thing of them (Lin et al. 2018,
    PacGAN). ``joint``: several batches are one to it. ``spectral``: it plays with its weights divided by their spectral
    norms (Miyato et al. 2018, eq. 8).
    """

    module: nn.Module
    optimizer: Adam
    ema: nn.Module | None = None
    mixed: bool = False
    packing: int = 1
    joint: bool = False
    spectral: bool = False
    parameters: list[nn.Parameter] = field(init=False)

    def __post_init__(self) -> None:
        """List the parameters once: the step needs them every time."""
        self.parameters = list(self.module.parameters())
        self._noise = noise_layers(self.module)

    def reseed(self, seed: int) -> None:
        """Begin the chance inside the network anew, where there is any: what follows depends on ``seed`` alone."""
        for layer in self._noise:
            layer.random = layer.random or torch.Generator(self.parameters[0].device)
        for index, layer in enumerate(self._noise):
            assert layer.random is not None
            layer.random.manual_seed(seed + index)

    def __call__(
        self, x: Tensor, condition: Tensor | None = None, weights: dict[str, Tensor] | None = None, **ways: Any
    ) -> Any:
        """Send latents or images through the network, with other ``weights`` by name where they are given.

        ``ways``: what else the network takes.
        """
        if self.packing > 1:
            x = x.reshape(-1, self.packing * x.shape[1], *x.shape[2:])
        weights = dict(weights or {})
        if self.spectral:
            weights |= normalized(weights or dict(self.module.named_parameters()))
        if not self.mixed:
            return self._play(weights, x, condition, ways)
        with torch.autocast(x.device.type, torch.bfloat16):
            return self._play(weights, x, condition, ways)

    def _play(self, weights: dict[str, Tensor], x: Tensor, condition: Tensor | None, ways: dict[str, Any]) -> Any:
        if weights:
            return functional_call(self.module, weights, (x, condition), ways)
        return self.module(x, condition, **ways)

    @torch.no_grad()
    def preview(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Draw quickly, with the weights to draw with: in training's precision, by the statistics of this batch."""
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.mixed):
            drawn: Tensor = self.published(x, condition)
        return drawn

    def logits(
        self, images: Tensor, condition: Tensor | None = None, weights: dict[str, Tensor] | None = None
    ) -> Tensor:
        """What a discriminator says of images [N, C, H, W]: logits [N]."""
        found: Tensor = self(images, condition, weights).logits
        return found

    def discriminate(
        self, batches: Sequence[tuple[Tensor, Tensor | None]], weights: dict[str, Tensor] | None = None
    ) -> list[DiscriminatorOutput]:
        """What a discriminator says of each of several batches, told their labels, all of them or none.

        In one pass, which is faster, unless that would mix their batch statistics where it is not to.
        """
        if self.mixes_samples and not self.joint:
            return [self(images, labels, weights) for images, labels in batches]
        known = [labels for _, labels in batches if labels is not None]
        said: DiscriminatorOutput = self(
            torch.cat([images for images, _ in batches]), torch.cat(known) if known else None, weights
        )
        return said.split([len(images) // self.packing for images, _ in batches])

    @cached_property
    def mixes_samples(self) -> bool:
        """Whether what the network says of one image depends on the others of its batch."""
        return any(isinstance(layer, MIXING) for layer in self.module.modules())

    @property
    def published(self) -> nn.Module:
        """The weights to draw pictures with: averaged where there are averages."""
        return self.ema or self.module


@dataclass
class State:
    """The players, and how far the game has come; a step is one round of the game.

    ``others`` are, by name, those that the generator plays with: a discriminator against it, or an encoder for it.
    ``averages`` are, by player, the averages of its weights over all steps, where a term remembers them.
    """

    generator: Player
    others: dict[str, Player]
    step: int = 0
    images_seen: int = 0
    averages: dict[str, list[Tensor]] = field(default_factory=dict)

    def players(self) -> dict[str, Player]:
        """The players by name."""
        return {"generator": self.generator, **self.others}

    @property
    def discriminator(self) -> Player:
        """The one that tells real images from generated ones, in a game that has it."""
        return self.others["discriminator"]

    @property
    def encoder(self) -> Player:
        """The one that makes latents of images, in a game that has it."""
        return self.others["encoder"]

    @torch.no_grad()
    def begin_averages(self) -> None:
        """Begin the averages over all steps with the weights as they are."""
        for name, averages in self.averages.items():
            torch._foreach_copy_(averages, [p.detach() for p in self.players()[name].parameters])

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor of the state by name; the tensors are the state's own, not copies."""
        found: dict[str, Tensor] = {}
        for name, player in self.players().items():
            found |= {f"{name}.module.{key}": value for key, value in player.module.state_dict().items()}
            if player.ema is not None:
                found |= {f"{name}.ema.{key}": value for key, value in player.ema.state_dict().items()}
            found |= {f"{name}.optimizer.{key}": value for key, value in player.optimizer.tensors().items()}
            found |= {f"{name}.average.{index}": value for index, value in enumerate(self.averages.get(name, ()))}
        return found

    def load(self, tensors: dict[str, Tensor], step: int, images_seen: int) -> None:
        """Take over what ``tensors`` gave; names or shapes that do not fit raise ValueError."""
        missing = {name for name in self.tensors() if ".optimizer." not in name} - set(tensors)
        if missing:
            raise ValueError(f"the checkpoint lacks {sorted(missing)[0]}")
        for name, player in self.players().items():
            _load_module(player.module, _below(tensors, f"{name}.module."))
            if player.ema is not None:
                _load_module(player.ema, _below(tensors, f"{name}.ema."))
            player.optimizer.load(_below(tensors, f"{name}.optimizer."))
            for index, average in enumerate(self.averages.get(name, ())):
                average.copy_(tensors[f"{name}.average.{index}"])
        self.step, self.images_seen = step, images_seen


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _load_module(module: nn.Module, tensors: dict[str, Tensor]) -> None:
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError(f"the checkpoint is of other networks: {str(error).splitlines()[-1].strip()}") from None


def new_state(recipe: Recipe, shape: tuple[int, int, int], classes: int, seed: int, device: torch.device) -> State:
    """Build the players at their initial values, which depend on the seed alone.

    ``classes`` is the number of classes of the data; an unconditional recipe does not look at it.
    """
    told, dtype = recipe.condition_classes(classes), DTYPES[recipe.precision]
    generator = build_generator(recipe.generator, recipe.latent.dim, shape, told, drawn=recipe.data.clusters > 0)
    recipe.generator.init.draw(generator, random_generator(seed, "init", "generator"))
    others = {}
    if recipe.discriminator:
        packed = (shape[0] * recipe.packing, *shape[1:])
        codes = recipe.codes.width if recipe.terms.mutual_information else 0
        asked = HeadSpec((told or classes) if recipe.discriminator.classifier != "none" else 0, codes)
        discriminator = build_discriminator(recipe.discriminator, packed, told, asked)
        recipe.discriminator.init.draw(discriminator, random_generator(seed, "init", "discriminator"))
        others["discriminator"] = _player(
            discriminator.to(device, dtype),
            recipe.discriminator_lr,
            recipe,
            averaged=recipe.average_discriminator,
            packing=recipe.packing,
            joint=recipe.joint_batch,
            spectral=recipe.spectral_norm,
        )
    if recipe.encoder and recipe.reconstruction:
        encoder = build_encoder(recipe.encoder, recipe.latent.dim, shape, recipe.reconstruction.variational)
        recipe.encoder.init.draw(encoder, random_generator(seed, "init", "encoder"))
        others["encoder"] = _player(encoder.to(device, dtype), recipe.generator_lr, recipe, averaged=True)
    state = State(_player(generator.to(device, dtype), recipe.generator_lr, recipe, averaged=True), others)
    if recipe.terms.remember:
        state.averages = {name: [p.detach().clone() for p in x.parameters] for name, x in state.players().items()}
    return state


@torch.no_grad()
def prepare(state: State, recipe: Recipe, streams: Streams, draws: NoiseSource) -> None:
    """Give new players what they need of data and latents before the first step; most need nothing.

    A generator with a reference batch gets its latents; who looks at images with rows of their own length sets these
    by a first batch of real ones.
    """
    if isinstance(generator := state.generator.module, WithReference):
        generator.latent.copy_(draws.latent(len(generator.latent), "reference"))
    for player in state.others.values():
        player.reseed(draws.seed("prepare"))
        data_dependent_init(player.module, partial(player, *streams["real"][0]))
    for player in state.players().values():
        if player.ema is not None:
            player.ema.load_state_dict(player.module.state_dict())
    state.begin_averages()


def _player(module: nn.Module, lr: float, recipe: Recipe, averaged: bool, **more: Any) -> Player:
    optimizer = Adam(module.parameters(), lr, (recipe.adam.beta1, recipe.adam.beta2), recipe.adam.eps)
    ema = copy.deepcopy(module).requires_grad_(False) if averaged and recipe.ema_half_life else None
    return Player(module, optimizer, ema, mixed=recipe.precision == "bf16", **more)
