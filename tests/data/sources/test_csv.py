import bz2
import csv
import gzip
import io
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ganforge.data.load import load
from ganforge.data.sources import csv_tables
from ganforge.data.sources.folder_layout import holds_pictures
from ganforge.data.sources.readers import read_path
from ganforge.errors import UserError


def pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


X, Y = pixels(20, 8, 8), np.arange(20) % 4
NAMED = ["label", *(f"pixel{place}" for place in range(64))]
ROWS = [[int(y), *map(int, x.ravel())] for x, y in zip(X, Y, strict=True)]


def table(rows, separator=",", end="\n", quoting=csv.QUOTE_MINIMAL):
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator=end, quoting=quoting).writerows(rows)
    return text.getvalue()


def write(path, rows, **form):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(table(rows, **form), newline="")
    return path


def refusal(path):
    message = refused(path)
    assert message and message.isprintable() and str(path) in message
    return message


def refused(path):
    """Return the error message for a file, or "" if it is read."""
    try:
        read_path(path)
    except UserError as error:
        return str(error)


def is_the_set(parts, labels=Y):
    assert np.array_equal(parts.train.images[:, 0], X)
    assert [parts.train.class_names[label] for label in parts.train.labels] == list(map(str, labels))
    return True


# Dialects


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
@pytest.mark.parametrize("headed", [True, False])
def test_every_dialect_of_csv_is_read(tmp_path, separator, end, quoting, headed):
    rows = [NAMED, *ROWS] if headed else ROWS
    assert is_the_set(read_path(write(tmp_path / "t.csv", rows, separator=separator, end=end, quoting=quoting)))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_sets_the_encoding(tmp_path, encoding):
    (tmp_path / "t.csv").write_text(table([NAMED, *ROWS]), encoding=encoding)
    assert is_the_set(read_path(tmp_path / "t.csv"))


@pytest.mark.parametrize(("pack", "ending"), [(gzip.compress, ".gz"), (bz2.compress, ".bz2"), (gzip.compress, "")])
def test_compressed_tables_are_read(tmp_path, pack, ending):
    (tmp_path / f"t.csv{ending}").write_bytes(pack(table([NAMED, *ROWS]).encode()))
    assert is_the_set(read_path(tmp_path / f"t.csv{ending}"))


@pytest.mark.parametrize("name", ["t.txt", "t.data", "zip.train"])
def test_a_table_is_recognised_under_any_name(tmp_path, name):
    assert is_the_set(read_path(write(tmp_path / name, [NAMED, *ROWS])))
    (tmp_path / name).write_text("\n".join(" ".join(map(str, row)) for row in ROWS))
    assert is_the_set(read_path(tmp_path / name))


def test_blank_lines_are_ignored(tmp_path):
    (tmp_path / "t.csv").write_text("\n\n" + table([NAMED, *ROWS]).replace("\n", "\n\n"))
    assert is_the_set(read_path(tmp_path / "t.csv"))


def test_chunks_of_a_table_are_joined(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_tables, "CHUNK", 500)
    assert is_the_set(read_path(write(tmp_path / "t.csv", [NAMED, *ROWS])))


@pytest.mark.parametrize("factor", [255.0, 1.0])
def test_floats_keep_their_value(tmp_path, factor):
    rows = [[int(y), *(x.ravel() / factor).tolist()] for x, y in zip(X, Y, strict=True)]
    assert is_the_set(read_path(write(tmp_path / "t.csv", [NAMED, *rows])))


def test_floats_after_integers_are_not_truncated(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_tables, "HEAD_LINES", 3)
    ones = [[0, *[1] * 64], [1, *[0] * 64], [0, *[1] * 64], [1, *[0.5] * 64], [0, *["25e-2"] * 64]]
    read = read_path(write(tmp_path / "t.csv", ones)).train
    assert read.images[:, 0, 0, 0].tolist() == [255, 0, 255, 128, 64]


# Columns


@pytest.mark.parametrize(
    "name", ["label", "Class", "target", "y", "digit", "emotion", "category", "Labels", "class_id", "fine label"]
)
@pytest.mark.parametrize("last", [True, False])
def test_the_label_column_is_identified_by_name_in_any_position(tmp_path, name, last):
    def turned(row):
        return [*row[1:], row[0]] if last else row

    rows = [turned([name, *NAMED[1:]]), *map(turned, ROWS)]
    assert is_the_set(read_path(write(tmp_path / "t.csv", rows)))


