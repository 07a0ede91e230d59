"""``ganforge benchmark``: published protocols whose truth is known."""

import json
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from ganforge.commands.console import JsonFlag, give, say, table

EVERY_SECONDS, PLAIN_EVERY_SECONDS = 0.5, 10.0
FEW_LABELS, CLUSTERS, TECHNIQUES = "few-labels", "clusters", "techniques"
AUTOENCODERS = "autoencoders"


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
    out: Annotated[Path | None, typer.Option(help="Its folder; runs/benchmark-NAME-RECIPE unless given.")] = None,
    labels: Annotated[
        int | None, typer.Option(help="few-labels: how many images have one; 20, 50, 100 or 200. [100]")
    ] = None,
    draw: Annotated[
        int | None, typer.Option(help="few-labels: which lot of labels; one a call, results add up. [0]")
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
    from ganforge.benchmarks.protocols import PROTOCOLS
    from ganforge.benchmarks.run import benchmark as run_benchmark
    from ganforge.errors import UserError, nearest
    from ganforge.experiment.lessons import LESSONS

    owners = {"data": (data, TECHNIQUES), "only": (only, TECHNIQUES), "labels": (labels, FEW_LABELS)}
    for flag, (value, owner) in {**owners, "draw": (draw, FEW_LABELS)}.items():
        if value is not None and name != owner:
            raise UserError(f"--{flag} {value}: goes with 'ganforge benchmark {owner}' alone")
    if seeds is not None and name == FEW_LABELS:
        raise UserError(f"--seeds {seeds}: {FEW_LABELS} does one draw of the labels a call: --draw K")
    if name == TECHNIQUES:
        if recipe is not None:
            raise UserError(f"--recipe {recipe}: techniques are tried over bases of their own")
        _try_techniques(data, only, seeds, steps, quick, out, as_json)
        return
    seeds = 1 if seeds is None else seeds
    if name == AUTOENCODERS:
        _autoencoders(recipe, seeds, steps, quick, out, as_json)
        return
    if name == CLUSTERS:
        _clusters(recipe, seeds, steps, quick, out, as_json)
        return
    if name == FEW_LABELS:
        _few_labels(100 if labels is None else labels, draw or 0, recipe, steps, quick, out, as_json)
        return
    if name in LESSONS:
        _teach(name, recipe, seeds, steps, quick, out, as_json)
        return
    if name not in PROTOCOLS:
        known = [*PROTOCOLS, *LESSONS, FEW_LABELS, CLUSTERS, TECHNIQUES, AUTOENCODERS]
        raise UserError(f"no benchmark is called {name!r}; {nearest(name, known)}")
    with BenchmarkProgress() as progress:
        report = run_benchmark(name, recipe, seeds=seeds, steps=steps, quick=quick, out=out, tell=progress)
    if as_json:
        give(report.to_dict())
        return
    plan, first = report.plan, report.results[0]
    say(f"{name}: {plan.protocol.about}")
    header, rows = report.table()
    table(rows, header)
    say("ours: mean ± standard deviation over seeds (the worst seed); the floor is real data, measured in the same way")
    if "high_quality" in report.floor[str(plan.samples[0])]:
        say("high quality above that of real data is shrunken variance: see std / true")
    say(
        f"parameters: G {first['parameters']['generator']:,}, D {first['parameters']['discriminator']:,}; "
        f"{report.seconds:,.0f} s for 10,000 steps ({first['device']}, threads: {first['threads']})"
    )
    say(f"curves (curve.jsonl) and pictures of samples: {plan.folder}/seed-*")


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
            print(json.dumps([done, found]), file=sys.stderr, flush=True)

    give({"result": str(play(folder, seed, steps, tell))})


def _teach(
    name: str, recipe: str | None, seeds: int, steps: int | None, quick: bool, out: Path | None, as_json: bool
) -> None:
    from ganforge.commands.progress import TerminalWatcher
    from ganforge.experiment.lessons import teach

    watcher = TerminalWatcher(as_json=as_json)
    report = teach(name, recipe, seeds=seeds, steps=steps, quick=quick, out=out, watcher=watcher)
    if as_json:
        give(report.to_dict())
        return
    say(f"{name}: {report.lesson.about}")
    table(report.table(), ("learned from", "test error", "n", "how"))
    say(f"the runs: {report.folder}/seed-*; the interval of one seed is over the test digits, ± of several over seeds")


def _few_labels(
    labels: int, draw: int, recipe: str | None, steps: int | None, quick: bool, out: Path | None, as_json: bool
) -> None:
    from ganforge.commands.progress import TerminalWatcher
    from ganforge.experiment.few_labels import few_labels

    watcher = TerminalWatcher(as_json=as_json)
    report = few_labels(labels, draw, recipe=recipe, steps=steps, quick=quick, out=out, watcher=watcher)
    if as_json:
        give(report.to_dict())
        return
    say(f"few-labels: MNIST's test digits told apart after {labels} labels; the published rows see pixels in no order")
    table(report.table(), ("learned by", "test error", "how"))
    say(f"another draw of the labels: --draw {max(draw.draw for draw in report.draws) + 1}; the runs: {report.folder}")


def _clusters(recipe: str | None, seeds: int, steps: int | None, quick: bool, out: Path | None, as_json: bool) -> None:
    from ganforge.commands.progress import TerminalWatcher
    from ganforge.experiment.clusters import clusters

    watcher = TerminalWatcher(as_json=as_json)
    report = clusters(recipe, seeds=seeds, steps=steps, quick=quick, out=out, watcher=watcher)
    if as_json:
        give(report.to_dict())
        return
    say("clusters: MNIST's test digits sorted without labels; accuracy after the best one-to-one naming of clusters")
    table(report.table(), ("method", "accuracy", "how"))
    say(f"what each code does: {report.folder}/seed-*/codes.png")


def _autoencoders(
    recipe: str | None, seeds: int, steps: int | None, quick: bool, out: Path | None, as_json: bool
) -> None:
    from ganforge.commands.progress import TerminalWatcher
    from ganforge.experiment.autoencoders import autoencoders

    watcher = TerminalWatcher(as_json=as_json)
    report = autoencoders(recipe, seeds=seeds, steps=steps, quick=quick, out=out, watcher=watcher)
    if as_json:
        give(report.to_dict())
        return
    say(f"autoencoders: who copies, who invents, who blurs; {report.terms}, n = {report.n:,}")
    table(report.table(), report.header())
    say("lost: squared error of reconstructions beside the variance of test images; sharpness: 1 is that of real ones")
    say(f"equal images, not equal time: {report.seconds()}; look at {report.folder}/seed-*.png")


def _try_techniques(
    data: str | None,
    only: str | None,
    seeds: int | None,
    steps: int | None,
    quick: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    from ganforge.experiment.arenas import SEEDS
    from ganforge.experiment.techniques import techniques

    names = [[name.strip() for name in given.split(",")] if given else () for given in (data, only)]
    seeds = (1 if quick else SEEDS) if seeds is None else seeds
    with BenchmarkProgress("tasks") as progress:
        report = techniques(*names, seeds=seeds, steps=steps, quick=quick, out=out, tell=progress)
    if as_json:
        give(report.to_dict())
        return
    if quick:
        say("--quick: a look, and no more")
    say(report.markdown())
    say("")
    say("figures: mean ± standard deviation over seeds; cost: of a step, the base's is 1; s: seconds of training")
    say("gain: the part of the way from the base to real data; 100 % is all of it, and below 0 it leads away")
    say(
        "verdict: by that figure, at 5 % over all rows of a table (Welch's test, Holm's correction); docs/techniques.md"
    )
    say(f"samples and figures of every seed: {report.folder}")


class BenchmarkProgress:
    """A bar with the time left on a terminal, a line every ten seconds in a file or a pipe; all on stderr."""

    def __init__(self, unit: str = "steps") -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
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
            print(f"{found} · {done:,.0f} of {total:,} {self._unit} · {left:,.0f} s left", file=sys.stderr, flush=True)
