import http.server
import io
import json
import sys
import threading

import numpy as np
import pytest
import torch

from ganforge.errors import UserError
from ganforge.evaluation import local_server
from ganforge.evaluation.onnx_file import _refuse_weights_elsewhere
from ganforge.evaluation.user_classifier import load_classifier, of_callable

IMAGES = torch.zeros(3, 1, 4, 4, dtype=torch.uint8)
IMAGES[1:] = 255


@pytest.mark.parametrize(
    "answer",
    [
        torch.tensor([0, 1, 1]),
        np.array([0, 1, 1]),
        np.array([0.0, 1.0, 1.0]),
        [0, 1, 1],
        torch.tensor([[9.0, 0], [0, 9], [0, 9]]),
        np.array([[0.9, 0.1], [0.2, 0.8], [0.0, 1.0]]),
    ],
)
def test_every_form_of_answer_is_read(answer):
    probabilities = of_callable("x", lambda pixels: answer).probabilities(IMAGES, 2)
    assert probabilities.argmax(1).tolist() == [0, 1, 1] and torch.allclose(probabilities.sum(1), torch.ones(3))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (torch.zeros(3, 3), r"returned shape \[3, 3\] for 3 pictures"),
        (torch.zeros(2), r"returned shape \[2\] for 3 pictures"),
        (torch.tensor([0, 5, 1]), "returned 5, and the class indices are 0 to 1"),
        (torch.tensor([0, -1, 1]), "returned -1"),
        (np.full(3, 0.5), "returned 0.5"),
        (np.full(3, np.nan), "returned nan"),
        (torch.full((3, 2), torch.nan), "NaN"),
        ("words", "returned str, which is no array of numbers"),
        (["a", "b", "c"], "returned list, which is no array of numbers"),
        (None, "returned NoneType"),
    ],
)
def test_another_answer_is_refused(answer, why):
    with pytest.raises(UserError, match=why):
        of_callable("x", lambda pixels: answer).probabilities(IMAGES, 2)


def test_an_error_of_the_users_code_takes_one_line():
    with pytest.raises(UserError, match="x: failed on 3 pictures: ValueError: no good"):
        of_callable("x", lambda pixels: (_ for _ in ()).throw(ValueError("no \n good"))).probabilities(IMAGES, 2)


def test_the_pixel_range_is_the_users():
    seen = []
    classifier = of_callable("x", lambda pixels: seen.append(pixels) or torch.zeros(len(pixels), 2), "-1..1")
    classifier.probabilities(IMAGES, 2)
    assert seen[0].dtype == torch.float32 and (seen[0].min(), seen[0].max()) == (-1, 1)


def test_own_code_is_imported(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own_reader.py").write_text("import torch\nnet = torch.nn.Flatten()\nkind = torch.nn.Flatten\n")
    (tmp_path / "own_broken.py").write_text("1 / 0")
    assert load_classifier("own_reader:net").module is not None
    for text, why in {
        "own_reader:other": "has no other",
        "own_reader:kind": "is a class",
        "own_broken:net": "division by zero",
        "own_missing:net": "cannot import",
        "no colon": "give module:callable",
        "model.pt2": "torch.onnx.export",
        "model.pkl": "torch.onnx.export",
        "missing.onnx": "is no file",
        "https://127.0.0.1/x": "this machine alone",
        "http://example.com/x": "this machine alone",
        "http://127.0.0.1@example.com/": "this machine alone",
        "http://127.0.0.1:99999/": "is no URL",
    }.items():
        with pytest.raises(UserError, match=why):
            load_classifier(text)
    with pytest.raises(UserError, match="--input-range"):
        load_classifier("own_reader:net", "0..255")


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        images = np.load(io.BytesIO(self.rfile.read(int(self.headers["Content-Length"]))))
        assert images.dtype == np.uint8
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "http://example.com/")
            self.end_headers()
            return
        if self.path == "/slow":
            threading.Event().wait(0.4)
        self.send_response(200)
        self.end_headers()
        answer = {"probabilities": [[1, 0] if image.max() == 0 else [0, 1] for image in images]}
        self.wfile.write(json.dumps(answer if self.path == "/" else {}).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://localhost:{running.server_address[1]}"
    running.shutdown()
    running.server_close()


def test_a_server_of_this_machine_is_asked(server, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://192.0.2.1:9")
    assert load_classifier(f"{server}/").probabilities(IMAGES, 2).argmax(1).tolist() == [0, 1, 1]
    monkeypatch.setattr(local_server, "TIMEOUT", 0.1)
    for path, why in {"/elsewhere": "redirects are not followed", "/other": "no JSON", "/slow": "within 0.1 s"}.items():
        with pytest.raises(UserError, match=why):
            load_classifier(server + path).probabilities(IMAGES, 2)
    with pytest.raises(UserError, match="cannot be reached"):
        load_classifier("http://127.0.0.1:9/").probabilities(IMAGES, 2)


def test_an_onnx_file_is_run_or_the_library_named(tmp_path):
    try:
        import onnxruntime  # noqa: F401
    except ImportError:
        (tmp_path / "x.onnx").write_bytes(b"")
        with pytest.raises(UserError, match=r"pip install 'ganforge\[export\]'"):
            load_classifier("x.onnx")
    else:
        (tmp_path / "x.onnx").write_bytes(b"no model")
        with pytest.raises(UserError, match="cannot be used"):
            load_classifier("x.onnx")


def entry(place, length=None):
    """The entry of an ONNX tensor that names the file of its weights."""
    inner = b"\x0a\x08location\x12" + bytes([len(place)]) + place
    return b"...\x6a" + bytes([len(inner) if length is None else length]) + inner + b"..."


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (entry(b"../secret"), "outside its folder"),
        (entry(b"/etc/passwd"), "outside its folder"),
        (entry(b"inside", 40) + b"\x12\x09../secret", "cannot be checked"),
        (b"\x12\x09../secret\x0a\x08location\x6a", "cannot be checked"),
        (b"\x0a\x88\x00location\x12\x09../secret", "cannot be checked"),
    ],
)
def test_weights_outside_the_folder_are_refused(tmp_path, content, why):
    (tmp_path / "x.onnx").write_bytes(content)
    with pytest.raises(UserError, match=why):
        _refuse_weights_elsewhere(tmp_path / "x.onnx")


def test_weights_in_the_folder_are_allowed(tmp_path):
    (tmp_path / "x.onnx").write_bytes(entry(b"x.data") + b"geolocation")
    _refuse_weights_elsewhere(tmp_path / "x.onnx")
