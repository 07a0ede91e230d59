"""``ganforge benchmark``: published protocols whose truth is known."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganforge.commands.console import JsonFlag, path, print_json, say, table
from ganforge.json_text import to_json

if TYPE_CHECKING:
    from ganforge.benchmarks.curve_io import Curve
    from ganforge.benchmarks.report import Report

EVERY_SECONDS, PLAIN_EVERY_SECONDS = 0.5, 10.0
FEW_LABELS, CLUSTERS, TECHNIQUES, AUTOENCODERS = "few-labels", "clusters", "techniques", "autoencoders"
OWNERS = {"data": TECHNIQUES, "only": TECHNIQUES, "labels": FEW_LABELS, "draw": FEW_LABELS}
"""Flags that only one benchmark has a use for."""


def benchmark(
    name: Annotated[str, typer.Argument(help="One of those above.")],
    recipe: Annotated[str | None, typer.Option(help="Another method: a name or a TOML file.")] = None,
    seeds: Annotated[
        int | None,
        typer.Option(help="Train seeds 0 to K-1; those that are finished are kept. [1; techniques: 3]"),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Fewer steps than the protocol's, and the report says so.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A look within minutes; no protocol.")] = False,
    data: Annotated[
        str | None, typer.Option(help="techniques: ring, mnist, mnist-500, or several with commas; all unless given.")
    ] = None,
    only: Annotated[str | None, typer.Option(help="techniques: names with commas; all unless given.")] = None,
    out: Annotated[
        Path | None, typer.Option(parser=path, help="Its folder; runs/benchmark-NAME-RECIPE unless given.")
    ] = None,
    labels: Annotated[
        int | None, typer.Option(help="few-labels: how many images have one; 20, 50, 100 or 200. [100]")
    ] = None,
    draw: Annotated[
        int | None, typer.Option(help="few-labels: which lot of labels; one a call, results add up. [0]")
    ] = None,
    beside: Annotated[
        str | None,
        typer.Option(help="ring to stacked-mnist-tiny: folders of the same benchmark, with commas; all in curve.png."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Do a published benchmark, beside published rows and real data.

    ring, grid, stacked-mnist, stacked-mnist-tiny: which modes are found. one-nn, train-on-generated: what a
    generator's digits teach. few-labels: digits told apart after a few labels. clusters: after none.
    techniques: what each buys, alone, at equal compute.
    autoencoders: an autoencoder and a VAE beside a GAN with the same generator.

    Example: ganforge benchmark ring --seeds 2 --steps 40000
    """
    asked = Asked(name, recipe, seeds, steps, quick, out, as_json, data, only, labels, draw, beside)
    player = _player(name)
    asked.refuse_the_useless()
    player(asked)


@dataclass(frozen=True)
class Asked:
    """What the command line asks of a benchmark; None where it says nothing."""

    name: str
    recipe: str | None
    seeds: int | None
    steps: int | None
    quick: bool
    out: Path | None
    as_json: bool
    data: str | None
    only: str | None
    labels: int | None
    draw: int | None
    beside: str | None

    def refuse_the_useless(self) -> None:
        """Refuse no steps at all, and flags that this benchmark has no use for.

        Raises:
            UserError: with the benchmark that has a use for them.
        """
        from ganforge.benchmarks.protocols import PROTOCOLS
        from ganforge.errors import UserError

        if self.steps is not None and self.steps < 1:
            raise UserError(f"--steps {self.steps}: must be more than 0")
        for flag, owner in OWNERS.items():
            value = getattr(self, flag)
            if value is not None and self.name != owner:
                raise UserError(f"--{flag} {value}: goes with 'ganforge benchmark {owner}' alone")
        if self.beside is not None and self.name not in PROTOCOLS:
            raise UserError(f"--beside {self.beside}: goes with {', '.join(PROTOCOLS)}")
        if self.seeds is not None and self.name == FEW_LABELS:
            raise UserError(f"--seeds {self.seeds}: {FEW_LABELS} does one draw of the labels a call: --draw K")
        if self.recipe is not None and self.name == TECHNIQUES:
            raise UserError(f"--recipe {self.recipe}: techniques are tried over bases of their own")

    @property
    def training(self) -> dict[str, Any]:
        """How to train, in the words of every benchmark that trains one recipe, and who watches."""
        from ganforge.commands.progress import TerminalWatcher

        ways = {"recipe": self.recipe, "steps": self.steps, "quick": self.quick, "out": self.out}
        return {**ways, "watcher": TerminalWatcher(as_json=self.as_json)}


