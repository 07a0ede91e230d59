"""Everything that a strengthening needs, checked before it starts: learner, generator, data, and no test picture."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ganforge.applications.found_files import Found
from ganforge.applications.latent_search import Explorer
from ganforge.applications.learner import Learner, checked_learner, load_learner
from ganforge.applications.probe import fitting
from ganforge.applications.strength_measures import measures_of
from ganforge.applications.strengthen import ARMS, Strengthened, fine_tuner, strengthen
from ganforge.data.class_names import one_form
from ganforge.data.images import ImageSet, Splits
from ganforge.data.load import load_whole
from ganforge.data.reading_rules import USUAL
from ganforge.errors import UserError
from ganforge.evaluation.readers import readers_of
from ganforge.evaluation.user_classifier import UserClassifier
from ganforge.experiment.experiment import ProgressListener
from ganforge.experiment.preflight import load
from ganforge.generation.generator import load_generator


@dataclass(frozen=True)
class Task:
    """A classifier with what it learns from and what it is measured on."""

    classifier: UserClassifier
    learner: Learner
    base: ImageSet
    found: Found
    explorer: Explorer
    splits: Splits

    def trainings(self, seeds: int) -> int:
        """Return how many trainings a number of seeds needs."""
        return len(ARMS) * seeds

    def run(self, steps: int, seeds: int, on_done: Callable[[int], None] | None = None) -> Strengthened:
        """Train and measure all arms."""
        measures = measures_of(self.splits, self.found, self.explorer)
        return strengthen(
            self.classifier,
            self.learner,
            self.classifier.function,
            self.base,
            self.found,
            self.explorer,
            measures,
            self.splits.train,
            steps=steps,
            seeds=seeds,
            on_done=on_done,
        )


def prepare(
    classifier: UserClassifier,
    found: Found,
    learner: str | None,
    *,
    model: str,
    data: str | None,
    trained_on: Path | None,
    watcher: ProgressListener,
) -> Task:
    """Read and check everything that a strengthening needs.

    Args:
        classifier: to train; a torch module where there is no learner.
        found: the pictures of a probe.
        learner: the user's own function, as module:function.
        model: the generator of the probe.
        data: the data of the generator; unless given, those that it names.
        trained_on: pictures that the classifier has learned from; unless given, the training part of the data.
        watcher: receives the progress of reading.

    Raises:
        UserError: the probe was of other data, or the classifier has learned from test pictures.
    """
    built_in = checked_learner("the built-in training", fine_tuner(classifier.pixel_range))
    function = load_learner(learner) if learner else built_in
    generator = load_generator(model)
    splits = load(data or str(generator.note["data"]), "train", USUAL, watcher)
    fitting(generator, splits)
    if found.fingerprint != splits.fingerprint or found.class_names != splits.train.class_names:
        raise UserError(f"--with: the probe was of other data than {splits.train.name}; probe again with these data")
    base = splits.train if trained_on is None else _learned_from(trained_on, splits)
    explorer = Explorer(generator, classifier, readers_of(splits))
    return Task(classifier, function, base, found, explorer, splits)


def _learned_from(path: Path, splits: Splits) -> ImageSet:
    """Return the user's own training pictures with the labels of the data; refuse those that are test pictures."""
    images, _ = load_whole(path)
    names = {one_form(name): number for number, name in enumerate(splits.train.class_names)}
    if images.shape != splits.train.shape or not images.labelled:
        raise UserError(f"--trained-on {path}: give labelled pictures of the same size as {splits.train.name}")
    if unknown := [name for name in images.class_names if one_form(name) not in names]:
        raise UserError(f"--trained-on {path}: {splits.train.name} has no class {unknown[0]}")
    tested = {picture.tobytes() for picture in splits.test.images.numpy()}
    seen = sum(picture.tobytes() in tested for picture in images.images.numpy())
    if seen:
        raise UserError(
            f"--trained-on {path}: {seen:,} of its pictures are test pictures of {splits.train.name}, so no error on "
            "these could be believed; leave them out"
        )
    numbers = images.labels.new_tensor([names[one_form(name)] for name in images.class_names])
    return ImageSet(images.images, numbers[images.labels], splits.train.class_names, images.name)
