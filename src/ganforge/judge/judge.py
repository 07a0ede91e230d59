"""A frozen judge at work: images in, classes, confidence and features out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ganforge.ambient import plain_state
from ganforge.data.images import ImageSet, scale
from ganforge.errors import UserError
from ganforge.judge.files import Card
from ganforge.judge.network import JudgeNetwork

Report = Callable[[int], None]
"""Told the number of images that were just looked at."""
Noun = Literal["digit", "class"]
"""What one of a judge's classes is called in a sentence."""
BLOCK = 100
"""Images looked at together: as fast as more of them, and a layer's planes take 10 MB for digits."""


@dataclass(frozen=True)
class Predictions:
    """What a judge saw in N images.

    Attributes:
        classes: int64 [N], the most likely class.
        confidence: float32 [N] in [0, 1], its softmax probability.
        features: float32 [N, 128], for the Fréchet distance and for recall.
        spread_features: float32 [N, 9 × the width of stage 1] (digits: 288), for the spread within a class;
            docs/judge.md says why these.
    """

    classes: Tensor
    confidence: Tensor
    features: Tensor
    spread_features: Tensor

    def __len__(self) -> int:
        return len(self.classes)


class Judge:
    """A frozen classifier of images of one shape; on one machine the same images give the same answer, bit for bit.

    Attributes:
        network: the frozen network.
        card: what its file says of it.
        hash: SHA-256 of its file: figures compare only between equal hashes.
        noun: what one of its classes is called in a sentence.
    """

    def __init__(self, network: JudgeNetwork, card: Card, file_hash: str, noun: Noun = "class") -> None:
        self.network = network
        self.card = card
        self.hash = file_hash
        self.noun = noun
        self._remembered: dict[str, Predictions] = {}

    @property
    def version(self) -> str:
        """Name and number of this judge, such as ``digits-1``."""
        return self.card.version

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, in index order."""
        return self.card.classes

    def numbered(self, labels: Tensor, class_names: Sequence[str]) -> Tensor:
        """Return labels (int64 [N], in the order of these names) as this judge numbers classes; -1 where it has none.

        Classes are the same where their names are: data of the digits 1 to 9 have the 1 for their first class.
        """
        if tuple(class_names) == self.class_names:
            return labels
        own = {name: number for number, name in enumerate(self.class_names)}
        numbers = torch.tensor([*(own.get(name, -1) for name in class_names), -1])  # the last one for unknown labels
        return numbers[labels.cpu()]

    @plain_state()
    def look(self, images: Tensor, report: Report | None = None) -> Predictions:
        """Judge uint8 images [N, C, H, W] of this judge's shape, N ≥ 1; ``report`` is called after each block.

        Raises:
            UserError: another type or shape, or no image.
        """
        shape = self.card.shape
        if images.dtype != torch.uint8 or images.ndim != 4 or tuple(images.shape[1:]) != shape or not len(images):
            wanted = ", ".join(map(str, shape))
            raise UserError(
                f"judge {self.version} looks at uint8 [N, {wanted}], these are {images.dtype} {list(images.shape)}"
            )
        seen = []
        for block in torch.split(images.cpu(), BLOCK):
            seen.append(self._look_at_block(block))
            if report:
                report(len(block))
        return Predictions(*(torch.cat(parts) for parts in zip(*seen, strict=True)))

    def look_at_set(self, images: ImageSet, report: Report | None = None) -> Predictions:
        """Judge a whole set as `look` does, once: what was seen is remembered for the last few sets."""
        if images.fingerprint not in self._remembered:
            while len(self._remembered) >= 3:
                del self._remembered[next(iter(self._remembered))]
            self._remembered[images.fingerprint] = self.look(images.images, report)
        return self._remembered[images.fingerprint]

    @torch.no_grad()
    def _look_at_block(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        stages = self.network.activations(scale(images, "0..1"))
        confidence, classes = stages["logits"].softmax(1).max(1)
        return classes, confidence, stages["features"], F.adaptive_avg_pool2d(stages["stage1"], 3).flatten(1)
