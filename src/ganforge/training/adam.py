"""The optimiser of every player."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

SLOTS = ("exp_avg", "exp_avg_sq")
"""What it keeps of each weight: the averages of its gradients and of their squares."""


class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1), all weights of a player by one call of torch's fused kernel.

    m = β₁m + (1 − β₁)g, v = β₂v + (1 − β₂)g², w = w − rate · m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + ε). Bit by bit
    ``torch.optim.Adam(..., fused=True)``, whose first step imports torch's compiler: two seconds of every run's start.

    Attributes:
        weights: that it moves; those without a gradient stay.
        rate: of the next update.
        averages: of each weight, by the names in ``SLOTS``.
        steps: [], how many updates there were.
    """

    def __init__(self, weights: Iterable[nn.Parameter], rate: float, betas: tuple[float, float], eps: float) -> None:
        self.weights, self.rate, self.betas, self.eps = list(weights), rate, betas, eps
        self.averages = {name: [torch.zeros_like(weight) for weight in self.weights] for name in SLOTS}
        self.steps = torch.zeros((), dtype=torch.float32, device=self.weights[0].device)

    def zero_grad(self) -> None:
        """Let every weight have none."""
        for weight in self.weights:
            weight.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move the weights by their gradients."""
        moved = [index for index, weight in enumerate(self.weights) if weight.grad is not None]
        gradients = [gradient for weight in self.weights if (gradient := weight.grad) is not None]
        first, second = ([averages[index] for index in moved] for averages in self.averages.values())
        self.steps += 1
        torch._fused_adam_(
            [self.weights[index] for index in moved],
            gradients,
            first,
            second,
            [],
            [self.steps] * len(moved),
            lr=self.rate,
            beta1=self.betas[0],
            beta2=self.betas[1],
            weight_decay=0.0,
            eps=self.eps,
            amsgrad=False,
            maximize=False,
        )

    def tensors(self) -> dict[str, Tensor]:
        """Everything it keeps, by name: ``3.exp_avg`` is of the fourth weight; empty before the first update."""
        if not self.steps:
            return {}
        found = {f"{k}.{name}": average for name in SLOTS for k, average in enumerate(self.averages[name])}
        return found | {f"{index}.step": self.steps.clone() for index in range(len(self.weights))}

    @torch.no_grad()
    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take over what `tensors` gave."""
        self.steps.fill_(next((float(value) for name, value in tensors.items() if name.endswith(".step")), 0.0))
        for name in SLOTS:
            for index, average in enumerate(self.averages[name]):
                kept = tensors.get(f"{index}.{name}")
                average.zero_() if kept is None else average.copy_(kept)
