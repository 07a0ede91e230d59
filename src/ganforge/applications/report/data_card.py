"""The data of a run: read again for its page, and described."""

from collections.abc import Callable
from dataclasses import dataclass, field

from ganforge.applications.report.class_tables import class_table
from ganforge.applications.report.films import as_picture
from ganforge.applications.report.record import RunRecord
from ganforge.data.images import Splits
from ganforge.data.reading_rules import ReadingRules
from ganforge.data.summary import Summary, summarise
from ganforge.errors import UserError
from ganforge.experiment.experiment import ProgressListener
from ganforge.experiment.preflight import load
from ganforge.generation.grids import contact_sheet
from ganforge.json_text import to_json
from ganforge.reports.blocks import Block, Listing, Table, Words


@dataclass
class DataShelf:
    """Reads the data of runs, each set once: several seeds were trained on the same.

    Attributes:
        watcher: receives the progress of reading.
    """

    watcher: ProgressListener
    _read: dict[str, Splits | str] = field(default_factory=dict)

    def splits(self, record: RunRecord) -> Splits | str:
        """Return the data of a run, or why they cannot be read, as a sentence."""
        origin = record.saved["data"]
        if record.recipe is None:
            return "recipe.toml is missing or damaged, so it is not known how the data were read."
        if origin.get("source") is None:
            return "The data came from Python and were not kept, so they cannot be shown."
        images = record.recipe.data.images
        key = to_json([origin, images, record.saved["fingerprint"]], sort_keys=True)
        if key not in self._read:
            self._read[key] = _read(record, origin, images, self.watcher)
        return self._read[key]


def _read(record: RunRecord, origin: dict[str, object], images: str, watcher: ProgressListener) -> Splits | str:
    try:
        splits = load(origin["source"], images, ReadingRules.of_run(origin), watcher).called(str(origin["name"]))
    except UserError as error:
        return f"The data cannot be read again: {error}."
    except OSError as error:  # a file that was moved, in the readers of some formats
        return f"The data cannot be read again: {error.filename}: {error.strerror}."
    if splits.fingerprint != record.saved["fingerprint"]:
        return f"The data at {origin['source']} have changed since the training, so they are not described here."
    return splits


def data_blocks(record: RunRecord, splits: Splits | str, say: Callable[[str], None]) -> list[Block]:
    """Return the description of a run's data, or why there is none."""
    if isinstance(splits, str):
        return [_fingerprints(record), Words(splits, "missing")]
    say(f"describing the data {splits.train.name} ...")
    summary = summarise(splits)
    blocks: list[Block] = [Table("The data", (), _rows(summary, record), "facts")]
    if summary.classes:
        title = "Training pictures of each class"
        rows = [(entry.name, f"{entry.count:,}", f"{entry.share:.1%}") for entry in summary.classes]
        blocks += class_table(title, ("class", "pictures", "share"), rows)
    if summary.warnings:
        blocks.append(Listing(summary.warnings))
    sheet = contact_sheet(splits.train)
    blocks.append(as_picture(sheet, f"Training pictures of {splits.train.name}, sorted by class", "Training pictures"))
    return blocks


def _rows(summary: Summary, record: RunRecord) -> list[tuple[str, str]]:
    counts = " · ".join(f"{part} {count:,}" for part, count in summary.counts.items())
    return [
        ("name", summary.name),
        ("origin", summary.origin),
        ("pictures", counts),
        ("size", f"{summary.channels} × {summary.height} × {summary.width} (channels × height × width)"),
        ("levels", f"{summary.pixel_min} to {summary.pixel_max} of 0..255, mean {summary.pixel_mean:.1f}"),
        ("exact copies", f"{summary.duplicates:,} training pictures repeat another one"),
        ("test pictures", f"{summary.test_in_train:,} of {summary.counts['test']:,} are also training pictures"),
        ("SHA-256", str(record.saved["fingerprint"])),
    ]


def _fingerprints(record: RunRecord) -> Table:
    rows = [("name", str(record.saved["data"]["name"])), ("SHA-256", str(record.saved["fingerprint"]))]
    return Table("The data", (), rows, "facts")
