"""Files that are either there whole or not at all."""

import os
from pathlib import Path

from ganforge.errors import RunFailed


def write_atomically(path: Path, content: bytes) -> None:
    """Write beside the file, flush to the disk, then rename: a reader never sees half a file, whatever happens.

    Raises:
        RunFailed: the file could not be written (disk full, no permission); what stood there before still does.
    """
    beside = path.with_name(f".{path.name}.writing")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise RunFailed(
            f"could not write {path}: {error.strerror or error}; what was saved before is untouched"
        ) from error
