"""The state of a training run: everything that training changes and a checkpoint must contain."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ganforge.data.batches import Batch, Streams
from ganforge.networks.blocks import MIXING, noise_layers
from ganforge.networks.heads import DiscriminatorOutput, HeadSpec
from ganforge.networks.normalisation import WithReference, data_dependent_init, normalized
from ganforge.networks.registry import ImageCondition, build_discriminator, build_encoder, build_generator
from ganforge.randomness import random_generator
from ganforge.recipes.recipe import Recipe
from ganforge.training.adam import Adam
from ganforge.training.noise import NoiseSource

DTYPES = {"bf16": torch.float32, "fp32": torch.float32, "fp64": torch.float64}
"""Precision of weights and statistics by recipe precision; with bf16 only the layers compute in bf16 (autocast)."""


@dataclass
class Player:
    """A network with its optimiser.

    Attributes:
        module: the network.
        optimizer: the optimiser of its weights.
        ema: the network with averaged weights, where the recipe asks for averages.
        mixed_precision: whether its layers compute in bf16 in training; its outputs are in single precision.
        packing: the number of images that are stacked as channels and share one output (Lin et al. 2018, PacGAN).
        joint_batch: whether several batches pass through it as one, also where its layers mix samples.
        spectral_norm: whether its weights are divided by their spectral norms (Miyato et al. 2018, eq. 8).
        parameters: the weights as a list.
    """

    module: nn.Module
    optimizer: Adam
    ema: nn.Module | None = None
    mixed_precision: bool = False
    packing: int = 1
    joint_batch: bool = False
    spectral_norm: bool = False
    parameters: list[nn.Parameter] = field(init=False)

    def __post_init__(self) -> None:
        """List parameters and noise layers once, because every step needs them."""
        self.parameters = list(self.module.parameters())
        self._noise = noise_layers(self.module)

    def reseed(self, seed: int) -> None:
        """Reseed the noise layers of the network, so that its next outputs depend on ``seed`` alone."""
        for layer in self._noise:
            layer.random = layer.random or torch.Generator(self.parameters[0].device)
        for index, layer in enumerate(self._noise):
            assert layer.random is not None
            layer.random.manual_seed(seed + index)

    def __call__(
        self, x: Tensor, condition: Tensor | None = None, weights: dict[str, Tensor] | None = None, **options: Any
    ) -> Any:
        """Return the network's output for latents or images, with other ``weights`` by name where they are given.

        ``options`` are passed to the network's ``forward``.
        """
        if self.packing > 1:
            x = x.reshape(-1, self.packing * x.shape[1], *x.shape[2:])
        weights = dict(weights or {})
        if self.spectral_norm:
            weights |= normalized(weights or dict(self.module.named_parameters()))
        if not self.mixed_precision:
            return self._forward(weights, x, condition, options)
        with torch.autocast(x.device.type, torch.bfloat16):
            return self._forward(weights, x, condition, options)

    def _forward(self, weights: dict[str, Tensor], x: Tensor, condition: Tensor | None, options: dict[str, Any]) -> Any:
        if weights:
            return functional_call(self.module, weights, (x, condition), options)
        return self.module(x, condition, **options)

    @torch.no_grad()
    def preview(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Generate images quickly: averaged weights, training precision, and the batch statistics of this batch."""
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.mixed_precision):
            images: Tensor = self.published(x, condition)
        return images

    def logits(
        self, images: Tensor, condition: Tensor | None = None, weights: dict[str, Tensor] | None = None
    ) -> Tensor:
        """Return a discriminator's logits [N] for images [N, C, H, W]."""
        logits: Tensor = self(images, condition, weights).logits
        return logits

    def discriminate(
        self, batches: Sequence[Batch], weights: dict[str, Tensor] | None = None, *, apart: bool = False
    ) -> list[DiscriminatorOutput]:
        """Return a discriminator's output for each batch; either all batches have a condition or none.

        The batches go through the network in one pass, which is faster, unless ``apart``, or unless its layers mix
        samples and ``joint_batch`` is false.
        """
        if apart or (self.mixes_samples and not self.joint_batch):
            return [self(images, condition, weights) for images, condition in batches]
        given = [condition for _, condition in batches if condition is not None]
        output: DiscriminatorOutput = self(
            torch.cat([images for images, _ in batches]), torch.cat(given) if given else None, weights
        )
        return output.split([len(images) // self.packing for images, _ in batches])

    @cached_property
    def mixes_samples(self) -> bool:
        """Whether the output for one image depends on the other images of its batch."""
        return any(isinstance(layer, MIXING) for layer in self.module.modules())

    @property
    def published(self) -> nn.Module:
        """The network to use after training: with averaged weights where there are any."""
        return self.ema or self.module


@dataclass
class State:
    """The players and the progress of the run.

    Attributes:
        generator: the generator.
        others: the other players by name: a discriminator or an encoder.
        step: the number of finished steps.
        images_seen: the number of real images shown so far.
        averages: by player, the averages of its weights over all steps, where a term needs them.
    """

    generator: Player
    others: dict[str, Player]
    step: int = 0
    images_seen: int = 0
    averages: dict[str, list[Tensor]] = field(default_factory=dict)

    def players(self) -> dict[str, Player]:
        """Return all players by name, the generator first."""
        return {"generator": self.generator, **self.others}

    @property
    def discriminator(self) -> Player:
        """The discriminator; KeyError in a run without one."""
        return self.others["discriminator"]

    @property
    def encoder(self) -> Player:
        """The encoder; KeyError in a run without one."""
        return self.others["encoder"]

    @torch.no_grad()
    def begin_averages(self) -> None:
        """Start the averages over all steps at the current weights."""
        for name, averages in self.averages.items():
            torch._foreach_copy_(averages, [p.detach() for p in self.players()[name].parameters])

    def tensors(self) -> dict[str, Tensor]:
        """Return every tensor of the state by name; module and average tensors are not copies."""
        tensors: dict[str, Tensor] = {}
        for name, player in self.players().items():
            tensors |= {f"{name}.module.{key}": value for key, value in player.module.state_dict().items()}
            if player.ema is not None:
                tensors |= {f"{name}.ema.{key}": value for key, value in player.ema.state_dict().items()}
            tensors |= {f"{name}.optimizer.{key}": value for key, value in player.optimizer.tensors().items()}
            tensors |= {f"{name}.average.{index}": value for index, value in enumerate(self.averages.get(name, ()))}
        return tensors

    def load(self, tensors: dict[str, Tensor], step: int, images_seen: int) -> None:
        """Restore the tensors that ``tensors`` returned, and the counters.

        Raises:
            ValueError: a tensor is missing, or names or shapes do not fit the networks.
        """
        missing = {name for name in self.tensors() if ".optimizer." not in name} - set(tensors)
        if missing:
            raise ValueError(f"the checkpoint lacks the tensor {sorted(missing)[0]}")
        for name, player in self.players().items():
            _load_module(player.module, _with_prefix(tensors, f"{name}.module."))
            if player.ema is not None:
                _load_module(player.ema, _with_prefix(tensors, f"{name}.ema."))
            player.optimizer.load(_with_prefix(tensors, f"{name}.optimizer."))
            for index, average in enumerate(self.averages.get(name, ())):
                average.copy_(tensors[f"{name}.average.{index}"])
        self.step, self.images_seen = step, images_seen


def _with_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names start with ``prefix``, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _load_module(module: nn.Module, tensors: dict[str, Tensor]) -> None:
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError(f"the checkpoint is from other networks: {str(error).splitlines()[-1].strip()}") from None


def build_networks(recipe: Recipe, shape: tuple[int, int, int], classes: int) -> dict[str, nn.Module]:
    """Build the networks of a recipe by the names of their players, before their weights are drawn.

    Args:
        recipe: the recipe.
        shape: C, H, W of the training images, for a recipe with pairs as they are stored.
        classes: number of classes of the data; an unconditional recipe ignores it.
    """
    condition_classes, image_condition = recipe.condition_classes(classes), None
    if recipe.pairs:
        shape, (channels, *_) = recipe.pairs.shapes(shape)
        image_condition = ImageCondition(channels, recipe.pairs.consistency())
    networks = {
        "generator": build_generator(
            recipe.generator,
            recipe.latent.dim,
            shape,
            condition_classes,
            drawn=recipe.data.clusters > 0,
            image_condition=image_condition,
        )
    }
    if recipe.discriminator:
        packed_shape = (shape[0] * recipe.game.packing, *shape[1:])
        codes = recipe.codes.width if recipe.terms.mutual_information else 0
        spec = HeadSpec((condition_classes or classes) if recipe.discriminator.classifier != "none" else 0, codes)
        condition_channels = image_condition.channels if image_condition else 0
        networks["discriminator"] = build_discriminator(
            recipe.discriminator, packed_shape, condition_classes, spec, condition_channels=condition_channels
        )
    if recipe.encoder and recipe.reconstruction:
        networks["encoder"] = build_encoder(recipe.encoder, recipe.latent.dim, shape, recipe.reconstruction.variational)
    return networks


def new_state(recipe: Recipe, shape: tuple[int, int, int], classes: int, seed: int, device: torch.device) -> State:
    """Build the players of a recipe with initial weights that depend on the seed alone.

    ``classes`` is the number of classes of the data; an unconditional recipe ignores it.
    """
    dtype = DTYPES[recipe.run.precision]
    networks = build_networks(recipe, shape, classes)
    for name, network in networks.items():
        getattr(recipe, name).init.draw(network, random_generator(seed, "init", name))
        network.to(device, dtype)
    others = {}
    if recipe.discriminator:
        others["discriminator"] = _player(
            networks["discriminator"],
            recipe.discriminator_lr,
            recipe,
            averaged=recipe.averaging.discriminator,
            packing=recipe.game.packing,
            joint_batch=recipe.game.joint_batch,
            spectral_norm=recipe.game.spectral_norm,
        )
    if "encoder" in networks:
        others["encoder"] = _player(networks["encoder"], recipe.generator_lr, recipe, averaged=True)
    state = State(_player(networks["generator"], recipe.generator_lr, recipe, averaged=True), others)
    if recipe.terms.needs_weight_average:
        players = state.players().items()
        state.averages = {name: [p.detach().clone() for p in player.parameters] for name, player in players}
    return state


@torch.no_grad()
def prepare(state: State, recipe: Recipe, streams: Streams, noise: NoiseSource) -> None:
    """Initialise the parts of new players that depend on data or noise, before the first step.

    A generator with a reference batch gets its reference latents. A discriminator or encoder with weight norm gets its
    gains and biases from the first real batch. All weight averages start at the resulting weights.
    """
    if isinstance(generator := state.generator.module, WithReference):
        generator.latent.copy_(noise.latent(len(generator.latent), "reference"))
    for player in state.others.values():
        player.reseed(noise.seed("prepare"))
        data_dependent_init(player.module, partial(player, *streams["real"][0]))
    for player in state.players().values():
        if player.ema is not None:
            player.ema.load_state_dict(player.module.state_dict())
    state.begin_averages()


def _player(module: nn.Module, lr: float, recipe: Recipe, averaged: bool, **options: Any) -> Player:
    """Return a player with its optimiser and, if ``averaged``, a copy of the network for the averaged weights."""
    optimizer = Adam(module.parameters(), lr, (recipe.adam.beta1, recipe.adam.beta2), recipe.adam.eps)
    ema = copy.deepcopy(module).requires_grad_(False) if averaged and recipe.averaging.half_life else None
    return Player(module, optimizer, ema, mixed_precision=recipe.run.precision == "bf16", **options)
