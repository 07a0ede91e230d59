"""``ganforge data``: list, show and download data sets."""

import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from ganforge.commands.read_data import read_data

if TYPE_CHECKING:
    from ganforge.data.summary import Summary
    from ganforge.diagnosis.finding import Finding

KINDS = {1: "grey", 3: "colour"}

data_app = typer.Typer(invoke_without_command=True)


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
    say(
        "your own: --data with a folder, zip or tar of pictures; .npz, .npy or IDX files; .csv, .tsv or other tables "
        "of text, .parquet; or a folder or zip of such files (docs/data.md)"
    )


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
    from ganforge.commands.progress import TerminalWatcher
    from ganforge.data.summary import summarise
    from ganforge.diagnosis.data_checks import check_data
    from ganforge.errors import UserError
    from ganforge.files import ensure_writable, write_atomically
    from ganforge.generation.grids import contact_sheet, png

    if out and _is_inside(out, source):
        raise UserError(f"--out {out}: lies in {source}, and would be read as data next time; name a file outside")
    ensure_writable(out or _sheet_path(source, "data"), [".png"])
    watcher = TerminalWatcher(as_json=as_json)
    splits = read_data(source, watcher, resize=resize, skip_bad=skip_bad, levels=levels, colour=colour)
    summary = summarise(splits, partial(watcher.reading, "checking the pictures"))
    watcher.end()
    findings = check_data(splits, summary)
    target = out or _sheet_path(source, splits.train.name)
    write_atomically(target, png(contact_sheet(splits.train)))
    if as_json:
        files = {"notes": splits.notes, "contact_sheet": str(target), "fingerprint": splits.fingerprint}
        found = {"findings": [dataclasses.asdict(finding) for finding in findings]}
        print_json(dataclasses.asdict(summary) | found | files)
        return
    for line in _lines(summary, splits.notes, findings):
        say(line)
    say(f"contact sheet: {target}")


def _sheet_path(source: str, name: str) -> Path:
    """Return the path of a contact sheet: in the working directory, but never inside the folder that is read."""
    from ganforge.data.sources.picture_containers import SHEET_ENDING
    from ganforge.files import cache_folder

    here = Path(f"{name}{SHEET_ENDING}")
    return cache_folder() / "contact-sheets" / here if _is_inside(here, source) else here


def _is_inside(file: Path, source: str) -> bool:
    from ganforge.files import user_path

    read = user_path(source)
    return read.is_dir() and file.resolve().is_relative_to(read.resolve())


def _lines(summary: "Summary", notes: Sequence[str], findings: Sequence["Finding"]) -> list[str]:
    """Return a summary of a data set as lines of text."""
    counts = ", ".join(f"{count:,} {name}" for name, count in summary.counts.items())
    kind = KINDS.get(summary.channels, f"clips or pairs of {summary.channels} channels")
    lines = [
        f"{summary.name}: {summary.origin}",
        f"images: {counts}; {summary.width}×{summary.height} px, {kind}",
        f"pixels: {summary.pixel_min} to {summary.pixel_max}, mean {summary.pixel_mean:.1f}, "
        f"std {summary.pixel_std:.1f}",
        f"duplicates: {summary.duplicates}; test images also in train: {summary.test_in_train}; "
        f"constant images: {summary.constant}",
    ]
    if summary.classes:
        shares = ", ".join(f"{c.name}: {c.count:,} ({c.share:.1%})" for c in summary.classes[:20])
        more = f", ... ({len(summary.classes)} in all)" if len(summary.classes) > 20 else ""
        lines.append(f"classes: {shares}{more}")
    lines += [f"note: {note}" for note in notes]
    lines += [f"warning: {line}" for line in summary.warnings if not any(line in found.text for found in findings)]
    return lines + [finding.line for finding in findings]


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
