"""Choice of the judge's layer for the spread metric, and its accuracy: ``python tools/judge_layers.py``.

The last layers of a good classifier discard everything but the class (neural collapse: Papyan, Han & Donoho 2020). The
layer for the spread within a class is therefore chosen by the response of each layer to inputs with known defects.
"""

import argparse
from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ganforge.data.images import ImageSet, Splits, scale
from ganforge.data.load import load
from ganforge.judge.judge import Judge
from ganforge.judge.network import JudgeNetwork
from ganforge.judge.shipped import load_judge
from ganforge.metrics.frechet import frechet_distance
from ganforge.metrics.spread import mean_spread, within_class_spread
from ganforge.randomness import random_generator

SAMPLES, DRAWS = 1000, 20


def candidates(network: JudgeNetwork, images: Tensor) -> dict[str, Tensor]:
    """Return all candidate spread features, float32 [N, F] by name, of uint8 images [N, 1, 28, 28]."""
    with torch.no_grad():
        blocks = [_one_block(network, scale(block, "0..1")) for block in torch.split(images, 500)]
    return {name: torch.cat([block[name] for block in blocks]) for name in blocks[0]}


def _one_block(network: JudgeNetwork, pixels: Tensor) -> dict[str, Tensor]:
    stages = network.activations(pixels)
    maps = {name: stages[name] for name in ("stage1", "stage2", "stage3")}
    return {
        "pixels": pixels.flatten(1),
        **{name: stage.flatten(1) for name, stage in maps.items()},
        "stage1, 3×3 means": F.adaptive_avg_pool2d(maps["stage1"], 3).flatten(1),
        "stage2, 3×3 means": F.adaptive_avg_pool2d(maps["stage2"], 3).flatten(1),
        **{f"{name}, mean": stage.mean((2, 3)) for name, stage in maps.items()},
        "dense": stages["dense"],
        "features": stages["features"],
    }


def _by_class(labels: Tensor, choose: Callable[[Tensor, int], Tensor]) -> Tensor:
    """Concatenate ``choose(indices, count)`` over the classes, each with the indices and number of its images."""
    members = [torch.where(labels == index)[0] for index in range(int(labels.max()) + 1)]
    return torch.cat([choose(indices, len(indices)) for indices in members])


