"""``ganforge probe``: find what a classifier reads wrongly, with a generator of its kind of pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganforge.commands.completion import complete_run
from ganforge.commands.console import JsonFlag, path, print_json, say
from ganforge.commands.numbers import whole

if TYPE_CHECKING:
    from ganforge.applications.probe import Probe

MOST_PICTURES = 1_000_000
SHOWN = 8
"""Groups and styles that are printed; the files have all."""


def probe(
    classifier: Annotated[
        str,
        typer.Argument(help="module:callable (your own code, which is run), FILE.onnx, or http://127.0.0.1:PORT/PATH."),
    ],
    model: Annotated[
        str,
        typer.Option(help="A conditional run's folder, its generator, or mnist.", autocompletion=complete_run),
    ] = "mnist",
    data: Annotated[
        str | None, typer.Option(help="The data that the generator was trained on. [as the generator says]")
    ] = None,
    budget: Annotated[
        int, typer.Option(callback=whole(200, MOST_PICTURES), help="Pictures drawn at most, random and searched.")
    ] = 20_000,
    input_range: Annotated[str, typer.Option(help="Pixels that the classifier takes: 0..1 or -1..1.")] = "0..1",
    seed: Annotated[int, typer.Option(callback=whole(), help="Same seed, same pictures.")] = 0,
    out: Annotated[Path, typer.Option(parser=path, help="A folder for the results.")] = Path("probed"),
    as_json: JsonFlag = False,
) -> None:
    """Find pictures that a classifier reads wrongly and two other readers surely; group and name them.

    The classifier takes float32 [N, C, H, W] and returns logits or probabilities [N, K], or class indices [N].

    Example: ganforge probe my_model:classify --budget 20000
    """
    from ganforge.applications.found_files import check_folder, report, write_probe
    from ganforge.applications.probe import fitting, pictures_to_read
    from ganforge.applications.probe import probe as find
    from ganforge.commands.count_progress import CountProgress
    from ganforge.commands.progress import TerminalWatcher
    from ganforge.data.reading_rules import USUAL
    from ganforge.evaluation.readers import pictures_to_learn, readers_of
    from ganforge.evaluation.user_classifier import load_classifier
    from ganforge.experiment.preflight import load
    from ganforge.generation.generator import load_generator

    probed = load_classifier(classifier, input_range)
    generator = load_generator(model)
    check_folder(out)
    splits = load(data or str(generator.note["data"]), "train", USUAL, TerminalWatcher(as_json=as_json))
    fitting(generator, splits)
    progress = CountProgress("pictures")
    try:
        training = progress.counting("training the second reader, once", pictures_to_learn(splits.train))
        readers = readers_of(splits, training)
        drawing = progress.counting("drawing, searching and corrupting", pictures_to_read(budget))
        result = find(probed, generator, readers, splits, budget=budget, seed=seed, on_drawn=drawing)
    finally:
        progress.stop()
    caption = f"{classifier} · {generator.recipe.name} · seed {seed}"
    files = write_probe(result, out, seed=seed, fingerprint=splits.fingerprint, caption=caption)
    if as_json:
        print_json({**report(result, caption), "files": [str(file) for file in files], "seed": seed})
    for line in _lines(result):
        say(line, as_json=as_json)
    say(f"{len(result.found)} pictures -> {out}", as_json=as_json)


def _lines(probe: "Probe") -> list[str]:
    """Return the result in words: the error of random draws, holes by style, common groups, and corruptions."""
    low, high = probe.interval
    lines = [
        f"misread: {probe.error:.2%} ({low:.2%} to {high:.2%}) of {probe.sure:,} random draws that both readers are "
        f"sure of; {len(probe.found):,} pictures found"
    ]
    holes = [style for style in probe.styles.table if style.hole][:SHOWN]
    lines += [
        f"hole: {style.words} · style {style.number}, {style.share:.0%} of its class: misread {style.error:.1%} "
        f"({style.interval.low:.1%} to {style.interval.high:.1%}), the rest of its class {style.rest_error:.1%}"
        for style in holes
    ]
    for number, group in enumerate(probe.groups[:SHOWN]):
        kind = "common hole" if group.common else "rare freak"
        lines.append(
            f"group {number}: {group.name} · {kind}, {group.rate:.2%} of its class "
            f"({group.interval.low:.2%} to {group.interval.high:.2%}) · nearest {group.real_count} real test pictures: "
            f"{group.real_error:.1%} misread, of the whole class {group.class_error:.1%}"
        )
    if not probe.groups:
        lines.append("nothing found: a larger --budget, or a stronger search, may find more")
    return lines + _corruption_lines(probe)


def _corruption_lines(probe: "Probe") -> list[str]:
    """Return a line for each corruption that some classes do not stand, the worst first."""
    holes = [trial for trial in probe.corruptions if trial.hole]
    lines = []
    for name in list(dict.fromkeys(trial.corruption for trial in holes))[:SHOWN]:
        own = [trial for trial in holes if trial.corruption == name]
        tested, wrong = sum(trial.tested for trial in own), sum(trial.wrong for trial in own)
        usual = sum(trial.usual * trial.tested for trial in own) / tested
        classes = ", ".join(probe.class_names[label] for label in sorted(trial.label for trial in own))
        lines.append(
            f"corruption: {name} · misread: {wrong / tested:.1%} of {tested:,} copies that a reader still reads, "
            f"{usual:.1%} without it · classes: {classes}"
        )
    return lines
