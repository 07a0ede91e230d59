"""``benchmark weaknesses``: planted holes of a LeNet that a probe must name and strengthening must cure.

A part of four classes is hidden from the training pictures (`ganforge.benchmarks.plantings`), so the hole is known. The
probe sees the classifier alone. Afterwards the hidden kind among the real test pictures says what each arm is worth. A
corruption is named and not cured: the generator draws no picture that has it.
"""

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ganforge.applications.found_files import Found
from ganforge.applications.latent_search import Explorer
from ganforge.applications.probe import Probe, probe
from ganforge.applications.strength_measures import TEST, VALIDATION, Measures
from ganforge.applications.strengthen import fine_tuner, strengthen
from ganforge.benchmarks.common import BenchmarkOptions, BenchmarkReport, count_of, mean_and_sd, measure_once
from ganforge.benchmarks.plantings import PLANTINGS, Planting
from ganforge.data.images import ImageSet, Splits
from ganforge.data.load import load
from ganforge.data.traits import WORDS
from ganforge.errors import UserError, suggest_names
from ganforge.evaluation.downstream import train_classifier
from ganforge.evaluation.readers import readers_of
from ganforge.evaluation.told_apart import LeNet
from ganforge.evaluation.user_classifier import UserClassifier, of_callable
from ganforge.generation.generator import load_generator

HIDDEN = "hidden kind"
BATCH, RATE = 64, 2e-3
"""Of the LeNet with the hole."""
OVERLAP = 0.5
"""Share of hidden pictures in the style that the probe names, or of that style among the hidden ones."""
HOLE, HOLE_ERROR = 2.0, 0.03
"""A hidden part is a hole where it is misread at least so many times as often as the rest of its class, and at least
at this rate. A part that the classifier reads nevertheless is no weakness, and no probe can name one."""
NAMED_SHARE = 0.75
"""Share of a planting's holes that must be named: three of four."""


@dataclass(frozen=True)
class Protocol:
    """Plantings and seeds of each kind, training pictures and epochs of the LeNet, budget of the probe, steps."""

    plantings: int = 10
    seeds: int = 3
    pictures: int = 55_000
    epochs: int = 2
    budget: int = 20_000
    steps: int = 1500


QUICK = Protocol(plantings=1, seeds=1, pictures=10_000, epochs=2, budget=4000, steps=300)


@dataclass(frozen=True)
class Trial:
    """One planting with one seed.

    Attributes:
        kind, planting, seed: what was hidden, from which LeNet.
        named: holes that the probe named, of `holes`; `classes` have a hidden part.
        found: pictures that the probe found.
        errors: by arm, the error on the hidden kind and on all test pictures.
    """

    kind: str
    planting: int
    seed: int
    named: int
    holes: int
    classes: int
    found: int
    errors: dict[str, dict[str, float]]


@dataclass(frozen=True)
class WeaknessReport(BenchmarkReport):
    """All trials of a folder."""

    folder: Path
    shortened: str
    trials: tuple[Trial, ...]
    title = "weaknesses: parts of four classes hidden from a LeNet, named by 'probe' and cured by 'strengthen'"
    header = ("kind", "arm", "error on the hidden kind", "error on all test digits")

    def table(self) -> list[tuple[str, ...]]:
        """Return a row for each kind and arm: mean ± standard deviation over the trials."""
        rows = []
        for kind in dict.fromkeys(trial.kind for trial in self.trials):
            own = [trial.errors for trial in self.trials if trial.kind == kind]
            for arm in own[0]:
                cells = [mean_and_sd([e[arm][name] for e in own], "{:.2%}".format) for name in (HIDDEN, TEST)]
                rows.append((kind, arm, *cells))
        return rows

    def notes(self) -> list[str]:
        """Return how many plantings were named, and the length."""
        lines = []
        for kind in dict.fromkeys(trial.kind for trial in self.trials):
            own = [trial for trial in self.trials if trial.kind == kind]
            with_holes = [trial for trial in own if trial.holes]
            named = sum(is_named(trial) for trial in with_holes)
            holes = f"{sum(trial.named for trial in own)} of {count_of(sum(trial.holes for trial in own), 'hole')}"
            parts = f"{sum(trial.classes for trial in own)} hidden parts"
            lines.append(f"{kind}: named in {named} of {count_of(len(with_holes), 'trial')} ({holes}, of {parts})")
        return [*lines, *([self.shortened] if self.shortened else []), f"trials: {self.folder}"]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        trials = [{**asdict(trial), "is_named": is_named(trial)} for trial in self.trials]
        return {
            "benchmark": "weaknesses",
            "folder": str(self.folder),
            "is_protocol": not self.shortened,
            "terms": self.shortened,
            "trials": trials,
        }


def is_named(trial: Trial) -> bool:
    """Whether the probe named most holes of the planting: at least `NAMED_SHARE` of them."""
    return trial.holes > 0 and trial.named >= NAMED_SHARE * trial.holes


