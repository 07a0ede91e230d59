"""Progress of training, reading and downloads in the terminal."""

import math
import sys
import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ganforge.commands.console import printable, say
from ganforge.commands.count_progress import CountProgress
from ganforge.experiment.experiment import Experiment, ProgressListener
from ganforge.experiment.hooks import read
from ganforge.experiment.length import StopCondition
from ganforge.training.state import State
from ganforge.training.stats import Stats

if TYPE_CHECKING:
    from rich.progress import TaskID

NASH = -math.log(4)
EVERY_SECONDS = 0.25
PLAIN_EVERY_SECONDS = 10.0
DESCRIPTION = TextColumn("{task.description}", markup=False)  # a folder's name may hold brackets


class TerminalWatcher(ProgressListener):
    """Prints step, speed, time left and losses: live on a terminal, as lines in a file or a pipe."""

    def __init__(self, *, as_json: bool = False) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._to = sys.stderr if as_json else sys.stdout
        self._live: Live | None = None
        self._downloads: Progress | None = None
        self._judging: Progress | None = None
        self._reading: Progress | None = None
        self._benchmark: CountProgress | None = None
        self._files: dict[str, TaskID] = {}
        self._last_lines: dict[str, str] = {}

    def say(self, text: str) -> None:
        """Print a line."""
        print(printable(text), file=self._to, flush=True)

    def downloading(self, file: str, done: int, total: int | None) -> None:
        """Show a bar for each file."""
        if self._downloads is None:
            self._downloads = self._started_bars(DESCRIPTION, BarColumn(), DownloadColumn(), TimeRemainingColumn())
        if file not in self._files:
            self._files[file] = self._downloads.add_task(f"downloading {file}", total=total)
        self._downloads.update(self._files[file], completed=done, total=total)

    def reading(self, doing: str, done: int, total: int | None) -> None:
        """Show a bar with the time left for each pass over the pictures, on a terminal only."""
        if not self._console.is_terminal:
            return
        if self._reading is None:
            columns = DESCRIPTION, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
            self._reading = self._started_bars(*columns, transient=True)
        if doing not in self._files:
            self._files[doing] = self._reading.add_task(printable(doing), total=total)
        self._reading.update(self._files[doing], completed=done)

    def judging(self, done: int, total: int) -> None:
        """Show a bar, on a terminal only."""
        if not self._console.is_terminal:
            return
        if self._judging is None:
            self._judging = self._started_bars(BarColumn(), TimeRemainingColumn(), transient=True)
            self._judging.add_task("", total=total)
        self._judging.update(self._judging.task_ids[0], completed=done, total=total)

    def benchmarking(self, done: float, total: int, status: str, unit: str = "steps") -> None:
        """Show a bar, or a line every ten seconds."""
        self._benchmark = self._benchmark or CountProgress(unit)
        self._benchmark(done, total, status)

    def begin(self, experiment: Experiment, length: StopCondition) -> None:
        """Start the clock and print what is trained."""
        self.end()
        self._length, self._experiment = length, experiment
        self._started = self._shown = time.perf_counter()
        self._shown_step = self._started_step = -1
        recipe = experiment.recipe
        train = experiment.splits.train
        few = f" with {recipe.data.labels} labels" if recipe.data.labels else ""
        self.say(
            f"training {recipe.name} on {len(train):,} images of {train.name}{few}"
            f" ({recipe.run.device}, {recipe.run.precision}) -> {experiment.folder.path}"
        )
        if self._console.is_terminal:
            self._live = Live(console=self._console, transient=True, auto_refresh=False)
            self._live.start()

    def look(self, state: State, stats: Stats) -> None:
        """Print the statistics a few times a second; between that, they stay on the device."""
        now = time.perf_counter()
        if self._shown_step < 0:
            self._shown_step = self._started_step = state.step
        wait = EVERY_SECONDS if self._live is not None else PLAIN_EVERY_SECONDS
        if now - self._shown < wait:
            return
        speed = (state.step - self._shown_step) * self._experiment.recipe.batch_size / (now - self._shown)
        self._shown, self._shown_step = now, state.step
        share, left = self._estimate(state, now)
        values = read(stats)
        progress = (
            f"step {state.step:,} · epoch {state.step / self._experiment.steps_per_epoch:.1f}"
            f" · {_rate(speed)} images/s · {_clock(left)} left"
        )
        losses = (f"{name[0].upper()} {value:.3f}" for name, value in values.items() if name.endswith("_loss"))
        statistics = f"loss {' '.join(losses)}"
        if "kl" in values:
            statistics += f" · KL {values['kl']:.1f} nats"
        if "value" in values:
            statistics += f" · D(x) {values['d_real']:.2f} D(G(z)) {values['d_fake']:.2f}"
            statistics += f" · V {values['value']:.2f} (even: {NASH:.2f})"
        if self._live is not None:
            bar = ProgressBar(total=1.0, completed=min(1.0, share), width=60)
            lines = Table.grid()
            for line in (bar, Text(progress), Text(statistics)):
                lines.add_row(line)
            self._live.update(lines, refresh=True)
        else:
            say(f"{progress} · {statistics}", as_json=True)

    def on_line(self, name: str, line: str) -> None:
        """Show the last line of each run on a terminal; print every line in a file or a pipe."""
        if not self._console.is_terminal:
            say(f"{name} · {line}", as_json=True)
            return
        if self._live is None:
            self._live = Live(console=self._console, transient=True, auto_refresh=False)
            self._live.start()
        self._last_lines[name] = line
        lines = Table.grid(padding=(0, 1))
        for run in sorted(self._last_lines, key=lambda name: (len(name), name)):
            lines.add_row(Text(run), Text(printable(self._last_lines[run])))
        self._live.update(lines, refresh=True)

    def end(self) -> None:
        """Remove the bars."""
        if self._live is not None:
            self._live.stop()
        for progress in (self._downloads, self._judging, self._reading, self._benchmark):
            if progress is not None:
                progress.stop()
        self._live, self._downloads, self._judging, self._reading = None, None, None, None
        self._files, self._last_lines, self._benchmark = {}, {}, None

    def _started_bars(self, *columns: ProgressColumn, transient: bool = False) -> Progress:
        bars = Progress(*columns, console=self._console, transient=transient)
        bars.start()
        return bars

    def _estimate(self, state: State, now: float) -> tuple[float, float]:
        """Return the share that is done and the seconds left, by steps or by the clock, whichever ends sooner."""
        elapsed = now - self._started
        estimates = [(elapsed / self._length.seconds, self._length.seconds - elapsed)]
        if self._length.step is not None:
            steps, left = max(1, state.step - self._started_step), self._length.step - state.step
            estimates.append((state.step / self._length.step, left * elapsed / steps))
        return min(estimates, key=lambda estimate: estimate[1])


def _rate(speed: float) -> str:
    return f"{speed:,.0f}" if speed >= 10 else f"{speed:.1f}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
