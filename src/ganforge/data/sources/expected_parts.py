"""Whether a path holds the pairs or clips that a recipe learns from, told before any picture is read."""

from pathlib import Path

from ganforge.data.parts import GIVING
from ganforge.data.sources.clips import holds_clips, is_animation
from ganforge.data.sources.given_pairs import INPUT, TARGET, holds_pairs
from ganforge.errors import UserError


def check_source(path: Path, kind: str) -> None:
    """Refuse a folder of single pictures for a recipe that learns from pairs (``kind`` = "pair") or clips ("clip").

    Pairs in the place of clips, or clips in the place of pairs, are left to `ganforge.data.parts.check_parts`.

    Raises:
        UserError: a folder of pairs lacks ``input`` or ``target`` or holds more, or a file of a folder is no animation.
    """
    if not path.is_dir() or holds_pairs(path) or holds_clips(path):
        return
    if kind == "pair":
        missing = [f"{name}/" for name in (INPUT, TARGET) if not (path / name).is_dir()]
        found = f"has no {' and no '.join(missing)}" if missing else f"holds more than {INPUT}/ and {TARGET}/"
        raise UserError(f"{path}: {found}; {GIVING[kind]}")
    entries = sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
    still = next((entry.name for entry in entries if not (entry.is_file() and is_animation(entry))), None)
    found = f"{still} is no animation" if still else "is empty"
    raise UserError(f"{path}: {found}; {GIVING[kind]}")
