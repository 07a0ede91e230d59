"""A case: everything that a diagnosis knows of one run, as typed numbers.

Nothing here measures. `Signals` are written during a training (``signals.jsonl``), the `Measurement` at its end, and
`Facts` follow from recipe and data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ganforge.diagnosis.finding import Finding
from ganforge.metrics.measurement import Measurement, Noun


@dataclass(frozen=True, kw_only=True)
class Signals:
    """What one examination during a training saw: a line of ``signals.jsonl``.

    The pictures come from one fixed latent batch with fixed labels, so that two examinations of a run differ by the
    weights alone. Features are those of the judge that fits the data, else of a small network (`features`). Fields are
    None where they do not apply.

    Attributes:
        step: training step.
        seconds: of training so far.
        n: number of generated pictures, and of real ones.
        features: where the features come from: "judge", "labels" (a small classifier of the training images) or
            "random".
        spread: variance of the features of the fakes over that of the reals; 0 if all are equal. None where all reals
            are equal.
        pixel_spread: the same on pixels.
        class_spread: spread within each class, of that requested label (without labels, of that predicted class),
            relative to the reals of the class.
        class_shares, real_class_shares: share of each class that the reader sees among fakes and reals; empty without
            labels.
        label_agreement, agreement_on_real: share read as the class asked for; of reals, as their label.
        class_agreement: the same by class.
        confident, confident_on_real: share of fakes, and of reals, that the reader classifies with confidence >= .8.
        recall, recall_real_reference: share of reals that are near to a fake; the same by other reals. These, the
            distance and the repetition are means over blocks of 256 pictures: they do not depend on n from 256 on.
        frechet, frechet_real_reference: Fréchet distance of the features, and of other reals.
        repetition, repetition_on_real: share of pictures with a twin: another picture nearer than 1 of 100 reals has.
        nearer_to_training: share of fakes whose nearest training image is nearer than their nearest held-out image,
            of equal numbers of both; about .5 without copying, but any value for pictures that are all alike.
        copying_p: p-value of the nearest-neighbour test (`ganforge.metrics.copying_test`), one-sided: probability that
            training images would attract so many more fakes than held-out images if nothing was copied.
        change: root mean square change of the pictures of the fixed latents since the examination before, relative to
            the root mean square distance of two reals.
        draws_spread: image-to-image, or with codes: variance of the pixels of several draws for one condition, or for
            the same codes, mean over conditions, over the variance of real pictures.
        low, high: 1st and 99th percentile of the pixels of the fakes, in levels 0..255.
        real_low, real_high: the same of the reals.
        logit_train, logit_held_out, logit_fake: mean logit of D on training images, on held-out images, on fakes.
        logit_std: standard deviation of D's logits over training images and fakes together.
        held_out_as_fake: share of held-out images whose logit is nearer to the mean of fakes than to that of training.
        gradient_at_output: norm of the generator loss's gradient at a generated picture, mean over pictures.
        update_to_weight: for each player, norm of the change of its weights per step over the norm of its weights.
        weight_norm: for each player, the norm of its weights.
        largest_singular_value: the largest singular value of the discriminator's layers.
        effective_rank: exp of the entropy of the features' normalised singular values, fakes over reals.
    """

    step: int
    seconds: float
    n: int
    features: str
    spread: float | None = None
    pixel_spread: float | None = None
    class_spread: tuple[float | None, ...] = ()
    class_shares: tuple[float, ...] = ()
    real_class_shares: tuple[float, ...] = ()
    label_agreement: float | None = None
    agreement_on_real: float | None = None
    class_agreement: tuple[float | None, ...] = ()
    confident: float | None = None
    confident_on_real: float | None = None
    recall: float | None = None
    recall_real_reference: float | None = None
    frechet: float | None = None
    frechet_real_reference: float | None = None
    repetition: float | None = None
    repetition_on_real: float | None = None
    nearer_to_training: float | None = None
    copying_p: float | None = None
    change: float | None = None
    draws_spread: float | None = None
    low: float | None = None
    high: float | None = None
    real_low: float | None = None
    real_high: float | None = None
    logit_train: float | None = None
    logit_held_out: float | None = None
    logit_fake: float | None = None
    logit_std: float | None = None
    held_out_as_fake: float | None = None
    gradient_at_output: float | None = None
    update_to_weight: Mapping[str, float] | None = None
    weight_norm: Mapping[str, float] | None = None
    largest_singular_value: float | None = None
    effective_rank: float | None = None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of a run without its training: recipe, data, length, and what was seen before step 1.

    Attributes:
        recipe: the resolved recipe as plain values (`Recipe.to_dict`).
        class_names: of the training images; empty without labels.
        n_train: number of training images.
        shape: C, H, W of a picture.
        steps_per_epoch: steps of an epoch.
        noun: "digit" or "class".
        status: status of the run: "running", "finished", "interrupted", "diverged".
        before: findings on data and recipe, made before step 1.
    """

    recipe: Mapping[str, Any]
    class_names: tuple[str, ...]
    n_train: int
    shape: tuple[int, int, int]
    steps_per_epoch: int
    noun: Noun = "class"
    status: str = "running"
    before: tuple[Finding, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Case:
    """A run as the findings see it.

    Attributes:
        facts: of recipe and data.
        log: lines of ``log.jsonl``, in order.
        signals: examinations in order of their steps.
        measured: the judge's measurement at the end; None during a training, or without a judge.
    """

    facts: Facts
    log: Sequence[Mapping[str, Any]] = ()
    signals: Sequence[Signals] = ()
    measured: Measurement | None = None