def _player(name: str) -> Callable[[Asked], None]:
    """Find who does a benchmark.

    Raises:
        UserError: nobody does.
    """
    from ganforge.benchmarks.protocols import PROTOCOLS
    from ganforge.errors import UserError, suggest_names
    from ganforge.experiment.downstream_accuracy import DOWNSTREAM_TASKS

    known: dict[str, Callable[[Asked], None]] = {
        **dict.fromkeys(PROTOCOLS, _find_modes),
        **dict.fromkeys(DOWNSTREAM_TASKS, _teach),
        FEW_LABELS: _few_labels,
        CLUSTERS: _clusters,
        TECHNIQUES: _try_techniques,
        AUTOENCODERS: _autoencoders,
    }
    if name not in known:
        raise UserError(f"no benchmark is called {name!r}; {suggest_names(name, known)}")
    return known[name]


def _find_modes(asked: Asked) -> None:
    from ganforge.benchmarks.curve_io import curves_of
    from ganforge.benchmarks.run import benchmark as run_benchmark

    others: dict[str, Curve] = {}
    for folder in asked.beside.split(",") if asked.beside else ():
        others |= curves_of(path(folder.strip()), asked.name)
    with BenchmarkProgress() as progress:
        report = run_benchmark(
            asked.name,
            asked.recipe,
            seeds=_seeds(asked),
            steps=asked.steps,
            quick=asked.quick,
            out=asked.out,
            tell=progress,
        )
    drawn = _draw_curves(report, others)
    if asked.as_json:
        print_json(report.to_dict())
        return
    plan, first = report.plan, report.results[0]
    say(f"{asked.name}: {plan.protocol.about}")
    header, rows = report.table()
    table(rows, header)
    say("ours: mean ± standard deviation over seeds (the worst seed); the floor is real data, measured in the same way")
    if "high_quality" in report.floor[str(plan.samples[0])]:
        say("high quality above that of real data is shrunken variance: see std / true")
    if report.is_faint:
        say("over twice the modes at full contrast: much that the judge cannot read is grey on grey, and no collapse")
    say(
        f"parameters: G {first['parameters']['generator']:,}, D {first['parameters']['discriminator']:,}; "
        f"{report.seconds:,.0f} s for 10,000 steps ({first['device']}, threads: {first['threads']})"
    )
    if drawn:
        say(f"modes and KL over the steps: {drawn}")
    say(f"curves (curve.jsonl) and pictures of samples: {plan.folder}/seed-*")


def _draw_curves(report: "Report", others: "dict[str, Curve]") -> Path | None:
    """Draw what all seeds found on their way, and others; return the picture, None where there is nothing to draw."""
    from ganforge.benchmarks.curve_io import curves_of
    from ganforge.files import write_atomically
    from ganforge.reports.figures import mode_curves

    plan = report.plan
    curves = curves_of(plan.folder, plan.protocol.name) | others
    if not curves:
        return None
    file, problem = plan.folder / "curve.png", plan.protocol.problem
    write_atomically(file, mode_curves(curves, problem.modes, title=plan.protocol.name))
    return file


def play_seed(folder: Path, seed: int, steps: int, as_json: JsonFlag = False) -> None:
    """Play one seed of a benchmark that was begun; ``ganforge benchmark --seeds`` lets processes do this.

    ``--json`` is looked at where errors are told.
    """
    from ganforge.benchmarks.run import play_seed as play

    told = 0.0

    def tell(done: float, total: int, found: str) -> None:
        nonlocal told
        if time.perf_counter() - told >= EVERY_SECONDS or done == total:
            told = time.perf_counter()
            say(to_json([done, found]), as_json=True)

    print_json({"result": str(play(folder, seed, steps, tell))})


