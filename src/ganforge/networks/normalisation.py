"""Layers and weights that are normalised: by the batch, by a reference batch, by rows, by spectral norms."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from pydantic import NonNegativeInt
from torch import Tensor, nn

from ganforge.networks.conditioning import class_weights
from ganforge.networks.memory_layout import to_float32
from ganforge.settings import Settings


class BatchNorm(nn.Module):
    """Batch normalisation whose forward never changes anything (Ioffe and Szegedy 2015, algorithm 1).

    In training mode every call uses the statistics of its own batch and keeps none, so a frozen player stays frozen.
    In evaluation mode the statistics measured by ``measure_batch_statistics`` are used, so an image does not depend
    on its neighbours in the batch. With ``classes`` every class has gains and offsets of its own ("conditional batch
    normalisation", Dumoulin et al. 2017, section 2.2; in GANs: Miyato and Koyama 2018).

    With ``reference`` R the first R examples are a fixed reference batch, and every other one is normalised by the
    statistics of these and itself alone ("virtual batch normalisation", Salimans et al. 2016, section 3.5), in
    training and in use.

    Shapes: [N, C] or [N, C, H, W] in, the same out.
    """

    mean: Tensor
    var: Tensor

    def __init__(self, channels: int, classes: int = 0, eps: float = 1e-5) -> None:
        super().__init__()
        self.classes, self.eps, self.reference = classes, eps, 0
        shape = (classes, channels) if classes else (channels,)
        self.weight = nn.Parameter(torch.ones(shape))
        self.bias = nn.Parameter(torch.zeros(shape))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("var", torch.ones(channels))

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Normalise per channel, then scale and shift, as the class asks where there are classes."""
        if self.reference:
            return self._scaled(self._virtual(x), condition)
        mean, var = (None, None) if self.training else (self.mean, self.var)
        if not self.classes:
            return F.batch_norm(x, mean, var, self.weight, self.bias, training=self.training, eps=self.eps)
        return self._scaled(F.batch_norm(x, mean, var, training=self.training, eps=self.eps), condition)

    def _scaled(self, x: Tensor, condition: Tensor | None) -> Tensor:
        gain: Tensor = self.weight
        offset: Tensor = self.bias
        if self.classes:
            assert condition is not None
            weights = class_weights(condition, self.classes, self.weight.dtype)
            gain, offset = weights @ gain, weights @ offset
        across = (-1, x.shape[1]) + (1,) * (x.ndim - 2)
        return torch.addcmul(offset.to(x.dtype).view(across), x, gain.to(x.dtype).view(across))

    def _virtual(self, x: Tensor) -> Tensor:
        """Normalise the reference batch by itself, and each other example as if it were one more of that batch."""
        wide = to_float32(x)
        places = tuple(range(2, x.ndim))
        own, own_square = ((y.mean(places, keepdim=True) if places else y) for y in (wide, wide.square()))
        mean, square = (y[: self.reference].mean(0, keepdim=True) for y in (own, own_square))
        share = torch.full((len(x), *[1] * (x.ndim - 1)), 1 / (self.reference + 1)).to(wide)
        share[: self.reference] = 0
        mean, square = torch.lerp(mean, own, share), torch.lerp(square, own_square, share)
        return ((wide - mean) * (square - mean.square() + self.eps).rsqrt()).to(x.dtype)


@torch.no_grad()
def measure_batch_statistics(module: nn.Module, run: Callable[[int], object], batches: int) -> None:
    """Set every BatchNorm's statistics to the average over so many batches; ``run(k)`` sends the k-th one through.

    The module is left in evaluation mode. Without batch-norm layers the batches are not run.
    """
    layers = [layer for layer in module.modules() if isinstance(layer, BatchNorm) and not layer.reference]
    if layers:
        sums = {layer: (torch.zeros_like(layer.mean), torch.zeros_like(layer.var)) for layer in layers}

        def record(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            assert isinstance(layer, BatchNorm)
            mean, var = torch.zeros_like(layer.mean), torch.zeros_like(layer.var)
            # its side effect is wanted: mean and unbiased variance, 16 times as fast as torch.var_mean over these axes
            F.batch_norm(inputs[0], mean, var, training=True, momentum=1.0)
            sums[layer][0].add_(mean)
            sums[layer][1].add_(var)

        hooks = [layer.register_forward_pre_hook(record) for layer in layers]
        module.eval()  # no noise
        for layer in layers:
            layer.train()
        for index in range(batches):
            run(index)
        for hook in hooks:
            hook.remove()
        for layer, (mean, var) in sums.items():
            layer.mean.copy_(mean / batches)
            layer.var.copy_(var / batches)
    module.eval()


class ReferenceSettings(Settings):
    """How a generator's batch norm gets its statistics: from its batch, or from a reference batch of this size.

    ``virtual_batch_norm`` 0 is plain batch normalisation.
    """

    virtual_batch_norm: NonNegativeInt = 0


class WithReference(nn.Module):
    """A generator that draws a fixed reference batch together with whatever it is asked for (virtual batch norm).

    The reference latents are drawn once and travel with the weights; all batch norm below becomes virtual.
    """

    latent: Tensor
    labels: Tensor

    def __init__(self, module: nn.Module, size: int, latent_dim: int, classes: int) -> None:
        super().__init__()
        self.module, self.classes = module, classes
        self.register_buffer("latent", torch.zeros(size, latent_dim))
        self.register_buffer("labels", torch.arange(size) % max(1, classes))
        for layer in module.modules():
            if isinstance(layer, BatchNorm):
                layer.reference = size

    def forward(self, latent: Tensor, condition: Tensor | None = None) -> Tensor:
        """Draw one image for each latent."""
        both = torch.cat([self.latent, latent])
        if condition is not None:
            labels = class_weights(self.labels, self.classes, latent.dtype)
            condition = torch.cat([labels, class_weights(condition, self.classes, latent.dtype)])
        images: Tensor = self.module(both, condition)[len(self.latent) :]
        return images


class WeightNormLinear(nn.Linear):
    """A dense layer whose rows have a length of their own (weight normalisation, Salimans and Kingma 2016, eq. 2).

    w = g·v / ‖v‖ for each output; here the outputs are scaled instead of the rows, which is the same and touches fewer
    numbers. ``settle`` sets g and the bias once so that what comes out has mean 0 and variance 1 over a batch (section
    3), without which narrow rows start too quiet to be heard above noise. g is learned only where ``learned``, as in
    the published code of Salimans et al. 2016: a discriminator that could scale its rows up would do so until its noise
    is not heard.
    """

    gain: Tensor

    def __init__(self, inputs: int, outputs: int, *, learned: bool = False) -> None:
        super().__init__(inputs, outputs)
        if learned:
            self.gain = nn.Parameter(torch.ones(outputs))
        else:
            self.register_buffer("gain", torch.ones(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Give [N, outputs]."""
        said = F.linear(x, self.weight)
        scale = self.gain / self.weight.norm(dim=1)
        return torch.addcmul(self.bias.to(said.dtype), said, scale.to(said.dtype))

    @torch.no_grad()
    def settle(self, x: Tensor) -> None:
        """Set gains and biases by a batch of inputs."""
        said = self.forward(x) - self.bias  # not self(x): that would call the hook of settle_rows
        std, mean = torch.std_mean(said, 0)
        self.gain.div_(std.clamp_min(1e-6))
        self.bias.copy_(-mean / std.clamp_min(1e-6))


@torch.no_grad()
def data_dependent_init(module: nn.Module, run: Callable[[], object]) -> None:
    """Settle every NormedLinear of a module, from the first to the last, by the batch that ``run`` sends through."""

    def settle(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, WeightNormLinear)
        layer.settle(inputs[0])

    layers = [layer for layer in module.modules() if isinstance(layer, WeightNormLinear)]
    hooks = [layer.register_forward_pre_hook(settle) for layer in layers]
    if layers:
        run()
    for hook in hooks:
        hook.remove()


POWER = 6


def normalized(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights with two axes or more (convolutions, dense layers) divided by their spectral norms.

    Spectral normalisation (Miyato et al. 2018, eq. 8) that keeps nothing from step to step: instead of one power
    iteration in each step from the last one's vector, the Gram matrix is squared six times, which is 64 iterations.
    """
    return {
        name: weight / spectral_norm(weight)
        for name, weight in weights.items()
        if name.endswith("weight") and weight.ndim > 1
    }


def spectral_norm(weight: Tensor) -> Tensor:
    """Return the largest singular value [] of a weight as a matrix [outputs, inputs], with its gradient."""
    matrix = weight.flatten(1)
    with torch.no_grad():
        small = matrix if len(matrix) <= matrix.shape[1] else matrix.T
        gram = small @ small.T
        for _ in range(POWER):
            gram = gram / gram.norm().clamp_min(1e-30)
            gram = gram @ gram
        first = F.normalize(gram.sum(1) + gram[:, gram.diagonal().argmax()], dim=0)
        second = F.normalize(small.T @ first, dim=0)
        left, right = (first, second) if small is matrix else (second, first)
    return left @ matrix @ right
