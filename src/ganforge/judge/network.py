"""The judge's network: a small convolutional classifier that returns the activations of every stage."""

import torch
from torch import Tensor, nn

FEATURE_DIM = 128
"""Width of the dense layer before the logits, on which the Fréchet distance is measured."""

IMAGE_SHAPE = (1, 28, 28)
"""Image shape of the judge of handwritten digits: grey, 28×28."""

Layers = tuple[tuple[int, ...], ...]
"""Output channels of every convolution, stage by stage; each stage ends in a pool that halves height and width."""

DIGIT_LAYERS: Layers = ((32,), (64, 64), (128,))
COLOUR_LAYERS: Layers = ((32,), (64,), (128, 128), (256,))
LARGE = 40
"""From this height and width, images pass one more stage first, which halves them."""


def fitting_layers(shape: tuple[int, int, int]) -> Layers:
    """Return the layers for images [C, H, W] of 8 to 64 pixels a side: more of them for colour and for large images."""
    channels, height, width = shape
    layers = DIGIT_LAYERS if channels == 1 else COLOUR_LAYERS
    # an image of 8 pixels has one pixel left after three stages
    layers = layers[:3] if min(height, width) < 16 else layers
    return ((16,), *layers) if min(height, width) >= LARGE else layers


def _convolution(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


def _stage(inputs: int, widths: tuple[int, ...]) -> nn.Sequential:
    pairs = zip((inputs, *widths), widths, strict=False)
    return nn.Sequential(*(_convolution(before, after) for before, after in pairs), nn.MaxPool2d(2))


class JudgeNetwork(nn.Module):
    """Classify images: 3×3 convolutions in stages that end in a pool, then two dense layers.

    The network for ten digits has four convolutions in three stages, 278,000 parameters and 14.8 million
    multiplications per image.

    Args:
        classes: number of logits.
        shape: channels, height and width of the images.
        layers: the stages; default those of the judge of digits.
    """

    def __init__(self, classes: int, shape: tuple[int, int, int] = IMAGE_SHAPE, layers: Layers = DIGIT_LAYERS) -> None:
        super().__init__()
        inputs, height, width = shape
        self.stages = [f"stage{number}" for number in range(1, len(layers) + 1)]
        for name, widths in zip(self.stages, layers, strict=True):
            self.add_module(name, _stage(inputs, widths))
            inputs, height, width = widths[-1], height // 2, width // 2
        self.dense = nn.Sequential(
            nn.Linear(inputs * height * width, FEATURE_DIM, bias=False), nn.BatchNorm1d(FEATURE_DIM)
        )
        self.logits = nn.Linear(FEATURE_DIM, classes)

    def activations(self, pixels: Tensor) -> dict[str, Tensor]:
        """Return every stage's output by name, first to last.

        Args:
            pixels: float [N, C, H, W] in [0, 1].

        Returns:
            ``stage1`` and so on (of digits: [N, 32, 14, 14], [N, 64, 7, 7], [N, 128, 3, 3]), ``dense`` (before ReLU)
            and ``features`` (after it) [N, 128], ``logits`` [N, classes].
        """
        outputs, x = {}, pixels
        for name in self.stages:
            outputs[name] = x = self.get_submodule(name)(x)
        dense = self.dense(x.flatten(1))
        features = torch.relu(dense)
        return {**outputs, "dense": dense, "features": features, "logits": self.logits(features)}

    def forward(self, pixels: Tensor) -> Tensor:
        """Return logits [N, classes] for pixels [N, C, H, W] in [0, 1]."""
        return self.activations(pixels)["logits"]
