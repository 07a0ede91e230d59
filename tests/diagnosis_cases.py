"""Made-up cases: a healthy run by the judge and by signals, to which a test adds one fault."""

from dataclasses import replace

from ganforge.diagnosis.case import Case, Facts, Signals
from ganforge.metrics.measurement import Measurement

FACTS = Facts(
    recipe={"name": "forge-2", "conditional": True},
    class_names=tuple("0123456789"),
    n_train=60_000,
    shape=(1, 28, 28),
    steps_per_epoch=100,
    noun="digit",
    status="finished",
)
MEASURED = Measurement(
    judge="digits-1",
    judge_hash="b2",
    n_fake=10_000,
    n_real=10_000,
    n_real_reference=10_000,
    class_spread=[0.9] * 10,
    noun="digit",
    class_names=list("0123456789"),
    class_shares=[0.095] * 10,
    real_class_shares=[0.099] * 10,
    classes_present=10,
    confident=0.95,
    confident_on_real=0.99,
    agreement_on_real=0.997,
    within_class_spread=0.9,
    total_spread=0.95,
    label_agreement=None,
    class_agreement=None,
    class_recall=[0.9] * 10,
    class_recall_real_reference=[0.93] * 10,
    frechet_distance=0.3,
    frechet_real_reference=0.1,
)
EVEN_LINE = {
    "discriminator_loss": 1.2, "generator_loss": 0.9, "d_real": 0.6, "d_fake": 0.4, "real_logit": 0.5,
    "fake_logit": -0.5, "real_logit_std": 0.8, "fake_logit_std": 0.8, "discriminator_gradient": 1.0,
    "generator_gradient": 0.5, "real_spread": 50.0, "fake_spread": 45.0,
}  # fmt: skip
LOST_LINE = {
    **EVEN_LINE, "discriminator_loss": 0.0001, "generator_loss": 11.0, "d_real": 1.0, "d_fake": 1e-5,
    "real_logit": 9.0, "fake_logit": -11.0,
}  # fmt: skip
LAST_STEP = 2000


def log(line=EVEN_LINE, last=LAST_STEP, lines=20):
    """A log of equal lines up to a step; an epoch has 100 steps."""
    steps = [last * (k + 1) // lines for k in range(lines)]
    return [{"step": step, "epoch": step / 100, **line} for step in steps]


def examination(step, **changes):
    """A healthy examination late in a run."""
    values = {
        "seconds": step / 10, "n": 1000, "features": "labels", "spread": 0.95, "pixel_spread": 0.95,
        "class_spread": (0.9,) * 10, "class_shares": (0.1,) * 10, "real_class_shares": (0.1,) * 10,
        "label_agreement": 0.97, "agreement_on_real": 0.98, "class_agreement": (0.97,) * 10, "recall": 0.85,
        "recall_real_reference": 0.9, "frechet": 3.0, "frechet_real_reference": 1.0, "repetition": 0.01,
        "repetition_on_real": 0.01, "nearer_to_training": 0.5, "copying_p": 0.5, "change": 0.3, "low": 0.0,
        "high": 255.0, "real_low": 0.0, "real_high": 255.0, "logit_train": 0.5, "logit_held_out": 0.45,
        "logit_fake": -0.5, "logit_std": 1.0, "weight_norm": {"generator": 10.0, "discriminator": 10.0},
    }  # fmt: skip
    return Signals(step=step, **{**values, **changes})


def examinations(last=LAST_STEP, count=10, **changes):
    """Examinations at equal distances up to a step, each with the same changes; a callable change gets the step."""
    steps = [last * (k + 1) // count for k in range(count)]
    return [
        examination(step, **{name: value(step) if callable(value) else value for name, value in changes.items()})
        for step in steps
    ]


def judged(lines=None, facts=FACTS, signals=(), **changes):
    """A finished run with the judge's measurement."""
    return Case(
        facts=facts, log=log() if lines is None else lines, signals=signals, measured=replace(MEASURED, **changes)
    )


def examined(lines=None, facts=FACTS, **changes):
    """A finished run without a judge."""
    return Case(facts=facts, log=log() if lines is None else lines, signals=examinations(**changes))
