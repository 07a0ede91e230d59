"""The recipe of a run, explained, and the commands that train it again."""

import shlex

from ganforge.applications.report.record import RunRecord
from ganforge.recipes.explain import explain
from ganforge.reports.blocks import Block, Code, Table, Words


def recipe_blocks(record: RunRecord) -> list[Block]:
    """Return the recipe with every field explained, or why it is not there."""
    if record.recipe is None:
        return [Words("recipe.toml is missing or damaged, so the recipe cannot be shown.", "missing")]
    recipe = record.recipe
    words = f"{recipe.name}: {recipe.summary}" if recipe.summary else recipe.name
    source = [Words(f"Source: {recipe.source}", "note")] if recipe.source else []
    return [Words(words), *source, Code(explain(recipe), f"recipe.toml of {record.name}, every field explained")]


def reproduce_blocks(record: RunRecord) -> list[Block]:
    """Return the exact command of a run, and on what the same bytes depend."""
    versions = record.saved.get("versions", {})
    threads = record.saved.get("threads")
    rows = [(name, str(version)) for name, version in sorted(versions.items())]
    rows += [("threads", str(threads))] if threads else []
    rows.append(("seed", str(record.saved["seed"])))
    blocks: list[Block] = [
        Words(
            "The command below trains the same weights, byte for byte, on the same kind of machine with the same torch "
            "and number of threads. Elsewhere the result is alike, and its last bits differ."
        ),
        Code(command(record)),
        Table("What the last bits depend on", ("", ""), rows),
    ]
    if record.saved["data"].get("source") is None:
        note = "The data came from Python: DATA stands for them, as ganforge.train(data=...) had them."
        blocks.append(Words(note, "note"))
    return blocks


def command(record: RunRecord) -> str:
    """Return the command line that trains a run again, from the recipe file in its folder."""
    saved, data = record.saved, record.saved["data"]
    words = ["ganforge", "train", str(record.folder.recipe), "--data", str(data.get("source") or "DATA")]
    words += ["--seed", str(saved["seed"]), "--steps", str(record.step)]
    words += ["--resize", str(data["resize"])] if data.get("resize") else []
    words += ["--levels", ",".join(f"{level:g}" for level in data["levels"])] if data.get("levels") else []
    words += [flag for flag, name in (("--skip-bad", "skip_bad"), ("--colour", "colour")) if data.get(name)]
    words += ["--from", str(saved["start_from"])] if saved.get("start_from") else []
    words += ["--evaluate-every", str(saved["evaluate_every"])] if saved.get("evaluate_every") else []
    line = shlex.join(words)
    return f"OMP_NUM_THREADS={saved['threads']} {line}" if saved.get("threads") else line
