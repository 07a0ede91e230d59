"""Findings that a training says: at the marks of the log and of the examinations, each once."""

import json

import ganforge
from conftest import small_images
from diagnosis_cases import LOST_LINE
from ganforge.experiment.experiment import ProgressListener
from ganforge.experiment.live_findings import LiveFindings
from ganforge.runs.folder import RunFolder
from ganforge.training.log_schedule import is_examination
from ganforge.training.state import State


class Listener(ProgressListener):
    """Records its messages."""

    def __init__(self):
        self.messages = []

    def say(self, text):
        self.messages.append(text)


def at(step):
    state = State.__new__(State)
    state.step = step
    return state


def test_a_game_that_was_won_is_said_with_its_step_and_once(no_verdict):
    ganforge.train("vanilla", data=small_images(), steps=2, out="run")
    folder, listener = RunFolder("run"), Listener()
    folder.signals.unlink(missing_ok=True)
    lines = [{"step": step, "epoch": step / 2, **LOST_LINE, "fake_spread": 0.0} for step in range(10, 600, 10)]
    marks = [step for step in range(600) if is_examination(step)]
    lines = sorted([*lines, *({**lines[0], "step": step} for step in marks)], key=lambda line: line["step"])
    folder.log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    hook = LiveFindings(folder, listener)
    for step in range(600):
        hook(at(step), {})
    assert [text.split(":")[0] for text in listener.messages] == ["step 182", "step 182"]
    assert "the discriminator won" in listener.messages[0] and "mode collapse" in listener.messages[1]
    resumed = LiveFindings(folder, again := Listener())
    resumed(at(marks[-1]), {})
    assert again.messages == []
