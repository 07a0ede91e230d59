"""The evaluation of a model of the next frame: clips continued by it, beside constant motion and copies."""

from collections.abc import Callable

from ganforge.data.images import ImageSet
from ganforge.data.pairs import NextFrame
from ganforge.errors import UserError
from ganforge.evaluation.baselines import simple_continuations
from ganforge.evaluation.clips import clip_metrics, clips_told_apart, metrics_of_clips, split_clips
from ganforge.evaluation.metric_table import METRICS, MetricValue
from ganforge.evaluation.protocol import Protocol
from ganforge.evaluation.result import Evaluation
from ganforge.evaluation.translation import mean_and_interval
from ganforge.generation.generator import Generator
from ganforge.generation.roll_out import continue_clips
from ganforge.metrics.thresholds import FEWEST_TO_EVALUATE

MOST_CLIPS = 1000
"""Clips of an evaluation unless the user gives a number."""


def evaluate_clips(
    generator: Generator,
    clips: ImageSet,
    what: str,
    split: str,
    *,
    n: int | None = None,
    seed: int = 0,
    slow: bool = False,
    say: Callable[[str], None] = print,
) -> Evaluation:
    """Measure continuations of the first frames of clips, up to ten frames, against the true frames.

    Args:
        generator: of a recipe with ``pairs.kind = "next-frame"``.
        clips: real clips, of which the first ``n`` count.
        what: the name of the source of the generator.
        split: the part of the data that the clips are.
        n: number of clips; unless given, all of them, at most 1,000.
        seed: of the latents.
        slow: also train classifiers that tell whole clips from real ones.
        say: called with a sentence before each slow step.

    Raises:
        UserError: there are fewer than ``n`` clips or too few, or they are too short or of another size.
    """
    rule = generator.recipe.pairs
    assert isinstance(rule, NextFrame)
    count = n or min(MOST_CLIPS, len(clips))
    if not FEWEST_TO_EVALUATE <= count <= len(clips):
        raise UserError(
            f"{count:,} clips to measure: there are {len(clips):,}; {FEWEST_TO_EVALUATE} or more are needed"
        )
    pair = split_clips(rule, clips.select(slice(0, count)).images)
    horizon = pair.future.shape[1]
    say(f"continuing {count:,} clips of {rule.given} frames by {horizon} ...")
    results = continue_clips(generator, pair.given, horizon, seed=seed)[0]
    values = clip_metrics(pair.future, results)
    intervals = {name: mean_and_interval(each)[1] for name, each in metrics_of_clips(pair.future, results).items()}
    if slow:
        say("training classifiers that tell continued clips from real ones ...")
        values["told_apart"] = clips_told_apart(pair.future, results)
    simple = {
        name: clip_metrics(pair.future, frames)
        for name, frames in simple_continuations(rule, pair.given, horizon).items()
    }
    copies = simple.pop("last frame")
    protocol = Protocol(f"{rule.given}to{horizon}-framesum-ssim7", "", clips.name, clips.fingerprint, split, count)
    metrics = tuple(
        MetricValue(name, values[name], intervals.get(name), None, copies.get(name), count)
        for name in METRICS
        if name in values
    )
    notes = tuple(
        f"{name}, without training: MSE of a frame {of['frame_mse']:.1f}, of the first {of['frame_mse_1']:.1f}"
        for name, of in simple.items()
    )
    return Evaluation(what, protocol, metrics, (), generator.note.get("step"), generator.note.get("seed"), notes)
