"""Parts that network families share: initial values, activations, batch normalisation, ways to give the label."""

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
        features: [N, F], what its last layer makes the logits of.
    """

    logits: Tensor
    features: Tensor


class Init(Settings):
    """How initial values are drawn; batch-norm layers always start at gain 1 and offset 0.

    ``normal``: N(0, std). ``truncated-normal``: the same, redrawn outside two standard deviations. ``glorot-uniform``:
    U(-a, a) with a = sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, eq. 16). Biases start at 0 unless
    ``biases`` asks for the weights' distribution. What is learned about a class is drawn like weights.
    """

    scheme: Literal["normal", "truncated-normal", "glorot-uniform"] = "glorot-uniform"
    std: PositiveFloat = 0.02
    biases: bool = False

    def draw(self, module: nn.Module, random: torch.Generator) -> None:
        """Fill every linear, convolutional and class layer below ``module``, in the order of its definition."""
        for layer in module.modules():
            if isinstance(layer, ClassTable):
                self._fill(layer.weight, random)
            elif isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
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
    on its neighbours in the batch. With ``classes`` every class has gains and offsets of its own ("conditional batch
    normalisation", Dumoulin et al. 2017, section 2.2; in GANs: Miyato and Koyama 2018).

    Shapes: [N, C] or [N, C, H, W] in, the same out.
    """

    mean: Tensor
    var: Tensor

    def __init__(self, channels: int, classes: int = 0, eps: float = 1e-5) -> None:
        super().__init__()
        self.classes, self.eps = classes, eps
        shape = (classes, channels) if classes else (channels,)
        self.weight = nn.Parameter(torch.ones(shape))
        self.bias = nn.Parameter(torch.zeros(shape))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("var", torch.ones(channels))

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Normalise per channel, then scale and shift, as the class asks where there are classes."""
        mean, var = (None, None) if self.training else (self.mean, self.var)
        if not self.classes:
            return F.batch_norm(x, mean, var, self.weight, self.bias, training=self.training, eps=self.eps)
        assert condition is not None
        weights = class_weights(condition, self.classes, self.weight.dtype)
        across = (len(x), -1) + (1,) * (x.ndim - 2)
        gain, offset = ((weights @ table).to(x.dtype).view(across) for table in (self.weight, self.bias))
        x = F.batch_norm(x, mean, var, training=self.training, eps=self.eps)
        return torch.addcmul(offset, x, gain)


class MinibatchStd(nn.Module):
    """One more channel that tells a discriminator how much a batch varies: [N, C, H, W] -> [N, C + 1, H, W].

    At each place the standard deviation over the batch, averaged over the channels, the same for every image (Karras et
    al. 2018, section 3, who average over the places too). Generated pictures that are too much alike give
    themselves away by it.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Measure in single precision and append."""
        wide = single(x)
        # twice as fast as torch.var over the first axis
        variance = (wide.square().mean(0, keepdim=True) - wide.mean(0, keepdim=True).square()).clamp_min(0)
        std = (variance + 1e-6).sqrt().mean(1, keepdim=True).to(x.dtype)
        last = torch.cat([x.permute(0, 2, 3, 1), std.permute(0, 2, 3, 1).expand(len(x), -1, -1, -1)], 3)
        return last.permute(0, 3, 1, 2)  # channels-last, as it came: mixed layouts cost a pass backward up to 30 times


NUMBERS = 5
"""Of each kernel of minibatch discrimination, as in the paper's published code."""


