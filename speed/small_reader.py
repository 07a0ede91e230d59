"""What features without a judge see: speed/small_reader.py [DATA ...] (mnist and cifar10).

Sets of spoiled held-out images take the place of fakes. For each set: Fréchet distance over that of other reals,
recall, spread, share of twins and the test of copying, on the features of the small reader trained on the labels, of
the same network with random weights, and, for digits, of the judge.
"""

import sys
import time
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ganforge.data.images import ImageSet
from ganforge.data.load import load
from ganforge.evaluation.evaluator import random_subset
from ganforge.evaluation.examination import JudgeReader, Reader
from ganforge.evaluation.small_reader import small_reader
from ganforge.judge.shipped import load_judge
from ganforge.metrics import copying_test, frechet_distance, label_agreement, recall, total_spread, twin_share

N = 512


def spoiled(held_out: ImageSet, train: ImageSet, others: ImageSet) -> dict[str, Tensor]:
    """Return sets of N images in the place of fakes, by what is wrong with them."""
    random, real = torch.Generator().manual_seed(0), held_out.images
    in_turn = torch.arange(N)
    half = real[held_out.labels < len(held_out.class_names) // 2]
    one_each = torch.stack([real[held_out.labels == k][0] for k in range(len(held_out.class_names))])
    return {
        "nothing": others.images,
        "noise of 25 levels": _noisy(real, 25, random),
        "noise of 60 levels": _noisy(real, 60, random),
        "blurred": F.avg_pool2d(real.float(), 3, 1, 1).to(torch.uint8),
        "half of the classes": half[in_turn % len(half)],
        "the same 32": real[in_turn % 32],
        "one of each class": one_each[in_turn % len(one_each)],
        "means of two": ((real.float() + real.roll(1, 0).float()) / 2).to(torch.uint8),
        "noise alone": torch.randint(0, 256, real.shape, dtype=torch.uint8, generator=random),
        "copies of 300": _noisy(train.images[in_turn % 300], 12, random),
    }


def _noisy(images: Tensor, levels: float, random: torch.Generator) -> Tensor:
    return (images.float() + levels * torch.randn(images.shape, generator=random)).clamp(0, 255).to(torch.uint8)


def main(names: list[str]) -> None:
    """Print a table for each data set and reader."""
    torch.set_num_threads(1)
    for name in names:
        splits = load(name)
        started = time.thread_time()
        reader = small_reader(splits.train)
        seconds = time.thread_time() - started
        unlabelled = replace(splits.train, labels=torch.full((len(splits.train),), -1))
        readers: dict[str, Reader] = {"labels": reader, "random": small_reader(unlabelled)}
        if name == "mnist":
            readers["judge"] = JudgeReader(load_judge(), splits.train.class_names)
        held_out, train, others = (
            random_subset(images, N, part)
            for images, part in ((splits.validation, "a"), (splits.train, "b"), (splits.train, "c"))
        )
        seen = reader.look(held_out.images).classes
        assert seen is not None
        accuracy = label_agreement(seen, held_out.labels)
        print(f"{name}: small reader trained in {seconds:.1f} s, reads {accuracy:.0%} of held-out images")
        fakes = spoiled(held_out, train, others)
        for kind, one in readers.items():
            real, unseen = one.look(train.images), one.look(held_out.images)
            reference = frechet_distance(real.features, unseen.features)
            for wrong, images in fakes.items():
                fake = one.look(images)
                assert real.spread_features is not None
                assert fake.spread_features is not None
                print(
                    f"{kind:7s}{wrong:20s} distance {frechet_distance(real.features, fake.features) / reference:6.1f}"
                    f"  recall {recall(real.features, fake.features):.2f}"
                    f"  spread {total_spread(real.spread_features, fake.spread_features):.2f}"
                    f"  twins {twin_share(real.features, fake.features):.2f}"
                    f"  p {copying_test(real.features, unseen.features, fake.features).p_value:.0e}",
                    flush=True,
                )


if __name__ == "__main__":
    main(sys.argv[1:] or ["mnist", "cifar10"])
