"""A classifier behind a URL of this machine: pictures are posted as one .npy file, the answer is JSON."""

import http.client
import io
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import numpy as np
from torch import Tensor

from ganforge.errors import UserError
from ganforge.json_text import parse_json

TIMEOUT = 10.0
"""Seconds within which an answer must be complete."""
LARGEST = 64 * 2**20
"""Bytes of the largest answer that is read."""
LOCAL = ("127.0.0.1", "localhost")


def server_at(url: str) -> Callable[[Tensor], np.ndarray]:
    """Return the function that asks a server of this machine about pictures uint8 [N, C, H, W].

    The body of the POST is a .npy file; the answer is ``{"probabilities": [[...], ...]}`` [N, K]. Redirects and proxies
    are not followed.

    Raises:
        UserError: the URL is of another machine or not http; from the function: no answer in time, or no such answer.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or 80
    except ValueError as error:
        raise UserError(f"{url}: is no URL ({error})") from None
    if parts.scheme != "http" or parts.hostname not in LOCAL or parts.username or parts.password:
        raise UserError(f"{url}: pictures are sent to this machine alone; give http://127.0.0.1:PORT/PATH")
    target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"

    def ask(images: Tensor) -> np.ndarray:
        body = io.BytesIO()
        np.save(body, images.numpy(), allow_pickle=False)
        try:
            status, content = _post(port, target, body.getvalue())
        except TimeoutError:
            raise UserError(f"{url}: gave no answer within {TIMEOUT:g} seconds") from None
        except (OSError, http.client.HTTPException) as error:
            raise UserError(f"{url}: cannot be reached ({error})") from None
        if status != 200:
            raise UserError(f"{url}: answers with status {status}; 200 is needed, and redirects are not followed")
        return _probabilities(url, content)

    return ask


def _post(port: int, target: str, body: bytes) -> tuple[int, bytes]:
    """Post to 127.0.0.1 and return status and content; `http.client` knows neither redirects nor proxies."""
    end = time.monotonic() + TIMEOUT
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request("POST", target, body, {"Content-Type": "application/octet-stream"})
        answer = connection.getresponse()
        content = bytearray()
        while chunk := answer.read1(2**16):
            content += chunk
            if time.monotonic() > end or len(content) > LARGEST:
                raise TimeoutError
        return answer.status, bytes(content)
    finally:
        connection.close()


def _probabilities(url: str, content: bytes) -> np.ndarray:
    try:
        answer = parse_json(content)
        return np.asarray(answer["probabilities"], np.float32)
    except (ValueError, KeyError, TypeError):
        raise UserError(f'{url}: its answer is no JSON of the form {{"probabilities": [[...], ...]}}') from None
