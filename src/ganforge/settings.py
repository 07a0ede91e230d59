"""The common base of everything that is read from a recipe: strict, closed, unchangeable."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Refuses unknown fields, wrong types, NaN and infinity; cannot be changed after it was checked."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, validate_default=True)
