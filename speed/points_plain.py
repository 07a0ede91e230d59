"""Ring and grid in plain PyTorch, to hold `ganforge benchmark ring` and `grid` against: nothing here is ganforge's.

    speed/points_plain.py ring|grid STEPS FOLDER SEED...  trains, and writes FOLDER/seed-0.jsonl, ...
    speed/points_plain.py --beside FOLDER BENCHMARK       prints both curves, and how many standard errors apart

Nets, order, Adam, points and thresholds are those of PacGAN (Lin et al. 2018, section 4.1); chance is torch's own
generator, batch norm measures with its running statistics, and modes are counted point by point.
"""

import json
import math
import statistics
import sys
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

BATCH, POINTS, SAMPLES = 100, 100_000, 2_500
RING = torch.tensor([(math.cos(k * math.pi / 4), math.sin(k * math.pi / 4)) for k in range(8)])
GRID = torch.tensor([(x, y) for x in (-4.0, -2.0, 0.0, 2.0, 4.0) for y in (-4.0, -2.0, 0.0, 2.0, 4.0)])
MIXTURES = {"ring": (RING, 0.01), "grid": (GRID, 0.05)}
FIGURES = ("modes", "high_quality", "reverse_kl", "std_ratio")


class MaxoutLayer(nn.Module):
    """Five linear maps, the greatest of which counts."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.maps = nn.ModuleList(nn.Linear(inputs, outputs) for _ in range(5))

    def forward(self, x: Tensor) -> Tensor:
        """Take the greatest."""
        return torch.stack([one(x) for one in self.maps]).max(0).values


def nets() -> tuple[nn.Module, nn.Module]:
    """The generator and the discriminator, N(0, .02) and zero biases."""
    layers: list[nn.Module] = []
    for inputs in (2, 400, 400, 400):
        layers += [nn.Linear(inputs, 400, bias=False), nn.BatchNorm1d(400, momentum=0.05), nn.ReLU()]
    generator = nn.Sequential(*layers, nn.Linear(400, 2))
    discriminator = nn.Sequential(MaxoutLayer(2, 200), MaxoutLayer(200, 200), MaxoutLayer(200, 200), nn.Linear(200, 1))
    for layer in [*generator.modules(), *discriminator.modules()]:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, 0, 0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return generator, discriminator


def measure(generator: nn.Module, centres: Tensor, std: float) -> dict[str, float | None]:
    """Count modes and high quality as the paper does."""
    generator.eval()
    with torch.no_grad():
        points = generator(torch.randn(SAMPLES, 2)).double()
    generator.train()
    hits: list[list[Tensor]] = [[] for _ in centres]
    for point in points:
        distances = (centres.double() - point).norm(dim=1)
        if distances.min() <= 3 * std:
            hits[int(distances.argmin())].append(point)
    good = sum(map(len, hits))
    shares = [len(hit) / good for hit in hits if hit]
    squares = [float((torch.stack(hit) - torch.stack(hit).mean(0)).square().sum()) for hit in hits if hit]
    free = 2 * (good - len(shares))
    cut = 1 - 4.5 * math.exp(-4.5) / (1 - math.exp(-4.5))
    return {
        "modes": len(shares),
        "high_quality": 100 * good / SAMPLES,
        "reverse_kl": sum(share * math.log(share * len(centres)) for share in shares) if good else None,
        "std_ratio": math.sqrt(sum(squares) / free / cut) / std if free > 0 else None,
    }


def train(centres: Tensor, std: float, seed: int, steps: int, file: Path) -> None:
    """Play the simultaneous game and write a line at every mark of the curve."""
    torch.manual_seed(seed)
    data = centres[torch.randint(len(centres), (POINTS,))] + std * torch.randn(POINTS, 2)
    generator, discriminator = nets()
    adam_g = torch.optim.Adam(generator.parameters(), 1e-4, (0.8, 0.999))
    adam_d = torch.optim.Adam(discriminator.parameters(), 1e-4, (0.8, 0.999))
    marks = {m * 10**k for k in range(2, 6) for m in (1, 2, 3, 4, 5, 6, 8)} | {15 * 10**k for k in range(1, 5)}
    marks |= {25 * 10**k for k in range(1, 5)}
    order, seconds = torch.randperm(POINTS), 0.0
    with file.open("w") as out:
        for step in range(steps):
            began = time.perf_counter()
            at = step * BATCH % POINTS
            if at == 0:
                order = torch.randperm(POINTS)
            real, fake = data[order[at : at + BATCH]], generator(torch.randn(BATCH, 2))
            real_logits, fake_logits = discriminator(torch.cat([real, fake])).split(BATCH)
            d_loss = (softplus(-real_logits) + softplus(fake_logits)).mean()
            g_loss = softplus(-fake_logits).mean()
            d_slopes = torch.autograd.grad(d_loss, list(discriminator.parameters()), retain_graph=True)
            g_slopes = torch.autograd.grad(g_loss, list(generator.parameters()))
            for player, slopes in ((discriminator, d_slopes), (generator, g_slopes)):
                for parameter, slope in zip(player.parameters(), slopes, strict=True):
                    parameter.grad = slope
            adam_d.step()
            adam_g.step()
            seconds += time.perf_counter() - began
            if step + 1 in marks or step + 1 == steps:
                line = {
                    "step": step + 1,
                    "seconds": round(seconds, 2),
                    "n": SAMPLES,
                    **measure(generator, centres, std),
                }
                print(json.dumps(line), file=out, flush=True)
    print(f"seed {seed}: {seconds / steps * 10_000:.0f} s for 10,000 steps; {line}", flush=True)


def curves(files: list[Path]) -> dict[int, list[dict[str, float | None]]]:
    """The lines of all seeds by step."""
    found: dict[int, list[dict[str, float | None]]] = {}
    for file in files:
        for line in map(json.loads, file.read_text().splitlines()):
            found.setdefault(line["step"], []).append(line)
    return found


def beside(plain: Path, ours: Path) -> None:
    """Print the means of both at every step that both have, and how many standard errors they are apart."""
    theirs, mine = curves(sorted(plain.glob("seed-*.jsonl"))), curves(sorted(ours.glob("seed-*/curve.jsonl")))
    for step in sorted(theirs.keys() & mine.keys()):
        cells = []
        for name in FIGURES:
            sides = [[value for line in side[step] if (value := line[name]) is not None] for side in (theirs, mine)]
            if min(map(len, sides)) < 2:
                cells.append(f"{name} –")
                continue
            error = math.sqrt(sum(statistics.variance(side) / len(side) for side in sides))
            apart = abs(statistics.mean(sides[0]) - statistics.mean(sides[1]))
            errors = "0" if apart == 0 else "inf" if error == 0 else f"{apart / error:.1f}"
            means = " | ".join(f"{statistics.mean(side):.3g}" for side in sides)
            cells.append(f"{name} {means} ({errors} s.e.)")
        print(f"step {step:>6,}: plain | ours: {', '.join(cells)}")


if __name__ == "__main__":
    if sys.argv[1] == "--beside":
        beside(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        mixture, steps, folder = MIXTURES[sys.argv[1]], int(sys.argv[2]), Path(sys.argv[3])
        folder.mkdir(parents=True, exist_ok=True)
        for seed in map(int, sys.argv[4:]):
            train(*mixture, seed, steps, folder / f"seed-{seed}.jsonl")
