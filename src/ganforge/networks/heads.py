"""The last layers of discriminators: logit, class logits, codes, and minibatch discrimination."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field, NonNegativeInt
from torch import Tensor, nn

from ganforge.networks.conditioning import ClassEmbedding, class_weights
from ganforge.networks.encoder_head import Encoding
from ganforge.networks.memory_layout import to_float32
from ganforge.networks.normalisation import WeightNormLinear
from ganforge.settings import MOST_FILTERS, Settings
from ganforge.whole_batch import gather


@dataclass(frozen=True)
class DiscriminatorOutput:
    """A discriminator's output for N images.

    Attributes:
        logits: [N], positive for "real"; sigmoid(logits) is D(x).
        features: [N, F], the input features of the last layer.
        class_logits: [N, K]; None without a classifier.
        codes: [N, C], the predicted latent codes; None where the latent has no codes.
    """

    logits: Tensor
    features: Tensor
    class_logits: Tensor | None = None
    codes: Tensor | None = None

    def split(self, sizes: Sequence[int]) -> "list[DiscriminatorOutput]":
        """Split the joint output for several batches into one output each; ``sizes`` are their numbers of logits."""
        fields = (self.logits, self.features, self.class_logits, self.codes)
        parts = [[None] * len(sizes) if field is None else field.split(list(sizes)) for field in fields]
        return [DiscriminatorOutput(*batch) for batch in zip(*parts, strict=True)]


class HeadSettings(Settings):
    """Recipe fields for the last layers of a discriminator.

    ``minibatch_kernels`` is the number of kernels of minibatch discrimination. ``classifier`` selects the class logits:

    - "auxiliary": an auxiliary classifier next to the logit (Odena et al. 2017, AC-GAN).
    - "k_plus_one": "fake" is one more class whose logit is 0, so the logit of "real" is log Σ exp of the K class logits
      (Salimans et al. 2016, section 5).
    - "projection": the inner products of the features with the class embeddings of the projection, which are class
      logits in its derivation (Miyato and Koyama 2018, section 3).
    """

    minibatch_kernels: NonNegativeInt = Field(
        0, le=MOST_FILTERS, description="kernels of minibatch discrimination; 0: none"
    )
    classifier: Literal["none", "auxiliary", "k_plus_one", "projection"] = Field(
        "none", description="class logits: auxiliary, with 'fake' as one more class, or from the projection"
    )


@dataclass(frozen=True)
class HeadSpec:
    """Output sizes of a discriminator besides its logit: number of class logits and width of the codes."""

    classes: int = 0
    codes: int = 0


HeadOutput = DiscriminatorOutput | Encoding
HeadFactory = Callable[[int, int], Callable[..., HeadOutput]]
"""Builds the last layers from the number of features and the number of condition classes (0: unconditional)."""


NUMBERS = 5
"""Numbers per kernel of minibatch discrimination, as in the paper's published code."""


class MinibatchDiscrimination(nn.Module):
    """Closeness of each image to the others of its batch (Salimans et al. 2016, section 3.2): [N, F] -> [N, kernels].

    M_i = f(x_i) T, kernels × 5 numbers; o(x_i)_b = Σ_j exp(-‖M_ib - M_jb‖₁), including j = i, which adds 1.
    Memory grows with N²: 100 images and 100 kernels take 20 MB.
    """

    def __init__(self, features: int, kernels: int) -> None:
        super().__init__()
        self.shape = (kernels, NUMBERS)
        self.tensor = nn.Linear(features, kernels * NUMBERS, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Sum the closeness over the batch."""
        own = len(features)
        projected = gather(self.tensor(features)).view(-1, *self.shape).permute(2, 1, 0).contiguous()  # [5, kernels, N]
        # number by number: a sum over the last axis of [N, N, kernels, 5] makes a step half as long again
        distances = reduce(torch.add, [(m[:, :own, None] - m[:, None, :]).abs() for m in projected])
        return torch.exp(-distances).sum(2).T


class Logit(nn.Module):
    """The logit of "real": features [N, F] -> logits [N].

    With ``classes`` the inner product of the features with a learned embedding of the class is added (projection,
    Miyato and Koyama 2018, section 3): the logit is that of "a real image of this class".
    """

    def __init__(self, features: int, classes: int = 0) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1)
        self.table = ClassEmbedding(classes, features) if classes else None

    def forward(self, features: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Return the logits, and the inner products with the embeddings of all classes [N, classes]."""
        if self.table is None:
            return self.linear(features).squeeze(1), None
        assert condition is not None
        products = F.linear(features, torch.cat([self.linear.weight, self.table.weight]))  # [N, 1 + classes]
        weighted = class_weights(condition, products.shape[1] - 1, products.dtype) * products[:, 1:]
        return products[:, 0] + weighted.sum(1) + self.linear.bias, products[:, 1:]


CODE_WIDTH = 128
"""Width of the hidden layer between features and codes (Chen et al. 2016, appendix C.1)."""


class Heads(nn.Module):
    """The last layers of a discriminator: features [N, F] -> DiscriminatorOutput, in single precision.

    ``weight_norm``: the classifier is a `WeightNormLinear` with learned gains. With a plain layer, Adam turns the few
    weight rows as fast at the end as at the start, and classes with few labelled images merge after some 20,000
    steps (docs/lab/benchmarks.md).
    """

    def __init__(
        self, features: int, classes: int, settings: HeadSettings, spec: HeadSpec, *, weight_norm: bool = False
    ) -> None:
        super().__init__()
        kernels = settings.minibatch_kernels
        self.closeness = MinibatchDiscrimination(features, kernels) if kernels else None
        features += kernels
        self.k_plus_one = settings.classifier == "k_plus_one"
        self.logit = None if self.k_plus_one else Logit(features, classes)
        dense = partial(WeightNormLinear, learned=True) if weight_norm else nn.Linear
        self.by_projection = settings.classifier == "projection"
        separate = settings.classifier in ("auxiliary", "k_plus_one")
        self.classifier = dense(features, spec.classes) if separate else None
        self.codes: nn.Sequential | None = None
        if spec.codes:
            last = nn.Linear(CODE_WIDTH, spec.codes)
            self.codes = nn.Sequential(nn.Linear(features, CODE_WIDTH), nn.LeakyReLU(0.1), last)

    def forward(self, features: Tensor, condition: Tensor | None = None) -> DiscriminatorOutput:
        """Compute all outputs in single precision, for the losses, whatever the precision of the layers before."""
        with torch.autocast(features.device.type, enabled=False):
            x = features = to_float32(features)
            if self.closeness is not None:
                x = torch.cat([x, self.closeness(x)], 1)
            class_logits = self.classifier(x) if self.classifier is not None else None
            codes = self.codes(x) if self.codes is not None else None
            if self.logit is not None:
                logits, projections = self.logit(x, condition)
                class_logits = projections if self.by_projection else class_logits
            else:
                assert class_logits is not None
                logits = class_logits.logsumexp(1)
            return DiscriminatorOutput(logits, features, class_logits, codes)