def run_weaknesses(options: BenchmarkOptions) -> WeaknessReport:
    """Run every planting of every kind with every seed; finished trials of the folder are kept.

    Raises:
        UserError: no planting has a name in ``only``, or MNIST is not on this machine.
    """
    kinds = tuple(options.only) or ("style",)
    if unknown := [kind for kind in kinds if kind not in PLANTINGS]:
        raise UserError(f"--only {unknown[0]}: {suggest_names(unknown[0], PLANTINGS)}")
    protocol = QUICK if options.quick else Protocol()
    steps, seeds = options.steps or protocol.steps, options.seeds or protocol.seeds
    folder, splits = options.folder(), load("mnist")
    trials: list[Trial] = []
    total = len(kinds) * protocol.plantings * seeds
    for kind in kinds:
        for number in range(protocol.plantings):
            for seed in range(seeds):
                options.watcher.benchmarking(len(trials), total, f"{kind} {number}, seed {seed}", "trials")
                file = folder / f"{kind}-{number}-seed-{seed}-{steps}{'-quick' * options.quick}.json"
                trials.append(
                    measure_once(file, partial(_trial, kind, number, seed, splits, protocol, steps), Trial, indent=2)
                )
    other = [f"{steps:,} steps"] if steps != Protocol.steps else []
    other += [count_of(seeds, "seed")] if seeds != Protocol.seeds else []
    shortened = ", ".join([*(["--quick: 1 planting, 10,000 training pictures"] if options.quick else []), *other])
    return WeaknessReport(folder, shortened and f"no protocol: {shortened}", tuple(trials))


def _trial(kind: str, number: int, seed: int, splits: Splits, protocol: Protocol, steps: int) -> dict[str, Any]:
    train = splits.train.select(slice(0, protocol.pictures))
    planting = PLANTINGS[kind](train, splits.test, number)
    kept = planting.kept(train)
    network = train_classifier(kept, protocol.epochs, seed, network=LeNet, batch_size=BATCH, rate=RATE)
    classifier = of_callable("LeNet", network.requires_grad_(False))
    generator, readers = load_generator("mnist"), readers_of(splits)
    result = probe(classifier, generator, readers, splits, budget=protocol.budget, seed=seed)
    found = Found(
        *(result.found.images, result.found.labels, result.group, result.found.predicted),
        *(seed, splits.fingerprint, result.class_names),
    )
    measures = Measures(
        {HIDDEN: (planting.hidden(splits.test),), TEST: (splits.test,), VALIDATION: (splits.validation,)}
    )
    errors = {"before": measures.errors(classifier)}
    # no found picture has the corruption, so there is nothing that could cure it
    if len(found.images) and not planting.corruption:
        explorer = Explorer(generator, classifier, readers)
        arguments = (classifier, fine_tuner("0..1"), network, kept, found, explorer, measures, splits.train)
        trained = strengthen(*arguments, steps=steps, seeds=1)
        errors = {arm: of_seeds[0] for arm, of_seeds in trained.errors.items()}
    holes = [label for label in planting.classes if is_hole(classifier, planting, splits.test, label)]
    named = sum(names(result, planting, splits, train.labels == label, label) for label in holes)
    return asdict(Trial(kind, number, seed, named, len(holes), len(planting.classes), len(found.images), errors))


def is_hole(classifier: UserClassifier, planting: Planting, test: ImageSet, label: int) -> bool:
    """Whether the classifier misreads the hidden part of a class far more often than the rest of the class.

    Of a corruption the rest are the same pictures without it.
    """
    hidden = planting.hidden(test)
    hidden = hidden.select(torch.nonzero(hidden.labels == label).flatten())
    others = test.labels == label if planting.corruption else (test.labels == label) & ~planting.test
    rest = test.select(torch.nonzero(others).flatten())
    if not len(hidden) or not len(rest):
        return False
    errors = Measures({HIDDEN: (hidden,), TEST: (rest,)}).errors(classifier)
    return errors[HIDDEN] >= max(HOLE_ERROR, HOLE * errors[TEST])


def names(result: Probe, planting: Planting, splits: Splits, own: torch.Tensor, label: int) -> bool:
    """Whether the first hole of a class that the probe reports is the hidden kind.

    A style is named where the probe's style and the hidden one overlap by half of either; a trait where the words of
    the hole, or those of the most frequent group of the class, name it. A corruption is named where it is any hole of
    the class, because a LeNet has others: it misreads shifted digits most of all.
    """
    if planting.corruption:
        holes_of_class = [trial.corruption for trial in result.corruptions if trial.hole and trial.label == label]
        return planting.corruption in holes_of_class
    holes = [style for style in result.styles.table if style.hole and style.label == label]
    if planting.trait:
        groups = [group.name for group in result.groups if group.label == label and group.common]
        texts = [style.words for style in holes[:1]] + groups[:1]
        return any(WORDS[planting.trait][1] in text for text in texts)
    if not holes:
        return False
    rows = torch.nonzero(own).flatten()
    of_hole = result.styles.of(splits.train.gather(rows), label) == holes[0].number
    hidden = planting.train[rows]
    both = int((of_hole & hidden).sum())
    return both >= OVERLAP * min(int(of_hole.sum()), int(hidden.sum())) > 0
