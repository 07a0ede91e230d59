"""The judge's network: a small convolutional classifier whose every stage can be looked at."""

import torch
from torch import Tensor, nn

FEATURE_DIM = 128
"""Width of the dense layer before the logits, on which the Fréchet distance is measured."""

IMAGE_SHAPE = (1, 28, 28)
"""The only shape the judge's network looks at: grey, 28×28."""


def _convolution(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class JudgeNetwork(nn.Module):
    """Classify 28×28 grey images: four 3×3 convolutions in three stages that end in a pool, then two dense layers.

    14.8 million multiplications per image, 278,000 parameters for ten classes.

    Args:
        classes: how many logits to give.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stage1 = nn.Sequential(_convolution(1, 32), nn.MaxPool2d(2))
        self.stage2 = nn.Sequential(_convolution(32, 64), _convolution(64, 64), nn.MaxPool2d(2))
        self.stage3 = nn.Sequential(_convolution(64, 128), nn.MaxPool2d(2))
        self.dense = nn.Sequential(nn.Linear(128 * 3 * 3, FEATURE_DIM, bias=False), nn.BatchNorm1d(FEATURE_DIM))
        self.logits = nn.Linear(FEATURE_DIM, classes)

    def activations(self, pixels: Tensor) -> dict[str, Tensor]:
        """Return every stage's output by name, first to last.

        Args:
            pixels: float [N, 1, 28, 28] in [0, 1].

        Returns:
            ``stage1`` [N, 32, 14, 14], ``stage2`` [N, 64, 7, 7], ``stage3`` [N, 128, 3, 3], ``dense`` (before ReLU) and
            ``features`` (after it) [N, 128], ``logits`` [N, classes].
        """
        stage1 = self.stage1(pixels)
        stage2 = self.stage2(stage1)
        stage3 = self.stage3(stage2)
        dense = self.dense(stage3.flatten(1))
        features = torch.relu(dense)
        logits = self.logits(features)
        return {
            "stage1": stage1,
            "stage2": stage2,
            "stage3": stage3,
            "dense": dense,
            "features": features,
            "logits": logits,
        }

    def forward(self, pixels: Tensor) -> Tensor:
        """Return logits [N, classes] for pixels [N, 1, 28, 28] in [0, 1]."""
        return self.activations(pixels)["logits"]