def test_labels_may_be_words(tmp_path):
    words = [("Äpfel", "b b", "c,d", 'e"')[y] for y in Y]
    rows = [[word, *row[1:]] for word, row in zip(words, ROWS, strict=True)]
    assert is_the_set(read_path(write(tmp_path / "t.csv", [NAMED, *rows])), words)
    assert is_the_set(read_path(write(tmp_path / "u.csv", rows)), words)


def test_integral_floats_are_labels_and_empty_cells_unknown(tmp_path):
    rows = [[f"{row[0]}.0" if k else "", *row[1:]] for k, row in enumerate(ROWS)]
    read = read_path(write(tmp_path / "t.csv", [NAMED, *rows])).train
    assert read.labels.tolist() == [-1, *Y[1:].tolist()]


def test_index_and_other_columns_are_ignored_with_a_note(tmp_path):
    rows = [["", "id", *NAMED, "source"], *([k, f"n{k}", *row, "web, maybe"] for k, row in enumerate(ROWS))]
    parts = read_path(write(tmp_path / "t.csv", rows))
    assert is_the_set(parts)
    assert parts.notes == ("t.csv: columns ignored: one without a name, id, source",)


@pytest.mark.parametrize(
    "names",
    [
        [f"{row}x{column}" for row in range(1, 9) for column in range(1, 9)],
        [f"px_{row}_{column}" for row in range(8) for column in range(8)],
        [str(place) for place in range(64)],
        [f"attr{place:03}" for place in range(64)],
        [f"V{place}" for place in range(1, 65)],
    ],
)
def test_pixel_columns_are_a_group_of_names(tmp_path, names):
    assert is_the_set(read_path(write(tmp_path / "t.csv", [["label", *names], *ROWS])))


def test_pixel_columns_are_ordered_by_number(tmp_path):
    order = sorted(range(64), key=str)
    rows = [["label", *(f"pixel{place}" for place in order)], *([row[0], *(row[1 + p] for p in order)] for row in ROWS)]
    assert is_the_set(read_path(write(tmp_path / "t.csv", rows)))


def test_a_table_that_pandas_wrote_without_names_is_read(tmp_path):
    numbered = [[str(place) for place in range(65)], *ROWS]
    assert is_the_set(read_path(write(tmp_path / "t.csv", numbered)))
    indexed = [["", *numbered[0]], *([k, *row] for k, row in enumerate(ROWS))]
    assert is_the_set(read_path(write(tmp_path / "u.csv", indexed)))
    mangled = ["0", *("0" if k == 0 else f"0.{k}" for k in range(64))]
    assert len(read_path(write(tmp_path / "v.csv", [mangled, *ROWS])).train) == 20


@pytest.mark.parametrize("last", [True, False])
def test_without_a_header_labels_are_identified_by_content_with_a_note(tmp_path, last):
    rows = [[*row[1:], row[0]] if last else row for row in ROWS]
    parts = read_path(write(tmp_path / "t.csv", rows))
    assert is_the_set(parts)
    assert parts.notes == (f"t.csv: labels: column number {65 if last else 1}",)


def test_a_square_of_pixels_alone_has_no_labels(tmp_path):
    for rows in ([row[1:] for row in ROWS], [[f"p{k}" for k in range(64)], *(row[1:] for row in ROWS)]):
        read = read_path(write(tmp_path / "t.csv", rows)).train
        assert np.array_equal(read.images[:, 0], X) and not read.labelled


# All pixels in one column


def packed(x, form="{}", glue=" "):
    return form.format(glue.join(map(str, x.ravel())))


@pytest.mark.parametrize(("form", "glue"), [("{}", " "), ("[{}]", ", "), ("[{}]", "  ")])
@pytest.mark.parametrize("names", [["emotion", "pixels"], ["class", "image"]])
def test_pixels_in_one_column_are_read(tmp_path, names, form, glue):
    rows = [names, *([y, packed(x, form, glue)] for x, y in zip(X, Y, strict=True))]
    assert is_the_set(read_path(write(tmp_path / "t.csv", rows)))


