"""Features of a set of images, and the classes that a judge predicts for them."""

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganforge.data.images import ImageSet
from ganforge.errors import RunFailed, UserError
from ganforge.evaluation.identity import Unidentified, identity_of
from ganforge.files import cache_folder
from ganforge.judge.judge import Judge, OnProgress, Predictions
from ganforge.runs.checkpoint import Damaged, read_tensors, write_tensors

Extractor = Callable[[Tensor], Tensor]
"""A user's feature extractor: uint8 images [N, C, H, W], N ≤ 500, to features [N, F]."""

BLOCK = 500


@dataclass(frozen=True)
class Features:
    """Features of N images.

    Attributes:
        features: [N, F], for distances and neighbours.
        classes: int64 [N], the judge's predictions; None for a user's extractor.
        confidence: [N] in [0, 1], of these predictions; None for a user's extractor.
        spread_features: [N, S], for the spread within a class; None for a user's extractor.
        labels: int64 [N], the class requested of each fake or known of each real; None without labels.
    """

    features: Tensor
    classes: Tensor | None = None
    confidence: Tensor | None = None
    spread_features: Tensor | None = None
    labels: Tensor | None = None

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, rows: Tensor) -> "Features":
        """Return the features of these rows."""
        return Features(*(None if column is None else column[rows] for column in vars(self).values()))  # type: ignore[arg-type]


class FeatureExtractor:
    """A judge, or a user's own feature extractor.

    Attributes:
        name: its name in the protocol.
        hash: hash of the judge's file or of the user's extractor; metrics compare only under equal hashes. An extractor
            that cannot be identified gets a random hash, so that its metrics compare with no others.
        note: a remark for the report, mostly empty.
    """

    def __init__(self, judge: Judge | None = None, extractor: Extractor | None = None) -> None:
        if (judge is None) == (extractor is None):
            raise ValueError("give either a judge or an extractor")
        self.judge, self.extractor, self.note = judge, extractor, ""
        if judge is not None:
            self.name, self.hash = judge.version, judge.hash
        else:
            self.name = str(getattr(extractor, "__qualname__", type(extractor).__qualname__))
            self.hash, self.note = _identity(extractor)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the judge's classes; empty for a user's extractor."""
        return self.judge.class_names if self.judge else ()

    def look(self, images: Tensor, labels: Tensor | None = None, on_progress: OnProgress | None = None) -> Features:
        """Return the features of uint8 images [N, C, H, W]; ``labels`` are indices of the judge's classes (`numbered`).

        Raises:
            UserError: the judge cannot read such images, or the extractor returns no finite [N, F].
        """
        if self.judge is not None:
            return _from_predictions(self.judge.look(images, on_progress), labels)
        return Features(self._extract(images, on_progress), labels=_if_complete(labels))

    def look_at_set(self, images: ImageSet, on_progress: OnProgress | None = None) -> Features:
        """Return the features of a set of real images; a judge keeps them in memory for the next call."""
        if self.judge is not None:
            return _from_predictions(self.judge.look_at_set(images, on_progress), self.numbered(images))
        return self.look(images.images, self.numbered(images), on_progress)

    def numbered(self, images: ImageSet) -> Tensor:
        """Return the labels as indices of the judge's classes, matched by name; unchanged for a user's extractor."""
        return self.judge.numbered(images.labels, images.class_names) if self.judge else images.labels

    def _extract(self, images: Tensor, on_progress: OnProgress | None) -> Tensor:
        assert self.extractor is not None
        blocks = []
        for block in images.split(BLOCK):
            features = torch.as_tensor(np.asarray(self.extractor(block.cpu()))).detach()
            if features.ndim != 2 or len(features) != len(block) or not bool(torch.isfinite(features).all()):
                raise UserError(
                    f"extractor {self.name}: returned {list(features.shape)} for {len(block)} images; it must return "
                    "finite numbers, [N, F]"
                )
            blocks.append(features.float())
            if on_progress:
                on_progress(len(block))
        return torch.cat(blocks)


def _identity(extractor: Extractor | None) -> tuple[str, str]:
    """Return an extractor's hash and an empty note; for one without identity a random hash and a note why."""
    try:
        return identity_of(extractor), ""
    except Unidentified as reason:
        note = f"the extractor holds {reason}, which cannot be identified: its metrics compare with no other evaluation"
        return secrets.token_hex(32), note


def _from_predictions(predictions: Predictions, labels: Tensor | None) -> Features:
    return Features(
        predictions.features,
        predictions.classes,
        predictions.confidence,
        predictions.spread_features,
        _if_complete(labels),
    )


def _if_complete(labels: Tensor | None) -> Tensor | None:
    """Return the labels if every image has one, else None."""
    return None if labels is None or not len(labels) or int(labels.min()) < 0 else labels


def kept_features(extractor: FeatureExtractor, images: ImageSet, on_progress: OnProgress | None = None) -> Tensor:
    """Return the features [N, F] of a large set that every evaluation needs: the training images.

    A judge's features are kept in the cache folder, under the judge's hash and the fingerprint of the images.
    """
    if extractor.judge is None:
        return extractor.look(images.images, on_progress=on_progress).features
    file = cache_folder() / "features" / f"{extractor.hash[:16]}-{images.fingerprint[:16]}.safetensors"
    try:
        return read_tensors(file)[0]["features"]
    except (Damaged, OSError, KeyError):
        features = extractor.look(images.images, on_progress=on_progress).features
        with suppress(OSError, RunFailed):  # without a cache the features are computed again next time
            file.parent.mkdir(parents=True, exist_ok=True)
            write_tensors(file, {"features": features}, {})
        return features