class MinibatchDiscrimination(nn.Module):
    """How near each image lies to the others of its batch (Salimans et al. 2016, section 3.2): [N, F] -> [N, kernels].

    M_i = f(x_i) T, kernels × 5 numbers; o(x_i)_b = Σ_j exp(-‖M_ib - M_jb‖₁), j = i among them, which adds 1.
    Memory grows with N²: 100 images and 100 kernels take 20 MB.
    """

    def __init__(self, features: int, kernels: int) -> None:
        super().__init__()
        self.shape = (kernels, NUMBERS)
        self.tensor = nn.Linear(features, kernels * NUMBERS, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Sum over the batch."""
        m = self.tensor(features).view(-1, *self.shape)
        return torch.exp(-(m[:, None] - m[None]).abs().sum(3)).sum(1)


MIXING = (BatchNorm, MinibatchStd, MinibatchDiscrimination)
"""Layers through which what is said of one image depends on the others of its batch."""


class ClassTable(nn.Module):
    """A learned row of ``width`` numbers for each class; weights between classes give what lies between their rows."""

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(classes, width))

    def forward(self, condition: Tensor) -> Tensor:
        """Labels [N] or class weights [N, classes] -> rows [N, width]."""
        return class_weights(condition, len(self.weight), self.weight.dtype) @ self.weight


class Layers(nn.Sequential):
    """Layers in a row; those that ask for the class are told it."""

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Send ``x`` through all of them."""
        for layer in self:
            x = layer(x, condition) if isinstance(layer, BatchNorm) else layer(x)
        return x


class Logit(nn.Module):
    """The last layer of a discriminator: features [N, F] -> logits [N].

    With ``classes`` it adds the inner product of the features with a learned row of the class ("projection", Miyato
    and Koyama 2018, section 3): the logit says "real, and a picture of this class". With ``kernels`` it is told how
    near the image lies to the others of its batch.
    """

    def __init__(self, features: int, classes: int = 0, kernels: int = 0) -> None:
        super().__init__()
        self.closeness = MinibatchDiscrimination(features, kernels) if kernels else None
        features += kernels
        self.linear = nn.Linear(features, 1)
        self.table = ClassTable(classes, features) if classes else None

    def forward(self, features: Tensor, condition: Tensor | None = None) -> Tensor:
        """Give the logits, in single precision whatever the layers before computed in: losses are made of them."""
        with torch.autocast(features.device.type, enabled=False):
            features = features.to(self.linear.weight.dtype)
            if self.closeness is not None:
                features = torch.cat([features, self.closeness(features)], 1)
            if self.table is None:
                logits: Tensor = self.linear(features).squeeze(1)
                return logits
            assert condition is not None
            every = F.linear(features, torch.cat([self.linear.weight, self.table.weight]))  # [N, 1 + classes]
            own = class_weights(condition, every.shape[1] - 1, every.dtype) * every[:, 1:]
            return every[:, 0] + own.sum(1) + self.linear.bias


GeneratorLabel = Literal["one-hot", "embedding", "batch-norm"]
"""How a generator is told the class: one-hot behind the latent (Mirza and Osindero 2014), a learned row behind the
latent, or as the gains and offsets of its batch normalisation."""

DiscriminatorLabel = Literal["one-hot", "embedding", "projection"]
"""How a discriminator is told the class: one-hot behind the pixels, a learned row (for convolutions: one more
channel of the picture), or in its last layer (``Logit``)."""

EMBEDDING_WIDTH = 32


class WithClass(nn.Module):
    """Rows [N, D] (latents, pixels) -> rows with the class behind them [N, ``width``], where the class is told so.

    One-hot (Mirza and Osindero 2014), or as a learned row of 32 numbers ("embedding").
    """

    def __init__(self, label: GeneratorLabel, dim: int, classes: int) -> None:
        super().__init__()
        self.one_hot = classes if label == "one-hot" else 0
        embeds = classes > 0 and label == "embedding"
        self.table = ClassTable(classes, EMBEDDING_WIDTH) if embeds else None
        self.width = dim + self.one_hot + EMBEDDING_WIDTH * embeds

    def forward(self, rows: Tensor, condition: Tensor | None) -> Tensor:
        """Put the class behind each row, or nothing."""
        if self.table is not None:
            assert condition is not None
            return torch.cat([rows, self.table(condition)], 1)
        if self.one_hot:
            assert condition is not None
            return torch.cat([rows, class_weights(condition, self.one_hot, rows.dtype)], 1)
        return rows


class Fold(nn.Module):
    """Four neighbouring places travel as one of four times the channels: [N, C, H, W] -> [N, 4C, H/2, W/2].

    ``torch.nn.PixelUnshuffle(2)`` with its channels in another order, place by place. Torch's own takes one element
    at a time; here whole rows of channels move, which is several times as fast where planes are channels-last, and what
    comes out is channels-last. H and W must be even.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Fold."""
        n, c, h, w = x.shape
        places = x.permute(0, 2, 3, 1).reshape(n, h // 2, 2, w // 2, 2, c).transpose(2, 3)
        return places.reshape(n, h // 2, w // 2, 4 * c).permute(0, 3, 1, 2)


class Unfold(nn.Module):
    """The inverse of ``Fold``, [N, 4C, H, W] -> [N, C, 2H, 2W]: the periodic shuffling of Shi et al. 2016."""

    def forward(self, x: Tensor) -> Tensor:
        """Unfold."""
        n, c, h, w = x.shape
        places = x.permute(0, 2, 3, 1).reshape(n, h, w, 2, 2, c // 4).transpose(2, 3)
        return places.reshape(n, 2 * h, 2 * w, c // 4).permute(0, 3, 1, 2)


def channels_last(images: Tensor) -> Tensor:
    """Lay images [N, C, H, W] out pixel by pixel: what convolutions are fastest with, on processors and on GPUs."""
    return images.contiguous(memory_format=torch.channels_last)


def single(images: Tensor) -> Tensor:
    """Give images at least single precision, whatever the layers computed in: 8 bits of a bfloat16 are too few."""
    return images.to(torch.promote_types(images.dtype, torch.float32))


def crop(images: Tensor, height: int, width: int) -> Tensor:
    """Cut the middle out of images: nets that double a plane draw a little more than a side that is odd."""
    top, left = (images.shape[2] - height) // 2, (images.shape[3] - width) // 2
    return images[:, :, top : top + height, left : left + width]


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
