"""The training step of `vanilla` beside the same step in plain eager PyTorch, in turn: speed/vanilla.py [ROUNDS].

Plain is the tutorials' loop: the generator runs once for each player, D(x) is a sigmoid output, Adam is fused, and no
statistics are taken. Ours takes all statistics of every step. Figures of speed are ratios of the two in turn; one
absolute figure says more about the minute than about the program.
"""

import statistics
import sys
import time

import torch
from torch import Tensor, nn

from ganforge.data.batches import Batches
from ganforge.data.images import ImageSet
from ganforge.recipes.reading import load_recipe
from ganforge.training.draws import Draws
from ganforge.training.state import new_state
from ganforge.training.step import adversarial

STEPS, BATCH, IMAGES = 300, 100, 55_000


class Plain:
    """The tutorial's step, as one writes it."""

    def __init__(self, pixels: Tensor) -> None:
        self.pixels = pixels
        self.generator = nn.Sequential(nn.Linear(128, 256), nn.ReLU(), nn.Linear(256, 784), nn.Sigmoid())
        self.discriminator = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 1), nn.Sigmoid())
        self.g_adam = torch.optim.Adam(self.generator.parameters(), 2e-4, fused=True)
        self.d_adam = torch.optim.Adam(self.discriminator.parameters(), 2e-4, fused=True)

    def __call__(self) -> None:
        """Play ``STEPS`` steps."""
        order = torch.randperm(len(self.pixels))
        for step in range(STEPS):
            start = step * BATCH % (len(order) - BATCH)
            real, z = self.pixels[order[start : start + BATCH]], torch.randn(BATCH, 128)
            d_real, d_fake = self.discriminator(real), self.discriminator(self.generator(z).detach())
            d_loss = -(torch.log(d_real + 1e-12) + torch.log(1 - d_fake + 1e-12)).mean()
            self.d_adam.zero_grad()
            d_loss.backward()
            self.d_adam.step()
            g_loss = -torch.log(self.discriminator(self.generator(z)) + 1e-12).mean()
            self.g_adam.zero_grad()
            g_loss.backward()
            self.g_adam.step()


class Ours:
    """The library's step on the built-in recipe."""

    def __init__(self, data: ImageSet) -> None:
        cpu, recipe = torch.device("cpu"), load_recipe("vanilla")
        self.state, self.recipe = new_state(recipe, data.shape, 0, 0, cpu), recipe
        self.streams = {"real": Batches(data, BATCH, recipe.pixel_range, seed=0, labels=False, device=cpu)}
        self.draws = Draws(recipe, 0, cpu)

    def __call__(self) -> None:
        """Play ``STEPS`` steps."""
        for _ in range(STEPS):
            adversarial(self.state, self.recipe, self.streams, self.draws)


def main() -> None:
    """Print the ratio of ours to plain, round by round, then its median."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    images = torch.randint(0, 256, (IMAGES, 1, 28, 28), dtype=torch.uint8)
    plain = Plain(images.float().div(255).flatten(1))
    ours = Ours(ImageSet(images, torch.full((IMAGES,), -1)))
    plain(), ours()
    ratios = []
    for _ in range(rounds):
        seconds = []
        for play in (plain, ours):
            began = time.perf_counter()
            play()
            seconds.append(time.perf_counter() - began)
        ratios.append(seconds[0] / seconds[1])
        speeds = [STEPS * BATCH / second for second in seconds]
        print(f"plain {speeds[0]:,.0f} images/s, ours {speeds[1]:,.0f}, ours / plain {ratios[-1]:.2f}", flush=True)
    print(f"median {statistics.median(ratios):.2f}, from {min(ratios):.2f} to {max(ratios):.2f}, {rounds} rounds")


if __name__ == "__main__":
    main()
