"""ganforge trains GANs on small images, reports whether the training worked, and uses the trained generator.

>>> import ganforge
>>> run = ganforge.train("vanilla", data="mnist", epochs=5)
>>> pictures = ganforge.load(run.folder).sample(16, seed=1)
"""

import random
from importlib import import_module
from typing import TYPE_CHECKING, Any

import ganforge.forks  # noqa: F401  # registers its fork handlers now

if TYPE_CHECKING:
    from ganforge.errors import Interrupted, RunFailed, UserError
    from ganforge.experiment.api import resume, train
    from ganforge.experiment.diagnosis import diagnose
    from ganforge.experiment.evaluate import evaluate
    from ganforge.experiment.multi_seed import train_seeds
    from ganforge.generation.generator import load_generator as load
    from ganforge.recipes.reading import load_recipe

__version__ = "0.1.0"
__all__ = [
    "Interrupted",
    "RunFailed",
    "UserError",
    "diagnose",
    "evaluate",
    "load",
    "load_recipe",
    "resume",
    "train",
    "train_seeds",
]

_LOCATIONS = {
    "Interrupted": ("ganforge.errors", "Interrupted"),
    "RunFailed": ("ganforge.errors", "RunFailed"),
    "UserError": ("ganforge.errors", "UserError"),
    "diagnose": ("ganforge.experiment.diagnosis", "diagnose"),
    "evaluate": ("ganforge.experiment.evaluate", "evaluate"),
    "load": ("ganforge.generation.generator", "load_generator"),
    "load_recipe": ("ganforge.recipes.reading", "load_recipe"),
    "resume": ("ganforge.experiment.api", "resume"),
    "train": ("ganforge.experiment.api", "train"),
    "train_seeds": ("ganforge.experiment.multi_seed", "train_seeds"),
}


def __getattr__(name: str) -> Any:
    # torch takes seconds to import, and ``ganforge --help`` must not wait for it.
    if name in _LOCATIONS:
        module, attribute = _LOCATIONS[name]
        state = random.getstate()  # importing scikit-learn draws from it
        try:
            return getattr(import_module(module), attribute)
        finally:
            random.setstate(state)
    raise AttributeError(f"module 'ganforge' has no attribute {name!r}")