@pytest.mark.parametrize("headed", [True, False])
def test_fer2013_gives_its_three_parts(tmp_path, headed):
    usage = ["Training"] * 12 + ["PublicTest"] * 4 + ["PrivateTest"] * 4
    rows = [[y, packed(x), part] for x, y, part in zip(X, Y, usage, strict=True)]
    header = [["emotion", " pixels", " Usage"]] if headed else []
    parts = read_path(write(tmp_path / "fer2013.csv", [*header, *rows]))
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [12, 4, 4]
    assert np.array_equal(parts.test.images[:, 0], X[16:])
    assert parts.validation.labels.tolist() == Y[12:16].tolist()


def test_unknown_words_in_the_part_column_are_refused(tmp_path):
    rows = [
        ["y", "pixels", "split"],
        *([0, packed(x), part] for x, part in zip(X, ["train", "fold"] * 10, strict=True)),
    ]
    assert "fold in the part column is unknown" in refusal(write(tmp_path / "t.csv", rows))


# Folders and zips


def kaggle(folder):
    write(folder / "train.csv", [NAMED, *ROWS])
    write(folder / "test.csv", [NAMED[1:], *(row[1:] for row in ROWS[:6])])
    write(folder / "sample_submission.csv", [["ImageId", "Label"], *([k, 0] for k in range(6))])
    return folder


