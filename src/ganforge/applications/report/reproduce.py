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
        Table("What the last bits depend on", (), rows, "facts"),
    ]
    if record.saved["data"].get("source") is None:
        note = "The data came from Python: DATA stands for them, as ganforge.train(data=...) had them."
        blocks.append(Words(note, "note"))
    return blocks


def command(record: RunRecord) -> str:
    """Return the command that trains a run again, from the recipe file in its folder, a flag on each line."""
    saved, data = record.saved, record.saved["data"]
    flags = [("--data", data.get("source") or "DATA"), ("--seed", saved["seed"]), ("--steps", record.step)]
    flags += [("--resize", data["resize"])] if data.get("resize") else []
    flags += [("--levels", ",".join(f"{level:g}" for level in data["levels"]))] if data.get("levels") else []
    flags += [("--from", saved["start_from"])] if saved.get("start_from") else []
    flags += [("--evaluate-every", saved["evaluate_every"])] if saved.get("evaluate_every") else []
    lines = [shlex.join(["ganforge", "train", str(record.folder.recipe)])]
    lines += [shlex.join([flag, str(value)]) for flag, value in flags]
    lines += [flag for flag, name in (("--skip-bad", "skip_bad"), ("--colour", "colour")) if data.get(name)]
    if saved.get("threads"):
        lines[0] = f"OMP_NUM_THREADS={saved['threads']} {lines[0]}"
    return " \\\n    ".join(lines)
