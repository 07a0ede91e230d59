import signal

import pytest

from ganforge.commands.main import main


@pytest.fixture(autouse=True)
def heed_ctrl_c():
    """A shell's background jobs start with Ctrl-C ignored; here it is heard, however the tests were started."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def run_command(capsys):
    """Run a command in this process: exit code, stdout, stderr."""

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return run
