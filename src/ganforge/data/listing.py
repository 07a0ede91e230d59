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
from ganforge.data.containers import Container, File, Folder, as_listed
from ganforge.data.pictures import Unreadable
from ganforge.data.readers import find_spelling
from ganforge.data.settle import MOST_CLASSES
from ganforge.errors import UserError, shown

PARTS = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}
LABELS = "dataset.json"
OTHER_FILES = (
    *(".txt", ".json", ".jsonl", ".csv", ".tsv", ".xml", ".yaml", ".yml", ".toml", ".ini", ".log", ".md", ".rst"),
    *(".html", ".htm", ".pdf", ".py", ".ipynb", ".db", ".lnk", ".url", ".npy", ".npz", *ARCHIVES),
)
"""Endings of files that lie beside pictures and are none; all other files must be pictures."""

IDX_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


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


def holds_pictures(path: Path) -> bool:
    """Say whether a path is to be read as pictures: a zip or tar, or a folder without IDX files."""
    if path.is_dir():
        return not any(find_spelling(path, name) for name in IDX_FILES)
    if path.suffix.lower() == ".npz" or not path.is_file():
        return False
    try:
        return is_archive(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None


def open_containers(path: Path) -> dict[str, Container]:
    """Find what holds the pictures: one folder or archive, under the name "", or an archive for each part."""
    if not path.is_dir():
        return {"": open_archive(path)}
    archives = {
        part: path / f"{stem}{ending}"
        for stem, part in PARTS.items()
        for ending in (".zip", *TARS)
        if (path / f"{stem}{ending}").is_file()
    }
    if "train" in archives and len(archives) > 1:
        return {part: open_archive(archives[part]) for part in sorted(archives)}
    return {"": Folder(path)}


def list_pictures(path: Path, containers: dict[str, Container]) -> Listing:
    """List all pictures with their parts and classes.

    Raises:
        UserError: there is none, or they lie so that their parts or classes cannot be told.
    """
    branches: list[tuple[str, Branch]] = []
    for part, container in containers.items():
        whole = _descend(Branch(container, {file.name: file for file in container.files()}, container.folders()))
        branches += [(part, whole)] if part else _parts(path, whole)
    found = [(part, branch, _classes(path, part, branch)) for part, branch in branches]
    classes: set[Any] = {name for *_, named in found for name in named.values()} - {None}
    if len({type(name) for name in classes}) > 1:
        raise UserError(f"{path}: some classes are told by {LABELS} and others by folders; keep to one of the two")
    by_number = any(isinstance(name, int) for name in classes)
    names = list(range(max(classes) + 1)) if by_number else sorted(classes)
    if len(names) > MOST_CLASSES:
        raise UserError(f"{path}: holds {len(names):,} classes; {MOST_CLASSES:,} at most work")
    label = {name: number for number, name in enumerate(names)}
    order = list(PARTS.values())
    pictures = [
        Picture(branch.container, branch.files[name], part, label.get(named[name], -1))
        for part, branch, named in sorted(found, key=lambda row: order.index(row[0]))
        for name in sorted(named)
    ]
    return Listing(pictures, tuple(shown(str(name)) for name in names))


def _descend(branch: Branch) -> Branch:
    """Go down into the one folder in which all lies."""
    while len(branch.tops) == 1 and not any("/" not in name for name in [*branch.pictures, *_labels_of(branch)]):
        branch = branch.below(branch.tops[0])
    return branch


def _labels_of(branch: Branch) -> list[str]:
    return [LABELS] if LABELS in branch.files else []


def _parts(path: Path, branch: Branch) -> list[tuple[str, Branch]]:
    """Tell the parts by the names of the folders, or take all for training where they have none."""
    parts = [top for top in branch.tops if top in PARTS]
    pictures = branch.pictures
    if "train" not in parts or len(parts) < 2 or any("/" not in name for name in pictures):
        return [("train", branch)]
    for name in pictures:
        if name.split("/")[0] not in PARTS:
            raise UserError(f"{path}: {shown(name)} lies beside {' and '.join(parts)}; move it into one of them")
    return [(PARTS[top], branch.below(top)) for top in parts]


def _classes(path: Path, part: str, branch: Branch) -> dict[str, str | int | None]:
    """Tell the class of every picture of a part: by its labels' file, else by its folder, else there is none."""
    pictures = branch.pictures
    if not pictures:
        raise UserError(f"{path}: holds no picture{'' if part == 'train' else f' in {part}'}; {FORMS_OF_PICTURES}")
    if LABELS in branch.files:
        return _read_labels(path, branch)
    loose = next((name for name in pictures if "/" not in name), None)
    inside = next((name for name in pictures if "/" in name), None)
    if loose and inside:
        raise UserError(
            f"{path}: {shown(loose)} lies beside class folders such as {shown(inside.split('/')[0])}; "
            "move it into one of them"
        )
    if loose:
        return dict.fromkeys(pictures)
    counts = Counter(name.split("/")[0] for name in pictures)
    for name in branch.tops:
        if counts[name] < (2 if part == "train" else 1):
            raise UserError(
                f"{path}: the class folder {shown(name)} holds {'only one' if counts[name] else 'no'} picture; "
                "add more or remove the folder"
            )
    return {name: name.split("/")[0] for name in pictures}


def _read_labels(path: Path, branch: Branch) -> dict[str, str | int | None]:
    """Read StyleGAN's ``{"labels": [["00000/img00000000.png", 6], ...]}``, or null for none."""
    pictures = branch.pictures
    where = f"{path}: {shown(branch.files[LABELS].name)}"
    try:
        labels = json.loads(branch.container.read(branch.files[LABELS]))["labels"]
        named: dict[str, Any] = dict.fromkeys(pictures)
        if labels is not None:
            named = {as_listed(name) if isinstance(name, str) else name: label for name, label in labels}
    except (Unreadable, ValueError, KeyError, TypeError, RecursionError) as error:
        why = " ".join(str(error).split())
        raise UserError(f'{where}: is not {{"labels": [["name.png", 0], ...]}} or null ({why})') from None
    for name, label in named.items():
        if not isinstance(name, str) or name not in pictures:
            raise UserError(f"{where}: gives {shown(str(name))} a label, but there is no such picture")
        if label is not None and (type(label) is not int or not 0 <= label < MOST_CLASSES):
            raise UserError(
                f"{where}: the label of {shown(name)} is {shown(str(label))}; "
                f"whole numbers 0 to {MOST_CLASSES - 1} work"
            )
    if missing := next((name for name in pictures if name not in named), None):
        raise UserError(f"{where}: gives {shown(missing)} no label; add it, or set labels to null")
    return named


FORMS_OF_PICTURES = "give a folder, zip or tar of pictures, or of one folder of them for each class"
