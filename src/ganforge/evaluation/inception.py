"""Inception features, on which published FIDs are computed; the user supplies the weights."""

import hashlib
from pathlib import Path

import torch
from torch import Tensor

from ganforge.errors import UserError
from ganforge.evaluation.features import Extractor

LAYER = "2048"


def inception(weights: Path) -> Extractor:
    """Return an extractor of the 2048 features of the 2015 Inception network, as torch-fidelity computes them.

    Grey images are repeated to three channels; the library resizes to 299×299 as TensorFlow did in 2015. FID is the
    Fréchet distance on these features, which mean little on small grey images (docs/measuring.md). A CPU computes
    some tens of images a second.

    Args:
        weights: weights file of torch-fidelity (weights-inception-2015-12-05-6726825d.pth), loaded as tensors only.

    Raises:
        UserError: torch-fidelity is not installed, or the file does not hold its weights.
    """
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except (ImportError, RuntimeError) as missing:  # RuntimeError: torchvision built for another torch
        raise UserError(
            f"--inception needs the library torch-fidelity and the torchvision of your torch ({missing}): "
            "pip install torch-fidelity torchvision"
        ) from None
    try:
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()
        torch.load(weights, map_location="cpu", weights_only=True)  # the library itself would unpickle anything
        network = FeatureExtractorInceptionV3(
            "inception-v3-compat", [LAYER], feature_extractor_weights_path=str(weights)
        )
    except OSError as error:
        raise UserError(
            f"{weights} cannot be read: {error.strerror}; give the weights file of torch-fidelity"
        ) from None
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{weights} holds no Inception weights of torch-fidelity: {reason}") from None
    network.eval()

    @torch.no_grad()
    def features(images: Tensor) -> Tensor:
        output: Tensor = network(images.expand(-1, 3, -1, -1).contiguous())[0]
        return output

    features.__qualname__ = f"inception-2015-{digest[:8]}"
    return features
