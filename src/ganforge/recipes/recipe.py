"""A recipe: its fields, checked against each other, and its form as plain values and TOML."""

from typing import Any, Self

import tomli_w
from pydantic import model_validator

from ganforge.objectives.adversarial import OBJECTIVES
from ganforge.recipes.checks import CHECKS
from ganforge.recipes.fields import RecipeFields

DEFAULT_RECIPE = "forge-2"
"""The recipe of ``ganforge train`` when the user names none."""

DEFAULT_WITHOUT_LABELS = "forge-2-unconditional"
"""The default recipe for images without labels, or with a single class."""

DEFAULT_FOR_FEW, FEW = "forge-1-unconditional", 2_500
"""The default recipe for fewer than ``FEW`` unlabelled images, whose clusters would be too small."""

DEFAULT_FOR_SIGNALS, DEFAULT_FOR_UNLABELLED_SIGNALS = "forge-signal", "forge-signal-unconditional"
"""The default recipes for signals, with labels and without."""

PROSE = {"summary", "source", "aliases"}
"""Fields for people, without effect on the training."""


class Recipe(RecipeFields):
    """A complete training method: two runs with the same recipe, data and seed give the same weights."""

    @model_validator(mode="after")
    def _check_combination(self) -> Self:
        for check in CHECKS:
            check(self)
        return self

    def trains_like(self, other: "Recipe") -> bool:
        """Whether two recipes are the same but for their prose, so that a run of one is a run of the other."""
        return self.training_values() == other.training_values()

    def training_values(self) -> dict[str, Any]:
        """Return the plain values without the prose: whatever determines name and weights of a run."""
        return {name: value for name, value in self.to_dict().items() if name not in PROSE}

    def with_run(self, **values: Any) -> "Recipe":
        """Return the recipe with other values in its table ``run``, such as a chosen device; they are not checked."""
        return self.model_copy(update={"run": self.run.model_copy(update=values)})

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as plain values for TOML and JSON; ``parse`` restores an equal recipe."""
        values = self.model_dump(mode="json", exclude_none=True)
        names = {type_: name for name, type_ in OBJECTIVES.items()}
        if self.objective is not None:
            values["objective"] = {"name": names[type(self.objective)], **values["objective"]}
        return values

    def to_toml(self) -> str:
        """Return the recipe as a complete TOML file."""
        return tomli_w.dumps(self.to_dict())
