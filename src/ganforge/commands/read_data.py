"""Reading the data that a command names, by the rules that its flags choose."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ganforge.commands.progress import TerminalWatcher
    from ganforge.data.images import Splits


def read_data(
    source: str, watcher: "TerminalWatcher", *, resize: str | None, skip_bad: bool, levels: str | None, colour: bool
) -> "Splits":
    """Return the data of a name, a file or a folder, and show the progress of reading.

    Raises:
        UserError: a flag is invalid, or the data cannot be read.
    """
    from ganforge.data.pixel_levels import parse_levels
    from ganforge.data.reading_rules import ReadingRules
    from ganforge.experiment.preflight import load

    rules = ReadingRules.chosen(resize=resize, skip_bad=skip_bad, levels=parse_levels(levels), colour=colour)
    return load(source, "train", rules, watcher)
