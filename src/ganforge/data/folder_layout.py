"""Which pictures a path holds: their parts (train, validation, test) and their classes, told by folders' names.

Understood are a folder or zip of pictures, of class folders, or of ``train`` and ``test`` with either in them; a folder
with ``train.zip`` and ``test.zip``; and StyleGAN's ``dataset.json``, whose labels go before folders' names. A folder in
which all the rest lies does not count.
"""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ganforge.data.archives import ARCHIVES, TARS, is_archive, open_archive
from ganforge.data.class_labels import MOST_CLASSES, UNKNOWN
from ganforge.data.class_names import in_order, one_form
from ganforge.data.containers import Container, File, Folder, as_listed
from ganforge.data.decode_image import Unreadable
from ganforge.data.readers import holds_tables, parquet_pictures
from ganforge.data.reading_rules import FILLERS, USUAL, ReadingRules, words_of
from ganforge.errors import UserError, shown

PARTS = ("train", "validation", "test")
LABELS = "dataset.json"
OTHER_FILES = (
    *(".txt", ".json", ".jsonl", ".csv", ".tsv", ".xml", ".yaml", ".yml", ".toml", ".ini", ".log", ".md", ".rst"),
    *(".html", ".htm", ".pdf", ".py", ".ipynb", ".db", ".lnk", ".url", ".npy", ".npz", *ARCHIVES),
)
"""Endings of files that lie beside pictures and are none; all other files must be pictures."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a listing: where it lies, which part it belongs to, and its class (-1 where unknown)."""

    container: Container
    file: File
    part: str
    label: int

    @property
    def name(self) -> str:
        """What to call it in a message."""
        return shown(self.file.name)


@dataclass(frozen=True)
class Listing:
    """All pictures of a path, by part and within it by name."""

    pictures: list[Picture]
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Branch:
    """What lies below one folder of a container; names are counted from there."""

    container: Container
    files: dict[str, File]
    folders: list[str]

    @property
    def pictures(self) -> dict[str, File]:
        """The files that are pictures by their name."""
        return {name: file for name, file in self.files.items() if _may_be_picture(name)}

    @property
    def loose_pictures(self) -> list[str]:
        """The pictures that lie here and in no folder."""
        return [name for name in self.pictures if "/" not in name]

    @property
    def loose(self) -> list[str]:
        """The pictures that lie here, and the file of labels if there is one."""
        return [*self.loose_pictures, *([LABELS] if LABELS in self.files else [])]

    @property
    def tops(self) -> list[str]:
        """The folders that lie here and not deeper."""
        return [name for name in self.folders if "/" not in name]

    def below(self, folder: str) -> "Branch":
        """Return what lies below one of its folders."""
        start = f"{folder}/"
        files = {name.removeprefix(start): file for name, file in self.files.items() if name.startswith(start)}
        return Branch(
            self.container, files, [name.removeprefix(start) for name in self.folders if name.startswith(start)]
        )


def _may_be_picture(name: str) -> bool:
    last = PurePosixPath(name)
    return last.suffix.lower() not in OTHER_FILES and last.name.lower() not in ("readme", "license")


def holds_pictures(path: Path, rules: ReadingRules = USUAL) -> bool:
    """Say whether a path is to be read as pictures: an archive or a folder without tables, or Parquet's pictures."""
    if path.is_file() and path.suffix.lower() != ".npz":
        try:
            packed = is_archive(path)
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
        if packed:
            return not holds_tables(path, rules)
    if parquet_pictures(path, rules):
        return True
    return path.is_dir() and not holds_tables(path, rules)


def open_containers(path: Path, rules: ReadingRules = USUAL) -> dict[str, Container]:
    """Find what holds the pictures: one folder or archive, under the name "", or an archive for each part."""
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
        raise UserError(f"{path}: {names} could both be the {part} images; rename one of them, or join them")


def list_pictures(path: Path, containers: dict[str, Container], rules: ReadingRules = USUAL) -> Listing:
    """List all pictures with their parts and classes.

    Raises:
        UserError: there is none, or they lie so that their parts or classes cannot be told.
    """
    branches: list[tuple[str, Branch]] = []
    for part, container in containers.items():
        whole = _descend(Branch(container, {file.name: file for file in container.files()}, container.folders()))
        branches += [(part, whole)] if part else _parts(path, whole, rules)
    found = [(part, branch, _classes(path, part, branch)) for part, branch in branches]
    names, notes = _class_names(path, {name for *_, named in found for name in named.values()} - {None}, rules)
    label = {name: number for number, name in enumerate(names)}
    pictures = [
        Picture(branch.container, branch.files[name], part, label.get(named[name], UNKNOWN))
        for part, branch, named in sorted(found, key=lambda row: PARTS.index(row[0]))
        for name in sorted(named)
    ]
    return Listing(pictures, tuple(shown(str(name)) for name in names), notes)


def _class_names(path: Path, classes: set[Any], rules: ReadingRules) -> tuple[list[Any], tuple[str, ...]]:
    """Put the classes in their order: names as a person would, numbers of a labels' file from 0, or from 1."""
    if len({type(name) for name in classes}) > 1:
        raise UserError(f"{path}: some classes are told by {LABELS} and others by folders; keep to one of the two")
    notes: tuple[str, ...] = ()
    if any(isinstance(name, int) for name in classes):
        first = 1 if rules.version > 1 and min(classes) == 1 else 0
        names: list[Any] = list(range(first, max(classes) + 1))
        notes = (f"labels run from 1 to {max(classes)}: there is no class 0",) if first else ()
    else:
        names = sorted(classes) if rules.version == 1 else in_order(classes)
    if len(names) > MOST_CLASSES:
        raise UserError(f"{path}: holds {len(names):,} classes; {MOST_CLASSES:,} at most work")
    return names, notes


