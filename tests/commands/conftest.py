import signal

import pytest

from ganforge.commands.main import main
from ganforge.worker_pool import STOP_SIGNALS


@pytest.fixture(autouse=True)
def heed_signals():
    """Reset the signals before every command: a finished command leaves them ignored."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in STOP_SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def run_command(capsys):
    """Run a command in this process; return exit code, stdout and stderr."""

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return run


TINY = ("--set", "latent.dim=6", "--set", "batch_size=8")
"""Changes that make a run small enough for twelve images of bars."""


@pytest.fixture
def trained(run_command, bars_file):
    def train(recipe="vanilla", out="run", *more):
        code, out_text, err = run_command(
            "train", recipe, "--data", bars_file, "--steps", 12, "--out", out, *TINY, *more
        )
        assert code == 0, err
        return out_text

    return train
