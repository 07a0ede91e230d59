import io
import json
import sys
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from ganforge.data.load import load
from ganforge.data.reading_rules import ReadingRules
from ganforge.data.sources import parquet
from ganforge.data.sources.parquet_footer import claims_of
from ganforge.errors import UserError

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


X, Y = pixels(40, 8, 8), np.arange(40) % 4
NAMES = ["T-shirt/top", "Trouser", "a", "b"]


def encoded(array, form="PNG"):
    content = io.BytesIO()
    Image.fromarray(array).save(content, form)
    return content.getvalue()


def features(**of_columns):
    return {"huggingface": json.dumps({"info": {"features": of_columns}})}


CLASSES = features(image={"_type": "Image"}, label={"names": NAMES, "_type": "ClassLabel"})


def write(path, metadata=None, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), path)
    return path


def images(array=X):
    return [{"bytes": encoded(image), "path": f"{k}.png"} for k, image in enumerate(array)]


def huggingface(path, count=40, array=X):
    return write(path, CLASSES, image=images(array[:count]), label=Y[:count])


def refusal(path, rules=None):
    with pytest.raises(UserError) as caught:
        load(path, **({"rules": rules} if rules else {}))
    message = str(caught.value)
    assert message.isprintable()
    return message


def pairs(*sets):
    """Return the images of all sets with their class names, unordered."""
    return sorted(
        (image.numpy().tobytes(), one.class_names[label] if label >= 0 else None)
        for one in sets
        for image, label in zip(one.images, one.labels, strict=True)
    )


def expected(names=NAMES, array=X, labels=Y):
    return sorted((image.tobytes(), names[label]) for image, label in zip(array, labels, strict=True))


# Encoded pictures


def test_hugging_faces_pictures_are_read_with_their_class_names(tmp_path):
    splits = load(huggingface(tmp_path / "set.parquet"))
    assert splits.train.shape == (1, 8, 8)
    assert splits.train.class_names == tuple(NAMES)
    assert pairs(splits.train, splits.validation, splits.test) == expected()
    assert splits.train.span  # it is in the cache, like pictures


@pytest.mark.parametrize("below", ["data/", "plain_text/", ""])
def test_shards_and_parts_are_identified_by_name(tmp_path, below):
    for shard in (0, 1):
        huggingface(tmp_path / f"{below}train-0000{shard}-of-00002.parquet", 20, X[20 * shard :])
    huggingface(tmp_path / f"{below}test-00000-of-00001-a1b2c3.parquet", 12)
    huggingface(tmp_path / f"{below}validation-00000-of-00001.parquet", 8)
    splits = load(tmp_path)
    assert pairs(splits.train) == expected()
    assert pairs(splits.test) == expected(array=X[:12], labels=Y[:12])
    assert len(splits.validation) == 8


def test_folders_of_parts_with_numbered_files_are_read(tmp_path):
    for part, count in (("train", 40), ("test", 12)):
        huggingface(tmp_path / part / "0000.parquet", count)
    assert len(load(tmp_path).test) == 12


def test_a_zip_of_parquet_files_is_read(tmp_path):
    huggingface(tmp_path / "train.parquet")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.write(tmp_path / "train.parquet", "set/train.parquet")
    splits = load(tmp_path / "set.zip")
    assert pairs(splits.train, splits.validation, splits.test) == expected()


def test_ignored_columns_are_named(tmp_path):
    path = write(tmp_path / "t.parquet", CLASSES, image=images(), label=Y, licence=["x"] * 40)
    assert load(path).notes == ("t.parquet: columns ignored: licence",)


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_plain_bytes_of_pictures_and_words_as_labels_are_read(tmp_path, kind):
    words = ["ten", "two", "1", "10"]
    column = pa.array([encoded(image) for image in X], kind)
    path = write(tmp_path / "t.parquet", img=column, label=pa.array([words[y] for y in Y]).dictionary_encode())
    splits = load(path)
    assert pairs(splits.train, splits.validation, splits.test) == expected(words)


