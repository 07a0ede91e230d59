"""Shell completion of recipes and runs: names of files, so that nothing slow is imported."""

from pathlib import Path

RECIPES = Path(__file__).parents[1] / "recipes"
RUN_FILES = ("*/run.json", "*/*/run.json")


def complete_recipe(incomplete: str) -> list[str]:
    """Return the built-in recipes whose names begin with ``incomplete``; the shell completes paths by itself."""
    return sorted(file.stem for file in RECIPES.rglob("*.toml") if file.stem.startswith(incomplete))


def complete_run(incomplete: str) -> list[str]:
    """Return the runs of ``runs/`` and of the working directory whose paths begin with ``incomplete``."""
    folders = {
        file.parent.as_posix() for root in (Path("runs"), Path()) for kind in RUN_FILES for file in root.glob(kind)
    }
    return sorted(folder for folder in folders if folder.startswith(incomplete))
