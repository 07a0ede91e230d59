"""Whether a run is healthy, decided without any diagnosis: by four figures of its pictures beside real ones."""

from dataclasses import dataclass
from pathlib import Path

from ganforge.data.images import Splits
from ganforge.evaluation.evaluator import Evaluator, generate_images
from ganforge.evaluation.features import FeatureExtractor, kept_features
from ganforge.evaluation.metric_table import copying_metrics
from ganforge.experiment.experiment import ProgressListener
from ganforge.generation.generator import load_generator
from ganforge.judge.files import read_judge
from ganforge.judge.judge import Judge
from ganforge.judge.network import IMAGE_SHAPE
from ganforge.judge.shipped import load_judge
from ganforge.judge.training import train_and_save
from ganforge.metrics.thresholds import NEAR

FAKES = 10_000
"""Pictures that are compared with as many real ones; fewer where there are fewer real ones."""
FOLLOWED = 0.95
"""Smallest share of pictures that show the class asked for, relative to the share of real ones read as their label."""
COPYING = 0.55
"""Largest probability that a picture is nearer to a training picture than a held-out one is: .5 without copying."""
JUDGE_EPOCHS, JUDGE_SEED = 3, 1


@dataclass(frozen=True)
class Health:
    """Four figures of a run, measured with a judge of the clean data.

    Attributes:
        classes, of_classes: classes that are present, and all.
        label_agreement: share of the pictures that show the class asked for, relative to real ones; None if none is.
        frechet: Fréchet distance relative to that of other real pictures.
        copying: probability that a picture is nearer to a training picture than a held-out picture is.
    """

    classes: int
    of_classes: int
    label_agreement: float | None
    frechet: float | None
    copying: float

    @property
    def is_healthy(self) -> bool:
        """Whether every class is there, the label is followed, the pictures are near to real ones and no copies."""
        followed = self.label_agreement is None or self.label_agreement >= FOLLOWED
        near = self.frechet is not None and self.frechet <= NEAR
        return self.classes == self.of_classes and followed and near and self.copying <= COPYING


def measure_health(run: Path, splits: Splits, judge: Judge) -> Health:
    """Measure a run's pictures beside the test pictures of its clean data."""
    n = min(FAKES, len(splits.test))
    extractor, generator = FeatureExtractor(judge), load_generator(run)
    evaluator = Evaluator(extractor, splits, "test", n, say=lambda _: None)
    fakes = generate_images(generator, evaluator.reals, n, seed=0)
    measured = evaluator.measure(fakes)
    agreement, distance, reference = (
        measured.label_agreement,
        measured.frechet_distance,
        measured.frechet_real_reference,
    )
    train = kept_features(extractor, splits.train)
    real, fake = extractor.look_at_set(evaluator.reals).features, extractor.look(fakes.images).features
    return Health(
        classes=measured.classes_present,
        of_classes=len(measured.class_names),
        label_agreement=None if agreement is None else agreement / (measured.agreement_on_real or 1.0),
        frechet=distance / reference if distance is not None and reference else None,
        copying=copying_metrics(train, real, fake)["copying"][0],
    )


def judge_of_patients(splits: Splits, folder: Path, watcher: ProgressListener) -> Judge:
    """Return the judge of a clean data set, trained first where there is none in ``folder``.

    It is not kept among the user's judges: a diagnosis of these data has to do without one.
    """
    if splits.test.shape == IMAGE_SHAPE and set(splits.test.class_names) <= set(load_judge().class_names):
        return load_judge()
    name = splits.train.name
    file = folder / f"{name}.safetensors"
    if not file.exists():
        watcher.say(f"training a judge of {name} for the healthy runs, kept in {folder} ...")
        file.parent.mkdir(parents=True, exist_ok=True)
        train_and_save(splits, file, name, JUDGE_EPOCHS, JUDGE_SEED)
    return Judge(*read_judge(file))
