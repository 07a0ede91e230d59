"""A set too large for memory, on the CPU: its peak of resident memory, and its batches beside those from memory.

    python speed/lazy.py [IMAGES] [ROUNDS]       (1,000,000 images of 3×32×32 and 5 rounds; 3 GB of disk, 7 of memory)

The set is written straight into a cache of its own. One process opens it, takes its fingerprint, gathers an epoch of
batches and describes it, as ``ganforge train`` and ``ganforge data show`` do, and prints its peak; another gathers
batches from the file and from memory in turn, and prints the median of the ratios.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

import numpy as np
import torch

from ganforge.data.batches import Batches
from ganforge.data.images import ImageSet, Splits
from ganforge.data.splits import split_dataset
from ganforge.data.storage.pixel_cache import Header, Key, cached
from ganforge.data.summary import summarise

SHAPE, BATCH, PIECE = (3, 32, 32), 100, 10_000
KEY = Key("speed", "lazy")
CPU = torch.device("cpu")


def load(count: int) -> Splits:
    """Open the set, and make it first where it is not there."""

    def fill(file: IO[bytes]) -> tuple[Header, np.ndarray]:
        random = np.random.default_rng(0)
        for _ in range(0, count, PIECE):
            file.write(random.integers(0, 256, (PIECE, *SHAPE), np.uint8).data)
        names = tuple("abcdefghij")
        header = Header(counts={"train": count}, shape=SHAPE, class_names=names, note="made up")
        return header, np.arange(count) % len(names)

    parts, note = cached(KEY, "noise", fill)
    return split_dataset(parts, note, "train")


def batches(images: ImageSet) -> Batches:
    """The batches of a run with labels."""
    return Batches(images, BATCH, "-1..1", seed=0, labels=True, device=CPU)


def peak() -> None:
    """Do with a set what commands do, and print the peak of resident memory after each."""
    splits = load(0)
    _print_peak("opened")
    assert splits.fingerprint
    _print_peak("fingerprint taken")
    stream = batches(splits.train)
    for step in range(len(splits.train) // BATCH):
        assert stream[step].images.shape == (BATCH, *SHAPE)
    _print_peak(f"an epoch of {len(splits.train):,} images")
    assert summarise(splits).duplicates == 0
    _print_peak("described")


def _print_peak(when: str) -> None:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(f"peak resident {int(status['VmHWM'].split()[0]) / 2**20:.2f} GiB: {when}", flush=True)


def ratio(rounds: int) -> None:
    """Print the images per second from the file and from memory, and the median of their ratios."""
    stored = load(0).train
    held = ImageSet(stored.images.clone(), stored.labels, stored.class_names)
    streams = {"file": batches(stored), "memory": batches(held)}
    steps, ratios = len(stored) // BATCH // rounds, []
    for turn in range(rounds):
        speed = {}
        for name in sorted(streams, reverse=bool(turn % 2)):
            began = time.perf_counter()
            for step in range(turn * steps, (turn + 1) * steps):
                streams[name][step]
            speed[name] = steps * BATCH / (time.perf_counter() - began)
        ratios.append(speed["file"] / speed["memory"])
        print(
            f"file {speed['file']:,.0f} images/s, memory {speed['memory']:,.0f} images/s: {ratios[-1]:.2f}", flush=True
        )
    print(f"median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peak"]:
        peak()
    elif sys.argv[1:2] == ["--ratio"]:
        ratio(int(sys.argv[2]))
    else:
        count, rounds = (int(given) for given in (*sys.argv[1:], *("1000000", "5")[len(sys.argv) - 1 :]))
        with tempfile.TemporaryDirectory() as folder:
            os.environ["GANFORGE_CACHE"] = folder
            load(count)
            subprocess.run([sys.executable, __file__, "--peak"], check=True)
            subprocess.run([sys.executable, __file__, "--ratio", str(rounds)], check=True)
