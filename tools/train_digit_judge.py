"""Trains the judge of handwritten digits: ``python tools/train_digit_judge.py --out FILE`` ('make judge')."""

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ganforge.data.load import load
from ganforge.errors import RunFailed, UserError
from ganforge.judge.training import train_and_save


def main() -> int:
    """Train a judge from the command line, with progress on stderr; return 2 for wrong input, 3 for a full disk."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="mnist", help="a data set with labels")
    parser.add_argument("--out", type=Path, required=True, help="the .safetensors file to write")
    parser.add_argument("--version", default="digits-1", help="name of the judge")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    columns = (TextColumn("loss {task.fields[loss]:.3f}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task("training", loss=float("nan"))
            card = train_and_save(
                load(arguments.data),
                arguments.out,
                arguments.version,
                arguments.epochs,
                arguments.seed,
                on_step=lambda done, total, loss: progress.update(task, completed=done, total=total, loss=loss),
            )
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except RunFailed as error:
        print(error, file=sys.stderr)
        return 3
    print(f"{arguments.out}: validation {card.validation_accuracy:.2%}, test {card.test_accuracy:.2%}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
