"""The frozen judge of handwritten digits: images in, classes, confidence and features out."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ganforge.data.images import ImageSet, scale
from ganforge.errors import UserError
from ganforge.judge.network import IMAGE_SHAPE, JudgeNetwork
from ganforge.judge.storage import Card, read_judge

DIGITS_FILE = Path(__file__).parent / "digits-1.safetensors"
DIGITS_HASH = "b2cd85c69af6568c3f30ecacc46b98d3dc7d9e54c337df272cb5d079cf5359d1"
Report = Callable[[int], None]
BLOCK = 500
"""Images looked at together: enough to keep two cores busy, few enough for 100 MB."""


@dataclass(frozen=True)
class Seen:
    """What a judge saw in N images.

    Attributes:
        classes: int64 [N], the most likely class.
        confidence: float32 [N] in [0, 1], its softmax probability.
        features: float32 [N, 128], for the Fréchet distance.
        spread_features: float32 [N, 288], for the spread within a class; docs/judge.md says why these.
    """

    classes: Tensor
    confidence: Tensor
    features: Tensor
    spread_features: Tensor

    def __len__(self) -> int:
        return len(self.classes)


class Judge:
    """A frozen classifier of 28×28 grey images; on one machine the same images give the same answer, bit for bit.

    Attributes:
        network: the frozen network.
        card: what its file says of it.
        hash: SHA-256 of its file: figures compare only between equal hashes.
    """

    def __init__(self, network: JudgeNetwork, card: Card, file_hash: str) -> None:
        self.network = network
        self.card = card
        self.hash = file_hash
        self._remembered: dict[str, Seen] = {}

    @property
    def version(self) -> str:
        """Name and number of this judge, such as ``digits-1``."""
        return self.card.version

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, in index order."""
        return self.card.classes

    def look(self, images: Tensor, report: Report | None = None) -> Seen:
        """Judge uint8 images [N, 1, 28, 28], N ≥ 1; ``report`` is told the number of images after each block.

        Raises:
            UserError: another type or shape, or no image.
        """
        if images.dtype != torch.uint8 or images.ndim != 4 or tuple(images.shape[1:]) != IMAGE_SHAPE or not len(images):
            raise UserError(
                f"judge {self.version} looks at uint8 [N, 1, 28, 28], these are {images.dtype} {list(images.shape)}"
            )
        seen = []
        for block in torch.split(images.cpu(), BLOCK):
            seen.append(self._look_at_block(block))
            if report:
                report(len(block))
        return Seen(*(torch.cat(parts) for parts in zip(*seen, strict=True)))

    def look_at_set(self, images: ImageSet, report: Report | None = None) -> Seen:
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


@cache
def load_judge(path: Path | None = None) -> Judge:
    """Return the judge of handwritten digits that ships with ganforge, or the one in the file ``path``.

    The shipped file's SHA-256 is checked, so that figures of two machines are figures of one judge.

    Raises:
        UserError: the file is missing, is no judge, or is not the one that was shipped.
    """
    return Judge(*(read_judge(DIGITS_FILE, DIGITS_HASH) if path is None else read_judge(path)))
