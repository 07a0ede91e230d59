"""Labels: the pictures do not show the class asked for, or the labels of the training images are wrong."""

from ganforge.diagnosis.case import Case
from ganforge.diagnosis.collapse import all_alike
from ganforge.diagnosis.figures import figures
from ganforge.diagnosis.finding import Evidence, Finding
from ganforge.diagnosis.moments import current, young
from ganforge.diagnosis.thresholds import CHANCE, FEWEST_FOR_LABELS
from ganforge.diagnosis.trend import still_rises
from ganforge.diagnosis.words import longer
from ganforge.metrics.thresholds import LABEL_FOLLOWED, LABEL_IGNORED


def label_ignored(case: Case) -> Finding | None:
    """The pictures do not show the class that was asked for; severity 1 where about half of them do."""
    now = figures(case)
    followed, agreement = now.followed, now.agreement
    if followed is None or agreement is None or followed >= LABEL_FOLLOWED or labels_meaningless(case):
        return None
    if all_alike(now):  # one picture for all classes is a collapse, or a slow start
        return None
    if not now.readable and (young(case) or case.facts.status == "running"):
        return None  # pictures that show no class yet follow no label
    if still_rises(case, "agreement"):
        return None
    ignored = followed < LABEL_IGNORED
    if ignored:
        chance = f"chance: {1 / len(now.classes):.0%}" if now.classes else "chance would be as good"
        text = f"the label is ignored: {agreement:.0%} of the pictures show the requested {now.noun} ({chance})"
        remedy = "train longer, or choose a recipe whose discriminator uses the label more strongly"
    else:
        text, remedy = f"the label is followed in {agreement:.0%} of the pictures only", longer(case)
    return Finding(
        "label-ignored",
        2 if ignored else 1,
        text,
        remedy,
        evidence=(
            Evidence(
                f"share of pictures that show the {now.noun} asked for",
                agreement,
                LABEL_FOLLOWED * now.accuracy,
                signal="agreement",
            ),
        ),
        cause="the discriminator does not compare the picture with its label, so that the generator need not, either",
        reconsider="pictures of each label that a person reads as that label",
    )


def label_noise(case: Case) -> Finding | None:
    """Held-out real images are read as their label no better than by chance: the labels say nothing about them."""
    if not labels_meaningless(case):
        return None
    now = figures(case)
    limit = CHANCE / len(now.classes)
    return Finding(
        "label-noise",
        2,
        f"the labels say nothing about their pictures: a reader that learned them reads {now.accuracy:.0%} of other "
        f"real pictures as their label (chance: {1 / len(now.classes):.0%})",
        "correct the labels, or train without them (an unconditional recipe)",
        evidence=(
            Evidence(
                "share of held-out real pictures read as their label", now.accuracy, limit, signal="agreement_on_real"
            ),
        ),
        cause="the labels were shuffled, or belong to other pictures",
        reconsider="classes that only a large network can tell apart",
    )


def labels_meaningless(case: Case) -> bool:
    """Whether labels predict pictures no better than by chance, in the eyes of a reader trained on them."""
    now, latest = figures(case), current(case)
    if case.facts.n_train < FEWEST_FOR_LABELS:
        return False
    if now.judged or latest is None or latest.agreement_on_real is None or len(now.classes) < 2:
        return False
    return now.accuracy < CHANCE / len(now.classes)
