"""A training step of ours beside the same step in plain eager PyTorch, in turn: speed/step.py vanilla|dcgan [ROUNDS].

With `--tutorial PYTHON` (of vanilla; a Python that has TensorFlow, MNIST in $GANFORGE_DATA/mnist) the tutorial's own
script (speed/tutorial.py) plays in turn with them.

Plain is what one writes after a tutorial: float32, contiguous images, fused Adam, no statistics; `plain, autocast` the
same under bf16 autocast with channels-last weights. Ours takes all statistics of every step, in the precision that is
chosen here and in float32. Figures of speed are ratios of commands run in turn; one absolute figure says more about the
minute than about the program. With other programs beside, OMP_NUM_THREADS=1 and the processor's seconds (`--cpu`) are
steadier than the clock's.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganforge.data.batches import Batches
from ganforge.data.images import ImageSet
from ganforge.recipes.reading import load_recipe
from ganforge.training.noise import NoiseSource
from ganforge.training.state import DTYPES, new_state
from ganforge.training.step import adversarial_step
from ganforge.training.tuning.malloc import keep_freed_memory
from ganforge.training.tuning.precision import choose_precision

IMAGES, SHAPE = 55_000, (1, 28, 28)
Play = Callable[[], None]


class PlainVanilla:
    """S1's step, as the tutorial writes it: the generator runs once for each player, D(x) is a sigmoid output."""

    batch, steps = 100, 300

    def __init__(self, images: Tensor, autocast: bool) -> None:
        self.pixels, self.autocast = images.float().div(255).flatten(1), autocast
        self.generator = nn.Sequential(nn.Linear(128, 256), nn.ReLU(), nn.Linear(256, 784), nn.Sigmoid())
        self.discriminator = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 1), nn.Sigmoid())
        self.g_adam = torch.optim.Adam(self.generator.parameters(), 2e-4, fused=True)
        self.d_adam = torch.optim.Adam(self.discriminator.parameters(), 2e-4, fused=True)

    def __call__(self) -> None:
        """Play ``steps`` steps."""
        order = torch.randperm(len(self.pixels))
        for step in range(self.steps):
            start = step * self.batch % (len(order) - self.batch)
            real, z = self.pixels[order[start : start + self.batch]], torch.randn(self.batch, 128)
            with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
                d_real, d_fake = self.discriminator(real), self.discriminator(self.generator(z).detach())
            d_loss = -(torch.log(d_real.float() + 1e-12) + torch.log(1 - d_fake.float() + 1e-12)).mean()
            self.d_adam.zero_grad()
            d_loss.backward()
            self.d_adam.step()
            with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
                said = self.discriminator(self.generator(z))
            g_loss = -torch.log(said.float() + 1e-12).mean()
            self.g_adam.zero_grad()
            g_loss.backward()
            self.g_adam.step()


