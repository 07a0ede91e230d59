"""Folders and zips of sounds (WAV; FLAC and OGG with soundfile), read as pictures of their spectrum."""

import io
import os
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from math import gcd
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.io import wavfile
from scipy.signal import resample_poly
from torch import Tensor

from ganforge.data.class_names import in_order
from ganforge.data.images import ImageSet
from ganforge.data.kinds import Sound
from ganforge.data.normalize_arrays import RawSplits
from ganforge.data.reading_rules import USUAL, ReadingRules
from ganforge.data.sources.decode_image import Unreadable
from ganforge.data.sources.fetch import Report
from ganforge.data.sources.folder_layout import Listing, list_pictures, open_containers
from ganforge.data.sources.picture_containers import Container, File, hidden
from ganforge.data.sources.table_files import PICTURE_ENDINGS
from ganforge.data.spectra import to_pictures
from ganforge.errors import UserError

Samples = NDArray[np.float32]
WAV, SOUNDFILE, OTHER = (".wav", ".wave"), (".flac", ".ogg"), (".mp3", ".m4a", ".aac", ".opus", ".wma", ".aif", ".aiff")
ENDINGS = (*WAV, *SOUNDFILE, *OTHER)
HIGHEST_RATE, LOWEST_RATE = 16_000, 4000
"""Samples in a second: faster sounds are resampled to the first, slower ones than the second refused."""
HOP, WINDOW, FRAMES, BANDS = 0.02, 0.064, 32, 32
"""Seconds between frames, seconds of a frame, frames and mel bands of a picture."""
QUIET = 1e-4
"""Ends are cut where the power in 10 ms is below this part of the loudest (−40 dB)."""
SILENT = 1e-5
"""A sound whose loudest sample is smaller, relative to full scale, holds silence."""
SHORTEST = 0.04
"""Seconds of a sound, without silent ends."""


def holds_sounds(path: Path) -> bool:
    """Whether a path is a sound, or a folder or zip whose first file with a known ending is one."""
    if path.is_file() and path.suffix.lower() in ENDINGS:
        return True
    known = (name for name in _names(path) if PurePosixPath(name).suffix.lower() in (*ENDINGS, *PICTURE_ENDINGS))
    return PurePosixPath(next(known, "")).suffix.lower() in ENDINGS


def _names(path: Path) -> Iterator[str]:
    if path.is_dir():
        for _, below, files in os.walk(path):
            below[:] = sorted(name for name in below if not hidden(name))
            yield from sorted(name for name in files if not hidden(name))
    elif path.suffix.lower() == ".zip":
        with suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
            yield from (name for name in archive.namelist() if not hidden(name))


def read_sounds(path: Path, rules: ReadingRules = USUAL, reading: Report | None = None) -> RawSplits:
    """Read sounds as pictures of their spectrum, with parts and classes as in a folder of pictures.

    Sounds in a single folder have the class that their names begin with, as in ``3_alice_01.wav``, if all names begin
    with one of several such words. Channels are averaged, silent ends cut, and every sound resampled to the lowest
    rate among them (at most 16 kHz), cut at ``Sound.seconds`` and put into the middle of silence of that length.

    Raises:
        UserError: a file is no sound, damaged, empty, silent, too short or too slow, or the layout is ambiguous.
    """
    if path.is_file() and path.suffix.lower() in ENDINGS:
        raise UserError(f"{path}: is a single sound; give the folder or zip with all sounds of the set")
    containers = open_containers(path, rules)
    try:
        listing = list_pictures(path, containers, rules)
        clips, rows, notes = _read_all(path, listing, rules, reading)
    finally:
        for container in containers.values():
            container.close()
    rate = min(HIGHEST_RATE, *(rate for rate, _ in clips))
    kind = Sound(rate=rate, bands=BANDS, frames=FRAMES, hop=round(HOP * rate), window=round(WINDOW * rate))
    sounds = torch.stack([_fitted(samples, found, kind) for found, samples in clips])
    notes += _notes(clips, kind)
    images = to_pictures(sounds, kind)
    kept = [listing.pictures[row] for row in rows]
    labels, classes = [picture.label for picture in kept], list(listing.class_names)
    if not classes:
        labels, classes = _classes_by_name([picture.file.name for picture in kept])
        notes += [f"classes by the first word of each file's name: {', '.join(classes[:10])}"] if classes else []
    sets = {}
    for part in dict.fromkeys(picture.part for picture in kept):
        chosen = torch.tensor([k for k, picture in enumerate(kept) if picture.part == part])
        name = path.stem if part == "train" else f"{path.stem} {part}"
        sets[part] = ImageSet(images[chosen], torch.tensor(labels)[chosen], tuple(classes), name, kind=kind)
    if "train" not in sets:
        raise UserError(f"{path}: no training sound can be read; give others")
    return RawSplits(sets["train"], sets.get("validation"), sets.get("test"), notes=tuple(notes))


def _read_all(
    path: Path, listing: Listing, rules: ReadingRules, reading: Report | None
) -> tuple[list[tuple[int, Samples]], list[int], list[str]]:
    """Return rate and samples of every sound, the rows of the listing that they are, and notes."""
    clips, rows, skipped, joined = [], [], 0, 0
    for row, picture in enumerate(listing.pictures):
        try:
            rate, samples, channels = _read_sound(picture.container, picture.file)
        except Unreadable as reason:
            if not rules.skip_bad:
                raise UserError(f"{path}: {picture.name}: {reason}; mend or remove it, or --skip-bad") from None
            skipped += 1
            continue
        clips.append((rate, samples))
        rows.append(row)
        joined += channels > 1
        if reading:
            reading("reading sounds", row + 1, len(listing.pictures))
    if not clips:
        raise UserError(f"{path}: none of {len(listing.pictures)} sounds can be read; give others")
    notes = [f"{skipped} sounds could not be read and were skipped"] if skipped else []
    return clips, rows, notes + ([f"{joined} sounds have several channels: their mean was taken"] if joined else [])


