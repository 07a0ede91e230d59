"""The data sets known by name, where their files are, and how any source becomes train, validation and test.

A row of `ENTRIES` is all that a further set needs: its files with their checksums, its mirrors and its reader.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from PIL import Image

from ganforge.data.download import PROBE, Report, StoredFile, answering, fetch_file, right
from ganforge.data.images import ImageSet, Splits
from ganforge.data.readers import Parts, find_spelling, read_idx_folder, read_object, read_path
from ganforge.errors import UserError, nearest
from ganforge.randomness import random_generator


@dataclass(frozen=True)
class Entry:
    """One data set of the catalogue; ``read`` turns the folder of its files into images (any folder if it has none)."""

    name: str
    about: str
    read: Callable[[Path], Parts]
    files: tuple[StoredFile, ...] = ()
    mirrors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Listed:
    """A line of ``ganforge data list``; ``here`` says whether the set needs no download."""

    name: str
    about: str
    here: bool


# What load does


def load(source: object = "auto", images: str = "train", report: Report | None = None) -> Splits:
    """Load a data set in three parts.

    Args:
        source: ``auto`` (MNIST where it is here or can be fetched, else digits), a name of the catalogue, a path,
            or a Python object as `readers.read_object` takes it. A name of the catalogue goes before a file so called.
        images: ``train``, or ``all`` to train on the validation images too.
        report: told how a download gets on.

    Raises:
        UserError: there is no such data, it is damaged or cannot be used, or it holds fewer than four images.
    """
    if images not in ("train", "all"):
        raise UserError(f"images = {images!r} is neither train nor all; all adds the validation images to training")
    if isinstance(source, str) and source == "auto":
        return _split(*_auto(ENTRIES["mnist"], ENTRIES["digits"], report), images)
    if isinstance(source, str):
        source = ENTRIES.get(source) or _as_path(source)
    if isinstance(source, Entry):
        return _split(*_load_entry(source, report), images)
    if isinstance(source, Path):
        return _split(read_path(source.expanduser()), f"read from {source}", images)
    return _split(read_object(source), "given as a Python object", images)


def names() -> list[Listed]:
    """List the catalogue with what is on this machine; files are looked for, not checked."""
    return [Listed(e.name, e.about, not e.files or bool(_folders(e))) for e in ENTRIES.values()]


def find(entry: str | Entry) -> Path | None:
    """Find the folder on this machine in which all files of a set are, each with the right content.

    Raises:
        UserError: the set lies in $GANFORGE_DATA with a wrong file; what is wrong in the cache can be fetched anew.
    """
    entry = _entry(entry)
    damaged: UserError | None = None
    for folder in _folders(entry):
        in_cache = folder == _cache(entry)
        if in_cache and damaged:
            break
        wrong = [file.name for file in entry.files if not right(find_spelling(folder, file.name), file)]
        if not wrong:
            return folder
        if not in_cache:
            damaged = damaged or UserError(
                f"{find_spelling(folder, wrong[0])}: is damaged or not {entry.name}'s file (its SHA-256 is wrong); "
                "replace it, or unset GANFORGE_DATA to have it downloaded"
            )
    if damaged:
        raise damaged
    return None


def _entry(entry: str | Entry) -> Entry:
    if isinstance(entry, Entry):
        return entry
    if entry not in ENTRIES:
        raise UserError(f"no data set is called {entry!r}; {nearest(entry, ENTRIES)}")
    return ENTRIES[entry]


def _as_path(source: str) -> Path:
    """Take a string for a path where it exists or looks like one, and refuse it as a name otherwise."""
    path = Path(source).expanduser()
    if not source.strip():
        raise UserError(f"no data set, file or folder was named; {nearest(source, [*ENTRIES, 'auto'])}")
    if path.exists() or "/" in source or os.sep in source or path.suffix:
        return path
    raise UserError(f"no data set, file or folder is called {source!r}; {nearest(source, [*ENTRIES, 'auto'])}")


def _load_entry(entry: Entry, report: Report | None) -> tuple[Parts, str]:
    if not entry.files:
        return entry.read(Path()), entry.about
    if folder := find(entry):
        return entry.read(folder), f"found in {_shown(folder)}"
    folder = fetch(entry, report=report)
    return entry.read(folder), f"downloaded to {_shown(folder)}"


def _auto(wanted: Entry, instead: Entry, report: Report | None) -> tuple[Parts, str]:
    """Take ``wanted`` where it is here or comes at once, else ``instead``, which needs no network; say why."""
    if folder := find(wanted):
        return wanted.read(folder), f"found in {_shown(folder)}"
    why = f"no mirror answered within {PROBE:g} seconds"
    if _offline():
        why = "GANFORGE_OFFLINE forbids the download"
    elif mirrors := answering(wanted.files[0], wanted.mirrors):
        try:
            folder = fetch(wanted, mirrors=mirrors, report=report)
            return wanted.read(folder), f"downloaded to {_shown(folder)}"
        except UserError as error:
            why = str(error).partition(";")[0]
    return instead.read(Path()), f"{instead.about}, because {wanted.name} is not on this machine and {why}"


def _split(parts: Parts, origin: str, images: str) -> Splits:
    """Cut what the makers of a set did not: a twelfth for validation where there is a test part, else 80/10/10.

    A set with its own test part keeps its order (MNIST: 55,000 + 5,000) unless that order is by class.
    """
    rest, validation, test = parts.train, parts.validation, parts.test
    name = rest.name
    by_class = bool((rest.labels.diff() >= 0).all()) and rest.labelled
    if test is None or by_class:
        rest = rest.select(torch.randperm(len(rest), generator=random_generator("split")))
    needed = 2 + (validation is None) + (test is None)
    if len(rest) < needed:
        raise UserError(f"{name}: {len(rest)} images are too few to train, validate and test on; give {needed} or more")
    held = max(1, len(rest) // (10 if test is None else 12))
    if test is None:
        test, rest = rest.select(slice(-held, None), f"{name} test"), rest.select(slice(None, -held))
    train, everything = rest, rest
    if validation is None:
        validation, train = rest.select(slice(-held, None), f"{name} validation"), rest.select(slice(None, -held))
    elif images == "all":
        both = torch.cat([rest.images, validation.images]), torch.cat([rest.labels, validation.labels])
        everything = ImageSet(*both, rest.class_names, name)
    return Splits(everything if images == "all" else train, validation, test, origin)


# Files on this machine


def _cache(entry: Entry) -> Path:
    if folder := os.environ.get("GANFORGE_CACHE"):
        return Path(folder) / entry.name
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "ganforge" / entry.name


def _folders(entry: Entry) -> list[Path]:
    """List the folders in which every file of a set is, by name: in $GANFORGE_DATA, then in the cache."""
    folders = [_cache(entry)]
    if data := os.environ.get("GANFORGE_DATA"):
        if not Path(data).is_dir():
            raise UserError(f"GANFORGE_DATA is {data}, which is no folder; correct or unset it")
        folders = [Path(data) / entry.name, Path(data), *folders]
    return [f for f in folders if entry.files and all(find_spelling(f, file.name) for file in entry.files)]


def _shown(folder: Path) -> str:
    """Name a folder as the user set it: by its variable where there is one."""
    data = os.environ.get("GANFORGE_DATA")
    return f"$GANFORGE_DATA ({folder})" if data and folder.is_relative_to(data) else f"the cache ({folder})"


def _offline() -> bool:
    return os.environ.get("GANFORGE_OFFLINE", "0") not in ("", "0")


def fetch(
    entry: str | Entry,
    folder: Path | None = None,
    mirrors: Sequence[str] | None = None,
    report: Report | None = None,
) -> Path:
    """Download what a set lacks into ``folder`` (default: the cache) and return the folder.

    A file bears its name only once it is whole and its checksum right; until then it is a ``.part``, which the next
    try goes on with. Two processes take turns.

    Raises:
        UserError: no mirror had the right file, nothing may be downloaded, or the folder cannot be written.
    """
    entry = _entry(entry)
    if not entry.files:
        raise UserError(f"{entry.name} needs no download; use it with --data {entry.name}")
    folder = folder or _cache(entry)
    if all(right(folder / file.name, file) for file in entry.files):
        return folder
    if _offline():
        raise UserError(
            f"{entry.name}: is not on this machine and GANFORGE_OFFLINE forbids the download; {_help(entry)}"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            for file in entry.files:
                if not right(folder / file.name, file):
                    fetch_file(file, folder / file.name, entry.mirrors if mirrors is None else mirrors, report)
    except UserError as error:
        raise UserError(f"{entry.name}: {error}; {_help(entry)}") from None
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be written ({error.strerror or error}); set GANFORGE_CACHE to a folder that can"
        ) from error
    return folder


def _help(entry: Entry) -> str:
    return f"put its {len(entry.files)} files in $GANFORGE_DATA/{entry.name}, or use --data PATH or --data digits"


# The catalogue


def _read_digits(_: Path) -> Parts:
    """Frame scikit-learn's 8×8 digits as MNIST frames its own: 20 px tall in 28×28, centred on the ink.

    Width 18, Lanczos and the steeper contrast were chosen because they come closest to MNIST: mean 0.132 and standard
    deviation 0.304 (MNIST: 0.131 and 0.308), and a classifier that knows only MNIST reads 92 % of them; the plain
    20×20 bicubic enlargement in the middle has 0.159 and 0.298, and 79 %.
    """
    from sklearn.datasets import load_digits  # takes a second, and only this set needs it

    small, labels = load_digits(return_X_y=True)
    pictures = np.zeros((len(small), 28, 28), np.float32)
    for picture, pixels in zip(pictures, small.astype(np.float32) / 16, strict=True):
        large = Image.fromarray(pixels.reshape(8, 8)).resize((18, 20), Image.Resampling.LANCZOS)
        ink = ((np.asarray(large) - 0.25) / 0.6).clip(0, 1)
        middle = [round((np.arange(len(line)) * line).sum() / line.sum()) for line in (ink.sum(1), ink.sum(0))]
        top, left = (int(np.clip(14 - m, 0, 28 - n)) for m, n in zip(middle, ink.shape, strict=True))
        picture[top : top + 20, left : left + 18] = ink
    images = torch.from_numpy(np.rint(pictures * 255).astype(np.uint8))[:, None]
    names = tuple(str(digit) for digit in range(10))
    return Parts(ImageSet(images, torch.from_numpy(labels.astype(np.int64)), names, "digits"))


MNIST_FILES = (
    ("train-images-idx3-ubyte.gz", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db", 47_040_016),
    ("train-labels-idx1-ubyte.gz", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5", 60_008),
    ("t10k-images-idx3-ubyte.gz", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7", 7_840_016),
    ("t10k-labels-idx1-ubyte.gz", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2", 10_008),
)
MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
)

ENTRIES = {
    entry.name: entry
    for entry in (
        Entry(
            "mnist",
            "70,000 handwritten digits, 28×28 grey (LeCun, Cortes, Burges)",
            lambda folder: read_idx_folder(folder, "mnist"),
            tuple(StoredFile(*row) for row in MNIST_FILES),
            MNIST_MIRRORS,
        ),
        Entry(
            "digits", "1,797 handwritten digits that ship inside scikit-learn, enlarged from 8×8 to 28×28", _read_digits
        ),
    )
}
"""The catalogue by name; $GANFORGE_DATA or the cache hold the files of each in a subfolder of that name."""
