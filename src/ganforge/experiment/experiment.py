"""The fixed parts of a run, combined and checked: recipe, data, folder, seed, length."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from ganforge.data.augmented_batches import AugmentedBatches
from ganforge.data.batches import Batches, Stream, Streams
from ganforge.data.images import ImageSet, Splits
from ganforge.data.kinds import Signals
from ganforge.data.label_subset import labelled_subset, repeat_to
from ganforge.data.pairs import Pair
from ganforge.data.parts import check_parts
from ganforge.data.pseudo_labels import class_frequencies, with_kmeans_labels
from ganforge.errors import UserError
from ganforge.experiment.length import StopCondition, steps_per_epoch, usual_steps
from ganforge.generation.encoder import Encoder, publish_encoder
from ganforge.generation.generator import Generator, freeze_for_sampling
from ganforge.networks.conditioning import LatentClassGenerator
from ganforge.objectives.terms import LABELLED, MOVED
from ganforge.recipes.recipe import Recipe
from ganforge.runs.folder import RunFolder
from ganforge.training.noise import NoiseSource
from ganforge.training.state import DTYPES, State, new_state, prepare
from ganforge.training.stats import Stats


@dataclass(frozen=True)
class Experiment:
    """The fixed parts of a run: together with the length, they determine the result."""

    recipe: Recipe
    splits: Splits
    folder: RunFolder
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        """Steps of an epoch (`length.steps_per_epoch`)."""
        return steps_per_epoch(self.recipe, len(self.splits.train))

    @property
    def usual_steps(self) -> int:
        """The recipe's own length in steps."""
        return usual_steps(self.recipe, len(self.splits.train))

    @property
    def device(self) -> torch.device:
        """The device of the training."""
        return torch.device(self.recipe.run.device)

    @property
    def note(self) -> dict[str, Any]:
        """The metadata of a generator file: equal runs have equal metadata."""
        train = self.splits.train
        shape, condition = train.shape, None
        if self.recipe.pairs:
            shape, condition = self.recipe.pairs.shapes(train.shape)
        return {
            "format": 1,
            "data": train.name,
            "fingerprint": self.splits.fingerprint,
            "shape": list(shape),
            **({"condition_channels": condition[0]} if condition else {}),
            **({"kind": train.kind.model_dump(mode="json")} if train.kind else {}),
            "class_names": list(train.class_names),
            "seed": self.seed,
        }

    def new_state(self, watcher: "ProgressListener | None" = None) -> State:
        """Return the networks before their first step."""
        if watcher and self.recipe.data.clusters:
            watcher.say(f"clustering the images into {self.recipe.data.clusters} clusters ...")
        train = self.training_images
        state = new_state(self.recipe, train.shape, len(train.class_names), self.seed, self.device)
        if isinstance(generator := state.generator.module, LatentClassGenerator):
            generator.shares.copy_(class_frequencies(train.labels, len(train.class_names)))
        prepare(state, self.recipe, self.streams(), self.draws())
        return state

    def draws(self) -> NoiseSource:
        """Return the noise source of this run."""
        return NoiseSource(self.recipe, self.seed, self.device, DTYPES[self.recipe.run.precision])

    def streams(self) -> Streams:
        """Return the streams of real images of this run: the main stream, and those that loss terms need."""
        train, recipe = self.splits.train, self.recipe
        real = self._real
        streams: dict[str, Stream] = {"real": real}
        if LABELLED in recipe.terms.streams:
            subset = labelled_subset(train, recipe.data.labels, recipe.data.draw)
            streams[LABELLED] = self._stream(LABELLED, repeat_to(subset, recipe.batch_size), True)
        if term := recipe.terms.invariant_information:
            ranges = term.model_dump(include={"degrees", "shear", "shift", "zoom", "cutout"})
            streams[MOVED] = AugmentedBatches(real, self.seed, **ranges)
            if LABELLED in streams:
                streams[LABELLED] = AugmentedBatches(streams[LABELLED], self.seed, "moved labelled", **ranges)
        return streams

    def _stream(self, name: str, images: ImageSet, labels: bool) -> Batches:
        recipe = self.recipe
        dtype = DTYPES[recipe.run.precision]
        size, pixels = recipe.batch_size, recipe.pixel_range
        return Batches(
            images,
            size,
            pixels,
            seed=self.seed,
            labels=labels,
            device=self.device,
            dtype=dtype,
            stream=name,
            pairs=recipe.pairs,
        )

    def example_pairs(self, count: int) -> Pair:
        """Return pairs of validation pictures for sample sheets, in an image-to-image training."""
        rule, validation = self.recipe.pairs, self.splits.validation
        assert rule is not None
        indices = torch.arange(min(count, len(validation)))
        return rule.pairs(validation.gather(indices), 0, indices)

    def freeze_for_sampling(self, state: State, *, batches: int = 20) -> Generator:
        """Return the current generator for sampling; its batch statistics are measured on ``batches`` batches."""
        latents = None
        if "encoder" in state.others:
            latents = self.publish_encoder(state, batches=batches).as_met(self._real, self.draws())
        return freeze_for_sampling(state, self.recipe, self.draws(), self.note, batches=batches, latents=latents)

    def publish_encoder(self, state: State, *, batches: int = 20) -> Encoder:
        """Return the current encoder, in a training that has one."""
        return publish_encoder(state, self.recipe, self._real, self.note, batches=batches)

    @cached_property
    def _real(self) -> Batches:
        return self._stream("real", self.training_images, self.recipe.uses_classes)

    @cached_property
    def training_images(self) -> ImageSet:
        """The training images, with clusters as labels if the recipe sets ``data.clusters``."""
        train, clusters = self.splits.train, self.recipe.data.clusters
        return with_kmeans_labels(train, clusters) if clusters else train