def _teach(asked: Asked) -> None:
    from ganforge.experiment.downstream_accuracy import run_downstream

    report = run_downstream(asked.name, seeds=_seeds(asked), **asked.training)
    if asked.as_json:
        print_json(report.to_dict())
        return
    say(f"{asked.name}: {report.lesson.about}")
    table(report.table(), ("learned from", "test error", "n", "how"))
    say(f"the runs: {report.folder}/seed-*; the interval of one seed is over the test digits, ± of several over seeds")


def _few_labels(asked: Asked) -> None:
    from ganforge.experiment.few_labels import few_labels

    labels = 100 if asked.labels is None else asked.labels
    report = few_labels(labels, asked.draw or 0, **asked.training)
    if asked.as_json:
        print_json(report.to_dict())
        return
    say(f"few-labels: MNIST's test digits told apart after {labels} labels; the published rows see pixels in no order")
    table(report.table(), ("learned by", "test error", "how"))
    say(f"another draw of the labels: --draw {max(draw.draw for draw in report.draws) + 1}; the runs: {report.folder}")


def _clusters(asked: Asked) -> None:
    from ganforge.experiment.clustering import clusters

    report = clusters(seeds=_seeds(asked), **asked.training)
    if asked.as_json:
        print_json(report.to_dict())
        return
    say("clusters: MNIST's test digits sorted without labels; accuracy after the best one-to-one naming of clusters")
    table(report.table(), ("method", "accuracy", "how"))
    say(f"what each code does: {report.folder}/seed-*/codes.png")


def _autoencoders(asked: Asked) -> None:
    from ganforge.experiment.autoencoders import autoencoders

    report = autoencoders(seeds=_seeds(asked), **asked.training)
    if asked.as_json:
        print_json(report.to_dict())
        return
    say(f"autoencoders: who copies, who invents, who blurs; {report.terms}, n = {report.n:,}")
    table(report.table(), report.header())
    say("lost: squared error of reconstructions beside the variance of test images; sharpness: 1 is that of real ones")
    say(f"equal images, not equal time: {report.seconds()}; look at {report.folder}/seed-*.png")


def _try_techniques(asked: Asked) -> None:
    from ganforge.experiment.ablation_setups import SEEDS
    from ganforge.experiment.ablations import techniques

    names = [[name.strip() for name in given.split(",")] if given else () for given in (asked.data, asked.only)]
    seeds = (1 if asked.quick else SEEDS) if asked.seeds is None else asked.seeds
    with BenchmarkProgress("tasks") as progress:
        report = techniques(*names, seeds=seeds, steps=asked.steps, quick=asked.quick, out=asked.out, tell=progress)
    if asked.as_json:
        print_json(report.to_dict())
        return
    if asked.quick:
        say("--quick: a look, and no more")
    say(report.markdown())
    say("")
    say("figures: mean ± standard deviation over seeds; cost: of a step, the base's is 1; s: seconds of training")
    say("gain: the part of the way from the base to real data; 100 % is all of it, and below 0 it leads away")
    say("verdict: by that figure, at 5 % over all rows of a table (Welch's test, Holm's correction): docs/lab")
    say(f"samples and figures of every seed: {report.folder}")


def _seeds(asked: Asked) -> int:
    return 1 if asked.seeds is None else asked.seeds


class BenchmarkProgress:
    """A bar with the time left on a terminal, a line every ten seconds in a file or a pipe; all on stderr."""

    def __init__(self, unit: str = "steps") -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        what = TextColumn("{task.description}", markup=False)
        columns = what, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task("preparing", total=None)
        self._began = self._told = time.perf_counter()
        self._unit = unit
        self._first: float | None = None
        self._total = 0

    def __enter__(self) -> "BenchmarkProgress":
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def __call__(self, done: float, total: int, found: str) -> None:
        """Take in how far this call is, all seeds together."""
        self._bar.update(self._task, completed=done, total=total, description=found)
        now = time.perf_counter()
        if self._first is None or total != self._total or done < self._first:  # other work than before
            self._began, self._first, self._total = now, done, total
        if self._bar.disable and now - self._told >= PLAIN_EVERY_SECONDS and done > self._first:
            self._told = now
            left = (now - self._began) / (done - self._first) * (total - done)
            say(f"{found} · {done:,.0f} of {total:,} {self._unit} · {left:,.0f} s left", as_json=True)
