"""A GAN on one page: plain PyTorch, nothing hidden. `ganforge train vanilla` plays exactly this game.

Two nets play against each other. The generator turns noise z into pictures. The discriminator says of a picture how
likely it is real: D(x), between 0 and 1. The discriminator learns to tell real digits from the generator's; the
generator learns to be taken for real. A test holds this page against ganforge: same start, same weights after 20 steps.

    pip install torch numpy
    python one_page_gan.py folder/with/train-images-idx3-ubyte.gz
"""

import gzip
import sys
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

NOISE, HIDDEN, PIXELS, BATCH = 128, 256, 28 * 28, 100


def make_players() -> tuple[nn.Sequential, nn.Sequential]:
    """Two nets of two layers each; weights start at N(0, 0.01), biases at 0."""
    generator = nn.Sequential(nn.Linear(NOISE, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, PIXELS), nn.Sigmoid())
    # The last layer gives a logit; D(x) = sigmoid(logit), and the sigmoid is inside the cross-entropy.
    discriminator = nn.Sequential(nn.Linear(PIXELS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1))
    for layer in [*generator, *discriminator]:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
    return generator, discriminator


def make_optimizers(generator: nn.Module, discriminator: nn.Module) -> tuple[torch.optim.Adam, torch.optim.Adam]:
    """Each player has its own: neither may change the other's weights."""
    return torch.optim.Adam(generator.parameters(), lr=2e-4), torch.optim.Adam(discriminator.parameters(), lr=2e-4)


def play_one_step(
    generator: nn.Module,
    discriminator: nn.Module,
    optimizers: tuple[torch.optim.Adam, torch.optim.Adam],
    real: Tensor,
    noise: Tensor,
) -> tuple[float, float]:
    """One round of the game on real pictures [N, 784] in [0, 1] and noise [N, 128]; returns both losses."""
    generator_optimizer, discriminator_optimizer = optimizers
    ones, zeros = torch.ones_like(real[:, :1]), torch.zeros_like(real[:, :1])

    # The discriminator's turn: "real" for real pictures, "fake" for the generator's.
    # It maximises log D(x) + log(1 - D(G(z))). detach(): the generator is not to learn now.
    fake = generator(noise)
    d_loss = cross_entropy(discriminator(real), ones) + cross_entropy(discriminator(fake.detach()), zeros)
    discriminator_optimizer.zero_grad()
    d_loss.backward()
    discriminator_optimizer.step()

    # The generator's turn: it wants to hear "real" for its pictures. It maximises log D(G(z)).
    # Gradients flow through the discriminator, but only the generator's optimiser steps.
    g_loss = cross_entropy(discriminator(fake), ones)
    generator_optimizer.zero_grad()
    g_loss.backward()
    generator_optimizer.step()
    return d_loss.item(), g_loss.item()


def read_mnist(file: Path) -> Tensor:
    """Read MNIST's image file: 16 bytes of header, then one byte for each pixel."""
    content = file.read_bytes()
    if file.suffix == ".gz":
        content = gzip.decompress(content)
    pixels = torch.frombuffer(bytearray(content[16:]), dtype=torch.uint8)
    return pixels.view(-1, PIXELS)[:55_000].float() / 255


def show(pictures: Tensor) -> None:
    """Print pictures [N, 784] side by side, as characters."""
    for row in range(0, 28, 2):
        print("  ".join("".join(" .:*#@"[int(v * 5.99)] for v in p.view(28, 28)[row]) for p in pictures))


def main() -> None:
    """Train for 30 epochs; after about 5 the first digits show."""
    if len(sys.argv) != 2:
        sys.exit("usage: python one_page_gan.py folder/with/train-images-idx3-ubyte.gz")
    images = read_mnist(Path(sys.argv[1]))
    torch.manual_seed(0)
    generator, discriminator = make_players()
    optimizers = make_optimizers(generator, discriminator)
    for epoch in range(30):
        order = torch.randperm(len(images))
        for start in range(0, len(images), BATCH):
            real = images[order[start : start + BATCH]]
            losses = play_one_step(generator, discriminator, optimizers, real, torch.randn(len(real), NOISE))
        print(f"epoch {epoch}: loss of D {losses[0]:.3f} (1.386 where it can only guess), of G {losses[1]:.3f}")
        with torch.no_grad():
            show(generator(torch.randn(4, NOISE)))


if __name__ == "__main__":
    main()
