"""Examinations of a run: what its networks and their pictures look like at a step, as `Signals`."""

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ganforge.data.batches import Batch
from ganforge.data.images import ImageSet, scale, unscale
from ganforge.data.pairs import Pair
from ganforge.data.pseudo_labels import with_labels_of_nearest
from ganforge.diagnosis.case import Signals
from ganforge.evaluation.evaluator import random_subset
from ganforge.evaluation.examination import JudgeReader, Reader, Reals, look_at_pictures
from ganforge.evaluation.small_reader import small_reader
from ganforge.evaluation.translation import evaluation_pairs
from ganforge.experiment.experiment import Experiment
from ganforge.experiment.network_signals import largest_singular_value, logit_fields, weight_fields
from ganforge.generation.generator import Generator
from ganforge.judge.choice import judge_by_training_images
from ganforge.training.state import DTYPES, State

SMALL_SET = 1000
"""Training sets up to this size are examined whole, because a generator may have learned them by heart."""
DRAWS = 3
"""Results for each condition of an image-to-image generator, or for the same codes: their differences show whether the
noise is used."""
CONDITIONS = 64
"""Conditions, or codes, for which several results are drawn."""
LATENTS = 2000
"""Latents that are drawn for an examination, whose first ones are used."""
LOGITS = 128
"""Images of each kind that the discriminator is shown."""


