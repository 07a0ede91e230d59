"""The commands that list and show: ``recipes``, ``data``, ``runs``."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ganforge.commands.console import (
    ColourFlag,
    JsonFlag,
    LevelsFlag,
    Resize,
    SkipBad,
    inherit_json_flag,
    path,
    print_json,
    say,
    table,
)

recipes_app = typer.Typer(invoke_without_command=True)
data_app = typer.Typer(invoke_without_command=True)


@recipes_app.callback()
def recipes(context: typer.Context, as_json: JsonFlag = False) -> None:
    """List the recipes that come with ganforge, or show one.

    Example: ganforge recipes show vanilla > mine.toml
    """
    inherit_json_flag(context, as_json)
    if context.invoked_subcommand:
        return
    from ganforge.recipes.reading import built_in, load_recipe
    from ganforge.recipes.recipe import DEFAULT_RECIPE

    shipped = [load_recipe(name) for name in built_in()]
    if as_json:
        rows = [{"name": r.name, "aliases": list(r.aliases), "summary": r.summary, "source": r.source} for r in shipped]
        print_json({"recipes": rows, "default": DEFAULT_RECIPE})
        return
    table([(r.name, r.summary) for r in shipped], ("recipe", "description"))
    say(f"default: {DEFAULT_RECIPE}; 'ganforge recipes show NAME' prints one as a template for your own TOML file")


@recipes_app.command("show")
def recipes_show(
    name: Annotated[str, typer.Argument(help="A name ('ganforge recipes' lists them) or a TOML file.")],
    as_json: JsonFlag = False,
) -> None:
    """Print a recipe as TOML with explanations, as a template for your own.

    Example: ganforge recipes show cgan-tutorial
    """
    from ganforge.recipes.explain import explain, with_flat_names
    from ganforge.recipes.reading import load_recipe

    recipe = load_recipe(name)
    if as_json:
        print_json(with_flat_names(recipe))
    else:
        say(explain(recipe))


@data_app.callback()
def data(context: typer.Context, as_json: JsonFlag = False) -> None:
    """List, show and download data sets.

    Example: ganforge data show mnist
    """
    inherit_json_flag(context, as_json)
    if not context.invoked_subcommand:
        data_list(as_json)


@data_app.command("list")
def data_list(as_json: JsonFlag = False) -> None:
    """List the built-in data sets, and whether they are on this machine.

    Example: ganforge data list
    """
    from ganforge.data.load import names

    rows = names()
    if as_json:
        print_json({"data": [dataclasses.asdict(row) for row in rows]})
        return
    cells = [(row.name, "here" if row.here else "to download", row.about) for row in rows]
    table(cells, ("data", "where", "description"))
    say("your own: --data FOLDER or FILE.zip of pictures, FILE.npz, FILE.npy, an IDX file or a folder of the four")


@data_app.command("show")
def data_show(
    source: Annotated[str, typer.Argument(help="A name, a file or a folder.")],
    resize: Resize = None,
    skip_bad: SkipBad = False,
    levels: LevelsFlag = None,
    colour: ColourFlag = False,
    out: Annotated[Path | None, typer.Option(parser=path, help="Where to write the contact sheet.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Summarise a data set, draw NAME-contact-sheet.png, and warn about problems for training.

    Example: ganforge data show mnist
    """
    import torch

    from ganforge.commands.progress import TerminalWatcher
    from ganforge.data.load import load
    from ganforge.data.pixel_levels import parse_levels
    from ganforge.data.reading_rules import ReadingRules
    from ganforge.data.summary import summarise
    from ganforge.errors import UserError
    from ganforge.files import ensure_writable, write_atomically
    from ganforge.generation.grids import image_grid, png

    if out and _is_inside(out, source):
        raise UserError(f"--out {out}: lies in {source}, and would be read as data next time; name a file outside")
    ensure_writable(out or contact_sheet(source, "data"), [".png"])
    watcher = TerminalWatcher(as_json=as_json)
    try:
        rules = ReadingRules.chosen(resize=resize, skip_bad=skip_bad, levels=parse_levels(levels), colour=colour)
        splits = load(source, report=watcher.downloading, rules=rules, reading=watcher.reading)
    finally:
        watcher.end()
    summary = summarise(splits)
    indices = torch.linspace(0, len(splits.train) - 1, min(100, len(splits.train))).long()
    if splits.train.labelled:
        indices = indices[splits.train.labels[indices].argsort(stable=True)]
    picture = image_grid(
        splits.train.gather(indices), 10, caption=f"{splits.train.name}: {len(indices)} of {len(splits.train):,}"
    )
    target = out or contact_sheet(source, splits.train.name)
    write_atomically(target, png(picture))
    if as_json:
        files = {"notes": splits.notes, "contact_sheet": str(target), "fingerprint": splits.fingerprint}
        print_json(dataclasses.asdict(summary) | files)
        return
    for line in describe(summary, splits.notes):
        say(line)
    say(f"contact sheet: {target}")


