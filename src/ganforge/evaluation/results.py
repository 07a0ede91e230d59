"""Results of image-to-image generators for the conditions of real pictures."""

import torch

from ganforge.data.images import ImageSet
from ganforge.data.pairs import Pair
from ganforge.generation.generator import Generator

PAIR_SEED = 0
"""The seed of the pairs of every evaluation, so that all runs are measured on the same conditions."""
BLOCK = 1000


def evaluation_pairs(generator: Generator, images: ImageSet) -> Pair:
    """Return the pairs of a set of pictures, by their positions in it."""
    rule = generator.recipe.pairs
    assert rule is not None
    blocks = torch.arange(len(images)).split(BLOCK)
    pairs = [rule.pairs(images.gather(indices), PAIR_SEED, indices) for indices in blocks]
    return Pair(*(torch.cat(parts) for parts in zip(*pairs, strict=True)))


def results(generator: Generator, images: ImageSet, *, seed: int = 0) -> ImageSet:
    """Return one result for the condition of each picture, with the picture's label."""
    pictures = generator.translate(evaluation_pairs(generator, images).condition, seed=seed)[0]
    return ImageSet(pictures, images.labels, images.class_names, f"results for {images.name}")