def _middle_third(values: Tensor) -> Callable[[Tensor, int], Tensor]:
    def choose(indices: Tensor, count: int) -> Tensor:
        kept = indices[values[indices].argsort()[count // 3 : count - count // 3]]
        return kept.repeat(3)[:count]

    return choose


def _slant(images: Tensor) -> Tensor:
    ink = images.float().squeeze(1)
    y, x = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
    total = ink.sum((1, 2))
    dx = x - ((ink * x).sum((1, 2)) / total)[:, None, None]
    dy = y - ((ink * y).sum((1, 2)) / total)[:, None, None]
    return (ink * dx * dy).sum((1, 2)) / (ink * dy * dy).sum((1, 2))


def sick_inputs(images: Tensor, labels: Tensor) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Yield name, images and labels of inputs with known defects, made from real images."""
    generator = random_generator("judge", "layers", "sick")
    first = _by_class(labels, lambda indices, count: indices[:1].repeat(count))
    half_first = _by_class(
        labels, lambda indices, count: torch.cat([indices[: count // 2], indices[:1].repeat(count - count // 2)])
    )
    tenth = _by_class(labels, lambda indices, count: indices[: max(count // 10, 1)].repeat(11)[:count])
    for name, rows in (("one image", first), ("half of it one image", half_first), ("a tenth, repeated", tenth)):
        yield name, images[rows], labels[rows]
    for name, values in (("middle third of ink", images.float().mean((1, 2, 3))), ("of slant", _slant(images))):
        rows = _by_class(labels, _middle_third(values))
        yield name, images[rows], labels[rows]
    paired = _by_class(labels, lambda indices, count: indices)
    partners = _by_class(labels, lambda indices, count: indices.roll(1))
    yield "mean of two", (images[paired].float() + images[partners]).div(2).round().byte(), labels[paired]
    pixels = images.float()
    yield "blurred 3×3", F.avg_pool2d(pixels, 3, 1, 1).round().byte(), labels
    noisy = pixels + torch.randn(pixels.shape, generator=generator) * 25.5
    yield "noise .1", noisy.round().clamp(0, 255).byte(), labels


def spread_table(network: JudgeNetwork, train: ImageSet, test: ImageSet) -> list[dict[str, float | str]]:
    """Return a row per candidate: within-class over total variance, and the spread of healthy and defective inputs."""
    reals = candidates(network, test.images)
    rows: dict[str, dict[str, float | str]] = {name: {"stage": f"{name} ({reals[name].shape[1]})"} for name in reals}
    for name, features in reals.items():
        within = [float(features[test.labels == index].var(0).sum()) for index in range(10)]
        rows[name]["within / total"] = float(np.mean(within)) / float(features.var(0).sum())
    samples = [_sample(train, index) for index in range(DRAWS)]
    fakes = [candidates(network, sample.images) for sample in samples]
    for name, real in reals.items():
        healthy = [_spread(real, test.labels, fakes[k][name], samples[k].labels) for k in range(DRAWS)]
        rows[name] |= {"train": float(np.mean(healthy)), "its SD": float(np.std(healthy, ddof=1))}
    sample = _sample(train, DRAWS)
    for defect, images, labels in sick_inputs(sample.images, sample.labels):
        for name, fake in candidates(network, images).items():
            rows[name][defect] = _spread(reals[name], test.labels, fake, labels)
    return list(rows.values())


def frechet_table(network: JudgeNetwork, train: ImageSet, test: ImageSet) -> list[dict[str, float | str]]:
    """Return the Fréchet distance of healthy and defective inputs before and after the last ReLU."""
    reals, sample = candidates(network, test.images), _sample(train, DRAWS)
    inputs = [("train", sample.images, sample.labels), *sick_inputs(sample.images, sample.labels)]
    candidates_of = {defect: candidates(network, images) for defect, images, _ in inputs}
    return [
        {"stage": name, **{defect: frechet_distance(reals[name], fake[name]) for defect, fake in candidates_of.items()}}
        for name in ("dense", "features")
    ]


def reading_table(judge: Judge, splits: Splits, others: dict[str, ImageSet]) -> list[dict[str, float | str]]:
    """Return accuracy, share with confidence ≥ .8 and errors at that confidence, on digits and other images."""
    noise = torch.randint(0, 256, (SAMPLES, 1, 28, 28), generator=random_generator("judge", "noise"), dtype=torch.uint8)
    blob = splits.test.images.float().mean(0, keepdim=True).round().byte().expand(2, -1, -1, -1)
    unlabelled = {"uniform noise": noise, "the mean of all test digits": blob}
    sets = {"validation": splits.validation, "test": splits.test} | others
    sets |= {name: ImageSet(images, torch.full((len(images),), -1)) for name, images in unlabelled.items()}
    rows: list[dict[str, float | str]] = []
    for name, images in sets.items():
        predictions = judge.look_at_set(images)
        correct, confident = (predictions.classes == images.labels).double(), predictions.confidence >= 0.8
        row: dict[str, float | str] = {"images": f"{name} ({len(images):,})", "sure": float(confident.double().mean())}
        row |= {"accuracy": "–", "wrong though sure": "–"}
        if images.labelled:
            row |= {
                "accuracy": float(correct.mean()),
                "wrong though sure": float((1 - correct)[confident].sum() / len(correct)),
            }
        rows.append(row)
    return rows


def _sample(images: ImageSet, draw: int) -> ImageSet:
    return images.select(torch.randperm(len(images), generator=random_generator("judge", "layers", draw))[:SAMPLES])


def _spread(real: Tensor, real_labels: Tensor, fake: Tensor, fake_labels: Tensor) -> float:
    return mean_spread(within_class_spread(real, real_labels, fake, fake_labels, 10))


def _print(rows: list[dict[str, float | str]]) -> None:
    print("\n| " + " | ".join(rows[0]) + " |\n" + "|---" * len(rows[0]) + "|")
    for row in rows:
        print("| " + " | ".join(cell if isinstance(cell, str) else f"{cell:.4g}" for cell in row.values()) + " |")


def main() -> None:
    """Print the tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="mnist")
    splits, judge = load(parser.parse_args().data), load_judge()
    _print(reading_table(judge, splits, {"scikit-learn's digits, test": load("digits").test}))
    _print(spread_table(judge.network, splits.train, splits.test))
    _print(frechet_table(judge.network, splits.train, splits.test))


if __name__ == "__main__":
    main()
