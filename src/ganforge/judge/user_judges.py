"""Judges trained by the user, stored in the cache folder by the fingerprint of their data."""

from pathlib import Path

from ganforge.data.images import Splits
from ganforge.errors import UserError
from ganforge.files import cache_folder
from ganforge.judge.files import read_judge
from ganforge.judge.judge import Judge


def kept_file(splits: Splits) -> Path:
    """Return the file of the judge for these data, named by the fingerprint of their test images.

    A run that also trains on the validation images has other splits, but the same test images and the same judge.
    """
    return cache_folder() / "judges" / f"{splits.test.fingerprint}.safetensors"


def version_of(splits: Splits) -> str:
    """Return the name of the judge for these data: their name and the start of the test fingerprint."""
    return f"{splits.test.name.removesuffix(' test')}-{splits.test.fingerprint[:8]}"


def kept_judge(splits: Splits) -> Judge | None:
    """Return the judge trained for these data, or None.

    Raises:
        UserError: the judge's file is damaged or holds a judge of other data.
    """
    file = kept_file(splits)
    if not file.exists():
        return None
    network, card, file_hash = read_judge(file)
    if (card.shape, card.classes) != (splits.test.shape, splits.test.class_names):
        raise UserError(
            f"{file}: is {card.version}, a judge of other data; delete the file, or train a judge for these data"
        )
    return Judge(network, card, file_hash)
