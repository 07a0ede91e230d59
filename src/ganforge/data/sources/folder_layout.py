"""List the pictures at a path, with parts (train, validation, test) and classes inferred from the folder names.

Supported layouts: a folder or archive of pictures, of class folders, or of ``train`` and ``test`` folders with either
of these; a folder with ``train.zip`` and ``test.zip``; and StyleGAN's ``dataset.json``, whose labels take precedence
over folder names. A single top folder that holds everything else is skipped.
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from ganforge.data.class_labels import MOST_CLASSES, UNKNOWN
from ganforge.data.class_names import in_order, one_form
from ganforge.data.reading_rules import FILLERS, PARTS, USUAL, ReadingRules, words_of
from ganforge.data.sources.archives import ARCHIVES, TARS, is_archive, open_archive
from ganforge.data.sources.decode_image import Unreadable
from ganforge.data.sources.picture_containers import Container, File, Folder, as_listed
from ganforge.data.sources.readers import holds_tables, parquet_pictures
from ganforge.errors import UserError, shown

LABELS = "dataset.json"
OTHER_FILES = (
    *(".txt", ".json", ".jsonl", ".csv", ".tsv", ".xml", ".yaml", ".yml", ".toml", ".ini", ".log", ".md", ".rst"),
    *(".html", ".htm", ".pdf", ".py", ".ipynb", ".db", ".lnk", ".url", ".npy", ".npz", *ARCHIVES),
)
"""Endings of files that are ignored; every other file must be a picture."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a listing: its container and file, its part, and its class label (-1 if unknown)."""

    container: Container
    file: File
    part: str
    label: int

    @property
    def name(self) -> str:
        """The name for messages."""
        return shown(self.file.name)


@dataclass(frozen=True)
class Listing:
    """All pictures at a path, sorted by part and then by name."""

    pictures: list[Picture]
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Branch:
    """The files and folders under one folder of a container; names are relative to that folder."""

    container: Container
    files: dict[str, File]
    folders: list[str]

    @property
    def pictures(self) -> dict[str, File]:
        """The files that may be pictures, judged by name."""
        return {name: file for name, file in self.files.items() if may_be_picture(name)}

    @property
    def loose_pictures(self) -> list[str]:
        """The pictures directly in this folder, not in a subfolder."""
        return [name for name in self.pictures if "/" not in name]

    @property
    def loose_files(self) -> list[str]:
        """The pictures directly in this folder, and the file of labels if there is one."""
        return [*self.loose_pictures, *([LABELS] if LABELS in self.files else [])]

    @property
    def subfolders(self) -> list[str]:
        """The immediate subfolders."""
        return [name for name in self.folders if "/" not in name]

    def subfolder(self, folder: str) -> "Branch":
        """Return the branch of a subfolder."""
        prefix = f"{folder}/"
        files = {name.removeprefix(prefix): file for name, file in self.files.items() if name.startswith(prefix)}
        return Branch(
            self.container, files, [name.removeprefix(prefix) for name in self.folders if name.startswith(prefix)]
        )


def may_be_picture(name: str) -> bool:
    """Whether a file counts as a picture by its name: every file that has no ending of another kind."""
    last = PurePosixPath(name)
    return last.suffix.lower() not in OTHER_FILES and last.name.lower() not in ("readme", "license")


def holds_pictures(path: Path, rules: ReadingRules = USUAL) -> bool:
    """Tell whether a path holds pictures: an archive or folder without tables, or Parquet files with picture columns.

    Raises:
        UserError: the file cannot be read.
    """
    if path.is_file() and path.suffix.lower() != ".npz":
        try:
            archive = is_archive(path)
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
        if archive:
            return not holds_tables(path, rules)
    if parquet_pictures(path, rules):
        return True
    return path.is_dir() and not holds_tables(path, rules)


def open_containers(path: Path, rules: ReadingRules = USUAL) -> dict[str, Container]:
    """Open the container of the pictures under the key "", or one archive for each part under the name of the part."""
    if not path.is_dir():
        return {"": open_archive(path)}
    archives: dict[str, Path] = {}
    for file in sorted(path.iterdir()):
        ending = next((ending for ending in (".zip", *TARS) if file.name.lower().endswith(ending)), None)
        part = rules.part_named(file.name[: -len(ending)]) if ending and file.is_file() else None
        if part:
            _refuse_second(path, part, archives.get(part), file)
            archives[part] = file
    if "train" in archives and len(archives) > 1:
        return {part: open_archive(archives[part]) for part in sorted(archives)}
    return {"": Folder(path)}


