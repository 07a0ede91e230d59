"""The frozen judge of handwritten digits that comes with ganforge."""

from functools import cache
from pathlib import Path

from ganforge.judge.files import read_judge
from ganforge.judge.judge import Judge

DIGITS_FILE = Path(__file__).parent / "digits-1.safetensors"
DIGITS_HASH = "b2cd85c69af6568c3f30ecacc46b98d3dc7d9e54c337df272cb5d079cf5359d1"


@cache
def load_judge(path: Path | None = None) -> Judge:
    """Return the judge of handwritten digits that comes with ganforge, or the judge in the file ``path``.

    The SHA-256 of the shipped file is checked, so that metrics of two machines come from the same judge.

    Raises:
        UserError: the file is missing, holds no judge, or is not the shipped file.
    """
    if path is None:
        return Judge(*read_judge(DIGITS_FILE, DIGITS_HASH), noun="digit")
    return Judge(*read_judge(path))
