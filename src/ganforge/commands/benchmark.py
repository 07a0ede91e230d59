"""``ganforge benchmark``: published protocols with known ground truth."""

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
    from ganforge.benchmarks.mode_report import Report

EVERY_SECONDS, PLAIN_EVERY_SECONDS = 0.5, 10.0
FEW_LABELS, CLUSTERS, TECHNIQUES, AUTOENCODERS = "few-labels", "clusters", "techniques", "autoencoders"
OWNERS = {"data": TECHNIQUES, "only": TECHNIQUES, "labels": FEW_LABELS, "draw": FEW_LABELS}
"""The flags of a single benchmark."""


def benchmark(
    name: Annotated[str, typer.Argument(help="One of the benchmarks above.")],
    recipe: Annotated[str | None, typer.Option(help="Another method: a name or a TOML file.")] = None,
    seeds: Annotated[
        int | None,
        typer.Option(help="Train seeds 0 to K-1; finished ones are kept. [1; techniques: 3]"),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Steps instead of the protocol's; the report says so.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A preview within minutes; not the protocol.")] = False,
    data: Annotated[
        str | None, typer.Option(help="techniques: ring, mnist, mnist-500, or several with commas. [all]")
    ] = None,
    only: Annotated[str | None, typer.Option(help="techniques: names with commas. [all]")] = None,
    out: Annotated[
        Path | None, typer.Option(parser=path, help="The result folder. [runs/benchmark-NAME-RECIPE]")
    ] = None,
    labels: Annotated[
        int | None, typer.Option(help="few-labels: the number of labelled images; 20, 50, 100 or 200. [100]")
    ] = None,
    draw: Annotated[
        int | None, typer.Option(help="few-labels: number of the label subset; one a call, the report is on all. [0]")
    ] = None,
    beside: Annotated[
        str | None,
        typer.Option(help="ring to stacked-mnist-tiny: other folders of this benchmark, with commas, for curve.png."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Run a benchmark and compare with published results and real data.

    ring, grid, stacked-mnist, stacked-mnist-tiny: how many modes are found. one-nn, train-on-generated: accuracy of
    classifiers trained on generated digits. few-labels: classification with few labels. clusters: with none.
    techniques: the effect of each technique alone, at equal compute.
    autoencoders: an autoencoder and a VAE against a GAN with the same generator.

    Example: ganforge benchmark ring --seeds 2 --steps 40000
    """
    options = BenchmarkOptions(name, recipe, seeds, steps, quick, out, as_json, data, only, labels, draw, beside)
    run_and_print = _command_of(name)
    options.refuse_foreign_flags()
    run_and_print(options)


@dataclass(frozen=True)
class BenchmarkOptions:
    """The options of the command line; None where one is not given."""

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
    reference: str | None

    def refuse_foreign_flags(self) -> None:
        """Refuse fewer than one step, and flags of other benchmarks.

        Raises:
            UserError: the message names the benchmark that a flag belongs to.
        """
        from ganforge.benchmarks.protocols import PROTOCOLS
        from ganforge.errors import UserError

        if self.steps is not None and self.steps < 1:
            raise UserError(f"--steps {self.steps}: must be more than 0")
        for flag, owner in OWNERS.items():
            value = getattr(self, flag)
            if value is not None and self.name != owner:
                raise UserError(f"--{flag} {value}: belongs to 'ganforge benchmark {owner}' only; leave it out")
        if self.reference is not None and self.name not in PROTOCOLS:
            raise UserError(f"--beside {self.reference}: belongs to {', '.join(PROTOCOLS)} only; leave it out")
        if self.seeds is not None and self.name == FEW_LABELS:
            raise UserError(f"--seeds {self.seeds}: {FEW_LABELS} uses one label subset a call; give --draw K")
        if self.recipe is not None and self.name == TECHNIQUES:
            raise UserError(f"--recipe {self.recipe}: techniques has base recipes of its own; leave --recipe out")

    @property
    def training(self) -> dict[str, Any]:
        """The keyword arguments of every benchmark that trains one recipe, with a progress listener."""
        from ganforge.commands.progress import TerminalWatcher

        options = {"recipe": self.recipe, "steps": self.steps, "quick": self.quick, "out": self.out}
        return {**options, "watcher": TerminalWatcher(as_json=self.as_json)}


def _command_of(name: str) -> Callable[[BenchmarkOptions], None]:
    """Return the function that runs and prints a benchmark.

    Raises:
        UserError: no benchmark has this name.
    """
    from ganforge.benchmarks.downstream_accuracy import DOWNSTREAM_TASKS
    from ganforge.benchmarks.protocols import PROTOCOLS
    from ganforge.errors import UserError, suggest_names

    commands: dict[str, Callable[[BenchmarkOptions], None]] = {
        **dict.fromkeys(PROTOCOLS, _mode_coverage),
        **dict.fromkeys(DOWNSTREAM_TASKS, _downstream),
        FEW_LABELS: _few_labels,
        CLUSTERS: _clusters,
        TECHNIQUES: _ablations,
        AUTOENCODERS: _autoencoders,
    }
    if name not in commands:
        raise UserError(f"no benchmark is called {name!r}; {suggest_names(name, commands)}")
    return commands[name]


def _mode_coverage(options: BenchmarkOptions) -> None:
    from ganforge.benchmarks.curve_io import curves_of
    from ganforge.benchmarks.mode_coverage import benchmark as run_benchmark

    others: dict[str, Curve] = {}
    for folder in options.reference.split(",") if options.reference else ():
        others |= curves_of(path(folder.strip()), options.name)
    with BenchmarkProgress() as progress:
        report = run_benchmark(
            options.name,
            options.recipe,
            seeds=_seeds(options),
            steps=options.steps,
            quick=options.quick,
            out=options.out,
            on_progress=progress,
        )
    picture = _draw_curves(report, others)
    if options.as_json:
        print_json(report.to_dict())
        return
    plan, first = report.plan, report.results[0]
    say(f"{options.name}: {plan.protocol.about}")
    header, rows = report.table()
    table(rows, header)
    say("ours: mean ± standard deviation over seeds (worst seed); the floor is real data, measured in the same way")
    if "high_quality" in report.floor[str(plan.samples[0])]:
        say("high quality above that of real data means too little variance within modes: see std / true")
    if report.is_faint:
        say("over twice the modes at full contrast: many samples are too faint for the judge, which is not a collapse")
    say(
        f"parameters: G {first['parameters']['generator']:,}, D {first['parameters']['discriminator']:,}; "
        f"{report.seconds:,.0f} s for 10,000 steps ({first['device']}, threads: {first['threads']})"
    )
    if picture:
        say(f"modes and KL over the steps: {picture}")
    say(f"curves (curve.jsonl) and pictures of samples: {plan.folder}/seed-*")


def _draw_curves(report: "Report", others: "dict[str, Curve]") -> Path | None:
    """Draw the curves of all seeds and of other folders into curve.png; return its path, None without curves."""
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
    """Train one seed of an existing benchmark folder; ``ganforge benchmark --seeds`` calls this in worker processes.

    ``--json`` decides how errors are printed (`commands.main`).
    """
    from ganforge.benchmarks.mode_coverage import play_seed as run_seed

    printed_at = 0.0

    def on_progress(done: float, total: int, status: str) -> None:
        nonlocal printed_at
        if time.perf_counter() - printed_at >= EVERY_SECONDS or done == total:
            printed_at = time.perf_counter()
            say(to_json([done, status]), as_json=True)

    print_json({"result": str(run_seed(folder, seed, steps, on_progress))})


def _downstream(options: BenchmarkOptions) -> None:
    from ganforge.benchmarks.downstream_accuracy import run_downstream

    report = run_downstream(options.name, seeds=_seeds(options), **options.training)
    if options.as_json:
        print_json(report.to_dict())
        return
    say(f"{options.name}: {report.task.about}")
    table(report.table(), ("trained on", "test error", "n", "how"))
    say(f"runs: {report.folder}/seed-*; one seed: 95 % interval over test digits; several: ± standard deviation")


def _few_labels(options: BenchmarkOptions) -> None:
    from ganforge.benchmarks.few_labels import few_labels

    labels = 100 if options.labels is None else options.labels
    report = few_labels(labels, options.draw or 0, **options.training)
    if options.as_json:
        print_json(report.to_dict())
        return
    say(f"few-labels: MNIST test digits classified with {labels} labels; published rows: permutation-invariant MNIST")
    table(report.table(), ("method", "test error", "how"))
    say(f"another label subset: --draw {max(draw.draw for draw in report.draws) + 1}; runs: {report.folder}")


def _clusters(options: BenchmarkOptions) -> None:
    from ganforge.benchmarks.clustering import clusters

    report = clusters(seeds=_seeds(options), **options.training)
    if options.as_json:
        print_json(report.to_dict())
        return
    say("clusters: MNIST test digits clustered without labels; accuracy under the best one-to-one map to classes")
    table(report.table(), ("method", "accuracy", "how"))
    say(f"the effect of each code: {report.folder}/seed-*/codes.png")


def _autoencoders(options: BenchmarkOptions) -> None:
    from ganforge.benchmarks.autoencoders import autoencoders

    report = autoencoders(seeds=_seeds(options), **options.training)
    if options.as_json:
        print_json(report.to_dict())
        return
    say(f"autoencoders: reconstruction, copying and blur of three models; {report.terms}, n = {report.n:,}")
    table(report.table(), report.header())
    say("lost: squared error of reconstructions over the variance of test images; sharpness: 1 for real images")
    say(f"equal numbers of images, not equal time: {report.seconds()}; pictures: {report.folder}/seed-*.png")


def _ablations(options: BenchmarkOptions) -> None:
    from ganforge.benchmarks.ablation_setups import SEEDS
    from ganforge.benchmarks.ablations import techniques

    names = [[name.strip() for name in given.split(",")] if given else () for given in (options.data, options.only)]
    seeds = (1 if options.quick else SEEDS) if options.seeds is None else options.seeds
    with BenchmarkProgress("tasks") as progress:
        report = techniques(
            *names, seeds=seeds, steps=options.steps, quick=options.quick, out=options.out, on_progress=progress
        )
    if options.as_json:
        print_json(report.to_dict())
        return
    if options.quick:
        say("--quick: a preview, not a result")
    say(report.markdown())
    say("")
    say("metrics: mean ± standard deviation over seeds; cost: of a step, relative to the base; s: seconds of training")
    say("gain: share of the distance from the base to real data; 100 %: as real data, below 0: worse than the base")
    say("verdict: by that metric, at the 5 % level over a table (Welch's test, Holm's correction): docs/lab")
    say(f"samples and metrics of every seed: {report.folder}")


def _seeds(options: BenchmarkOptions) -> int:
    return 1 if options.seeds is None else options.seeds


class BenchmarkProgress:
    """A bar with the time left on a terminal, a line every ten seconds in a file or a pipe; all on stderr."""

    def __init__(self, unit: str = "steps") -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        description = TextColumn("{task.description}", markup=False)
        columns = description, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task("preparing", total=None)
        self._started = self._printed = time.perf_counter()
        self._unit = unit
        self._first: float | None = None
        self._total = 0

    def __enter__(self) -> "BenchmarkProgress":
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def __call__(self, done: float, total: int, status: str) -> None:
        """Show the progress of this call over all seeds."""
        self._bar.update(self._task, completed=done, total=total, description=status)
        now = time.perf_counter()
        if self._first is None or total != self._total or done < self._first:  # a new phase of work
            self._started, self._first, self._total = now, done, total
        if self._bar.disable and now - self._printed >= PLAIN_EVERY_SECONDS and done > self._first:
            self._printed = now
            left = (now - self._started) / (done - self._first) * (total - done)
            say(f"{status} · {done:,.0f} of {total:,} {self._unit} · {left:,.0f} s left", as_json=True)
