"""Servers that fail on demand, for tests of downloads."""

import gzip
import hashlib
import socket
import struct
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from ganforge.data.load import Entry, StoredFile
from ganforge.data.sources.readers import find_spelling, read_path
from ganforge.errors import UserError

NAME = "small-images-idx3-ubyte.gz"


IMAGES = np.random.default_rng(0).integers(0, 256, (600, 12, 12), dtype=np.uint8)


CONTENT = struct.pack(">IIII", 2051, *IMAGES.shape) + IMAGES.tobytes()


PACKED = gzip.compress(CONTENT, mtime=0)


HALF = len(PACKED) // 2


class Mirror(ThreadingHTTPServer):
    """A mirror that serves one file with configured failures and records the requested ranges."""

    def __init__(self, content=PACKED, ranges=True, cut=None, status=None, silent=False):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.ranges, self.cut, self.status, self.silent = content, ranges, cut, status, silent
        self.requested_ranges = []
        self.address = f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.send_response(self.server.status or 200)
        self.end_headers()

    def do_GET(self):
        server, requested = self.server, self.headers.get("Range")
        server.requested_ranges.append(requested)
        start = int(requested.removeprefix("bytes=").removesuffix("-")) if requested and server.ranges else 0
        body, status = server.content[start:], server.status or (206 if start else 200)
        if start and not body:
            body, status = b"", 416
        self.send_response(status)
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        if not server.silent:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.cut])

    def log_message(self, *_):
        pass


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"http://127.0.0.1:{listening.getsockname()[1]}/"


def small(*mirrors, name="small"):
    file = StoredFile(NAME, hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
    addresses = tuple(m if isinstance(m, str) else m.address for m in mirrors)
    return Entry(name, "a small set", lambda folder: read_path(find_spelling(folder, NAME)), (file,), addresses)


def by_md5(*mirrors):
    """Return the small set as if only the MD5 of its packed file were published."""
    file = StoredFile(NAME, "", len(PACKED), hashlib.md5(PACKED).hexdigest())
    return replace(small(*mirrors), files=(file,))


def part(machine, content):
    folder = machine / "cache" / "small"
    folder.mkdir(parents=True)
    (folder / f"{NAME}.part").write_bytes(content)


def refusal(call, *args, **kwargs):
    with pytest.raises(UserError) as caught:
        call(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)
