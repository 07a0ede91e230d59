"""Adam, the optimiser of every player."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

SLOTS = ("exp_avg", "exp_avg_sq")
"""State per weight: the running averages of its gradient and of the squared gradient."""


class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1), with one call of torch's fused kernel for all weights of a player.

    m = β₁m + (1 − β₁)g, v = β₂v + (1 − β₂)g², w = w − lr · m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + ε). The results equal
    ``torch.optim.Adam(..., fused=True)`` bit for bit. That class imports torch's compiler in its first step, which
    costs every run two seconds.

    Attributes:
        weights: the weights to update; weights without a gradient keep their values.
        lr: the learning rate of the next update.
        averages: the running averages of each weight, by the names in ``SLOTS``.
        steps: [], the number of updates so far.
    """

    def __init__(self, weights: Iterable[nn.Parameter], lr: float, betas: tuple[float, float], eps: float) -> None:
        self.weights, self.lr, self.betas, self.eps = list(weights), lr, betas, eps
        self.averages = {name: [torch.zeros_like(weight) for weight in self.weights] for name in SLOTS}
        self.steps = torch.zeros((), dtype=torch.float32, device=self.weights[0].device)

    def zero_grad(self) -> None:
        """Set the gradient of every weight to None."""
        for weight in self.weights:
            weight.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Update all weights that have a gradient."""
        indices = [index for index, weight in enumerate(self.weights) if weight.grad is not None]
        gradients = [gradient for weight in self.weights if (gradient := weight.grad) is not None]
        first, second = ([averages[index] for index in indices] for averages in self.averages.values())
        self.steps += 1
        torch._fused_adam_(
            [self.weights[index] for index in indices],
            gradients,
            first,
            second,
            [],
            [self.steps] * len(indices),
            lr=self.lr,
            beta1=self.betas[0],
            beta2=self.betas[1],
            weight_decay=0.0,
            eps=self.eps,
            amsgrad=False,
            maximize=False,
        )

    def tensors(self) -> dict[str, Tensor]:
        """Return the state by name: ``3.exp_avg`` belongs to the fourth weight. Empty before the first update."""
        if not self.steps:
            return {}
        state = {f"{k}.{name}": average for name in SLOTS for k, average in enumerate(self.averages[name])}
        return state | {f"{index}.step": self.steps.clone() for index in range(len(self.weights))}

    @torch.no_grad()
    def load(self, tensors: dict[str, Tensor]) -> None:
        """Restore the state that `tensors` returned."""
        self.steps.fill_(next((float(value) for name, value in tensors.items() if name.endswith(".step")), 0.0))
        for name in SLOTS:
            for index, average in enumerate(self.averages[name]):
                saved = tensors.get(f"{index}.{name}")
                average.zero_() if saved is None else average.copy_(saved)
