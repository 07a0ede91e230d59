"""The base class of all recipe sections: strict types, no unknown fields, immutable."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A recipe section: refuses unknown fields, wrong types, NaN and infinity, and is immutable once validated."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, validate_default=True)
