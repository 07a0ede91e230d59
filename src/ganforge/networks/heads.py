"""The last layers of discriminators: all that they say of an image, and how near images of a batch lie."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import NonNegativeInt
from torch import Tensor, nn

from ganforge.networks.conditioning import ClassEmbedding, class_weights
from ganforge.networks.encoder_head import Encoding
from ganforge.networks.memory_layout import to_float32
from ganforge.networks.normalisation import WeightNormLinear
from ganforge.settings import Settings


@dataclass(frozen=True)
class DiscriminatorOutput:
    """What a discriminator says of N images.

    Attributes:
        logits: [N], positive where it takes the image for real; sigmoid(logits) is D(x).
        features: [N, F], what its last layer makes the logits of.
        class_logits: [N, K], which class it takes the image for; None where it is not asked.
        codes: [N, C], what it reads of the latent's codes; None where the latent has none.
    """

    logits: Tensor
    features: Tensor
    class_logits: Tensor | None = None
    codes: Tensor | None = None

    def split(self, sizes: Sequence[int]) -> "list[DiscriminatorOutput]":
        """Cut what was said of several batches together into what was said of each; ``sizes``: of logits."""
        columns = (self.logits, self.features, self.class_logits, self.codes)
        pieces = [[None] * len(sizes) if column is None else column.split(list(sizes)) for column in columns]
        return [DiscriminatorOutput(*of_one) for of_one in zip(*pieces, strict=True)]


class HeadSettings(Settings):
    """What a discriminator is asked besides "real?", and what its last layer is told.

    ``minibatch_kernels``: how near an image lies to the others of its batch, by so many kernels. ``classifier``:
    whether it says which class an image shows: "beside" its logit (Odena et al. 2017, AC-GAN), or "instead", where
    "fake" is one more class whose logit is 0, so that the logit of "real" is log Σ exp of the K others (Salimans et
    al. 2016, section 5), "projection": by the inner products with its rows that projection adds to its logit, in whose
    derivation they are logits of the class (Miyato and Koyama 2018, section 3).
    """

    minibatch_kernels: NonNegativeInt = 0
    classifier: Literal["none", "beside", "instead", "projection"] = "none"


@dataclass(frozen=True)
class HeadSpec:
    """What the recipe and the data ask of a discriminator: so many classes to tell apart, so many codes to read."""

    classes: int = 0
    codes: int = 0


HeadOutput = DiscriminatorOutput | Encoding
HeadFactory = Callable[[int, int], nn.Module]
"""Makes the last layers of a net that looks at images, of its number of features and of classes they are told."""


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
        numbers = self.tensor(features).view(-1, *self.shape).permute(2, 1, 0).contiguous()  # [5, kernels, N]
        # one number after the other: over the last axis of [N, N, kernels, 5] a step takes half as long again
        apart = reduce(torch.add, [(m[:, :, None] - m[:, None, :]).abs() for m in numbers])
        return torch.exp(-apart).sum(2).T


class Logit(nn.Module):
    """What a discriminator says to "real?": features [N, F] -> logits [N].

    With ``classes`` it adds the inner product of the features with a learned row of the class ("projection", Miyato
    and Koyama 2018, section 3): the logit says "real, and a picture of this class".
    """

    def __init__(self, features: int, classes: int = 0) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1)
        self.table = ClassEmbedding(classes, features) if classes else None

    def forward(self, features: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Give the logits, and the inner products with the rows of all classes [N, classes]."""
        if self.table is None:
            return self.linear(features).squeeze(1), None
        assert condition is not None
        every = F.linear(features, torch.cat([self.linear.weight, self.table.weight]))  # [N, 1 + classes]
        own = class_weights(condition, every.shape[1] - 1, every.dtype) * every[:, 1:]
        return every[:, 0] + own.sum(1) + self.linear.bias, every[:, 1:]


CODE_WIDTH = 128
"""Of the layer between the features and the codes (Chen et al. 2016, appendix C.1)."""


class Heads(nn.Module):
    """The last layers of a discriminator: features [N, F] -> all that it says, in single precision.

    ``rows``: the class logits come from `WeightNormLinear` rows of learned lengths. Without them, Adam turns the few
    rows as much at the end as in the beginning, and classes with few labelled images run into each other after some
    20,000 steps (docs/lab/benchmarks.md).
    """

    def __init__(
        self, features: int, told: int, settings: HeadSettings, asked: HeadSpec, *, rows: bool = False
    ) -> None:
        super().__init__()
        kernels = settings.minibatch_kernels
        self.closeness = MinibatchDiscrimination(features, kernels) if kernels else None
        features += kernels
        self.instead = settings.classifier == "instead"
        self.logit = None if self.instead else Logit(features, told)
        dense = partial(WeightNormLinear, learned=True) if rows else nn.Linear
        self.by_projection = settings.classifier == "projection"
        asks = settings.classifier in ("beside", "instead")
        self.classifier = dense(features, asked.classes) if asks else None
        self.codes: nn.Sequential | None = None
        if asked.codes:
            last = nn.Linear(CODE_WIDTH, asked.codes)
            self.codes = nn.Sequential(nn.Linear(features, CODE_WIDTH), nn.LeakyReLU(0.1), last)

    def forward(self, features: Tensor, condition: Tensor | None = None) -> DiscriminatorOutput:
        """Say it; losses are made of it, so it is in single precision whatever the layers before computed in."""
        with torch.autocast(features.device.type, enabled=False):
            x = features = to_float32(features)
            if self.closeness is not None:
                x = torch.cat([x, self.closeness(x)], 1)
            class_logits = self.classifier(x) if self.classifier is not None else None
            codes = self.codes(x) if self.codes is not None else None
            if self.logit is not None:
                logits, of_classes = self.logit(x, condition)
                class_logits = of_classes if self.by_projection else class_logits
            else:
                assert class_logits is not None
                logits = class_logits.logsumexp(1)
            return DiscriminatorOutput(logits, features, class_logits, codes)
