"""The features that published FIDs are taken on, for those who have the weights."""

import hashlib
from pathlib import Path

import torch
from torch import Tensor

from ganforge.errors import UserError
from ganforge.evaluation.features import Extractor

LAYER = "2048"


def inception(weights: Path) -> Extractor:
    """Return the 2048 features of the Inception network of 2015, as the library torch-fidelity computes them.

    Grey pictures are given three equal channels; the library scales to 299×299 as TensorFlow did then. On small grey
    images such features mean little (docs/measuring.md); a Fréchet distance on them is what tables call FID. They
    are slow: some tens of pictures a second on a processor.

    Args:
        weights: the library's file of weights (weights-inception-2015-12-05-6726825d.pth). It is read as tensors only.

    Raises:
        UserError: the library is not there, or the file is not its weights.
    """
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except (ImportError, RuntimeError) as missing:  # torchvision beside another torch raises RuntimeError
        raise UserError(
            f"--inception needs the library torch-fidelity and the torchvision of your torch ({missing}): "
            "pip install torch-fidelity torchvision"
        ) from None
    try:
        hash_ = hashlib.sha256(weights.read_bytes()).hexdigest()
        torch.load(weights, map_location="cpu", weights_only=True)  # the library's own reading unpickles anything
        network = FeatureExtractorInceptionV3(
            "inception-v3-compat", [LAYER], feature_extractor_weights_path=str(weights)
        )
    except OSError as error:
        raise UserError(f"{weights} cannot be read: {error.strerror}") from None
    except Exception as error:
        words = str(error).splitlines()[0]
        raise UserError(f"{weights} is no file of Inception weights of torch-fidelity: {words}") from None
    network.eval()

    @torch.no_grad()
    def features(images: Tensor) -> Tensor:
        found: Tensor = network(images.expand(-1, 3, -1, -1).contiguous())[0]
        return found

    features.__qualname__ = f"inception-2015-{hash_[:8]}"
    return features