class ProgressListener:
    """Receives the progress of a run and ignores it; subclasses, such as the command line's, display it."""

    def say(self, text: str) -> None:
        """Receive a message for the user."""

    def downloading(self, file: str, done: int, total: int | None) -> None:
        """Receive the progress of a download, in bytes."""

    def reading(self, doing: str, done: int, total: int | None) -> None:
        """Receive the progress of reading pictures, in pictures."""

    def judging(self, done: int, total: int) -> None:
        """Receive the progress of the judge, in images."""

    def benchmarking(self, done: float, total: int, status: str, unit: str = "steps") -> None:
        """Receive the progress of a benchmark over all seeds: ``done`` of ``total`` units, and the last status."""

    def begin(self, experiment: Experiment, length: StopCondition) -> None:
        """Called when training starts."""

    def look(self, state: State, stats: Stats) -> None:
        """Receive state and statistics after a step."""

    def on_line(self, name: str, line: str) -> None:
        """Receive an output line of one of several parallel runs."""

    def end(self) -> None:
        """Called at the end of loading or training, also after an error."""


def count_images(watcher: ProgressListener, total: int) -> Callable[[int], None]:
    """Return a function that adds up processed images and reports the sum to the watcher.

    Args:
        watcher: receives the sum and the total.
        total: expected number of images; a larger sum is its own total.
    """
    done = 0

    def on_progress(count: int) -> None:
        nonlocal done
        done += count
        watcher.judging(done, max(total, done))

    return on_progress


def count_work(watcher: ProgressListener, total: int, status: str, unit: str) -> Callable[[int], None]:
    """Return a function that adds up work done, reports it with the time left, and removes the bar at the end.

    Args:
        watcher: receives the sum and the total.
        total: expected amount; a larger sum is its own total.
        status: the work in words.
        unit: what is counted.
    """
    done = 0

    def on_progress(count: int) -> None:
        nonlocal done
        if not done:
            watcher.end()  # another bar may be there
        done += count
        watcher.benchmarking(done, max(total, done), status, unit)
        if done >= total:
            watcher.end()

    return on_progress


def check_recipe_fits_data(recipe: Recipe, splits: Splits) -> None:
    """Refuse a recipe that cannot be trained on these data.

    Raises:
        UserError: the recipe draws points instead of pictures, labels are missing, there is one class only, or the
            batch is larger than the data.
    """
    train = splits.train
    if recipe.pairs:
        check_parts(train.name, train.parts, recipe.pairs.parts, train.shape[0])
        recipe.pairs.shapes(train.shape)
    elif train.shape[0] not in (1, 3) and not isinstance(train.kind, Signals):
        raise UserError(
            f"{train.name} holds clips or pairs ({train.shape[0]} channels), and {recipe.name} draws single pictures: "
            "take next-frame for clips, or a recipe with [pairs]"
        )
    if recipe.generator.output == "linear":
        raise UserError(
            f'{recipe.name} draws points in the plane, not pictures (generator.output = "linear"): '
            "'ganforge benchmark ring' trains it"
        )
    if recipe.conditional and not train.labelled:
        raise UserError(
            f"{recipe.name} needs labels and {train.name} has none (for every image); take an unconditional recipe"
        )
    if LABELLED in recipe.terms.streams:
        labelled_subset(train, recipe.data.labels, recipe.data.draw)
    if recipe.conditional and len(train.labels.unique()) < 2:
        raise UserError(
            f"{recipe.name} needs at least two classes, and {train.name} has one; take vanilla, for example"
        )
    if recipe.data.clusters > len(train) // 2:
        raise UserError(
            f"data.clusters = {recipe.data.clusters}: {train.name} has {len(train)} training images only; "
            f"--set data.clusters={max(2, len(train) // 50)}"
        )
    if recipe.batch_size > len(train):
        raise UserError(
            f"batch_size = {recipe.batch_size} is more than the {len(train)} training images of {train.name}; "
            f"--set batch_size={smaller_batch(recipe, len(train))}"
        )


def smaller_batch(recipe: Recipe, count: int) -> int:
    """Return a batch size for ``count`` training images: half of them, or a bit less so that the draws divide it."""
    draws = recipe.pairs.draws if recipe.pairs else 1
    return max(2, draws, count // 2 // draws * draws)
