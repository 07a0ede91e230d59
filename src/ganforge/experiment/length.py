"""The length of a training: as the user gives it, and as the step or the time at which it ends."""

import math
from dataclasses import dataclass
from typing import Any, Self

from ganforge.errors import UserError
from ganforge.python_arguments import as_number, as_whole
from ganforge.recipes.recipe import Recipe

LONGEST = 10**9
"""Largest number of epochs or minutes; their steps fit 63 bits."""


@dataclass(frozen=True)
class StopCondition:
    """The end of a training: a step, or a number of seconds of training, whichever comes first."""

    step: int | None = None
    seconds: float = math.inf

    def is_reached(self, step: int) -> bool:
        """Whether a training at ``step`` has nothing left to do."""
        return (self.step is not None and step >= self.step) or self.seconds <= 0


@dataclass(frozen=True)
class Length:
    """A requested length, counted from the run's start (minutes: from now on); without any, the recipe's own."""

    steps: int | None = None
    epochs: float | None = None
    minutes: float | None = None

    @classmethod
    def chosen(cls, steps: Any = None, epochs: Any = None, minutes: Any = None) -> Self:
        """Return the length that the user gives.

        Raises:
            UserError: two lengths are given, or one is not a number above 0, or epochs or minutes are above `LONGEST`.
        """
        flags = {"steps": (as_whole, steps), "epochs": (as_number, epochs), "minutes": (as_number, minutes)}
        given: dict[str, Any] = {
            name: read(f"--{name}", value) for name, (read, value) in flags.items() if value is not None
        }
        if len(given) > 1:
            raise UserError(f"give one of {' and '.join(f'--{name}' for name in given)}, not both")
        for name, value in given.items():
            if not value > 0:
                raise UserError(f"--{name} {value:g}: must be more than 0")
            if name != "steps" and value > LONGEST:
                raise UserError(f"--{name}: must be at most {LONGEST:,}")
        return cls(**given)

    @property
    def is_given(self) -> bool:
        """Whether the user gives a length."""
        return self != type(self)()

    def end(self, recipe: Recipe, images: int) -> StopCondition:
        """Return the end of a training of ``recipe`` on this number of images."""
        if self.minutes is not None:
            return StopCondition(seconds=self.minutes * 60)
        if self.epochs is not None:
            return StopCondition(max(1, round(self.epochs * steps_per_epoch(recipe, images))))
        return StopCondition(usual_steps(recipe, images) if self.steps is None else self.steps)


def steps_per_epoch(recipe: Recipe, images: int) -> int:
    """Return the steps of an epoch, rounded down as in the tutorials.

    The remaining images begin the next epoch's first batch.
    """
    return images // (recipe.batch_size * recipe.game.discriminator_steps) or 1


def usual_steps(recipe: Recipe, images: int) -> int:
    """Return the recipe's own length in steps."""
    if recipe.run.kimg:
        return -(-recipe.run.kimg * 1000 // (recipe.batch_size * recipe.game.discriminator_steps))
    return recipe.run.epochs * steps_per_epoch(recipe, images)
