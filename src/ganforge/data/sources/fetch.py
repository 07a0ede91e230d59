"""Download single files and verify their checksums; a file that fails the check is never left in place."""

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

from ganforge.data.sources.open_file import open_content
from ganforge.errors import UserError

Report = Callable[[str, int, int | None], None]
"""Progress callback: the file name, the bytes received so far, and the total if the server states it."""

TIMEOUT = 5.0
"""Seconds to wait for a response before trying the next mirror."""

LOCAL_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS)
"""Local errors that no other mirror can fix: a full disk or missing write permission."""

PROBE = 3.0
"""Seconds in which a mirror must answer; after that ``auto`` uses the data set that needs no download."""


@dataclass(frozen=True)
class StoredFile:
    """One file of a data set: its name, and the SHA-256 and size in bytes of its content after gzip is unpacked.

    For some files only the ``md5`` of the packed file was published. In that case ``sha256`` is empty and ``size`` is
    an upper limit on the size of the packed file.
    """

    name: str
    sha256: str
    size: int
    md5: str = ""


def checksum_matches(path: Path | None, file: StoredFile) -> bool:
    """Tell whether the file at ``path`` has the published checksum; at most one byte beyond its size is read."""
    if path is None or not path.is_file():
        return False
    digest, remaining = (hashlib.md5(usedforsecurity=False) if file.md5 else hashlib.sha256()), file.size + 1
    try:
        opened: AbstractContextManager[IO[bytes]] = path.open("rb") if file.md5 else open_content(path)
        with opened as stream:
            while piece := stream.read(min(remaining, 1 << 20)):
                digest.update(piece)
                remaining -= len(piece)
    except (OSError, UserError):
        return False
    return digest.hexdigest() == (file.md5 or file.sha256)


def fetch_file(file: StoredFile, path: Path, mirrors: Sequence[str], report: Report | None) -> None:
    """Try the mirrors in order until the file is complete and its checksum matches, then rename it atomically.

    Raises:
        UserError: every mirror failed. The message gives the reason for each mirror; the caller adds what to do.
    """
    part = path.with_name(f"{path.name}.part")
    failures = []
    for mirror in mirrors:
        try:
            resumed = _download(mirror + file.name, part, file, report)
            if not checksum_matches(part, file) and resumed:
                # The partial file may come from another mirror, where the same content is packed differently.
                part.unlink()
                _download(mirror + file.name, part, file, report)
            if checksum_matches(part, file):
                os.replace(part, path)
                return
            part.unlink()
            failure: object = "wrong checksum"
        except (OSError, http.client.HTTPException, ValueError) as error:
            if isinstance(error, OSError) and error.errno in LOCAL_ERRORS:
                raise
            failure = getattr(error, "reason", None) or error
            failure = getattr(failure, "strerror", None) or failure
        failures.append(
            f"{urlsplit(mirror).hostname or mirror}: {' '.join(str(failure).split()) or type(failure).__name__}"
        )
    raise UserError(f"{file.name} could not be downloaded ({', '.join(failures)})")


def _download(url: str, part: Path, file: StoredFile, report: Report | None) -> bool:
    """Download the missing bytes of ``part`` and return whether the download resumed an earlier one.

    Raises:
        OSError, http.client.HTTPException: the server is unreachable, refuses, stops early or sends too many bytes.
    """
    received = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "ganforge", "Accept-Encoding": "identity"} | (
        {"Range": f"bytes={received}-"} if received else {}
    )
    try:
        response = urlopen(Request(url, headers=headers), timeout=TIMEOUT)
    except HTTPError as error:
        error.close()
        if error.code == 416 and received:  # the partial file is already complete
            return True
        raise OSError(f"HTTP {error.code}") from None
    with response:
        resumed = bool(received) and (response.headers.get("Content-Range") or "").startswith(f"bytes {received}-")
        received = received if resumed else 0
        length = response.headers.get("Content-Length")
        total = received + int(length) if length else None
        with part.open("ab" if resumed else "wb") as out:
            while piece := response.read1(1 << 16):
                received += len(piece)
                if received > file.size + (1 << 16):  # gzip adds little even to incompressible content
                    out.truncate(0)
                    raise OSError("sends more than the file holds")
                out.write(piece)
                if report:
                    report(file.name, received, total)
            out.flush()
            os.fsync(out.fileno())
    if total is not None and received < total:
        raise OSError(f"stopped after {received:,} of {total:,} bytes")
    return resumed


def reachable_mirrors(file: StoredFile, mirrors: Sequence[str]) -> list[str]:
    """Wait up to `PROBE` seconds for the first mirror to answer; return it and then all others, or an empty list.

    The requests run in threads because a host name lookup has no timeout.
    """
    responses: queue.Queue[str | None] = queue.Queue()

    def probe(mirror: str) -> None:
        request = Request(mirror + file.name, method="HEAD", headers={"User-Agent": "ganforge"})
        try:
            with urlopen(request, timeout=PROBE):
                responses.put(mirror)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if isinstance(error, HTTPError):
                error.close()
            responses.put(None)

    for mirror in mirrors:
        threading.Thread(target=probe, args=(mirror,), daemon=True).start()
    deadline = time.monotonic() + PROBE
    for _ in mirrors:
        try:
            first = responses.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        if first:
            return [first, *(mirror for mirror in mirrors if mirror != first)]
    return []
