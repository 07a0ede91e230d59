"""Normalisation of layers and weights: batch norm, virtual batch norm, weight norm, spectral norm."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from pydantic import Field, NonNegativeInt
from torch import Tensor, nn

from ganforge.networks.conditioning import class_weights
from ganforge.networks.memory_layout import to_float32
from ganforge.settings import WIDEST, Settings
from ganforge.whole_batch import gather


class BatchNorm(nn.Module):
    """Batch normalisation whose forward has no side effects (Ioffe and Szegedy 2015, algorithm 1).

    In training mode every call uses the statistics of its own batch and stores none, so a frozen player stays frozen.
    In evaluation mode the layer uses the statistics set by ``measure_batch_statistics``, so an image does not depend
    on the other images of its batch. With ``classes`` every class has its own gains and offsets (conditional batch
    normalisation, Dumoulin et al. 2017, section 2.2; in GANs: Miyato and Koyama 2018).

    With ``reference`` R > 0 the first R examples are a fixed reference batch. Every other example is normalised by the
    statistics of the reference batch and itself (virtual batch normalisation, Salimans et al. 2016, section 3.5), in
    training and in evaluation mode.

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
        """Normalise per channel, then apply gain and offset, those of the class where there are classes."""
        if self.reference:
            return self._scaled(self._virtual(x), condition)
        mean, var = (None, None) if self.training else (self.mean, self.var)
        x = gather(x) if self.training else x
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
        shape = (-1, x.shape[1]) + (1,) * (x.ndim - 2)
        return torch.addcmul(offset.to(x.dtype).view(shape), x, gain.to(x.dtype).view(shape))

    def _virtual(self, x: Tensor) -> Tensor:
        """Normalise the reference batch by its own statistics, and each other example as one more example of it."""
        x32 = to_float32(x)
        axes = tuple(range(2, x.ndim))
        own, own_square = ((y.mean(axes, keepdim=True) if axes else y) for y in (x32, x32.square()))
        mean, square = (y[: self.reference].mean(0, keepdim=True) for y in (own, own_square))
        share = torch.full((len(x), *[1] * (x.ndim - 1)), 1 / (self.reference + 1)).to(x32)
        share[: self.reference] = 0
        mean, square = torch.lerp(mean, own, share), torch.lerp(square, own_square, share)
        return ((x32 - mean) * (square - mean.square() + self.eps).rsqrt()).to(x.dtype)


@torch.no_grad()
def measure_batch_statistics(module: nn.Module, run: Callable[[int], object], batches: int) -> None:
    """Set the statistics of every BatchNorm layer to their average over ``batches`` batches.

    ``run(k)`` passes the k-th batch through the module; it is not called without batch-norm layers. The module is left
    in evaluation mode.
    """
    layers = [layer for layer in module.modules() if isinstance(layer, BatchNorm) and not layer.reference]
    if layers:
        sums = {layer: (torch.zeros_like(layer.mean), torch.zeros_like(layer.var)) for layer in layers}

        def record(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            assert isinstance(layer, BatchNorm)
            mean, var = torch.zeros_like(layer.mean), torch.zeros_like(layer.var)
            # for its side effect: it sets mean and unbiased variance, 16 times as fast as torch.var_mean
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
    """Source of a generator's batch-norm statistics.

    ``virtual_batch_norm`` is the size of the reference batch; 0 is plain batch normalisation.
    """

    virtual_batch_norm: NonNegativeInt = Field(
        0, le=WIDEST, description="images of the reference batch of virtual batch norm; 0: plain batch norm"
    )


class WithReference(nn.Module):
    """A generator that computes a fixed reference batch along with every batch (virtual batch norm).

    The reference latents are drawn once and saved with the weights. All BatchNorm layers of ``module`` become virtual.
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
        """Generate one image for each latent."""
        latents = torch.cat([self.latent, latent])
        if condition is not None:
            labels = class_weights(self.labels, self.classes, latent.dtype)
            condition = torch.cat([labels, class_weights(condition, self.classes, latent.dtype)])
        images: Tensor = self.module(latents, condition)[len(self.latent) :]
        return images


class WeightNormLinear(nn.Linear):
    """A linear layer with weight normalisation (Salimans and Kingma 2016, eq. 2).

    w = g·v / ‖v‖ for each output. The implementation scales the outputs instead of the rows, which is equivalent and
    touches fewer numbers. ``init_from_batch`` sets g and the bias once, so that the outputs have mean 0 and variance 1
    over a batch (section 3); otherwise narrow rows start with outputs far below the noise. g is a parameter only with
    ``learned``, as in the published code of Salimans et al. 2016: a discriminator with free gains would scale up its
    rows until the noise had no effect.
    """

    gain: Tensor

    def __init__(self, inputs: int, outputs: int, *, learned: bool = False) -> None:
        super().__init__(inputs, outputs)
        if learned:
            self.gain = nn.Parameter(torch.ones(outputs))
        else:
            self.register_buffer("gain", torch.ones(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, inputs] to [N, outputs]."""
        output = F.linear(x, self.weight)
        scale = self.gain / self.weight.norm(dim=1)
        return torch.addcmul(self.bias.to(output.dtype), output, scale.to(output.dtype))

    @torch.no_grad()
    def init_from_batch(self, x: Tensor) -> None:
        """Set gains and biases from a batch of inputs [N, inputs]."""
        output = self.forward(x) - self.bias  # not self(x), which would call the hook of data_dependent_init
        std, mean = torch.std_mean(gather(output), 0)
        self.gain.div_(std.clamp_min(1e-6))
        self.bias.copy_(-mean / std.clamp_min(1e-6))


@torch.no_grad()
def data_dependent_init(module: nn.Module, run: Callable[[], object]) -> None:
    """Initialise all WeightNormLinear layers, first to last, from the batch that ``run`` passes through the module."""

    def initialise(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, WeightNormLinear)
        layer.init_from_batch(inputs[0])

    layers = [layer for layer in module.modules() if isinstance(layer, WeightNormLinear)]
    hooks = [layer.register_forward_pre_hook(initialise) for layer in layers]
    if layers:
        run()
    for hook in hooks:
        hook.remove()


SQUARINGS = 6


def normalized(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of convolutions and linear layers divided by their spectral norms; other tensors are left out.

    This is spectral normalisation (Miyato et al. 2018, eq. 8) without a stored vector: the paper does one power
    iteration per step from the last vector; here the Gram matrix is squared six times, which is 64 iterations.
    """
    return {
        name: weight / spectral_norm(weight)
        for name, weight in weights.items()
        if name.endswith("weight") and weight.ndim > 1
    }


def spectral_norm(weight: Tensor) -> Tensor:
    """Return the largest singular value [] of a weight, seen as a matrix [outputs, inputs], with its graph."""
    matrix = weight.flatten(1)
    with torch.no_grad():
        wide = matrix if len(matrix) <= matrix.shape[1] else matrix.T
        gram = wide @ wide.T
        for _ in range(SQUARINGS):
            gram = gram / gram.norm().clamp_min(1e-30)
            gram = gram @ gram
        first = F.normalize(gram.sum(1) + gram[:, gram.diagonal().argmax()], dim=0)
        second = F.normalize(wide.T @ first, dim=0)
        left, right = (first, second) if wide is matrix else (second, first)
    return left @ matrix @ right