def _read_sound(container: Container, file: File) -> tuple[int, Samples, int]:
    """Return the rate of a sound, its samples without silent ends, no more than a picture shows, and its channels."""
    rate, samples = decode_sound(container.read(file), file.name)
    channels = samples.shape[1] if samples.ndim > 1 else 1
    samples = samples.mean(1) if samples.ndim > 1 else samples
    if not np.isfinite(samples).all():
        raise Unreadable("holds values that are not finite (NaN or infinity)")
    if rate < LOWEST_RATE:
        raise Unreadable(f"has {rate} samples in a second; {LOWEST_RATE} or more are needed")
    if not len(samples) or np.abs(samples).max() < SILENT:
        raise Unreadable("holds no sample" if not len(samples) else "holds silence alone")
    samples = trimmed(samples, rate)
    if len(samples) < SHORTEST * rate:
        raise Unreadable(f"is too short: {len(samples) / rate:.3f} s of sound, {SHORTEST} s are needed")
    return rate, samples[: round((FRAMES * HOP + 0.1) * rate)].astype(np.float32), channels


def decode_sound(content: bytes, name: str) -> tuple[int, NDArray[Any]]:
    """Return the rate and the samples [T] or [T, channels] of a file's bytes, full scale −1..1.

    Raises:
        Unreadable: the bytes are no such sound.
    """
    ending = PurePosixPath(name).suffix.lower()
    if ending in SOUNDFILE:
        return _decode_by_soundfile(content, ending)
    if ending not in WAV:
        stem = PurePosixPath(name).stem
        raise Unreadable(f'is no WAV; convert it: ffmpeg -i "{name}" "{stem}.wav"')
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of chunks that hold no samples
            rate, samples = wavfile.read(io.BytesIO(content))
    except Exception as error:  # of a broken header scipy raises whatever its arithmetic does
        reason = " ".join(str(error).split()) or type(error).__name__
        raise Unreadable(f"is no readable WAV ({reason})") from None
    return rate, full_scale(samples)


def full_scale(samples: NDArray[Any]) -> NDArray[np.float64]:
    """Return samples of 8 bits (without sign), 16, 24 or 32 bits or floats as floats, full scale −1..1."""
    if samples.dtype == np.uint8:
        return (samples.astype(np.float64) - 128) / 128
    if samples.dtype.kind == "i":
        return samples.astype(np.float64) / -float(np.iinfo(samples.dtype).min)
    return samples.astype(np.float64)


def _decode_by_soundfile(content: bytes, ending: str) -> tuple[int, NDArray[Any]]:
    try:
        import soundfile
    except ImportError:
        raise Unreadable(
            f"{ending} needs soundfile: pip install soundfile, or convert it with ffmpeg to .wav"
        ) from None
    try:
        samples, rate = soundfile.read(io.BytesIO(content))
    except RuntimeError as error:
        raise Unreadable(f"is no readable {ending} ({' '.join(str(error).split())})") from None
    return int(rate), samples


def trimmed(samples: NDArray[Any], rate: int) -> NDArray[Any]:
    """Return samples [T] without silent ends, in steps of 10 ms; a sound of less than 10 ms unchanged."""
    step = max(1, rate // 100)
    count = len(samples) // step
    if not count:
        return samples
    power = np.square(samples[: count * step].reshape(count, step).astype(np.float64)).mean(1)
    loud = np.flatnonzero(power > QUIET * power.max())
    return samples[loud[0] * step : (loud[-1] + 1) * step]


def _fitted(samples: Samples, rate: int, kind: Sound) -> Tensor:
    """Return samples at the rate of the kind, cut or in the middle of silence: float32 [kind.samples]."""
    if rate != kind.rate:
        common = gcd(rate, kind.rate)
        samples = resample_poly(samples, kind.rate // common, rate // common)
    samples = samples[: kind.samples]
    before = (kind.samples - len(samples)) // 2
    return torch.from_numpy(np.pad(samples, (before, kind.samples - len(samples) - before)).astype(np.float32))


def _notes(clips: list[tuple[int, Samples]], kind: Sound) -> list[str]:
    notes = [
        f"sounds as spectra: {kind.bands} mel bands, {kind.frames} frames of {kind.seconds:.2f} s, "
        f"{kind.rate:,} samples in a second (for windows of samples give an .npz with signals [N, 1, T])"
    ]
    rates = {rate for rate, _ in clips}
    if rates != {kind.rate}:
        notes.append(f"resampled to {kind.rate:,} from {', '.join(f'{rate:,}' for rate in sorted(rates))} Hz")
    if cut := sum(len(samples) / rate > kind.seconds for rate, samples in clips):
        notes.append(f"{cut:,} of {len(clips):,} sounds are longer than {kind.seconds:.2f} s: their ends were cut")
    return notes


def _classes_by_name(names: list[str]) -> tuple[list[int], list[str]]:
    """Return labels and classes by the first word of each name, as in 3_alice_01.wav; −1 and none without words."""
    words = [PurePosixPath(name).stem.replace("-", "_").partition("_") for name in names]
    classes = in_order({first for first, _, _ in words})
    repeated = all(sum(word[0] == name for word in words) > 1 for name in classes)
    if not all(rest for _, _, rest in words) or len(classes) < 2 or not repeated:
        return [-1] * len(names), []
    return [classes.index(first) for first, _, _ in words], classes
