"""Training and downloads shown while they go on."""

import math
import sys
import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from ganforge.experiment.hooks import read
from ganforge.experiment.setup import Experiment, Length, Watcher
from ganforge.training.state import State
from ganforge.training.step import Stats

if TYPE_CHECKING:
    from rich.progress import TaskID

NASH = -math.log(4)
EVERY_SECONDS = 0.25
PLAIN_EVERY_SECONDS = 10.0


class TerminalWatcher(Watcher):
    """Shows step, speed, time left and what the players say: live on a terminal, as lines in a file or a pipe."""

    def __init__(self, *, as_json: bool = False) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._to = sys.stderr if as_json else sys.stdout
        self._progress: Progress | None = None
        self._downloads: dict[str, TaskID] = {}
        self._task: TaskID | None = None

    def say(self, text: str) -> None:
        """Print one sentence."""
        print(text, file=self._to, flush=True)

    def downloading(self, file: str, done: int, total: int | None) -> None:
        """Show a bar for each file."""
        if self._progress is None:
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                DownloadColumn(),
                TimeRemainingColumn(),
                console=self._console,
            )
            self._progress.start()
        if file not in self._downloads:
            self._downloads[file] = self._progress.add_task(f"downloading {file}", total=total)
        self._progress.update(self._downloads[file], completed=done, total=total)

    def begin(self, experiment: Experiment, length: Length) -> None:
        """Start the clock."""
        self.end()
        self._length, self._experiment = length, experiment
        self._began = self._looked = time.perf_counter()
        self._looked_step = self._began_step = -1
        recipe = experiment.recipe
        train = experiment.splits.train
        self.say(
            f"training {recipe.name} on {len(train):,} images of {train.name}"
            f" ({recipe.device}, {recipe.precision}) -> {experiment.folder.path}"
        )
        if self._console.is_terminal:
            columns = (BarColumn(bar_width=20), TextColumn("{task.description}"))
            self._progress = Progress(*columns, console=self._console, transient=True)
            self._progress.start()
            self._task = self._progress.add_task("starting", total=1.0)

    def look(self, state: State, stats: Stats) -> None:
        """Read the statistics a few times a second, and only then."""
        now = time.perf_counter()
        if self._looked_step < 0:
            self._looked_step = self._began_step = state.step
        wait = EVERY_SECONDS if self._task is not None else PLAIN_EVERY_SECONDS
        if now - self._looked < wait:
            return
        speed = (state.step - self._looked_step) * self._experiment.recipe.batch_size / (now - self._looked)
        self._looked, self._looked_step = now, state.step
        share, left = self._how_far(state, now)
        values = read(stats)
        text = (
            f"step {state.step:,} · epoch {state.step / self._experiment.steps_per_epoch:.1f} · {speed:,.0f} images/s"
            f" · {_clock(left)} left · loss D {values['discriminator_loss']:.3f} G {values['generator_loss']:.3f}"
        )
        if "value" in values:
            text += f" · D(x) {values['d_real']:.2f} D(G(z)) {values['d_fake']:.2f}"
            text += f" · V {values['value']:.2f} (even: {NASH:.2f})"
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=share, description=text)
        else:
            print(text, file=sys.stderr, flush=True)

    def end(self) -> None:
        """Take the bars away."""
        if self._progress is not None:
            self._progress.stop()
        self._progress, self._task, self._downloads = None, None, {}

    def _how_far(self, state: State, now: float) -> tuple[float, float]:
        """The share of the way that is done, and the seconds that are left: by steps, by the clock, or the sooner."""
        spent = now - self._began
        ways = [(spent / self._length.seconds, self._length.seconds - spent)]
        if self._length.step is not None:
            played, left = max(1, state.step - self._began_step), self._length.step - state.step
            ways.append((state.step / self._length.step, left * spent / played))
        return min(ways, key=lambda way: way[1])


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