def zipped(folder, path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*.*")):
            archive.write(file, file.relative_to(folder))
    return path


def test_kaggles_folder_and_zip_have_a_test_part_without_labels(tmp_path):
    folder = kaggle(tmp_path / "digits")
    for source in (folder, zipped(folder, tmp_path / "digits.zip")):
        assert not holds_pictures(source)
        parts = read_path(source)
        assert is_the_set(parts)
        assert np.array_equal(parts.test.images[:, 0], X[:6]) and not parts.test.labelled
        assert parts.notes == ("ignored, because without pixels: sample_submission.csv",)
        assert len(load(source).test) == 6


def test_sign_mnists_folder_with_copies_and_a_few_pictures_is_read(tmp_path):
    for part in ("train", "test"):
        rows = [NAMED, *(ROWS if part == "train" else ROWS[:6])]
        write(tmp_path / f"sign_mnist_{part}.csv", rows)
        write(tmp_path / f"sign_mnist_{part}" / f"sign_mnist_{part}.csv", rows)
    (tmp_path / "american_sign_language.PNG").write_bytes(b"\x89PNG")
    parts = read_path(tmp_path)
    assert is_the_set(parts)
    assert len(parts.test) == 6
    assert not holds_pictures(tmp_path)


def test_pictures_with_a_table_of_labels_are_read_as_pictures(tmp_path):
    write(tmp_path / "labels.csv", [["file", "label"], ["0.png", 1]])
    (tmp_path / "0.png").write_bytes(b"\x89PNG")
    assert holds_pictures(tmp_path)


def test_many_pictures_take_precedence_over_tables(tmp_path):
    kaggle(tmp_path)
    for k in range(10):
        (tmp_path / f"{k}.png").write_bytes(b"\x89PNG")
    assert holds_pictures(tmp_path)


def test_images_and_labels_in_separate_files_are_joined(tmp_path):
    write(tmp_path / "csvTrainImages 20x64.csv", [row[1:] for row in ROWS])
    write(tmp_path / "csvTrainLabel 20x1.csv", [row[:1] for row in ROWS])
    write(tmp_path / "csvTestImages 6x64.csv", [row[1:] for row in ROWS[:6]])
    write(tmp_path / "csvTestLabel 6x1.csv", [row[:1] for row in ROWS[:6]])
    parts = read_path(tmp_path)
    assert is_the_set(parts)
    assert parts.test.labels.tolist() == Y[:6].tolist()


def test_two_tables_of_one_part_are_refused_by_name(tmp_path):
    for name in ("a.csv", "b.csv"):
        write(tmp_path / name, [NAMED, *ROWS])
    assert "a.csv, b.csv could both be the train part" in refusal(tmp_path)


def test_arrays_next_to_tables_are_refused_by_name(tmp_path):
    write(tmp_path / "train.csv", [NAMED, *ROWS])
    np.save(tmp_path / "images.npy", X)
    assert "images.npy, train.csv" in refusal(tmp_path)
    (tmp_path / "train.csv").write_text("name,age\nx,3\n")
    assert len(read_path(tmp_path).train) == 20


# Refusals


def changed(row, place, cell):
    rows = [list(row) for row in ROWS]
    rows[row][place] = cell
    return [NAMED, *rows]


LONG = [[*row, 7] if k == 7 else row for k, row in enumerate(ROWS)]
SHORT = [row[:-1] if k == 7 else row for k, row in enumerate(ROWS)]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], ["is empty"]),
        ([NAMED], ["no row below its header"]),
        ([NAMED, *LONG], ["line 9 has 66 cells, the first line 65"]),
        ([NAMED, *SHORT], ["line 9 has 64 cells"]),
        (changed(7, 9, "x\x07"), ["line 9", "'x?' is not a pixel"]),
        (changed(7, 9, ""), ["line 9", "is not a pixel"]),
        (changed(7, 9, "nan"), ["NaN"]),
        ([["label", "age"], *(row[:2] for row in ROWS)], ["has no columns of pixels", "one column named pixels"]),
        ([["label", "class", *NAMED[1:]], *([0, *row] for row in ROWS)], ["label, class could all be the labels"]),
        ([["a_label", "b_label", *NAMED[1:]], *([0, *row] for row in ROWS)], ["a_label, b_label"]),
        ([row[:-1] + row[1:3] for row in ROWS], ["66 pixels per row are not a square"]),
        ([[f"p{k}" for k in range(192)], *([*row[1:]] * 3 for row in ROWS)], ["8×8 in colour", "does not give"]),
        ([["", *row[1:]] if k else ["cat", *row[1:]] for k, row in enumerate(ROWS)], ["row 2 has no label"]),
        ([["y", "pixels"], *([0, packed(x)] for x in X), [0, packed(X[0][:7])]], ["line 22 has 56 pixels", "64"]),
        ([["y", "pixels"], *([0, packed(x[:7])] for x in pixels(9, 10, 8))], ["has no columns of pixels"]),
        ([["y", "pixels"], *([0, packed(x)] for x in X), [0, packed(X[0])[:-2] + "é"]], ["line 22"]),
        ([[0.5, *row[1:-1], 0.5] for row in ROWS], ["neither its first nor its last column can be labels"]),
    ],
)
def test_bad_tables_are_refused_by_name_and_line(tmp_path, rows, words):
    message = refusal(write(tmp_path / "t.csv", rows))
    assert all(word in message for word in words)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"label,pixel0\n\xff\xfe\x80", "save it as CSV in UTF-8"),
        (table([NAMED, *ROWS]).encode() + b"\x80", "at or after line"),
        (b"1," * 2**20, "line 1 has over"),
        (bytes(5000), "no columns of pixels"),
        (b'"' + b"1" * 200_000 + b'",2\n3,4\n', "larger than field limit"),
        (table([NAMED, *ROWS * 42]).encode() + b'"' + b"1" * 200_000 + b'",2\n', "line 842 cannot be split"),
        (gzip.compress(table([NAMED, *ROWS]).encode())[:-20], "cut short"),
    ],
)
def test_files_that_are_not_text_are_refused(tmp_path, content, word):
    (tmp_path / "t.csv").write_bytes(content)
    assert word in refusal(tmp_path / "t.csv")


def test_a_decompression_bomb_is_read_up_to_the_limit_only(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_tables, "MOST_BYTES", 10_000)
    monkeypatch.setattr(csv_tables, "CHUNK", 2_000)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"0," * 64 + b"0\n" + (b"1" + b",0" * 64 + b"\n") * 100_000))
    chunks = []
    real = csv_tables._parse_chunk
    monkeypatch.setattr(csv_tables, "_parse_chunk", lambda *arguments: chunks.append(1) or real(*arguments))
    assert "over 8 GiB" in refusal(tmp_path / "t.csv.gz")
    assert len(chunks) < 20


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255), cut=st.booleans(), headed=st.booleans())
def test_damage_at_any_byte_is_refused_in_one_line_or_harmless(tmp_path, position, byte, cut, headed):
    content = bytearray(table([NAMED, *ROWS] if headed else ROWS).encode())
    at = int(position * len(content))
    content[at] = byte
    path = tmp_path / "t.csv"
    path.write_bytes(content[:at] if cut else content)
    if message := refused(path):
        assert message.isprintable() and str(path) in message