def test_classes_without_pictures_are_dropped_and_unknown_labels_stay_unknown(tmp_path):
    path = write(tmp_path / "t.parquet", CLASSES, image=images(), label=[k % 3 + 1 for k in range(40)])
    assert load(path).train.class_names == tuple(NAMES[1:])
    path = write(tmp_path / "u.parquet", CLASSES, image=images(), label=[-1] * 20 + [None] * 20)
    assert not load(path).train.labelled


def test_resize_and_skip_bad_work_as_for_pictures(tmp_path):
    sizes = [encoded(pixels(9 + k % 2, 12)) for k in range(30)]
    path = write(tmp_path / "t.parquet", image=[*sizes[:-1], b"no picture"])
    assert "row 30 of t.parquet (picture 30 of 30) cannot be read" in refusal(path)
    assert "--resize 9" in refusal(path, ReadingRules(skip_bad=True))
    splits = load(path, rules=ReadingRules(skip_bad=True, resize=8))
    assert splits.train.shape == (1, 8, 8)
    assert sum(len(part) for part in (splits.train, splits.validation, splits.test)) == 29


def test_rows_without_bytes_are_bad_pictures(tmp_path):
    path = write(tmp_path / "t.parquet", image=[*images(), {"bytes": None, "path": "far/away.png"}])
    assert "row 41" in refusal(path)
    assert len(load(path, rules=ReadingRules(skip_bad=True)).train) == 32


def test_a_changed_file_is_read_again(tmp_path):
    huggingface(tmp_path / "t.parquet")
    before = load(tmp_path / "t.parquet").train.fingerprint
    huggingface(tmp_path / "t.parquet", array=255 - X)
    assert load(tmp_path / "t.parquet").train.fingerprint != before


# Numbers


@pytest.mark.parametrize(
    "column",
    [
        X.tolist(),
        pa.array(X.reshape(40, 64).tolist(), pa.list_(pa.uint8(), 64)),
        pa.array(X.tolist(), pa.list_(pa.list_(pa.uint8()))),
        pa.array((X / 255).tolist(), pa.large_list(pa.large_list(pa.float32()))),
    ],
)
def test_lists_of_pixels_are_read(tmp_path, column):
    splits = load(write(tmp_path / "t.parquet", CLASSES, image=column, label=Y))
    assert splits.train.class_names == tuple(NAMES)
    assert pairs(splits.train, splits.validation, splits.test) == expected()


def test_a_column_for_each_pixel_is_read_as_in_a_table_of_text(tmp_path):
    columns = {f"pixel{place}": X.reshape(40, 64)[:, place] for place in sorted(range(64), key=str)}
    write(tmp_path / "train.parquet", label=Y, source=["x"] * 40, **columns)
    write(tmp_path / "test.parquet", **{name: column[:12] for name, column in columns.items()})
    splits = load(tmp_path)
    assert pairs(splits.train, splits.validation) == expected("0123")
    assert len(splits.test) == 12
    assert splits.notes == ("train.parquet: columns ignored: source",)


def test_a_part_column_splits_the_rows(tmp_path):
    split = ["train"] * 28 + ["dev"] * 6 + ["test"] * 6
    splits = load(write(tmp_path / "t.parquet", image=X.tolist(), label=Y, split=split))
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [28, 6, 6]


# Refusals


