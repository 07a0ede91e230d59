"""Where the files of the data sets known by name are, and how any source becomes train, validation and test."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from ganforge.data.dataset_formats import find_member
from ganforge.data.fetch import PROBE, Report, StoredFile, checksum_matches, fetch_file, reachable_mirrors
from ganforge.data.folder_layout import holds_pictures
from ganforge.data.idx import find_spelling
from ganforge.data.image_folder import read_pictures
from ganforge.data.images import ImageSet, Splits
from ganforge.data.large_npy import is_large, read_large
from ganforge.data.normalize_arrays import RawSplits
from ganforge.data.objects import read_object
from ganforge.data.pixel_levels import check_levels
from ganforge.data.readers import read_path
from ganforge.data.reading_rules import USUAL, ReadingRules
from ganforge.data.registry import ENTRIES, Entry
from ganforge.data.splits import split_dataset
from ganforge.data.unsupported_formats import name_foreign
from ganforge.errors import UserError, suggest_names
from ganforge.files import cache_folder, user_path


@dataclass(frozen=True)
class Listed:
    """A line of ``ganforge data list``; ``here`` says whether the set needs no download."""

    name: str
    about: str
    here: bool


# What load does


def load(
    source: object = "auto",
    images: str = "train",
    report: Report | None = None,
    rules: ReadingRules = USUAL,
    reading: Report | None = None,
) -> Splits:
    """Load a data set in three parts.

    Args:
        source: ``auto`` (MNIST where it is here or can be fetched, else digits), a name of the catalogue, a path,
            or a Python object as `objects.read_object` takes it. A name of the catalogue goes before a file so called.
        images: ``train``, or ``all`` to train on the validation images too.
        report: told how a download gets on.
        rules: how a user's own files and objects become images; sets of the catalogue are read as published.
        reading: told how the reading of pictures gets on.

    Raises:
        UserError: there is no such data, it is damaged or cannot be used, or it holds fewer than four images.
    """
    check_levels(rules.levels)
    if images not in ("train", "all"):
        raise UserError(f"images = {images!r} is neither train nor all; all adds the validation images to training")
    if isinstance(source, str) and source not in ("auto", *ENTRIES):
        source = _as_path(source)
    if isinstance(source, Path):
        if entry := _published_at(source):
            refuse_choices(rules, "these are files of a published set, which are read as published")
            return split_dataset(
                entry.read(source), f"read from {source}: the files of {entry.name}", images, published=True
            )
        return split_dataset(*_load_path(source, rules, reading), images, rules)
    if isinstance(source, str | Entry):
        refuse_choices(rules, f"{source if isinstance(source, str) else source.name} is read as published")
    if isinstance(source, str) and source == "auto":
        return split_dataset(*_auto(ENTRIES["mnist"], ENTRIES["digits"], report), images, published=True)
    if isinstance(source, str | Entry):
        return split_dataset(*_load_entry(_entry(source), report, reading), images, published=True)
    _refuse_wishes(rules)
    return split_dataset(read_object(source, rules), "given as a Python object", images, rules)


def _published_at(path: Path) -> Entry | None:
    """Find the set of the catalogue whose published files a folder holds, under their checksums."""
    if not path.is_dir():
        return None
    for entry in ENTRIES.values():
        known = [(find_spelling(path, file.name), file) for file in entry.files if file.sha256]
        if known and all(checksum_matches(found, file) for found, file in known):
            return entry
    return None


def load_whole(
    source: object, rules: ReadingRules = USUAL, reading: Report | None = None
) -> tuple[ImageSet, tuple[str, ...]]:
    """Load all images of a source as one set, whatever parts it has: pictures that are looked at, not trained on.

    The lines that `RawSplits` has to say of how it was read come with it.

    Raises:
        UserError: as `load`.
    """
    if isinstance(source, str):
        source = _as_path(source)
    parts = _load_path(source, rules, reading)[0] if isinstance(source, Path) else read_object(source, rules)
    whole = parts.train
    for part in (parts.validation, parts.test):
        whole = whole.concat(part) if part is not None else whole
    return whole, parts.notes


def names() -> list[Listed]:
    """List the catalogue with what is on this machine; files are looked for, not checked."""
    return [Listed(e.name, e.about, not e.files or bool(_folders(e)) or bool(_stand_in(e))) for e in ENTRIES.values()]


def find(entry: str | Entry) -> Path | None:
    """Find the folder on this machine in which all files of a set are, each with the right content.

    Raises:
        UserError: the set lies in $GANFORGE_DATA with a wrong file; what is wrong in the cache can be fetched anew.
    """
    found = _find(_entry(entry))
    return found[0] if found else None


def _find(entry: Entry) -> tuple[Path, str] | None:
    """Find the folder as `find` does, and say how it was found."""
    damaged: UserError | None = None
    for folder in _folders(entry):
        in_cache = folder == _cache(entry)
        if in_cache and damaged:
            break
        wrong = [file for file in entry.files if not checksum_matches(find_spelling(folder, file.name), file)]
        if not wrong:
            return folder, f"found in {_shown(folder)}"
        try:
            _accept(entry, folder, wrong[0])
            return folder, f"found in {_shown(folder)}, not as published, but its counts, shapes and labels are right"
        except UserError as error:
            if not in_cache:
                damaged = damaged or error
    if damaged:
        raise damaged
    return None


def _accept(entry: Entry, folder: Path, wrong: StoredFile) -> None:
    """Let files pass whose checksum is wrong only because they are unpacked or packed anew.

    A SHA-256 is of the content and says all. An MD5 is of the packed file, because no other was published: a user's
    own copy cannot match it though its content be right, so the reader decides, which checks all that is known of it.
    """
    if wrong.md5:
        entry.read(folder)
        return
    raise UserError(
        f"{find_spelling(folder, wrong.name)}: is damaged or not {entry.name}'s file (its SHA-256 is wrong); "
        "replace it, or unset GANFORGE_DATA to have it downloaded"
    )


def _entry(entry: str | Entry) -> Entry:
    if isinstance(entry, Entry):
        return entry
    if entry not in ENTRIES:
        raise UserError(f"no data set is called {entry!r}; {suggest_names(entry, ENTRIES)}")
    return ENTRIES[entry]


def _as_path(source: str) -> Path:
    """Take a string for a path where it exists or looks like one, and refuse it as a name otherwise."""
    if not source.strip():
        raise UserError(f"no data set, file or folder was named; {suggest_names(source, [*ENTRIES, 'auto'])}")
    path = user_path(source)
    if path.exists() or "/" in source or os.sep in source or path.suffix:
        return path
    raise UserError(f"no data set, file or folder is called {source!r}; {suggest_names(source, [*ENTRIES, 'auto'])}")


def _load_path(source: Path, rules: ReadingRules, reading: Report | None) -> tuple[RawSplits, str]:
    path = user_path(source)
    if foreign := name_foreign(path):
        raise UserError(f"{path}: {foreign}")
    if holds_pictures(path, rules):
        parts, note = read_pictures(path, rules, reading)
        return parts, f"read from {source}: {note}"
    if path.exists():
        _refuse_wishes(rules)
    if is_large(path, rules) and (found := read_large(path, rules, reading)):
        return found[0], f"read from {source}: {found[1]}"
    return read_path(path, rules), f"read from {source}"


def _refuse_wishes(rules: ReadingRules) -> None:
    """Refuse what works on pictures alone."""
    given = [
        flag for flag, wanted in (("--resize", rules.resize is not None), ("--skip-bad", rules.skip_bad)) if wanted
    ]
    if given:
        raise UserError(f"{' and '.join(given)}: works on a folder or archive of pictures, and these data are none")


def refuse_choices(rules: ReadingRules, why: str) -> None:
    """Refuse whatever a user chose of how to read, where nothing is to be chosen.

    Raises:
        UserError: something was chosen.
    """
    chosen = {
        "--resize": rules.resize is not None,
        "--skip-bad": rules.skip_bad,
        "--levels": rules.levels is not None,
        "--colour": rules.colour,
    }
    if given := [flag for flag, wanted in chosen.items() if wanted]:
        raise UserError(f"{' and '.join(given)}: {why}; leave {'them' if len(given) > 1 else 'it'} out")


def _load_entry(entry: Entry, report: Report | None, reading: Report | None) -> tuple[RawSplits, str]:
    if not entry.files:
        return entry.read(Path()), entry.about
    if found := _find(entry):
        return entry.read(found[0]), found[1]
    if entry.stand_in and (instead := _stand_in(entry)):
        parts, note = read_pictures(instead, ReadingRules(version=1), reading)
        return parts, f"found in {_shown(instead)}: {note}; {entry.stand_in.caveat}"
    folder = fetch(entry, report=report)
    return entry.read(folder), f"downloaded to {_shown(folder)}"


def _auto(wanted: Entry, instead: Entry, report: Report | None) -> tuple[RawSplits, str]:
    """Take ``wanted`` where it is here or comes at once, else ``instead``, which needs no network; say why."""
    if found := _find(wanted):
        return wanted.read(found[0]), found[1]
    why = f"no mirror answered within {PROBE:g} seconds"
    if _offline():
        why = "GANFORGE_OFFLINE forbids the download"
    elif mirrors := reachable_mirrors(wanted.files[0], wanted.mirrors):
        try:
            folder = fetch(wanted, mirrors=mirrors, report=report)
            return wanted.read(folder), f"downloaded to {_shown(folder)}"
        except UserError as error:
            why = str(error).partition(";")[0]
    return instead.read(Path()), f"{instead.about}, because {wanted.name} is not on this machine and {why}"


# Files on this machine


def _cache(entry: Entry) -> Path:
    return cache_folder() / entry.name


def _data_folder() -> Path | None:
    data = os.environ.get("GANFORGE_DATA")
    if not data:
        return None
    if not (folder := user_path(data, "GANFORGE_DATA")).is_dir():
        raise UserError(f"GANFORGE_DATA is {data}, which is no folder; correct or unset it")
    return folder


def _folders(entry: Entry) -> list[Path]:
    """List the folders in which every file of a set is, by name: in $GANFORGE_DATA, then in the cache."""
    folders = [_cache(entry)]
    if data := _data_folder():
        # Other sets bear MNIST's file names: beside the subfolders lie only files whose content tells whose they are.
        shared = [data] if all(file.sha256 for file in entry.files) else []
        folders = [data / entry.name, *shared, *folders]
    return [folder for folder in folders if entry.files and _holds(folder, entry)]


def _holds(folder: Path, entry: Entry) -> bool:
    """Say whether a folder has, by name, the files of a set or what they unpack to."""
    unpacked = bool(entry.members) and all(find_member(folder, member) for member in entry.members)
    return unpacked or all(find_spelling(folder, file.name) for file in entry.files)


def _stand_in(entry: Entry) -> Path | None:
    """Find the folder of a set's stand-in in $GANFORGE_DATA."""
    instead, data = entry.stand_in, _data_folder()
    if not instead or not data or not all((data / instead.folder / file).is_file() for file in instead.files):
        return None
    return data / instead.folder


def _shown(folder: Path) -> str:
    """Name a folder as the user set it: by its variable where there is one."""
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
    if all(checksum_matches(folder / file.name, file) for file in entry.files):
        return folder
    if _offline():
        raise UserError(
            f"{entry.name}: is not on this machine and GANFORGE_OFFLINE forbids the download; {_help(entry)}"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            for file in entry.files:
                if not checksum_matches(folder / file.name, file):
                    fetch_file(file, folder / file.name, entry.mirrors if mirrors is None else mirrors, report)
    except UserError as error:
        raise UserError(f"{entry.name}: {error}; {_help(entry)}") from None
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be written ({error.strerror or error}); set GANFORGE_CACHE to a folder that can"
        ) from error
    return folder


def _help(entry: Entry) -> str:
    files = entry.files[0].name if len(entry.files) == 1 else f"its {len(entry.files)} files"
    source = f" from {entry.mirrors[0]}" if entry.mirrors else ""
    return f"put {files}{source} in $GANFORGE_DATA/{entry.name}, or use --data PATH or --data digits"