def _refuse_second(path: Path, part: str, first: object, second: object) -> None:
    if first is not None:
        names = " and ".join(shown(PurePosixPath(str(name)).name) for name in (first, second))
        raise UserError(f"{path}: {names} could both be the {part} images; rename one of them or merge them")


def list_pictures(path: Path, containers: dict[str, Container], rules: ReadingRules = USUAL) -> Listing:
    """List all pictures with their parts and classes.

    Raises:
        UserError: there is no picture, or the layout leaves parts or classes ambiguous.
    """
    branches: list[tuple[str, Branch]] = []
    for part, container in containers.items():
        whole = _descend(Branch(container, {file.name: file for file in container.files()}, container.folders()))
        branches += [(part, whole)] if part else _parts(path, whole, rules)
    branches_with_classes = [(part, branch, _classes(path, part, branch)) for part, branch in branches]
    classes = {name for *_, class_of in branches_with_classes for name in class_of.values()} - {None}
    names, notes = _class_names(path, classes, rules)
    label = {name: number for number, name in enumerate(names)}
    pictures = [
        Picture(branch.container, branch.files[name], part, label.get(class_of[name], UNKNOWN))
        for part, branch, class_of in sorted(branches_with_classes, key=lambda row: PARTS.index(row[0]))
        for name in sorted(class_of)
    ]
    return Listing(pictures, tuple(shown(str(name)) for name in names), notes)


def _class_names(path: Path, classes: set[Any], rules: ReadingRules) -> tuple[list[Any], tuple[str, ...]]:
    """Return the ordered class names (names in natural order, integer labels from 0 or 1), and notes."""
    if len({type(name) for name in classes}) > 1:
        raise UserError(f"{path}: some classes come from {LABELS} and others from folders; use only one of the two")
    notes: tuple[str, ...] = ()
    if any(isinstance(name, int) for name in classes):
        first = 1 if rules.version > 1 and min(classes) == 1 else 0
        names: list[Any] = list(range(first, max(classes) + 1))
        notes = (f"labels run from 1 to {max(classes)}: there is no class 0",) if first else ()
    else:
        names = sorted(classes) if rules.version == 1 else in_order(classes)
    if len(names) > MOST_CLASSES:
        raise UserError(
            f"{path}: holds {len(names):,} classes, more than the limit of {MOST_CLASSES:,}; remove or merge classes"
        )
    return names, notes


def _descend(branch: Branch, skipped: Callable[[str], bool] = lambda name: True) -> Branch:
    """Descend while a folder holds nothing but one subfolder, with a name that can be ``skipped``."""
    while len(branch.subfolders) == 1 and not branch.loose_files and skipped(branch.subfolders[0]):
        branch = branch.subfolder(branch.subfolders[0])
    return branch


def _parts(path: Path, branch: Branch, rules: ReadingRules) -> list[tuple[str, Branch]]:
    """Split a branch into parts by the names of its folders; without such names all pictures are for training."""
    part_of = {top: part for top in sorted(branch.subfolders) if (part := rules.part_named(top))}
    if rules.version > 1 and not part_of and (inside := _parts_in_classes(branch, rules)):
        return inside
    if len(part_of) < 2 or branch.loose_pictures:
        return [("train", branch)]
    if "train" not in part_of.values() and rules.version == 1:
        return [("train", branch)]
    inner_branches = {part: branch.subfolder(top) for part, top in _folder_of_part(path, branch, part_of).items()}
    if rules.version > 1:
        skipped = partial(_is_no_class, rules=rules)
        inner_branches = {part: _descend(inner, skipped) for part, inner in inner_branches.items()}
    return list(inner_branches.items())


def _folder_of_part(path: Path, branch: Branch, part_of: dict[str, str]) -> dict[str, str]:
    """Return the folder of each part.

    Raises:
        UserError: there is no training part, two folders are the same part, or a picture lies outside the folders.
    """
    listed = " and ".join(map(shown, part_of))
    if "train" not in part_of.values():
        raise UserError(f"{path}: holds {listed}, and no folder of training images; add one called train")
    for name in branch.pictures:
        if name.split("/")[0] not in part_of:
            raise UserError(f"{path}: {shown(name)} lies outside {listed}; move it into one of them")
    folders: dict[str, str] = {}
    for top, part in part_of.items():
        _refuse_second(path, part, folders.get(part), top)
        folders[part] = top
    return folders


