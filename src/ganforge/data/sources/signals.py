"""Signals [N, C, T] as images of one row: .ts, .tsv, .txt and .csv as in the UCR and UEA archives, and .npz arrays."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ganforge.data.class_labels import encode_labels
from ganforge.data.images import ImageSet
from ganforge.data.kinds import Signals
from ganforge.data.normalize_arrays import RawSplits
from ganforge.data.reading_rules import USUAL, ReadingRules
from ganforge.data.sources.array_names import place_of
from ganforge.data.sources.columns import is_picture
from ganforge.data.sources.open_file import refusing_damage
from ganforge.data.sources.table_files import in_order
from ganforge.errors import UserError

Found = dict[str, tuple[NDArray[np.float64], NDArray[np.str_] | NDArray[np.int64] | None]]
"""Signals [N, C, T] and labels by part."""
PARTS = {"TRAIN": "train", "TEST": "test"}
UCR = re.compile(r"(?P<name>.+)_(?P<part>TRAIN|TEST)\.(?P<ending>ts|tsv|txt|csv)")
ENDINGS = ("ts", "tsv", "txt", "csv")
"""The endings of the archives, the first one first where a folder holds a set in several forms."""
SHORTEST, LONGEST, MOST_CHANNELS = 8, 4096, 64
"""Samples of a signal, and channels; an array [N, C, T] of fewer channels than `SHORTEST` holds no pictures."""
NPZ_NAME = "signals"
SEPARATOR, MISSING = re.compile(r"\s*[,;]\s*|\s+"), ("", "?")
"""Between two values of a line, and the words for a missing one."""
FIRST_LINES, LONGEST_LINE = 3, 2**18
"""Lines of a text file that tell signals from pictures, and the characters of one that are read."""


def holds_signals(path: Path) -> bool:
    """Whether a path holds signals.

    A .ts file; a file NAME_TRAIN.tsv or NAME_TRAIN.txt, or a folder with one, as the UCR archive has them; another
    text file in the form of that archive (`_holds_series`); or an .npz with an array ``signals``, or with arrays
    [N, C, T] of numbers of fewer than 8 channels.
    """
    if path.is_dir():
        return bool(_files_of_archive(path))
    if path.suffix == ".npz" and path.is_file():
        return bool(_arrays(path))
    return path.is_file() and (_is_of_archive(path) or _starts_as_ts(path) or _holds_series(path))


def _is_of_archive(path: Path) -> bool:
    """Whether a file has a name of the archive; a .csv, which may hold pictures, must have its content, too."""
    match = UCR.fullmatch(path.name)
    return match is not None and (match["ending"] != "csv" or _holds_series(path))


def _holds_series(path: Path) -> bool:
    """Whether a .csv, .tsv or .txt has lines of a label (a word or a whole number) and then numbers, without a header.

    Whole numbers from 0 on are pixels. So are as many numbers as a square picture has pixels, with a label and a number
    of the row or without, unless the name is that of a file of the archive.
    """
    if path.suffix.lower().removeprefix(".") not in ENDINGS[1:]:
        return False
    with refusing_damage(path), path.open(encoding="utf-8-sig", errors="replace") as stream:
        lines = [line for _ in range(FIRST_LINES) if (line := stream.readline(LONGEST_LINE).strip())]
    rows = [SEPARATOR.split(line) for line in lines if not line.startswith("#")]
    try:
        values = [_numbers([row[1:]], path, 0)[0] for row in rows]
    except UserError:
        return False
    if not values or not all(_is_label(row[0]) for row in rows) or min(map(len, values)) < SHORTEST:
        return False
    if not UCR.fullmatch(path.name) and any(is_picture(len(values[0]) + further) for further in (-1, 0, 1)):
        return False
    return any(value < 0 or value % 1 for row in values for value in row)


def _is_label(word: str) -> bool:
    try:
        return float(word).is_integer()
    except ValueError:
        return bool(word)


def _starts_as_ts(path: Path) -> bool:
    if path.suffix.lower() != ".ts":
        return False
    with path.open("rb") as stream:  # a video can have this ending, too
        return stream.read(512).lstrip().startswith((b"@", b"#"))


def read_signals(path: Path, rules: ReadingRules = USUAL) -> RawSplits:
    """Read signals as images uint8 [N, C, 1, T], each channel scaled by its smallest and largest training value.

    Values of other parts beyond these are clipped, and a note says how many.

    Raises:
        UserError: values are missing or not finite, lengths or channels differ, or a channel is constant.
    """
    found = _read_npz(path, rules) if path.suffix == ".npz" else _read_archive(path)
    shape = found["train"][0].shape
    for part, (values, _) in found.items():
        _check(values, f"{path}: the {part} signals" if len(found) > 1 else str(path), shape)
    train = found["train"][0]
    low, high = train.min((0, 2)), train.max((0, 2))
    if (flat := np.flatnonzero(high == low)).size:
        raise UserError(f"{path}: channel {flat[0]} has one value throughout ({low[flat[0]]:g}); leave it out")
    kind = Signals(low=tuple(low.tolist()), high=tuple(high.tolist()))
    counts = {part: len(values) for part, (values, _) in found.items()}
    labels, classes, note = encode_labels({part: raw for part, (_, raw) in found.items()}, counts, str(path), rules)
    name = UCR.fullmatch(path.name)
    title = name["name"] if name else path.stem
    sets = {
        part: ImageSet(
            to_images(torch.from_numpy(values), kind),
            labels[part],
            classes,
            title if part == "train" else f"{title} {part}",
            kind=kind,
        )
        for part, (values, _) in found.items()
    }
    notes = [f"signals of {shape[2]} samples, {shape[1]} channel{'s' * (shape[1] > 1)}, in 256 levels", note]
    beyond = [((v < low[:, None]) | (v > high[:, None])).mean() for part, (v, _) in found.items() if part != "train"]
    if any(beyond):
        notes.append(f"{max(beyond):.2%} of the values of another part lie beyond the training values: clipped")
    return RawSplits(sets["train"], sets.get("validation"), sets.get("test"), notes=tuple(n for n in notes if n))


def to_images(values: torch.Tensor, kind: Signals) -> torch.Tensor:
    """Return signals [N, C, T] as images uint8 [N, C, 1, T]: round(255 · (x − low) / (high − low)), clipped."""
    low, high = (torch.tensor(limits, dtype=torch.float64)[:, None] for limits in (kind.low, kind.high))
    levels = 255 * (values.double() - low) / (high - low)
    return levels.round().clamp(0, 255).to(torch.uint8)[:, :, None]


def to_values(images: torch.Tensor, kind: Signals) -> torch.Tensor:
    """Return images uint8 [N, C, 1, T] as signals float32 [N, C, T] in the user's units."""
    low, high = (torch.tensor(limits, dtype=torch.float64)[:, None] for limits in (kind.low, kind.high))
    return (low + images[:, :, 0].double() / 255 * (high - low)).float()


