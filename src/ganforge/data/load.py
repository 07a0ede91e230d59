"""Load data from any source, find or download named data sets, and split the images into three parts."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from ganforge.data.images import ImageSet, Splits
from ganforge.data.normalize_arrays import RawSplits
from ganforge.data.pixel_levels import check_levels
from ganforge.data.reading_rules import USUAL, ReadingRules
from ganforge.data.sources.clips import holds_clips, read_clips
from ganforge.data.sources.dataset_formats import find_member
from ganforge.data.sources.decode_image import parse_resize
from ganforge.data.sources.fetch import PROBE, Report, StoredFile, checksum_matches, fetch_file, reachable_mirrors
from ganforge.data.sources.folder_layout import holds_pictures
from ganforge.data.sources.given_pairs import holds_pairs, read_given_pairs
from ganforge.data.sources.idx import find_spelling
from ganforge.data.sources.image_folder import read_pictures
from ganforge.data.sources.large_npy import is_large, read_large
from ganforge.data.sources.objects import read_object
from ganforge.data.sources.readers import read_path
from ganforge.data.sources.registry import ENTRIES, Entry
from ganforge.data.sources.signals import holds_signals, read_signals
from ganforge.data.sources.sounds import holds_sounds, read_sounds
from ganforge.data.sources.unsupported_formats import unsupported_message
from ganforge.data.splits import split_dataset
from ganforge.errors import UserError, suggest_names
from ganforge.files import cache_folder, user_path

NOT_AS_PUBLISHED = "not as published"
"""Part of the origin of a set known by name whose files are not those of the checksums."""


@dataclass(frozen=True)
class ListedDataset:
    """A row of ``ganforge data list``; ``here`` is true when the data set needs no download."""

    name: str
    about: str
    here: bool


# Loading


def load(
    source: object = "auto",
    images: str = "train",
    report: Report | None = None,
    rules: ReadingRules = USUAL,
    reading: Report | None = None,
) -> Splits:
    """Load a data set and split it into train, validation and test.

    Args:
        source: ``auto`` (MNIST if it is on this machine or can be downloaded, otherwise digits), the name of a
            registered data set, a path, or a Python object that `objects.read_object` accepts. A registered name takes
            precedence over a file of the same name.
        images: ``train``, or ``all`` to train on the validation images too.
        report: callback for the progress of a download.
        rules: how the user's own files and objects become images; registered data sets are read as published.
        reading: callback for the progress of reading pictures.

    Raises:
        UserError: the data do not exist, are damaged or unusable, or hold fewer than four images.
    """
    check_levels(rules.levels)
    parse_resize(rules.resize)
    if images not in ("train", "all"):
        raise UserError(
            f"images = {images!r} is neither train nor all; use train, or all to train on the validation images too"
        )
    if isinstance(source, str) and source not in ("auto", *ENTRIES):
        source = _as_path(source)
    if isinstance(source, Path):
        if entry := _identify_published(source):
            refuse_choices(rules, "the folder holds a published data set, which is always read as published")
            return split_dataset(
                entry.read(source), f"read from {source}: the files of {entry.name}", images, published=True
            )
        return split_dataset(*_load_path(source, rules, reading), images, rules)
    if isinstance(source, str | Entry):
        name = "MNIST" if source == "auto" else source if isinstance(source, str) else source.name
        refuse_choices(rules, f"not applicable to {name}, which is always read as published")
    if isinstance(source, str) and source == "auto":
        return split_dataset(*_load_auto(ENTRIES["mnist"], ENTRIES["digits"], report), images, published=True)
    if isinstance(source, str | Entry):
        return split_dataset(*_load_entry(_find_entry(source), report, reading), images, published=True)
    _refuse_picture_options(rules)
    return split_dataset(read_object(source, rules), "given as a Python object", images, rules)


def _identify_published(path: Path) -> Entry | None:
    """Return the registered data set whose published files, verified by SHA-256, are in the folder ``path``."""
    if not path.is_dir():
        return None
    for entry in ENTRIES.values():
        candidates = [(find_spelling(path, file.name), file) for file in entry.files if file.sha256]
        if candidates and all(checksum_matches(candidate, file) for candidate, file in candidates):
            return entry
    return None


def load_whole(
    source: object, rules: ReadingRules = USUAL, reading: Report | None = None
) -> tuple[ImageSet, tuple[str, ...]]:
    """Load all images of a source as one set, without a split; for images to evaluate rather than to train on.

    Returns:
        The images, and the notes of `RawSplits` on how the source was read.

    Raises:
        UserError: as for `load`.
    """
    if isinstance(source, str):
        source = _as_path(source)
    parts = _load_path(source, rules, reading)[0] if isinstance(source, Path) else read_object(source, rules)
    whole = parts.train
    for part in (parts.validation, parts.test):
        whole = whole.concat(part) if part is not None else whole
    return whole, parts.notes


def names() -> list[ListedDataset]:
    """List the registered data sets and whether each is on this machine; files are found by name, not verified."""
    return [
        ListedDataset(e.name, e.about, not e.files or bool(_folders(e)) or bool(_stand_in(e))) for e in ENTRIES.values()
    ]


def find(entry: str | Entry) -> Path | None:
    """Return the folder on this machine that holds all files of a data set with matching checksums, or None.

    Raises:
        UserError: a file of the data set in $GANFORGE_DATA is wrong. Wrong files in the cache do not count as an
            error, because they can be downloaded again.
    """
    location = _find(_find_entry(entry))
    return location[0] if location else None


def _find(entry: Entry) -> tuple[Path, str] | None:
    """Return the folder as `find` does, and a note on its origin."""
    damaged: UserError | None = None
    for folder in _folders(entry):
        in_cache = folder == _cache_path(entry)
        if in_cache and damaged:
            break
        wrong = [file for file in entry.files if not checksum_matches(find_spelling(folder, file.name), file)]
        if not wrong:
            return folder, f"found in {_folder_text(folder)}"
        try:
            _check_repacked(entry, folder, wrong[0])
            return (
                folder,
                f"found in {_folder_text(folder)}, {NOT_AS_PUBLISHED}, but its counts, shapes and labels are right",
            )
        except UserError as error:
            if not in_cache:
                damaged = damaged or error
    if damaged:
        raise damaged
    return None


def _check_repacked(entry: Entry, folder: Path, wrong: StoredFile) -> None:
    """Accept files whose checksum differs only because they were unpacked or repacked.

    A SHA-256 covers the unpacked content, so a mismatch is an error. An MD5 covers the packed file, because only that
    was published; a repacked copy with correct content cannot match it. In that case the reader checks the content.

    Raises:
        UserError: a file is damaged or belongs to another data set.
    """
    if wrong.md5:
        entry.read(folder)
        return
    raise UserError(
        f"{find_spelling(folder, wrong.name)}: is damaged or is not a file of {entry.name} (its SHA-256 is wrong); "
        "replace it, or unset GANFORGE_DATA to have it downloaded"
    )


def _find_entry(entry: str | Entry) -> Entry:
    if isinstance(entry, Entry):
        return entry
    if entry not in ENTRIES:
        raise UserError(f"no data set is called {entry!r}; {suggest_names(entry, ENTRIES)}")
    return ENTRIES[entry]


def _as_path(source: str) -> Path:
    """Return the path that a string gives if the path exists or the string looks like a path; else raise UserError."""
    if not source.strip():
        raise UserError(f"no data set, file or folder was given; {suggest_names(source, [*ENTRIES, 'auto'])}")
    path = user_path(source)
    if path.exists() or "/" in source or os.sep in source or path.suffix:
        return path
    raise UserError(f"no data set, file or folder is called {source!r}; {suggest_names(source, [*ENTRIES, 'auto'])}")


def _load_path(source: Path, rules: ReadingRules, reading: Report | None) -> tuple[RawSplits, str]:
    path = user_path(source)
    if holds_sounds(path):
        refuse_choices(rules.model_copy(update={"skip_bad": False}), "is for pictures, and these are sounds")
        return read_sounds(path, rules, reading), f"read from {source}"
    if holds_signals(path):
        refuse_choices(rules, "is for pictures, and these are signals")
        return read_signals(path, rules), f"read from {source}"
    if message := unsupported_message(path):
        raise UserError(f"{path}: {message}")
    if rules.version > 2 and (holds_pairs(path) or holds_clips(path)):
        _refuse_picture_options(rules)
        parts = read_given_pairs(path) if holds_pairs(path) else read_clips(path)
        return parts, f"read from {source}: {parts.notes[0]}"
    if holds_pictures(path, rules):
        parts, note = read_pictures(path, rules, reading)
        return parts, f"read from {source}: {note}"
    if path.exists():
        _refuse_picture_options(rules)
    if is_large(path, rules) and (splits_and_note := read_large(path, rules, reading)):
        return splits_and_note[0], f"read from {source}: {splits_and_note[1]}"
    return read_path(path, rules), f"read from {source}"


def _refuse_picture_options(rules: ReadingRules) -> None:
    """Raise UserError if an option is set that applies only to pictures."""
    why = "works on a folder or archive of pictures, not on these data"
    refuse_choices(rules.model_copy(update={"levels": None, "colour": False}), why)


def refuse_choices(rules: ReadingRules, why: str) -> None:
    """Refuse every reading option for data that are always read in one way; ``why`` is the reason in the message.

    Raises:
        UserError: an option is set.
    """
    choices = [name for name, value in rules if name != "version" and value != getattr(USUAL, name)]
    if flags := [f"--{name.replace('_', '-')}" for name in choices]:
        raise UserError(f"{' and '.join(flags)}: {why}; leave {'them' if len(flags) > 1 else 'it'} out")


def _load_entry(entry: Entry, report: Report | None, reading: Report | None) -> tuple[RawSplits, str]:
    if not entry.files:
        return entry.read(Path()), entry.about
    if location := _find(entry):
        return entry.read(location[0]), location[1]
    if entry.stand_in and (folder := _stand_in(entry)):
        parts, note = read_pictures(folder, ReadingRules(version=1), reading)
        return parts, f"found in {_folder_text(folder)}: {note}; {entry.stand_in.caveat}"
    folder = fetch(entry, report=report)
    return entry.read(folder), f"downloaded to {_folder_text(folder)}"


def _load_auto(preferred: Entry, fallback: Entry, report: Report | None) -> tuple[RawSplits, str]:
    """Read ``preferred`` if it is here or can be downloaded, else ``fallback``; return a note on the choice."""
    if location := _find(preferred):
        return preferred.read(location[0]), location[1]
    cause = f"no mirror answered within {PROBE:g} seconds"
    if _offline():
        cause = "GANFORGE_OFFLINE forbids the download"
    elif mirrors := reachable_mirrors(preferred.files[0], preferred.mirrors):
        try:
            folder = fetch(preferred, mirrors=mirrors, report=report)
            return preferred.read(folder), f"downloaded to {_folder_text(folder)}"
        except UserError as error:
            cause = str(error).partition(";")[0]
    return fallback.read(Path()), f"{fallback.about}, because {preferred.name} is not on this machine and {cause}"


# Local files


def _cache_path(entry: Entry) -> Path:
    return cache_folder() / entry.subfolder


def _data_folder() -> Path | None:
    data = os.environ.get("GANFORGE_DATA")
    if not data:
        return None
    if not (folder := user_path(data, "GANFORGE_DATA")).is_dir():
        raise UserError(f"GANFORGE_DATA is {data}, which is not a folder; correct or unset it")
    return folder


def _folders(entry: Entry) -> list[Path]:
    """List the folders that hold every file of a data set, by name: those in $GANFORGE_DATA first, then the cache."""
    folders = [_cache_path(entry)]
    if data := _data_folder():
        # Several data sets share MNIST's file names, so files at the top level count only if a SHA-256 identifies them.
        shared = [data] if all(file.sha256 for file in entry.files) else []
        folders = [data / entry.subfolder, *shared, *folders]
    return [folder for folder in folders if entry.files and _holds(folder, entry)]


def _holds(folder: Path, entry: Entry) -> bool:
    """Tell whether a folder holds, by name, the files of a data set or the unpacked members of its archive."""
    unpacked = bool(entry.members) and all(find_member(folder, member) for member in entry.members)
    return unpacked or all(find_spelling(folder, file.name) for file in entry.files)


def _stand_in(entry: Entry) -> Path | None:
    """Return the folder in $GANFORGE_DATA with the alternative form of a data set, or None."""
    stand_in, data = entry.stand_in, _data_folder()
    if not stand_in or not data or not all((data / stand_in.folder / file).is_file() for file in stand_in.files):
        return None
    return data / stand_in.folder


def _folder_text(folder: Path) -> str:
    """Return the text that names a folder in messages: $GANFORGE_DATA or the cache, with the path."""
    data = _data_folder()
    return f"$GANFORGE_DATA ({folder})" if data and folder.is_relative_to(data) else f"the cache ({folder})"


def _offline() -> bool:
    return os.environ.get("GANFORGE_OFFLINE", "0") not in ("", "0")


def fetch(
    entry: str | Entry,
    folder: Path | None = None,
    mirrors: Sequence[str] | None = None,
    report: Report | None = None,
) -> Path:
    """Download the missing files of a data set into ``folder`` (default: the cache) and return the folder.

    A file gets its name only after the download is complete and the checksum matches. Until then it is a ``.part``,
    which the next attempt resumes. A file lock keeps two processes from downloading at once.

    Raises:
        UserError: no mirror had the right file, GANFORGE_OFFLINE is set, or the folder cannot be written.
    """
    entry = _find_entry(entry)
    if not entry.files:
        raise UserError(f"{entry.name} needs no download; use it with --data {entry.name}")
    folder = folder or _cache_path(entry)
    if all(checksum_matches(folder / file.name, file) for file in entry.files):
        return folder
    if _offline():
        raise UserError(
            f"{entry.name}: is not on this machine and GANFORGE_OFFLINE forbids the download; {_download_help(entry)}"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            for file in entry.files:
                if not checksum_matches(folder / file.name, file):
                    fetch_file(file, folder / file.name, entry.mirrors if mirrors is None else mirrors, report)
    except UserError as error:
        raise UserError(f"{entry.name}: {error}; {_download_help(entry)}") from None
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be written ({error.strerror or error}); set GANFORGE_CACHE to a folder that can"
        ) from error
    return folder


def _download_help(entry: Entry) -> str:
    files = entry.files[0].name if len(entry.files) == 1 else f"its {len(entry.files)} files"
    source = f" from {entry.mirrors[0]}" if entry.mirrors else ""
    return f"put {files}{source} in $GANFORGE_DATA/{entry.subfolder}, or use --data PATH or --data digits"
