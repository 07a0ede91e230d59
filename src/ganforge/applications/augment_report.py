"""The answer of an augmentation: what was measured for every option, and in words what helps."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from ganforge.applications.augment_sets import MadeSet
from ganforge.metrics.paired import PairedDifference

NOTHING, MOVES, STRONG, MIXUP = "nothing", "small moves", "strong moves", "mixup"
GAN, GAN_UNFILTERED, BOTH, GAN_ALONE = "GAN", "GAN, no filter", "small moves and GAN", "GAN alone"
GUESSES, FIXMATCH = "guessed labels", "FixMatch"
"""The names of the options."""


class Row(NamedTuple):
    """An option's error, in 0..1, on validation images, and its paired difference from `NOTHING`; below 0 is better.

    ``beyond_noise``: the difference is, for better or worse, by Holm's correction for all options together.
    """

    name: str
    error: float
    difference: PairedDifference
    beyond_noise: bool


class FilterRow(NamedTuple):
    """A filter of generated pictures: the share that it removes, and the change of the error by using it alone."""

    name: str
    removed: float
    difference: PairedDifference


@dataclass(frozen=True)
class Choice:
    """What was measured, the option that was chosen, and its set of pictures.

    Attributes:
        rows: the options, `NOTHING` first.
        filters: the filters of generated pictures, each used alone.
        gan_beside_moves: the paired difference of `BOTH` from `MOVES`: what generated pictures add to moved ones.
        chosen: name of the option with the smallest error if it helps beyond noise, else `NOTHING`.
        made: the set of the chosen option, of seed 0.
        test_errors: on the test images: without anything, and of the chosen option.
        test_difference: their paired difference.
        used: number of labels to learn from, of validation and of test images.
        steps, seeds: of every classifier.
    """

    rows: tuple[Row, ...]
    filters: tuple[FilterRow, ...]
    gan_beside_moves: PairedDifference | None
    chosen: str
    made: MadeSet
    test_errors: tuple[float, float]
    test_difference: PairedDifference
    used: tuple[int, int, int]
    steps: int
    seeds: int

    def words(self) -> list[str]:
        """Return the answer: what helps, by how much, and whether beyond noise."""
        helping = [row for row in self.rows[1:] if row.beyond_noise and row.difference.difference < 0]
        harmful = [row.name for row in self.rows[1:] if row.beyond_noise and row.difference.difference > 0]
        lines = ["nothing helps beyond noise: learn from the labelled pictures as they are"]
        if helping:
            best = next(row for row in self.rows if row.name == self.chosen)
            lines = [
                f"{best.name} helps most: error {self.rows[0].error:.1%} without anything, {best.error:.1%} with it "
                f"({points(best.difference)}), beyond noise"
            ]
        if len(helping) > 1:
            lines.append(f"beyond noise better than nothing: {', '.join(row.name for row in helping)}")
        if harmful:
            lines.append(f"beyond noise worse than nothing: {', '.join(harmful)}")
        if self.gan_beside_moves:
            lines.append(f"GAN pictures beside small moves: {_verdict(self.gan_beside_moves)}")
            lines.append(self._words_of_alone())
        before, after = self.test_errors
        learned, chose, reported = self.used
        if self.chosen != NOTHING:
            lines.append(
                f"test images, used once: {before:.2%} without anything, {after:.2%} with {self.chosen} "
                f"({points(self.test_difference)})"
            )
        else:
            lines.append(f"test images, used once: {before:.2%}")
        lines.append(f"labels used: {learned:,} to learn from, {chose:,} to choose, {reported:,} to report")
        return lines

    def _words_of_alone(self) -> str:
        """Return what a classifier loses that learns from generated pictures alone, such as for privacy."""
        by_name, what = {row.name: row for row in self.rows}, "GAN pictures alone, without an original"
        if GAN_ALONE not in by_name:
            return f"{what}: not measured, the filters leave none of some class"
        alone, others = by_name[GAN_ALONE], f"{self.rows[0].error:.1%} without anything"
        if self.chosen not in (NOTHING, GAN_ALONE):
            others += f", {by_name[self.chosen].error:.1%} with {self.chosen}"
        return f"{what}: error {alone.error:.1%}, beside {others}: {_verdict(alone.difference)}"

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the pictures as plain values for JSON."""
        return {
            "chosen": self.chosen,
            "helps": self.chosen != NOTHING,
            "options": [row._asdict() | {"difference": row.difference._asdict()} for row in self.rows],
            "filters": [row._asdict() | {"difference": row.difference._asdict()} for row in self.filters],
            "gan_beside_moves": self.gan_beside_moves and self.gan_beside_moves._asdict(),
            "test_error": self.test_errors[1],
            "test_error_without": self.test_errors[0],
            "test_difference": self.test_difference._asdict(),
            "labels": dict(zip(("learn", "choose", "report"), self.used, strict=True)),
            "steps": self.steps,
            "seeds": self.seeds,
            "words": self.words(),
        }


def points(difference: PairedDifference) -> str:
    """Return a difference of errors in percentage points, with its 95 % interval."""
    return f"{100 * difference.difference:+.1f} points, {100 * difference.low:+.1f} to {100 * difference.high:+.1f}"


def _verdict(difference: PairedDifference) -> str:
    if difference.low <= 0 <= difference.high:
        return f"no gain beyond noise ({points(difference)})"
    return f"{'a gain' if difference.high < 0 else 'a loss'} beyond noise ({points(difference)})"