def _check(values: NDArray[np.float64], where: str, train_shape: Sequence[int]) -> None:
    _, channels, length = values.shape
    if tuple(values.shape[1:]) != tuple(train_shape[1:]):
        shapes = [f"{c} channels of {t} samples" for c, t in (values.shape[1:], train_shape[1:])]
        raise UserError(f"{where}: have {shapes[0]}, the training signals {shapes[1]}; make them alike")
    if not SHORTEST <= length <= LONGEST or not 1 <= channels <= MOST_CHANNELS:
        raise UserError(
            f"{where}: {channels} channels of {length} samples; give 1 to {MOST_CHANNELS} channels of {SHORTEST} to "
            f"{LONGEST} samples"
        )
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values).all((1, 2)))[0])
        raise UserError(f"{where}: signal {row} holds a missing or infinite value (NaN, ? or inf); fill or remove it")


# .npz


def _arrays(path: Path) -> dict[str, str]:
    """Return the names of the arrays of signals in an .npz, by part; nothing where it holds none."""
    names: dict[str, str] = {}
    try:
        with np.load(path, allow_pickle=False) as arrays:
            for name in arrays.files:
                place = place_of(name.lower().replace(NPZ_NAME, "images"), USUAL)
                if place.role == "images" and (NPZ_NAME in name.lower() or _has_few_channels(arrays[name])):
                    names[place.part or "train"] = name
    except (OSError, ValueError, EOFError, KeyError):
        return {}
    return names


