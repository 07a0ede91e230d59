"""Judges that the user trained, kept in the cache folder under the data that they are for."""

from pathlib import Path

from ganforge.data.images import Splits
from ganforge.errors import UserError
from ganforge.files import cache_folder
from ganforge.judge.files import read_judge
from ganforge.judge.judge import Judge

USABLE = 0.5
"""Share of the test images that a judge must read rightly to have a say."""


def kept_file(splits: Splits) -> Path:
    """Return where the judge of these data is kept: under the fingerprint of their test images.

    A run that trains on the validation images too has other splits, but the same test images, and the same judge.
    """
    return cache_folder() / "judges" / f"{splits.test.fingerprint}.safetensors"


def version_of(splits: Splits) -> str:
    """Return what the judge of these data is called: their name and the start of that fingerprint."""
    return f"{splits.test.name.removesuffix(' test')}-{splits.test.fingerprint[:8]}"


def kept_judge(splits: Splits) -> Judge | None:
    """Return the judge that was trained for these data, or None where there is none.

    Raises:
        UserError: the file that should hold it is damaged or holds a judge of other data.
    """
    file = kept_file(splits)
    if not file.exists():
        return None
    network, card, file_hash = read_judge(file)
    if (card.shape, card.classes) != (splits.test.shape, splits.test.class_names):
        raise UserError(f"{file}: is {card.version}, a judge of other data; delete it, or train one of these data")
    return Judge(network, card, file_hash)
