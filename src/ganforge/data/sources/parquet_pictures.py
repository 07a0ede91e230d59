"""Encoded pictures in the rows of Parquet files, presented as the files of a container, so that they read the same."""

import tempfile
from collections.abc import Iterator, Sequence
from functools import cached_property
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import IO, Any

from ganforge.data.class_labels import MOST_CLASSES
from ganforge.data.reading_rules import USUAL, ReadingRules
from ganforge.data.sources.decode_image import Unreadable
from ganforge.data.sources.folder_layout import Listing, Picture
from ganforge.data.sources.open_file import MOST_BYTES
from ganforge.data.sources.parquet import SUSPECT_RATIO, SUSPECT_SIZE, Schema, batches, schema_of, shards, values
from ganforge.data.sources.picture_containers import File
from ganforge.data.sources.table_files import Source
from ganforge.errors import UserError

ROWS = 32
"""Number of rows read at a time; few, because a photograph has megabytes."""

Label = int | str | None


class PictureRows:
    """The pictures of a set of Parquet files, one file for each row.

    Pictures are copied once to an unnamed temporary file, because a Parquet row cannot be read without its neighbours.

    Raises:
        UserError: a file is damaged, or its columns are ambiguous.
    """

    def __init__(self, path: Path, sources: Sequence[Source], rules: ReadingRules = USUAL) -> None:
        self.path = path
        self._shards = shards(sources, str(path), rules)
        self._places: dict[str, tuple[int, int]] = {}
        self._lock = Lock()

    def state(self) -> Iterator[str]:
        """Yield the name, size and modification time of each file."""
        for source in (source for files in self._shards.values() for source in files):
            stat = (source.path or self.path).stat()
            yield f"{source.name}\0{stat.st_size}\0{stat.st_mtime_ns}"

    def files(self) -> list[File]:
        """List all rows."""
        return [File(name, size) for name, (_, size) in self._places.items()]

    def folders(self) -> list[str]:
        """Return no folders."""
        return []

    def listing(self) -> Listing:
        """Read all rows and return them as pictures with parts and classes."""
        rows: list[tuple[str, File, Label]] = []
        names: tuple[str, ...] = ()
        notes: dict[str, None] = {}
        for part, sources in self._shards.items():
            for source in sources:
                schema = schema_of(source)
                if not schema.encoded:
                    raise UserError(f"{source.where}: has no pictures, but other files of the set do; give one file")
                names = names or schema.class_names
                notes |= dict.fromkeys(schema.notes(source))
                rows += [(part, file, label) for file, label in self._copy_pictures(source, schema)]
        classes = _classes({label for *_, label in rows} - {None}, names, str(self.path))
        numbers: dict[Label, int] = {label: number for number, label in enumerate(classes)}
        pictures = [Picture(self, file, part, numbers.get(label, -1)) for part, file, label in rows]
        if not pictures:
            raise UserError(f"{self.path}: has no rows; save it again")
        return Listing(pictures, tuple(str(name) for name in classes.values()), tuple(notes))

    def _copy_pictures(self, source: Source, schema: Schema) -> Iterator[tuple[File, Label]]:
        """Copy the pictures of a file, and yield each with its label."""
        limit, row = min(MOST_BYTES, max(SUSPECT_SIZE, SUSPECT_RATIO * source.size)), 0
        end = self._content.seek(0, 2)
        start = end
        for batch in batches(source, schema, ROWS):
            labels = values(batch.column(schema.label), source.where).tolist() if schema.label else []
            for place, content in enumerate(_encoded(batch.column(schema.encoded))):
                row += 1
                file = File(f"row {row:,} of {source.name}", len(content))
                self._content.write(content)
                self._places[file.name] = end, len(content)
                end += len(content)
                if end - start > limit:
                    raise UserError(f"{source.where}: has over {limit:,} bytes of pictures; download it again")
                yield file, labels[place] if schema.label and labels[place] != -1 else None

    @cached_property
    def _content(self) -> IO[bytes]:
        return tempfile.TemporaryFile()  # `close` closes it

    def open(self, file: File) -> IO[bytes]:
        """Open a picture."""
        return BytesIO(self.read(file))

    def read(self, file: File) -> bytes:
        """Read a picture; this is thread-safe."""
        start, size = self._places[file.name]
        if not size:
            raise Unreadable("its row holds no picture")
        with self._lock:
            self._content.seek(start)
            return self._content.read(size)

    def close(self) -> None:
        """Remove the copies."""
        if "_content" in vars(self):
            self._content.close()


def _encoded(column: Any) -> Iterator[Any]:
    """Yield the bytes of each cell; b"" for an empty cell, such as one with only the path of a picture."""
    column = column.dictionary_decode() if hasattr(column, "dictionary_decode") else column
    cells = column.field("bytes") if hasattr(column, "field") else column
    for cell in cells:
        yield cell.as_buffer() if cell.is_valid else b""


def _classes(labels: set[Label], names: tuple[str, ...], where: str) -> dict[Label, Label]:
    """Return the labels of all classes with pictures in order, and the name of each."""
    if len(labels) > MOST_CLASSES:
        raise UserError(f"{where}: has {len(labels):,} classes; give at most {MOST_CLASSES:,}")
    ordered = sorted(labels, key=lambda label: (isinstance(label, str), label))
    named = all(isinstance(label, int) and 0 <= label < len(names) for label in labels)
    return {label: names[label] if named and isinstance(label, int) else label for label in ordered}