def _has_few_channels(array: NDArray[np.float64]) -> bool:
    return array.ndim == 3 and array.dtype.kind in "iuf" and array.shape[1] < SHORTEST <= array.shape[2]


def _read_npz(path: Path, rules: ReadingRules) -> Found:
    found: Found = {}
    with refusing_damage(path), np.load(path, allow_pickle=False) as arrays:
        label_of = {(p.part or "train"): name for name in arrays.files if (p := place_of(name, rules)).role == "labels"}
        for part, name in _arrays(path).items():
            values = arrays[name]
            values = values[:, None] if values.ndim == 2 else values
            if values.ndim != 3 or values.dtype.kind not in "iuf":
                raise UserError(f"{path}: {name} is {values.dtype} {list(values.shape)}; signals are numbers [N, C, T]")
            found[part] = values.astype(np.float64), arrays[label_of[part]] if part in label_of else None
    return in_order(found, str(path))


# The UCR and UEA archives


def _files_of_archive(path: Path) -> dict[str, Path]:
    """Return the file of each part in a folder that holds one set of the archive; nothing for other folders."""
    matches = [match for file in sorted(path.iterdir()) if (match := UCR.fullmatch(file.name))]
    for ending in ENDINGS:
        own = [match for match in matches if match["ending"] == ending and _is_of_archive(path / match[0])]
        files = {PARTS[match["part"]]: path / match[0] for match in own}
        if "train" in files and len({match["name"] for match in own}) == 1:
            return files
    return {}


def _read_archive(path: Path) -> Found:
    if path.is_dir():
        files: Mapping[str, Path] = _files_of_archive(path)
    elif (match := UCR.fullmatch(path.name)) and match["part"] == "TRAIN":
        test = path.with_name(f"{match['name']}_TEST.{match['ending']}")
        files = {"train": path, **({"test": test} if test.exists() else {})}
    else:
        files = {"train": path}
    return {part: _read_file(file) for part, file in files.items()}


def _read_file(path: Path) -> tuple[NDArray[np.float64], NDArray[np.str_] | None]:
    """Read a file of the archives.

    In a .tsv, .txt or .csv each line is a label and one channel; in a .ts the channels are separated by colons, and the
    label comes last.
    """
    with refusing_damage(path):
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    rows = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    labelled, is_ts = True, path.suffix.lower() == ".ts"
    if is_ts:
        labelled, rows = _body_of_ts(rows, path)
    signals, labels = [], []
    for number, line in enumerate(rows):
        channels = [SEPARATOR.split(channel.strip()) for channel in (line.split(":") if is_ts else [line])]
        if labelled:
            labels.append(" ".join(channels.pop()) if is_ts else channels[0].pop(0))
        signals.append(_numbers(channels, path, number))
    lengths = {tuple(map(len, channels)) for channels in signals}
    if len(lengths) != 1:
        found = f"lengths of {min(map(min, lengths))} to {max(map(max, lengths))}" if lengths else "no signal"
        raise UserError(f"{path}: holds {found}; cut or fill all signals to one length")
    if len(set(*lengths)) > 1:
        raise UserError(f"{path}: its channels have different lengths; cut or fill them to one length")
    return np.array(signals), np.array(labels) if labelled else None


def _body_of_ts(rows: Sequence[str], path: Path) -> tuple[bool, list[str]]:
    """Return whether the signals of a .ts file have labels, and the lines below its header."""
    header = [line.lower().split() for line in rows if line.startswith("@")]
    if ["@timestamps", "true"] in header:
        raise UserError(f"{path}: has time stamps; give signals at equal times")
    labelled = any(line[:2] == ["@classlabel", "true"] for line in header)
    return labelled, [line for line in rows if not line.startswith("@")]


def _numbers(channels: Sequence[Sequence[str]], path: Path, row: int) -> list[list[float]]:
    try:
        return [[float("nan" if word in MISSING else word) for word in channel] for channel in channels]
    except ValueError as error:
        raise UserError(f"{path}: signal {row}: {error}; give numbers") from None