def _descend(branch: Branch) -> Branch:
    """Go down into the one folder in which all lies."""
    while len(branch.tops) == 1 and not branch.loose:
        branch = branch.below(branch.tops[0])
    return branch


def _parts(path: Path, branch: Branch, rules: ReadingRules) -> list[tuple[str, Branch]]:
    """Tell the parts by the names of the folders, or take all for training where they have none."""
    part_of = {top: part for top in sorted(branch.tops) if (part := rules.part_named(top))}
    if rules.version > 1 and not part_of and (inside := _parts_in_classes(branch, rules)):
        return inside
    if len(part_of) < 2 or branch.loose_pictures:
        return [("train", branch)]
    if "train" not in part_of.values():
        if rules.version == 1:
            return [("train", branch)]
        raise UserError(f"{path}: holds {' and '.join(map(shown, part_of))}, and no folder of training images")
    for name in branch.pictures:
        if name.split("/")[0] not in part_of:
            listed = " and ".join(map(shown, part_of))
            raise UserError(f"{path}: {shown(name)} lies beside {listed}; move it into one of them")
    folders: dict[str, str] = {}
    for top, part in part_of.items():
        _refuse_second(path, part, folders.get(part), top)
        folders[part] = top
    below = {part: branch.below(top) for part, top in folders.items()}
    if rules.version > 1:
        below = {part: _descend_fillers(inner, rules) for part, inner in below.items()}
    return list(below.items())


def _descend_fillers(branch: Branch, rules: ReadingRules) -> Branch:
    """Go down into a lone folder that is no class: trainingSet/trainingSet, train/images."""
    while len(branch.tops) == 1 and not branch.loose:
        top = branch.tops[0]
        if not rules.part_named(top) and not set(words_of(top)) <= set(FILLERS):
            return branch
        branch = branch.below(top)
    return branch


def _parts_in_classes(branch: Branch, rules: ReadingRules) -> list[tuple[str, Branch]]:
    """Tell parts that lie within the class folders (cat/train, cat/test); none where they do not."""
    moved: dict[str, dict[str, File]] = {}
    for name, file in branch.pictures.items():
        pieces = name.split("/")
        part = rules.part_named(pieces[1]) if len(pieces) > 2 else None
        if part is None:
            return []
        moved.setdefault(part, {})["/".join([pieces[0], *pieces[2:]])] = file
    if "train" not in moved or len(moved) < 2 or sum(map(len, moved.values())) < len(branch.pictures):
        return []
    return [
        (part, Branch(branch.container, files, sorted({name.split("/")[0] for name in files})))
        for part, files in moved.items()
    ]


def _classes(path: Path, part: str, branch: Branch) -> dict[str, str | int | None]:
    """Tell the class of every picture of a part: by its labels' file, else by its folder, else there is none."""
    pictures = branch.pictures
    if not pictures:
        raise UserError(f"{path}: holds no picture{'' if part == 'train' else f' in {part}'}; {FORMS_OF_PICTURES}")
    if LABELS in branch.files:
        return _read_labels(path, branch)
    loose = branch.loose_pictures[:1]
    inside = next((name for name in pictures if "/" in name), None)
    if loose and inside:
        raise UserError(
            f"{path}: {shown(loose[0])} lies beside class folders such as {shown(inside.split('/')[0])}; "
            "move it into one of them"
        )
    if loose:
        return dict.fromkeys(pictures)
    counts = Counter(name.split("/")[0] for name in pictures)
    for name in branch.tops:
        if counts[name] < (2 if part == "train" else 1):
            raise UserError(
                f"{path}: the class folder {shown(name)} holds {'only one' if counts[name] else 'no'} picture; "
                "add more, or move the folder away"
            )
    return {name: name.split("/")[0] for name in pictures}


def _read_labels(path: Path, branch: Branch) -> dict[str, str | int | None]:
    """Read StyleGAN's ``{"labels": [["00000/img00000000.png", 6], ...]}``, or null for none; a label may be a word."""
    pictures = branch.pictures
    where = f"{path}: {shown(branch.files[LABELS].name)}"
    try:
        labels = json.loads(branch.container.read(branch.files[LABELS]))["labels"]
        given: dict[str, Any] = dict.fromkeys(pictures)
        if labels is not None:
            given = {as_listed(name) if isinstance(name, str) else name: label for name, label in labels}
    except (Unreadable, ValueError, KeyError, TypeError, RecursionError) as error:
        why = " ".join(str(error).split())
        raise UserError(f'{where}: is not {{"labels": [["name.png", 0], ...]}} or null ({why})') from None
    named: dict[str, str | int | None] = {}
    for name, label in given.items():
        if name not in pictures:
            raise UserError(f"{where}: gives {shown(str(name))} a label, but there is no such picture")
        if isinstance(label, str) and label.strip():
            label = one_form(label.strip())
        elif label is not None and (type(label) is not int or not 0 <= label <= MOST_CLASSES):
            raise UserError(
                f"{where}: the label of {shown(name)} is {shown(str(label))}; "
                f"whole numbers 0 to {MOST_CLASSES - 1}, or words, work"
            )
        named[name] = label
    if missing := next((name for name in pictures if name not in named), None):
        raise UserError(f"{where}: gives {shown(missing)} no label; add it, or set labels to null")
    return named


FORMS_OF_PICTURES = "give a folder, zip or tar of pictures, or of one folder of them for each class"