def contact_sheet(source: str, name: str) -> Path:
    """Return the path of a contact sheet: in the working directory, but never inside the folder that is read."""
    from ganforge.data.sources.containers import SHEET_ENDING
    from ganforge.files import cache_folder

    here = Path(f"{name}{SHEET_ENDING}")
    return cache_folder() / "contact-sheets" / here if _is_inside(here, source) else here


def _is_inside(file: Path, source: str) -> bool:
    from ganforge.files import user_path

    read = user_path(source)
    return read.is_dir() and file.resolve().is_relative_to(read.resolve())


def describe(summary: object, notes: Sequence[str] = ()) -> list[str]:
    """Return a summary of a data set as lines of text."""
    from ganforge.data.summary import Summary

    assert isinstance(summary, Summary)
    counts = ", ".join(f"{count:,} {name}" for name, count in summary.counts.items())
    lines = [
        f"{summary.name}: {summary.origin}",
        f"images: {counts}; {summary.width}×{summary.height} px, {'grey' if summary.channels == 1 else 'colour'}",
        f"pixels: {summary.pixel_min} to {summary.pixel_max}, mean {summary.pixel_mean:.1f}, "
        f"std {summary.pixel_std:.1f}",
        f"duplicates: {summary.duplicates}; test images also in train: {summary.test_in_train}; "
        f"constant images: {summary.constant}",
    ]
    if summary.classes:
        shares = ", ".join(f"{c.name}: {c.count:,} ({c.share:.1%})" for c in summary.classes[:20])
        more = f", ... ({len(summary.classes)} in all)" if len(summary.classes) > 20 else ""
        lines.append(f"classes: {shares}{more}")
    return lines + [f"note: {note}" for note in notes] + [f"warning: {warning}" for warning in summary.warnings]


@data_app.command("fetch")
def data_fetch(
    name: Annotated[str, typer.Argument(help="A name of 'ganforge data list'.")], as_json: JsonFlag = False
) -> None:
    """Download a data set for later use; an interrupted download is resumed.

    Example: ganforge data fetch mnist
    """
    from ganforge.commands.progress import TerminalWatcher
    from ganforge.data.load import fetch, find

    watcher = TerminalWatcher(as_json=as_json)
    folder = find(name) or fetch(name, report=watcher.downloading)
    watcher.end()
    if as_json:
        print_json({"name": name, "folder": str(folder)})
    say(f"{name}: in {folder}", as_json=as_json)


def runs(
    folder: Annotated[Path, typer.Argument(parser=path, help="The folder of the runs.")] = Path("runs"),
    as_json: JsonFlag = False,
) -> None:
    """List the runs in a folder, newest first.

    Example: ganforge runs
    """
    from ganforge.diagnosis.findings import Finding
    from ganforge.errors import UserError
    from ganforge.runs.folder import find_runs
    from ganforge.runs.log import fitting, read_lines

    if not folder.exists() and folder != Path("runs"):
        raise UserError(f"{folder}: there is no such folder; name the folder of your runs")
    rows = []
    for run in find_runs(folder):
        try:
            saved = run.read_run()
            saved.setdefault("status", "running")  # killed before its first step
            if saved["status"] == "running" and not run.has_trainer():
                saved["status"] = "interrupted"
        except UserError:
            saved = {"recipe": "?", "data": {"name": "?"}, "status": "unreadable run.json"}
        verdicts = [line["findings"] for line in read_lines(run.metrics) if "findings" in line]
        findings = (fitting(list[Finding], verdicts[-1]) if verdicts else None) or []
        verdict = {"findings": [one.name for one in findings], "words": "; ".join(one.text for one in findings)}
        rows.append({"run": str(run.path), **verdict, **saved})
    if as_json:
        print_json({"runs": rows})
    elif not rows:
        say(f"no runs in {folder} yet; 'ganforge train' starts one")
    else:
        cells = [
            (r["run"], r["recipe"], r["data"]["name"], r["status"], f"{r.get('step', 0):,}", _verdict(r)) for r in rows
        ]
        table(cells, ("run", "recipe", "data", "status", "step", "verdict"))
        if unfinished := [r["run"] for r in rows if r["status"] == "interrupted"]:
            say(f"'ganforge resume {unfinished[0]}' continues an interrupted run")


def _verdict(row: dict[str, Any]) -> str:
    """Return the verdict on a run, or that it has none."""
    if row["status"] != "finished" or (row.get("judged") and row["findings"]):
        return str(row["words"])
    return "not judged (no judge)" if row.get("no_judge") else "not judged"
