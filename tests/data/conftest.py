import threading

import pytest

from ganforge.data.sources import fetch as downloads
from mirrors import Mirror


@pytest.fixture
def cache(tmp_path_factory, monkeypatch):
    """An empty cache for every test."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("GANFORGE_CACHE", str(folder))
    return folder


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine without data and with an empty cache."""
    for variable in ("GANFORGE_DATA", "GANFORGE_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("GANFORGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(downloads, "TIMEOUT", 2.0)
    return tmp_path


@pytest.fixture
def mirror():
    """Start mirrors that are stopped at the end of the test."""
    started = []

    def start(**failings):
        server = Mirror(**failings)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        started.append((server, thread))
        return server

    yield start
    for server, thread in started:
        server.shutdown()
        thread.join(5)
        server.server_close()
