import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from conftest import UNWRITABLE
from ganforge.benchmarks import task_queue
from ganforge.benchmarks.task_queue import Task, run_tasks
from ganforge.errors import UserError
from ganforge.runs.folder import lock_folder

HOLD = "import sys; from filelock import FileLock; lock = FileLock(sys.argv[1]); lock.acquire(); print('held', flush=True); sys.stdin.read()"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(task_queue, "WAIT", 0.02)


def tasks(folder, count, executed, then=lambda k: None):
    def do(k, part):
        executed.append(k)
        then(k)
        part(0.5)
        (folder / str(k) / "result").write_text("done")

    return [Task(f"task {k}", folder / str(k) / "result", lambda part, k=k: do(k, part)) for k in range(count)]


def quiet(done, total, what):
    pass


def test_two_workers_do_each_task_once_and_both_see_the_end(tmp_path):
    executed, both = [], threading.Barrier(2)
    meet = lambda k: both.wait(5) if k < 2 else None  # noqa: E731  # both work before either continues
    seen = []

    def work():
        run_tasks(tasks(tmp_path, 12, executed, meet), quiet)
        seen.append(len(list(tmp_path.glob("*/result"))))

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)
    assert sorted(executed) == list(range(12))
    assert seen == [12, 12]


def test_finished_tasks_are_not_repeated_and_count_as_progress(tmp_path):
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "result").touch()
    executed, reports = [], []
    run_tasks(tasks(tmp_path, 3, executed), lambda *progress: reports.append(progress))
    assert executed == [1, 2]
    assert reports == [(1, 3, "task 1"), (1.5, 3, "task 1"), (2, 3, "task 2"), (2.5, 3, "task 2")]


def test_the_task_of_a_dead_process_is_done_by_another(tmp_path):
    executed, reports = [], []
    (tmp_path / "1").mkdir()
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "1" / ".lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout.readline() == b"held\n"

    def report(done, total, what):
        reports.append(what)
        if "waiting" in what:
            other.kill()

    run_tasks(tasks(tmp_path, 3, executed), report)
    other.communicate()
    assert executed == [0, 2, 1]
    assert "task 1 · waiting for another process" in reports


def test_a_failing_task_ends_the_queue_and_releases_its_lock(tmp_path):
    def fail(part):
        raise UserError("no")

    with pytest.raises(UserError, match="no"):
        run_tasks([Task("it", tmp_path / "a" / "result", fail)], quiet)
    with lock_folder(tmp_path / "a") as mine:
        assert mine


def test_a_folder_that_cannot_be_created_is_an_error_of_the_user():
    with (
        pytest.raises(UserError, match=re.escape(f"cannot write to {UNWRITABLE}")),
        lock_folder(Path(UNWRITABLE), patience=-1),
    ):
        pass
