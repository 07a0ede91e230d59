"""One set of pictures as the figures see it: features of each, and what a judge reads."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganforge.data.images import ImageSet
from ganforge.errors import RunFailed, UserError
from ganforge.evaluation.identity import Unidentified, identity_of
from ganforge.files import cache_folder
from ganforge.judge.judge import Judge, Predictions, Report
from ganforge.runs.checkpoint import Damaged, read_tensors, write_tensors

Extractor = Callable[[Tensor], Tensor]
"""A user's own features: uint8 images [N, C, H, W] to [N, F]; it is given blocks of at most 500."""

BLOCK = 500


@dataclass(frozen=True)
class Features:
    """N pictures as they are measured.

    Attributes:
        features: [N, F], for distances and neighbours.
        classes: int64 [N], what the judge reads; None where an extractor looks, which reads nothing.
        confidence: [N] in [0, 1]; None likewise.
        spread_features: [N, S], for the spread within a class; None likewise.
        labels: int64 [N], the class asked of each fake or known of each real; None where there is none.
    """

    features: Tensor
    classes: Tensor | None = None
    confidence: Tensor | None = None
    spread_features: Tensor | None = None
    labels: Tensor | None = None

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, rows: Tensor) -> "Features":
        """Return some of the pictures."""
        return Features(*(None if column is None else column[rows] for column in vars(self).values()))  # type: ignore[arg-type]


class FeatureExtractor:
    """Who looks: a judge, or a user's own extractor.

    Attributes:
        name: what to call it; part of the protocol.
        hash: of the judge's file, or the extractor's identity: figures compare only between equal ones. An extractor
            that cannot be identified has another one every time, so that its figures compare with no others.
        note: what a reader must know of it; nothing in most cases.
    """

    def __init__(self, judge: Judge | None = None, extractor: Extractor | None = None) -> None:
        if (judge is None) == (extractor is None):
            raise ValueError("give a judge or an extractor")
        self.judge, self.extractor, self.note = judge, extractor, ""
        if judge is not None:
            self.name, self.hash = judge.version, judge.hash
        else:
            self.name = str(getattr(extractor, "__qualname__", type(extractor).__qualname__))
            self.hash, self.note = _identity(extractor)

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the classes are called that it reads; empty for an extractor."""
        return self.judge.class_names if self.judge else ()

    def look(self, images: Tensor, labels: Tensor | None = None, report: Report | None = None) -> Features:
        """Look at uint8 images [N, C, H, W]; ``labels`` are numbered as the judge's classes (`numbered`).

        Raises:
            UserError: the judge does not read such images, or the extractor gives no finite [N, F].
        """
        if self.judge is not None:
            return _view(self.judge.look(images, report), labels)
        return Features(self._extract(images, report), labels=_if_known(labels))

    def look_at_set(self, images: ImageSet, report: Report | None = None) -> Features:
        """Look at a set of real images, once: who chose the judge has shown it the test images already."""
        if self.judge is not None:
            return _view(self.judge.look_at_set(images, report), self.numbered(images))
        return self.look(images.images, self.numbered(images), report)

    def numbered(self, images: ImageSet) -> Tensor:
        """Return the labels of images as the judge numbers classes, by their names; an extractor has no numbers."""
        return self.judge.numbered(images.labels, images.class_names) if self.judge else images.labels

    def _extract(self, images: Tensor, report: Report | None) -> Tensor:
        assert self.extractor is not None
        blocks = []
        for block in images.split(BLOCK):
            features = torch.as_tensor(np.asarray(self.extractor(block.cpu()))).detach()
            if features.ndim != 2 or len(features) != len(block) or not bool(torch.isfinite(features).all()):
                raise UserError(
                    f"extractor {self.name}: gave {list(features.shape)} for {len(block)} images; it must give finite "
                    "numbers, [N, F]"
                )
            blocks.append(features.float())
            if report:
                report(len(block))
        return torch.cat(blocks)


def _identity(extractor: Extractor | None) -> tuple[str, str]:
    """Return an extractor's hash, and a note where it has none that says what it is."""
    try:
        return identity_of(extractor), ""
    except Unidentified as what:
        note = f"the extractor holds {what}, which cannot be identified: its figures compare with no other evaluation"
        return secrets.token_hex(32), note


def _view(seen: Predictions, labels: Tensor | None) -> Features:
    return Features(seen.features, seen.classes, seen.confidence, seen.spread_features, _if_known(labels))


def _if_known(labels: Tensor | None) -> Tensor | None:
    """Return labels where every picture has one."""
    return None if labels is None or not len(labels) or int(labels.min()) < 0 else labels


def kept_features(eye: FeatureExtractor, images: ImageSet, report: Report | None = None) -> Tensor:
    """Return the features [N, F] of a large set that is looked at again and again: training images.

    Those of a judge are kept in the cache folder, under the judge's hash and the images' fingerprint.
    """
    if eye.judge is None:
        return eye.look(images.images, report=report).features
    file = cache_folder() / "features" / f"{eye.hash[:16]}-{images.fingerprint[:16]}.safetensors"
    try:
        return read_tensors(file)[0]["features"]
    except (Damaged, OSError, KeyError):
        features = eye.look(images.images, report=report).features
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_tensors(file, {"features": features}, {})
        except (OSError, RunFailed):
            pass  # what cannot be kept is looked at again next time
        return features
