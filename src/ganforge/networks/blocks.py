"""Parts that network families share: initial values, activations, batch normalisation, the shape of an output."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import PositiveFloat
from torch import Tensor, nn

from ganforge.settings import Settings


@dataclass(frozen=True)
class DiscriminatorOutput:
    """What a discriminator says of N images.

    Attributes:
        logits: [N], positive where it takes the image for real; sigmoid(logits) is D(x).
    """

    logits: Tensor


class Init(Settings):
    """How initial values are drawn; batch-norm layers always start at gain 1 and offset 0.

    ``normal``: N(0, std). ``truncated-normal``: the same, redrawn outside two standard deviations. ``glorot-uniform``:
    U(-a, a) with a = sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, eq. 16). Biases start at 0 unless
    ``biases`` asks for the weights' distribution.
    """

    scheme: Literal["normal", "truncated-normal", "glorot-uniform"] = "glorot-uniform"
    std: PositiveFloat = 0.02
    biases: bool = False

    def draw(self, module: nn.Module, random: torch.Generator) -> None:
        """Fill every linear layer below ``module``, in the order of its definition."""
        for layer in module.modules():
            if isinstance(layer, nn.Linear):
                self._fill(layer.weight, random)
                if layer.bias is not None and self.biases:
                    self._fill(layer.bias, random)
                elif layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def _fill(self, tensor: Tensor, random: torch.Generator) -> None:
        if self.scheme == "normal":
            nn.init.normal_(tensor, 0.0, self.std, generator=random)
        elif self.scheme == "truncated-normal":
            nn.init.trunc_normal_(tensor, 0.0, self.std, -2 * self.std, 2 * self.std, generator=random)
        else:
            nn.init.xavier_uniform_(tensor, generator=random)


def activation(name: Literal["relu", "leaky-relu"], slope: float) -> nn.Module:
    """Return max(x, 0), or x where positive and ``slope``·x elsewhere."""
    return nn.ReLU() if name == "relu" else nn.LeakyReLU(slope)


class BatchNorm(nn.Module):
    """Batch normalisation whose forward never changes anything (Ioffe and Szegedy 2015, algorithm 1).

    In training mode every call uses the statistics of its own batch and keeps none, so a frozen player stays frozen.
    In evaluation mode the statistics measured by ``measure_batch_statistics`` are used, so an image does not depend
    on its neighbours in the batch.

    Shapes: [N, C] or [N, C, H, W] in, the same out.
    """

    mean: Tensor
    var: Tensor

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise per channel, then scale and shift."""
        if self.training:
            return F.batch_norm(x, None, None, self.weight, self.bias, training=True, eps=self.eps)
        return F.batch_norm(x, self.mean, self.var, self.weight, self.bias, training=False, eps=self.eps)


@torch.no_grad()
def measure_batch_statistics(module: nn.Module, run: Callable[[int], object], batches: int) -> None:
    """Set every BatchNorm's statistics to the average over so many batches; ``run(k)`` sends the k-th one through.

    The module is left in evaluation mode. Without batch-norm layers the batches are not run.
    """
    layers = [layer for layer in module.modules() if isinstance(layer, BatchNorm)]
    if layers:
        sums = {layer: (torch.zeros_like(layer.mean), torch.zeros_like(layer.var)) for layer in layers}

        def record(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            assert isinstance(layer, BatchNorm)
            dims = [d for d in range(inputs[0].ndim) if d != 1]
            var, mean = torch.var_mean(inputs[0], dims)
            sums[layer][0].add_(mean)
            sums[layer][1].add_(var)

        hooks = [layer.register_forward_pre_hook(record) for layer in layers]
        module.train()
        for index in range(batches):
            run(index)
        for hook in hooks:
            hook.remove()
        for layer, (mean, var) in sums.items():
            layer.mean.copy_(mean / batches)
            layer.var.copy_(var / batches)
    module.eval()


def class_weights(condition: Tensor, classes: int, dtype: torch.dtype) -> Tensor:
    """Turn labels int64 [N] to one-hot rows [N, classes]; rows that are weights already pass through.

    Weights between classes are what a morph from one digit to another asks for.
    """
    if condition.is_floating_point():
        return condition.to(dtype)
    return F.one_hot(condition, classes).to(dtype)
