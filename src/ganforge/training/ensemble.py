"""Several seeds of one recipe as one batched computation ("model ensembling" of torch.func).

Every weight of a player, every batch and every latent gets the members as its first axis, and the step is played on
these: the rule, the objectives and the penalties are those of a single run. The interpreter and the start of every
operation are waited for once; how little that is on a processor stands in docs/performance.md.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from ganforge.data.batches import Batch, Stream, Streams
from ganforge.networks.blocks import MIXING
from ganforge.networks.heads import DiscriminatorOutput
from ganforge.recipes.recipe import Recipe
from ganforge.training.draws import Draws
from ganforge.training.state import Player, State, adam

SLOTS = ("exp_avg", "exp_avg_sq")
"""What Adam keeps of every weight."""


class Crew(Player):
    """The same player of several runs: its ``parameters`` are [members, ...].

    From here on the weights, averages and Adam's slots of the members are views of the crew's: whoever looks at a
    member sees it as it is now.
    """

    def __init__(self, members: Sequence[Player], recipe: Recipe, lr: float) -> None:
        first = members[0]
        stacked = nn.ParameterList(_stack([member.parameters for member in members]))
        super().__init__(stacked, adam(list(stacked), lr, recipe), mixed=first.mixed)
        self.net, self.names = first.module, [name for name, _ in first.module.named_parameters()]
        if first.ema is not None:
            averages = _stack([list(member.ema.parameters()) for member in members if member.ema is not None])
            self.ema = nn.ParameterList(averages).requires_grad_(False)
        for parameter, *own in zip(self.parameters, *(member.parameters for member in members), strict=True):
            slots = [member.optimizer.state[p] for member, p in zip(members, own, strict=True)]
            begun = bool(slots[0])
            held = {
                name: torch.stack([s[name] for s in slots]) if begun else torch.zeros_like(parameter) for name in SLOTS
            }
            step = slots[0]["step"].clone() if begun else torch.zeros((), dtype=torch.float32, device=parameter.device)
            self.optimizer.state[parameter] = {"step": step, **held}
            for k, (member, p) in enumerate(zip(members, own, strict=True)):
                member.optimizer.state[p] = {"step": step, **{name: held[name][k] for name in SLOTS}}

    def _play(self, weights: dict[str, Tensor], x: Tensor, condition: Tensor | None, ways: dict[str, Any]) -> Any:
        """Send what each member gets, [members, N, ...], through its own weights."""
        own = weights or dict(zip(self.names, self.parameters, strict=True))
        fields: list[str] = []

        def one(own: dict[str, Tensor], x: Tensor, condition: Tensor | None) -> Any:
            """Play one member; vmap takes tensors, so what a discriminator says goes through it field by field."""
            said = functional_call(self.net, own, (x, condition), ways)
            if isinstance(said, Tensor):
                return said
            found = {name: value for name, value in vars(said).items() if value is not None}
            fields[:] = found
            return tuple(found.values())

        said = vmap(one, in_dims=(0, 0, None if condition is None else 0))(own, x, condition)
        return said if isinstance(said, Tensor) else DiscriminatorOutput(**dict(zip(fields, said, strict=True)))

    def gradient_norm(self) -> Tensor:
        """How long the gradient of each member is, [members]."""
        gradients = [p.grad.flatten(1) for p in self.parameters if p.grad is not None]
        return torch.stack([gradient.square().sum(1) for gradient in gradients]).sum(0).sqrt()

    @property
    def batch_axis(self) -> int:
        """The members come before."""
        return 1

    @cached_property
    def mixes_samples(self) -> bool:
        """As of each member."""
        return any(isinstance(layer, MIXING) for layer in self.net.modules())


class Together:
    """The same stream of several runs: batches [members, N, ...]."""

    def __init__(self, members: Sequence[Stream]) -> None:
        self._members = members

    def __getitem__(self, index: int) -> Batch:
        """Return every member's batch number ``index``."""
        batches = [member[index] for member in self._members]
        labels = [batch.labels for batch in batches if batch.labels is not None]
        return Batch(torch.stack([batch.images for batch in batches]), torch.stack(labels) if labels else None)


class CrewDraws(Draws):
    """The chance of several runs, each its own."""

    def __init__(self, members: Sequence[Draws]) -> None:
        self._members = members

    def latent(self, count: int, name: str, *position: int) -> Tensor:
        """Return every member's latents [members, count, latent_dim]."""
        return torch.stack([member.latent(count, name, *position) for member in self._members])

    def noise_like(self, images: Tensor, name: str, *position: int) -> Tensor:
        """Return every member's noise of the shape of its images."""
        return torch.stack(
            [draws.noise_like(own, name, *position) for draws, own in zip(self._members, images, strict=True)]
        )

    def seed(self, name: str, *position: int) -> int:
        """There is no chance inside the networks of a crew."""
        return 0


def why_not(recipe: Recipe) -> str:
    """Return what of a recipe an ensemble cannot play, in words; "" where it can play it all."""
    families = {recipe.generator.family, recipe.discriminator.family if recipe.discriminator else "mlp"}
    parts = {
        "convolutions": families != {"mlp"},
        "an encoder": recipe.reconstruction is not None,
        "terms": bool(recipe.terms.items()),
        "unrolling": recipe.unroll > 0,
        "packing": recipe.packing > 1,
        "spectral norm": recipe.spectral_norm,
        "a reference batch": recipe.generator.virtual_batch_norm > 0,
        "a gradient penalty between images": recipe.penalties.gradient_penalty is not None,
        "rows set by a first batch": bool(getattr(recipe.discriminator, "weight_norm", False)),
        "noise inside the discriminator": bool(
            getattr(recipe.discriminator, "input_noise", 0) or getattr(recipe.discriminator, "hidden_noise", 0)
        ),
    }
    return ", ".join(name for name, there in parts.items() if there)


def ensemble(states: Sequence[State], recipe: Recipe) -> State:
    """Join states of several runs, all at the same step, to one that is played as one; they become views of it."""
    first = states[0]
    assert len({state.step for state in states}) == 1
    rates = {"generator": recipe.generator_lr, "discriminator": recipe.discriminator_lr}
    crews = {name: Crew([state.players()[name] for state in states], recipe, rate) for name, rate in rates.items()}
    return State(crews["generator"], {"discriminator": crews["discriminator"]}, first.step, first.images_seen)


def together(streams: Sequence[Streams]) -> Streams:
    """Join the streams of several runs."""
    return {name: Together([each[name] for each in streams]) for name in streams[0]}


def _stack(weights: Sequence[Sequence[nn.Parameter]]) -> list[nn.Parameter]:
    """Stack the weights of several nets, which become views of the result."""
    stacked = []
    for own in zip(*weights, strict=True):
        joined = nn.Parameter(torch.stack([parameter.detach() for parameter in own]))
        for parameter, view in zip(own, joined.detach(), strict=True):
            parameter.data = view
        stacked.append(joined)
    return stacked
