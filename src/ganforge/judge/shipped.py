"""The frozen judge of handwritten digits, which ships with ganforge."""

from functools import cache
from pathlib import Path

from ganforge.judge.files import read_judge
from ganforge.judge.judge import Judge

DIGITS_FILE = Path(__file__).parent / "digits-1.safetensors"
DIGITS_HASH = "b2cd85c69af6568c3f30ecacc46b98d3dc7d9e54c337df272cb5d079cf5359d1"


@cache
def load_judge(path: Path | None = None) -> Judge:
    """Return the judge of handwritten digits that ships with ganforge, or the judge in the file ``path``.

    The shipped file's SHA-256 is checked, so that figures of two machines are figures of one judge.

    Raises:
        UserError: the file is missing, is no judge, or is not the one that was shipped.
    """
    if path is None:
        return Judge(*read_judge(DIGITS_FILE, DIGITS_HASH), noun="digit")
    return Judge(*read_judge(path))
