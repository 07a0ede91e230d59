"""The losses of a run drawn, and in words what a reader may and may not conclude from them."""

import math
from collections.abc import Collection

from ganforge.applications.report.record import RunRecord
from ganforge.reports.blocks import Block, Charts, Words
from ganforge.reports.charts import Chart, Curve, Point

NASH = -math.log(4)
"""V(D, G) where the discriminator can only guess: log ½ + log ½."""

GAME = (
    "Each loss measures one player against the other, not the pictures against real ones. You may conclude: the "
    "balance is lost where one loss goes to 0 and stays, or where values run away. You may not conclude: that a run "
    "with lower losses draws better pictures, or that flat losses mean that nothing is learned; in a good game both "
    "stay level while the pictures improve. The figures of the judge and the samples tell which."
)
OBJECTIVES = {
    "minimax": (
        "The original game: the discriminator D raises V(D, G) = E log D(x) + E log(1 − D(G(z))), and the generator "
        "lowers it. The generator's loss is the second term, so it is below 0, and it flattens at 0 where D rejects "
        "every fake: then the generator hardly learns."
    ),
    "non-saturating": (
        "The discriminator's loss is −log D(x) − log(1 − D(G(z))), 1.386 where it can only guess. The generator's loss "
        "is −log D(G(z)), 0.693 where D can only guess, and large where D rejects every fake."
    ),
    "least-squares": (
        "The discriminator is trained to answer 1 for real pictures and 0 for fakes, by squared error: its loss is "
        "0.25 and the generator's 0.125 where every answer is ½. The answer is no probability."
    ),
    "wasserstein": (
        "The discriminator is a critic: only the difference of its answers on real pictures and on fakes counts. That "
        "difference estimates a distance between both, as long as the critic is held smooth, so its fall is a sign of "
        "progress within one run; values of two runs do not compare. The generator's loss has no zero of its own."
    ),
    "hinge": (
        "Answers beyond ±1 cost the discriminator nothing: its loss is 0 where it is sure of everything and 2 where "
        "all answers are 0. The generator's loss is minus the mean answer on its fakes, and has no zero of its own."
    ),
    "relativistic-pairing": (
        "The discriminator compares a real picture with a fake: D(x) − D(G(z)) says how sure it is which is the real "
        "one. Both losses are 0.693 where it can only guess. One answer alone is no probability and has no meaning."
    ),
}
CHANCE = {
    "minimax": -NASH,
    "non-saturating": -NASH,
    "least-squares": 0.25,
    "hinge": 2.0,
    "relativistic-pairing": math.log(2),
}
"""The discriminator's loss where it can only guess; a critic's loss has no such value."""
RECONSTRUCTION = (
    "No adversary: encoder and generator learn together to give back the pictures they were shown. This loss compares "
    "with real pictures, so a lower one is better. It says how well pictures are given back, not how good pictures "
    "drawn from noise are."
)
KL = (
    "KL is the information in a code, in nats per picture: near 0 the codes say nothing, and the generator draws the "
    "same picture whatever the code."
)
REGRESSION = (
    "No adversary: the generator learns from the distance of its results to the true pictures. A lower loss is better; "
    "it rewards the mean of all possible results, which may look blurred."
)


def loss_blocks(record: RunRecord) -> list[Block]:
    """Return the curves and words on the losses of a run."""
    if not record.log:
        return [Words("The run has no log, so there is no curve of its losses.", "missing")]
    names = record.log[-1].keys()
    losses = [name for name in names if name.endswith("_loss")]
    chance = CHANCE.get(objective_of(record))
    level = [("the discriminator can only guess", chance)] if chance is not None else []
    charts = [Chart("Losses", [curve_of(record, name, _title(name)) for name in losses], levels=level)]
    if "d_real" in names:
        charts += [_probabilities(record), _value(record)]
    elif "real_logit" in names:
        curves = [curve_of(record, "real_logit", "on real pictures"), curve_of(record, "fake_logit", "on fakes")]
        charts.append(Chart("Mean answers (logits) of the discriminator", curves))
    if "kl" in names:
        charts.append(Chart("KL divergence of the codes", [curve_of(record, "kl", "KL in nats per picture")]))
    return [*(Words(text) for text in _explanations(record, names)), Charts(charts)]


def curve_of(record: RunRecord, key: str, name: str) -> Curve:
    """Return a statistic of the log as a curve over steps."""
    return Curve(name, points_of(record, key))


def points_of(record: RunRecord, key: str) -> list[Point]:
    """Return a statistic of the log by step."""
    return [(float(line["step"]), float(line[key])) for line in record.log if key in line]


def _title(name: str) -> str:
    return name.removesuffix("_loss")


def objective_of(record: RunRecord) -> str:
    """Return the name of the run's objective; empty without an adversary, or without a recipe."""
    values = record.recipe.to_dict().get("objective", {}) if record.recipe else {}
    return str(values.get("name", ""))


def _probabilities(record: RunRecord) -> Chart:
    return Chart(
        "What the discriminator believes",
        [curve_of(record, "d_real", "D(x), on real pictures"), curve_of(record, "d_fake", "D(G(z)), on fakes")],
        levels=[("it can only guess", 0.5)],
    )


def _value(record: RunRecord) -> Chart:
    return Chart(
        "Value of the game V(D, G)",
        [curve_of(record, "value", "V(D, G)")],
        levels=[("−log 4, D can only guess", NASH), ("D tells every picture", 0.0)],
    )


def _explanations(record: RunRecord, names: Collection[str]) -> list[str]:
    """Return what the losses of this run mean, in the words for its objective."""
    if "encoder_loss" in names:
        return [RECONSTRUCTION, *([KL] if "kl" in names else [])]
    if "discriminator_loss" not in names:
        return [REGRESSION]
    words = [OBJECTIVES[name]] if (name := objective_of(record)) in OBJECTIVES else []
    if "value" in names:
        words.append(
            "D(x) and D(G(z)) are the mean probabilities that the discriminator gives real pictures and fakes. V is "
            "−log 4 = −1.386 where D can only guess. That happens with perfect fakes, and just as well with a "
            "discriminator that is too weak to tell; V near 0 means that D tells every fake."
        )
    return [*words, GAME]
