"""A frozen judge: classes, confidence and features of images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ganforge.data.images import ImageSet, scale
from ganforge.errors import UserError
from ganforge.judge.files import Card
from ganforge.judge.network import JudgeNetwork
from ganforge.metrics.measurement import Noun
from ganforge.process_state import plain_state

OnProgress = Callable[[int], None]
"""Called with the number of images just processed."""
BLOCK = 100
"""Images per forward pass: larger blocks are no faster, and a layer's activations take 10 MB for digits."""


@dataclass(frozen=True)
class Predictions:
    """Predictions and features of a judge for N images.

    Attributes:
        classes: int64 [N], the most likely class.
        confidence: float32 [N] in [0, 1], its softmax probability.
        features: float32 [N, 128], for the Fréchet distance, precision and recall.
        spread_features: float32 [N, 9 × the width of stage 1] (digits: 288), for the spread within a class;
            docs/judge.md gives the reason for this layer.
    """

    classes: Tensor
    confidence: Tensor
    features: Tensor
    spread_features: Tensor

    def __len__(self) -> int:
        return len(self.classes)


class Judge:
    """A frozen classifier of images of one shape; on one machine its predictions are bit-identical.

    Attributes:
        network: the frozen network.
        card: metadata of its file.
        hash: SHA-256 of its file; metrics compare only under equal hashes.
        noun: word for one of its classes in a sentence.
    """

    def __init__(self, network: JudgeNetwork, card: Card, file_hash: str, noun: Noun = "class") -> None:
        self.network = network
        self.card = card
        self.hash = file_hash
        self.noun = noun
        self._cache: dict[str, Predictions] = {}

    @property
    def version(self) -> str:
        """Name of this judge, such as ``digits-1``."""
        return self.card.version

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in index order."""
        return self.card.classes

    def numbered(self, labels: Tensor, class_names: Sequence[str]) -> Tensor:
        """Return labels (int64 [N], indices of ``class_names``) as indices of this judge's classes; -1 if unknown.

        Classes are matched by name: in data of the digits 1 to 9, label 0 means the digit 1.
        """
        if tuple(class_names) == self.class_names:
            return labels
        own = {name: number for number, name in enumerate(self.class_names)}
        numbers = torch.tensor(
            [*(own.get(name, -1) for name in class_names), -1]
        )  # the last entry is for unknown labels (-1)
        return numbers[labels.cpu()]

    @plain_state()
    def look(self, images: Tensor, on_progress: OnProgress | None = None) -> Predictions:
        """Classify uint8 images [N, C, H, W] of this judge's shape, N ≥ 1; ``on_progress`` is called after each block.

        Raises:
            UserError: images of another type or shape, or none.
        """
        shape = self.card.shape
        if images.dtype != torch.uint8 or images.ndim != 4 or tuple(images.shape[1:]) != shape or not len(images):
            expected = ", ".join(map(str, shape))
            raise UserError(
                f"judge {self.version} needs uint8 [N, {expected}], these are {images.dtype} {list(images.shape)}"
            )
        predictions = []
        for block in torch.split(images.cpu(), BLOCK):
            predictions.append(self._classify_block(block))
            if on_progress:
                on_progress(len(block))
        return Predictions(*(torch.cat(parts) for parts in zip(*predictions, strict=True)))

    def look_at_set(self, images: ImageSet, on_progress: OnProgress | None = None) -> Predictions:
        """Classify a set as `look` does; the predictions of the last three sets are cached by fingerprint."""
        if images.fingerprint not in self._cache:
            while len(self._cache) >= 3:
                del self._cache[next(iter(self._cache))]
            self._cache[images.fingerprint] = self.look(images.images, on_progress)
        return self._cache[images.fingerprint]

    @torch.no_grad()
    def _classify_block(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        stages = self.network.activations(scale(images, "0..1"))
        confidence, classes = stages["logits"].softmax(1).max(1)
        return classes, confidence, stages["features"], F.adaptive_avg_pool2d(stages["stage1"], 3).flatten(1)
