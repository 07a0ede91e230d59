"""The base class of all recipe sections: strict types, no unknown fields, immutable."""

from pydantic import BaseModel, ConfigDict

WIDEST, MOST_FILTERS, MOST_LAYERS = 65_536, 4096, 64
"""Largest width of a latent or a layer, and batch; largest number of filters; of layers.

Larger networks are mistakes: without a limit, a slip of the keyboard takes all memory of the machine.
"""
MOST_REPEATS = 1000
"""Largest number of updates, unrolled steps or images that count as one."""


class Settings(BaseModel):
    """A recipe section: refuses unknown fields, wrong types, NaN and infinity, and is immutable once validated."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, validate_default=True)