class Examiner:
    """Examines the state of one run again and again, on the same latents and the same real images.

    The real images are training images and held-out ones: the validation images, or the test images where the run also
    trains on the validation images. Reader and features of the real images are made at the first examination.

    Attributes:
        last_pictures: those of the examination before, uint8 [N, C, H, W], of the same latents; None before the first.
    """

    def __init__(self, experiment: Experiment, reals: int = 512, last_pictures: Tensor | None = None) -> None:
        self._experiment, self._n_reals = experiment, reals
        splits = experiment.splits
        self._held_out = splits.test if experiment.recipe.data.images == "all" else splits.validation
        self.last_pictures = last_pictures

    def examine(
        self,
        state: State,
        n: int,
        *,
        seconds: float = 0.0,
        weights_before: dict[str, list[Tensor]] | None = None,
        generator: Generator | None = None,
    ) -> Signals:
        """Look at a state, and change nothing in it.

        Args:
            state: the players.
            n: number of pictures.
            seconds: of training so far.
            weights_before: the weights of each player one step before, for the size of an update.
            generator: draws the pictures; unless given, the state's generator with the batch statistics of training.
        """
        pictures, labels = self._draw(state, n, generator)
        from_pictures = self._experiment.recipe.pairs is not None
        fields = look_at_pictures(self.reader, self.reals, pictures, labels, from_pictures=from_pictures)
        fields["draws_spread"] = self._draws_spread(state, n, generator)
        if self.last_pictures is not None:
            count = min(len(self.last_pictures), len(pictures))
            fields["change"] = self._change(self.last_pictures[:count], pictures[:count])
        self.last_pictures = pictures
        fields |= weight_fields(state, weights_before or {})
        if "discriminator" in state.others:
            fields |= self._logit_fields(state)
            fields["largest_singular_value"] = largest_singular_value(state.discriminator)
        return Signals(step=state.step, seconds=round(seconds, 3), n=len(pictures), **fields)

    @property
    def possible(self) -> bool:
        """Whether there are enough images for a variance: two real ones, and two to make pictures from."""
        made_from = self._held_out_sample if self._experiment.recipe.pairs else self._train_sample
        return min(len(self._train_sample), len(made_from)) >= 2

    def prepare(self) -> None:
        """Make the reader and the features of the real images, which the first examination otherwise does."""
        self.reals  # noqa: B018 - a cached property

    @cached_property
    def reader(self) -> Reader:
        """The judge that fits the training images, else a small reader; random features for image-to-image runs."""
        train = self._train_sample
        if self._experiment.recipe.pairs:  # the targets of a whole set can take minutes
            return small_reader(replace(self._targets(train), labels=torch.full((len(train),), -1)))
        judge = judge_by_training_images(self._experiment.splits, train)
        if judge is None:
            return small_reader(self._experiment.splits.train)
        return JudgeReader(judge, train.class_names if train.labelled else judge.class_names)

    @cached_property
    def reals(self) -> Reals:
        """Features of training and of held-out images."""
        train = self._targets(self._train_sample)
        held_out = self._targets(self._held_out_sample)
        return Reals(self.reader.look_at_set(train), self.reader.look_at_set(held_out), train.images)

    @cached_property
    def _train_sample(self) -> ImageSet:
        train = self._experiment.splits.train
        return random_subset(train, len(train) if len(train) <= SMALL_SET else self._n_reals, "examined")

    @cached_property
    def _held_out_sample(self) -> ImageSet:
        count = min(len(self._held_out), max(self._n_reals, len(self._train_sample)))
        return random_subset(self._held_out, count, "examined")

    def _targets(self, images: ImageSet) -> ImageSet:
        """Return the pictures that a generator should make: of an image-to-image recipe the targets of its pairs."""
        rule = self._experiment.recipe.pairs
        if rule is None:
            return images
        return ImageSet(evaluation_pairs(rule, images).target, images.labels, images.class_names, images.name)

    def _draw(self, state: State, n: int, generator: Generator | None) -> tuple[Tensor, Tensor | None]:
        """Return ``n`` pictures uint8 [n, C, H, W] of the fixed latents, and the class asked for in each."""
        experiment = self._experiment
        # the first rows of a larger batch of latents may differ from a smaller batch
        latent, labels, condition = experiment.draws().latent(max(n, LATENTS), "examination")[:n], None, None
        if experiment.recipe.pairs:
            condition = self._scaled(self._held_out_pairs.condition[:n])
            latent = latent[: len(condition)]
        elif experiment.recipe.conditional:
            labels = torch.arange(n) % len(experiment.splits.train.class_names)
            condition = labels.to(latent.device)
        return self._pictures(state, latent, condition, generator), labels

    def _draws_spread(self, state: State, n: int, generator: Generator | None) -> float | None:
        """Return the variance of several results for one condition, or for the same codes, over that of real pictures.

        None in a run whose generator gets noise alone, or noise with a label.
        """
        draws, codes, condition = self._experiment.draws(), self._experiment.recipe.codes.width, None
        if not (codes or self._experiment.recipe.pairs):
            return None
        if self._experiment.recipe.pairs:
            condition = self._scaled(self._held_out_pairs.condition[: min(n, CONDITIONS)])
        elif self._experiment.recipe.conditional:
            labels = torch.arange(CONDITIONS) % len(self._experiment.splits.train.class_names)
            condition = labels.to(self._experiment.device)
        count = CONDITIONS if condition is None else len(condition)
        latents = [draws.latent(count, "examination", draw) for draw in range(DRAWS)]
        for latent in latents[1:]:
            latent[:, latent.shape[1] - codes :] = latents[0][:, latent.shape[1] - codes :]
        results = torch.stack([self._pictures(state, latent, condition, generator) for latent in latents]).float()
        real = float(self.reals.pixels.flatten(1).float().var(0).sum())
        return float(results.var(0).flatten(1).sum(1).mean()) / real if real else None

    def _pictures(self, state: State, latent: Tensor, condition: Tensor | None, generator: Generator | None) -> Tensor:
        if generator is not None:
            return generator.draw(latent, condition)
        pixel_range = self._experiment.recipe.pixel_range
        blocks = [state.generator.preview(z, c) for z, c in self._blocks(latent, condition)]
        return torch.cat([unscale(block, pixel_range).cpu() for block in blocks])

    def _blocks(self, latent: Tensor, condition: Tensor | None) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Cut latents into equal blocks of a batch at most: a rest of one picture would have no batch statistics."""
        count = math.ceil(len(latent) / self._experiment.recipe.batch_size)
        conditions = [None] * count if condition is None else condition.tensor_split(count)
        return zip(latent.tensor_split(count), conditions, strict=True)

    def _change(self, before: Tensor, after: Tensor) -> float | None:
        """Return the root mean square change of pictures, relative to the distance of two real pictures."""
        real = self.reals.pixels.flatten(1).float()
        distance = 2 * float(real.var(0).sum())
        change = float((after.float() - before.float()).square().flatten(1).sum(1).mean())
        return (change / distance) ** 0.5 if distance else None

    def _logit_fields(self, state: State) -> dict[str, Any]:
        """Return what the discriminator thinks of training images, held-out images and fakes, equally many of each."""
        experiment, recipe = self._experiment, self._experiment.recipe
        packing = state.discriminator.packing
        count = min(LOGITS, len(self._train_sample), len(self._held_out_sample)) // packing * packing
        if count < max(2, packing):
            return {}
        train, held_out = (self._batch(images, count) for images in self._shown)
        with torch.no_grad():
            latent, condition = experiment.draws().latent(count, "examination"), held_out.condition
            if recipe.conditional and not recipe.pairs:
                condition = torch.arange(count, device=latent.device) % len(experiment.splits.train.class_names)
            blocks = [state.generator(z, c) for z, c in self._blocks(latent, condition)]
            fake = Batch(torch.cat(blocks), condition)
        return logit_fields(state, recipe, experiment.draws(), train, held_out, fake)

    @cached_property
    def _shown(self) -> tuple[ImageSet, ImageSet]:
        """Training and held-out images with the classes or clusters that condition the networks."""
        if not self._experiment.recipe.data.clusters:
            return self._train_sample, self._held_out_sample
        clustered = self._experiment.training_images
        train = random_subset(clustered, len(self._train_sample), "examined")
        return train, with_labels_of_nearest(self._held_out_sample, clustered)

    def _batch(self, images: ImageSet, count: int) -> Batch:
        """Return the first ``count`` real images as the discriminator gets them."""
        recipe, device = self._experiment.recipe, self._experiment.device
        chosen = images.select(slice(0, count))
        if recipe.pairs:
            return Batch(*(self._scaled(part) for part in evaluation_pairs(recipe.pairs, chosen)))
        return Batch(self._scaled(chosen.images), chosen.labels.to(device) if recipe.uses_classes else None)

    def _scaled(self, pixels: Tensor) -> Tensor:
        recipe = self._experiment.recipe
        return scale(pixels.to(self._experiment.device), recipe.pixel_range, DTYPES[recipe.run.precision])

    @cached_property
    def _held_out_pairs(self) -> Pair:
        rule = self._experiment.recipe.pairs
        assert rule is not None
        return evaluation_pairs(rule, self._held_out_sample)