class PlainDcgan:
    """S7's step, as PyTorch's tutorial writes it: one batch of fakes for both players."""

    batch, steps = 128, 4

    def __init__(self, images: Tensor, autocast: bool) -> None:
        layout = torch.channels_last if autocast else torch.contiguous_format
        self.pixels, self.autocast, self.layout = images.float().div(127.5).sub(1), autocast, layout
        self.generator = nn.Sequential(
            nn.Linear(100, 128 * 7 * 7, bias=False),
            nn.Unflatten(1, (128, 7, 7)),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.ConvTranspose2d(64, 1, 4, 2, 1),
            nn.Tanh(),
        ).to(memory_format=layout)  # type: ignore[call-overload]
        self.discriminator = nn.Sequential(
            nn.Conv2d(1, 64, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(64, 128, 4, 2, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(128 * 7 * 7, 1),
        ).to(memory_format=layout)  # type: ignore[call-overload]
        self.g_adam = torch.optim.Adam(self.generator.parameters(), 2e-4, betas=(0.5, 0.999), fused=True)
        self.d_adam = torch.optim.Adam(self.discriminator.parameters(), 2e-4, betas=(0.5, 0.999), fused=True)

    def __call__(self) -> None:
        """Play ``steps`` steps."""
        order = torch.randperm(len(self.pixels))
        for step in range(self.steps):
            real = self.pixels[order[step * self.batch : (step + 1) * self.batch]].contiguous(memory_format=self.layout)
            with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
                fake = self.generator(torch.randn(self.batch, 100))
                on_real, on_fake = self.discriminator(real), self.discriminator(fake.detach())
            d_loss = F.softplus(-on_real.float()).mean() + F.softplus(on_fake.float()).mean()
            self.d_adam.zero_grad()
            d_loss.backward()
            self.d_adam.step()
            with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
                said = self.discriminator(fake)
            g_loss = F.softplus(-said.float()).mean()
            self.g_adam.zero_grad()
            g_loss.backward()
            self.g_adam.step()


class Tutorial:
    """S1's step as the tutorial's script plays it, in a process of its own that waits while others play."""

    def __init__(self, python: str, steps: int) -> None:
        script, data = Path(__file__).with_name("tutorial.py"), Path(os.environ["GANFORGE_DATA"]) / "mnist"
        self.steps = steps
        self.process = subprocess.Popen(
            [python, str(script), str(data), "steps"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._answer()

    def __call__(self) -> None:
        """Play ``steps`` steps."""
        assert self.process.stdin
        self.process.stdin.write(f"{self.steps}\n")
        self.process.stdin.flush()
        self._answer()

    def _answer(self) -> None:
        assert self.process.stdout
        if not self.process.stdout.readline():
            sys.exit("speed/tutorial.py ended: does its Python have TensorFlow and matplotlib?")


PLAIN: dict[str, type[PlainVanilla | PlainDcgan]] = {"vanilla": PlainVanilla, "dcgan": PlainDcgan}


class Ours:
    """The library's step on the built-in recipe, in the precision that is faster here or in the one asked for."""

    def __init__(self, name: str, images: Tensor, steps: int, precision: str = "auto") -> None:
        cpu, recipe = torch.device("cpu"), load_recipe(name, [f"run.precision={precision}", "run.device=cpu"])
        recipe = choose_precision(recipe, SHAPE, 0)
        data = ImageSet(images, torch.full((len(images),), -1))
        dtype = DTYPES[recipe.run.precision]
        self.state, self.recipe, self.steps = new_state(recipe, SHAPE, 0, 0, cpu), recipe, steps
        stream = Batches(data, recipe.batch_size, recipe.pixel_range, seed=0, labels=False, device=cpu, dtype=dtype)
        self.streams, self.draws = {"real": stream}, NoiseSource(recipe, 0, cpu, dtype)

    def __call__(self) -> None:
        """Play ``steps`` steps."""
        for _ in range(self.steps):
            adversarial_step(self.state, self.recipe, self.streams, self.draws)


def main() -> None:
    """Print the ratios of all to plain float32, round by round, then their medians."""
    arguments = [word for word in sys.argv[1:] if word != "--cpu"]
    python = ""
    if "--tutorial" in arguments:
        place = arguments.index("--tutorial")
        _, python = arguments[place : place + 2]
        del arguments[place : place + 2]
    clock = time.process_time if "--cpu" in sys.argv else time.perf_counter
    name, rounds = arguments[0], int(arguments[1]) if len(arguments) > 1 else 9
    keep_freed_memory()
    images = torch.randint(0, 256, (IMAGES, *SHAPE), dtype=torch.uint8)
    plain = PLAIN[name]
    ours = Ours(name, images, plain.steps)
    players: dict[str, Play] = {
        "plain": plain(images, False),
        "plain, autocast": plain(images, True),
        f"ours ({ours.recipe.run.precision})": ours,
        "ours, float32": Ours(name, images, plain.steps, "fp32"),
    }
    if python:
        players["the tutorial's script"] = Tutorial(python, plain.steps)
    for play in players.values():
        play()
    ratios: dict[str, list[float]] = {who: [] for who in players}
    for round_ in range(rounds):
        seconds = {}
        for who, play in players.items():
            began = clock()
            play()
            seconds[who] = clock() - began
        for who, taken in seconds.items():
            ratios[who].append(seconds["plain"] / taken)
        rate = plain.batch * plain.steps / seconds["plain"]
        shown = ", ".join(f"{who} x {ratios[who][-1]:.2f}" for who in list(players)[1:])
        print(f"round {round_ + 1}: plain {rate:,.0f} images/s; {shown}", flush=True)
    for who in list(players)[1:]:
        found = ratios[who]
        print(f"{who}: {statistics.median(found):.2f} times plain ({min(found):.2f} to {max(found):.2f})")


if __name__ == "__main__":
    main()