def _is_no_class(name: str, rules: ReadingRules) -> bool:
    """Whether a folder's name means no class, as in trainingSet/trainingSet or train/images."""
    return rules.part_named(name) is not None or set(words_of(name)) <= set(FILLERS)


def _parts_in_classes(branch: Branch, rules: ReadingRules) -> list[tuple[str, Branch]]:
    """Split class folders that contain parts (cat/train, cat/test); return [] for any other layout."""
    files_of_part: dict[str, dict[str, File]] = {}
    for name, file in branch.pictures.items():
        path_parts = name.split("/")
        part = rules.part_named(path_parts[1]) if len(path_parts) > 2 else None
        if part is None:
            return []
        files_of_part.setdefault(part, {})["/".join([path_parts[0], *path_parts[2:]])] = file
    total = sum(map(len, files_of_part.values()))
    if "train" not in files_of_part or len(files_of_part) < 2 or total < len(branch.pictures):
        return []
    return [
        (part, Branch(branch.container, files, sorted({name.split("/")[0] for name in files})))
        for part, files in files_of_part.items()
    ]


def _classes(path: Path, part: str, branch: Branch) -> dict[str, str | int | None]:
    """Return the class of every picture of a part: from the file of labels, else from the folder, else None."""
    pictures = branch.pictures
    if not pictures:
        raise UserError(f"{path}: holds no picture{'' if part == 'train' else f' in {part}'}; {PICTURE_SOURCES}")
    if LABELS in branch.files:
        return _read_labels(path, branch)
    first_loose = branch.loose_pictures[:1]
    inside = next((name for name in pictures if "/" in name), None)
    if first_loose and inside:
        raise UserError(
            f"{path}: {shown(first_loose[0])} lies outside the class folders such as {shown(inside.split('/')[0])}; "
            "move it into one of them"
        )
    if first_loose:
        return dict.fromkeys(pictures)
    counts = Counter(name.split("/")[0] for name in pictures)
    for name in branch.subfolders:
        if counts[name] < (2 if part == "train" else 1):
            raise UserError(
                f"{path}: the class folder {shown(name)} holds {'only one' if counts[name] else 'no'} picture; "
                "add pictures or remove the folder"
            )
    return {name: name.split("/")[0] for name in pictures}


def _read_labels(path: Path, branch: Branch) -> dict[str, str | int | None]:
    """Read StyleGAN's ``{"labels": [["00000/img00000000.png", 6], ...]}`` (or null); a label may be a word or null."""
    pictures = branch.pictures
    where = f"{path}: {shown(branch.files[LABELS].name)}"
    try:
        labels = json.loads(branch.container.read(branch.files[LABELS]))["labels"]
        entries: dict[str, Any] = dict.fromkeys(pictures)
        if labels is not None:
            entries = {as_listed(name) if isinstance(name, str) else name: label for name, label in labels}
    except (Unreadable, ValueError, KeyError, TypeError, RecursionError) as error:
        cause = " ".join(str(error).split())
        raise UserError(
            f'{where}: is not of the form {{"labels": [["name.png", 0], ...]}} ({cause}); correct it'
        ) from None
    label_of: dict[str, str | int | None] = {}
    for name, label in entries.items():
        if name not in pictures:
            raise UserError(f"{where}: gives a label to {shown(str(name))}, which does not exist; correct or remove it")
        if isinstance(label, str) and label.strip():
            label = one_form(label.strip())
        elif label is not None and (type(label) is not int or not 0 <= label <= MOST_CLASSES):
            raise UserError(
                f"{where}: the label of {shown(name)} is {shown(str(label))}; "
                f"give a whole number from 0 to {MOST_CLASSES - 1}, or a word"
            )
        label_of[name] = label
    if missing := next((name for name in pictures if name not in label_of), None):
        raise UserError(f"{where}: gives no label to {shown(missing)}; add one, or set labels to null")
    return label_of


PICTURE_SOURCES = "give a folder, zip or tar of pictures, or of one folder of them for each class"