def test_without_pyarrow_the_message_says_what_to_install(tmp_path, monkeypatch):
    path = huggingface(tmp_path / "t.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    message = refusal(path)
    assert str(path) in message and 'pip install "ganforge[datasets]"' in message


@pytest.mark.parametrize(
    ("columns", "word"),
    [
        ({"label": Y}, "has no columns of pixels"),
        ({"image": X.tolist(), "label": Y, "y": Y}, "label, y could all be the labels"),
        ({"image": images(), "fine_label": Y, "coarse_label": Y}, "fine_label, coarse_label"),
        ({"a": images(), "b": images()}, "a, b could all be the images"),
        ({"image": [*X[1:].tolist(), X[0][:7].tolist()]}, "different sizes"),
        ({"image": [*X[1:].tolist(), None]}, "different sizes"),
        ({f"p{k}": Y for k in range(65)}, "65 pixels per row are not a square"),
        ({"image": pa.array([], pa.binary()), "label": pa.array([], pa.int64())}, "has no rows"),
        ({"image": pa.array([], pa.list_(pa.uint8()))}, "has no rows"),
        ({"image": pa.array([[0] * 10**6] + [[0]] * 9, pa.list_(pa.uint8()))}, "more than images of at most"),
        ({"image": X.tolist(), "label": [None if k else "a" for k in range(40)]}, "some cells are empty"),
    ],
)
def test_ambiguous_files_are_refused(tmp_path, columns, word):
    message = refusal(write(tmp_path / "t.parquet", **columns))
    assert word in message and str(tmp_path) in message


def test_files_of_several_sets_are_refused_by_name(tmp_path):
    huggingface(tmp_path / "cats.parquet")
    huggingface(tmp_path / "dogs.parquet")
    assert "cats.parquet, dogs.parquet could both be the train part" in refusal(tmp_path)


def test_decompression_bombs_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("ganforge.data.sources.parquet_pictures.SUSPECT_SIZE", 10_000)
    monkeypatch.setattr("ganforge.data.sources.parquet_pictures.SUSPECT_RATIO", 2)
    monkeypatch.setattr(parquet, "SUSPECT_RATIO", 10**9)
    path = write(tmp_path / "t.parquet", image=pa.array([encoded(pixels(60, 60))] * 900).dictionary_encode())
    assert "bytes of pictures" in refusal(path)


@pytest.mark.parametrize("content", [b"PAR1", b"PAR1" + bytes(64) + b"PAR1", b"PAR1" + b"\xff" * 90 + b"PAR1"])
def test_damaged_files_are_refused_in_one_line(tmp_path, content):
    (tmp_path / "t.parquet").write_bytes(content)
    message = refusal(tmp_path / "t.parquet")
    assert "damaged" in message and str(tmp_path / "t.parquet") in message


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_the_footer_agrees_with_pyarrow(tmp_path, compression):
    path = tmp_path / "t.parquet"
    table = pa.table({"image": images(), "label": Y, "rest": X.tolist()}).replace_schema_metadata(CLASSES)
    pq.write_table(table, path, compression=compression, row_group_size=16)
    metadata = pq.ParquetFile(path).metadata
    chunks = [metadata.row_group(group).column(place) for group in range(3) for place in range(4)]
    read = [chunk for chunk in chunks if chunk.path_in_schema.split(".")[0] in ("image", "rest")]
    with path.open("rb") as stream:
        claims = claims_of(stream, ["image", "rest"])
    assert claims.rows == 40
    assert claims.unpacked == sum(chunk.total_uncompressed_size for chunk in read)
    assert claims.values == max(chunk.num_values for chunk in read)


@pytest.mark.parametrize(
    "content", [b"", bytes(8), b"PAR1" * 4, b"\x1c" * 60 + b"\x3c\0\0\0PAR1", b"\xff" * 80 + b"\x50\0\0\0PAR1"]
)
def test_invalid_footers_are_refused(content):
    with pytest.raises(ValueError, match="footer"):
        claims_of(io.BytesIO(content), ["image"])


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.floats(0, 1, exclude_max=True), bits=st.integers(1, 255), cut=st.booleans(), as_lists=st.booleans())
def test_damage_at_any_byte_is_refused_or_harmless(tmp_path, position, bits, cut, as_lists):
    path = tmp_path / "t.parquet"
    write(path, CLASSES, image=X.tolist(), label=Y) if as_lists else huggingface(path)
    content = bytearray(path.read_bytes())
    at = int(position * len(content))
    content[at] ^= bits
    path.write_bytes(content[:at] if cut else content)
    try:
        load(path)
    except UserError as error:
        message = str(error)
    else:
        message = str(path)
    assert message.isprintable() and str(path) in message
