"""One file from the network: whole and right, or not there at all."""

import errno
import hashlib
import http.client
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from ganforge.data.open_file import open_content
from ganforge.errors import UserError

Report = Callable[[str, int, int | None], None]
"""Told while a file comes in: its name, the bytes that are here, and the bytes in all where the server says so."""

TIMEOUT = 5.0
"""Seconds without an answer after which a mirror is given up."""

OURS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS)
"""Errors that no other mirror would mend: the disk is full or not ours to write."""

PROBE = 3.0
"""Seconds in which some mirror must answer before ``auto`` takes data that needs no network."""


@dataclass(frozen=True)
class StoredFile:
    """One file of a set: its name, and the SHA-256 and size of its content, unpacked where it is gzip.

    Of some files only an ``md5`` was published, and that of the file as it is offered: then ``sha256`` is empty, and
    the size is the most that the file may have.
    """

    name: str
    sha256: str
    size: int
    md5: str = ""


def checksum_matches(path: Path | None, file: StoredFile) -> bool:
    """Say whether a file is the published one, by what checksum there is; reads at most a byte more than its size."""
    if path is None or not path.is_file():
        return False
    digest, left = (hashlib.md5(usedforsecurity=False) if file.md5 else hashlib.sha256()), file.size + 1
    try:
        opened: AbstractContextManager[IO[bytes]] = path.open("rb") if file.md5 else open_content(path)
        with opened as stream:
            while piece := stream.read(min(left, 1 << 20)):
                digest.update(piece)
                left -= len(piece)
    except (OSError, UserError):
        return False
    return digest.hexdigest() == (file.md5 or file.sha256)


def fetch_file(file: StoredFile, path: Path, mirrors: Sequence[str], report: Report | None) -> None:
    """Try one mirror after another until the file is whole and right, then give it its name in one move.

    Raises:
        UserError: no mirror had it; the message says of each why not, and not yet what to do.
    """
    part = path.with_name(f"{path.name}.part")
    tried = []
    for mirror in mirrors:
        try:
            went_on = _download(mirror + file.name, part, file, report)
            if not checksum_matches(part, file) and went_on:
                # The start may have come from another mirror, which packs the same content otherwise.
                part.unlink()
                _download(mirror + file.name, part, file, report)
            if checksum_matches(part, file):
                os.replace(part, path)
                return
            part.unlink()
            failure: object = "wrong checksum"
        except (OSError, http.client.HTTPException, ValueError) as error:
            if isinstance(error, OSError) and error.errno in OURS:
                raise
            failure = getattr(error, "reason", None) or error
            failure = getattr(failure, "strerror", None) or failure
        tried.append(
            f"{urlsplit(mirror).hostname or mirror}: {' '.join(str(failure).split()) or type(failure).__name__}"
        )
    raise UserError(f"{file.name} could not be downloaded ({', '.join(tried)})")


def _download(url: str, part: Path, file: StoredFile, report: Report | None) -> bool:
    """Add to ``part`` what it lacks and say whether it had a beginning that was kept.

    Raises:
        OSError, http.client.HTTPException: the server is away, refuses, stops early or sends too much.
    """
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "ganforge", "Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urlopen(Request(url, headers=headers), timeout=TIMEOUT)
    except HTTPError as error:
        error.close()
        if error.code == 416 and have:  # nothing lies beyond what is here
            return True
        raise OSError(f"HTTP {error.code}") from None
    with answer:
        went_on = bool(have) and (answer.headers.get("Content-Range") or "").startswith(f"bytes {have}-")
        have = have if went_on else 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else None
        with part.open("ab" if went_on else "wb") as out:
            while piece := answer.read1(1 << 16):
                have += len(piece)
                if have > file.size + (1 << 16):  # gzip adds little even to what it cannot shrink
                    out.truncate(0)
                    raise OSError("sends more than the file holds")
                out.write(piece)
                if report:
                    report(file.name, have, total)
            out.flush()
            os.fsync(out.fileno())
    if total is not None and have < total:
        raise OSError(f"stopped after {have:,} of {total:,} bytes")
    return went_on


def reachable_mirrors(file: StoredFile, mirrors: Sequence[str]) -> list[str]:
    """List the mirrors that answer within `PROBE` seconds, the quickest first, and wait for no more than one.

    Threads, because looking up a host name obeys no timeout.
    """
    answers: queue.Queue[str | None] = queue.Queue()

    def ask(mirror: str) -> None:
        request = Request(mirror + file.name, method="HEAD", headers={"User-Agent": "ganforge"})
        try:
            with urlopen(request, timeout=PROBE):
                answers.put(mirror)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if isinstance(error, HTTPError):
                error.close()
            answers.put(None)

    for mirror in mirrors:
        threading.Thread(target=ask, args=(mirror,), daemon=True).start()
    deadline = time.monotonic() + PROBE
    for _ in mirrors:
        try:
            first = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        if first:
            return [first, *(mirror for mirror in mirrors if mirror != first)]
    return []
