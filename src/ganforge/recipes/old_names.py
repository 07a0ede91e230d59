"""Former names of fields and values, accepted wherever a recipe is read.

Recipes stand in TOML files, in ``--set``, in run folders and in the metadata of generator files.
"""

from typing import Any

from ganforge.errors import UserError

GAME = (
    *("discriminator_steps", "generator_steps", "order", "shared_noise", "packing", "joint_batch", "unroll"),
    *("adversarial_weight", "spectral_norm"),
)
SCHEDULE = ("lr_decay_start", "generator_lr_decay_power", "instance_noise", "instance_noise_images")
RUN = ("epochs", "kimg", "sheet", "sheet_columns", "log_every", "checkpoint_seconds", "device", "precision")

FLAT = {
    **{name: f"game.{name}" for name in GAME},
    **{name: f"schedule.{name}" for name in SCHEDULE},
    "ema_half_life": "averaging.half_life",
    "ema_ramp": "averaging.ramp",
    "average_discriminator": "averaging.discriminator",
    **{name: f"run.{name}" for name in RUN},
}
"""Fields that once stood outside tables, with their present places."""

FIELDS = {
    **FLAT,
    "penalties.approximate_r1.deviation": "penalties.approximate_r1.sigma",
    "terms.invariant_information.slant": "terms.invariant_information.shear",
    "discriminator.frequencies": "discriminator.fourier_features",
    "encoder.frequencies": "encoder.fourier_features",
}
"""Old name of a field -> its present name."""

VALUES = {
    "run.sheet": {"beside-real": "real-and-fake"},
    "discriminator.classifier": {"beside": "auxiliary", "instead": "k_plus_one"},
}
"""Present name of a field -> its old values, with the present ones."""


def with_present_names(values: dict[str, Any], where: str) -> dict[str, Any]:
    """Return a copy of a recipe's plain values with the present names of fields and values.

    Raises:
        UserError: a field is given under its old and its present name; the message names ``where`` and both.
    """
    values = _copy(values)
    for old, new in FIELDS.items():
        source, old_field = _table(values, old)
        if source is None or old_field not in source:
            continue
        target, new_field = _table(values, new, create=True)
        if target is None:  # the table is no table, and its own error says so
            continue
        if new_field in target:
            raise UserError(f"{where}: {old} is the old name of {new}: give one of them, not both")
        target[new_field] = source.pop(old_field)
    for name, replacements in VALUES.items():
        table, field = _table(values, name)
        if table is not None and isinstance(value := table.get(field), str):
            table[field] = replacements.get(value, value)
    return values


def _copy(value: Any) -> Any:
    return {name: _copy(entry) for name, entry in value.items()} if isinstance(value, dict) else value


def _table(values: dict[str, Any], name: str, create: bool = False) -> tuple[dict[str, Any] | None, str]:
    """Return the table that holds a dotted field, None if there is none, and the field's name in it."""
    *tables, field = name.split(".")
    place: Any = values
    for table in tables:
        if create and isinstance(place, dict):
            place.setdefault(table, {})
        place = place.get(table) if isinstance(place, dict) else None
    return (place if isinstance(place, dict) else None), field
