"""Labels: the pictures do not show the class asked for, or the labels of the training images are wrong."""

from ganforge.diagnosis.case import Case
from ganforge.diagnosis.collapse import all_alike
from ganforge.diagnosis.figures import figures
from ganforge.diagnosis.finding import Evidence, Finding
from ganforge.diagnosis.moments import current, young
from ganforge.diagnosis.thresholds import CHANCE, CONTRADICTED, FEWEST_FOR_LABELS, HALF_RIGHT
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
    """Real images are read as their label no better than by chance, or a judge that is sure of them contradicts."""
    now = figures(case)
    if contradicted(case):
        return Finding(
            "label-noise",
            2 if now.accuracy < HALF_RIGHT else 1,
            f"many labels contradict their pictures: the judge is sure of {now.confident_on_real:.0%} of the real "
            f"pictures, and reads {now.accuracy:.0%} of all as their label",
            "look at pictures of a class ('ganforge data show'), and repair the labels",
            evidence=(
                Evidence(
                    "share of real pictures read as their label",
                    now.accuracy,
                    CONTRADICTED * now.confident_on_real,
                    signal="agreement_on_real",
                ),
            ),
            cause="labels were given carelessly, or moved against their pictures",
            reconsider="classes that have other names here than the judge gives them",
        )
    if not labels_meaningless(case):
        return None
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


def contradicted(case: Case) -> bool:
    """Whether a judge, which learned from other labels, is sure of the real images and reads them otherwise."""
    now, latest = figures(case), current(case)
    by_judge = now.judged or (latest is not None and latest.features == "judge")
    return by_judge and len(now.classes) > 1 and now.accuracy < CONTRADICTED * now.confident_on_real


def labels_meaningless(case: Case) -> bool:
    """Whether labels predict pictures no better than by chance, in the eyes of a reader trained on them."""
    now, latest = figures(case), current(case)
    if case.facts.n_train < FEWEST_FOR_LABELS:
        return False
    if now.judged or latest is None or latest.agreement_on_real is None or len(now.classes) < 2:
        return False
    return now.accuracy < CHANCE / len(now.classes)
