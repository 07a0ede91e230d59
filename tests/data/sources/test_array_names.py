import numpy as np
import pytest

from ganforge.data.reading_rules import USUAL, ReadingRules
from ganforge.data.sources.array_names import nameless, place_of
from ganforge.data.sources.readers import read_path
from ganforge.errors import UserError

BEFORE = ReadingRules(version=1)


def pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize(
    ("name", "part", "role"),
    [
        ("images", None, "images"),
        ("IMGS", None, "images"),
        ("x_train", "train", "images"),
        ("trainX", "train", "images"),
        ("Xtr", "train", "images"),
        ("xtrain", "train", "images"),
        ("X_val", "validation", "images"),
        ("train-images", "train", "images"),
        ("images_dev", "validation", "images"),
        ("testImages", "test", "images"),
        ("csvTrainImages 13440x1024", "train", None),
        ("train_data", "train", "images"),
        ("data", None, "images"),
        ("y", None, "labels"),
        ("yTest", "test", "labels"),
        ("y_te", "test", "labels"),
        ("target", None, "labels"),
        ("test_data_labels", "test", "labels"),
        ("trainlabels", "train", "labels"),
        ("val_targets", "validation", "labels"),
        ("label_names", None, "names"),
        ("classnames", None, "names"),
        ("target_names", None, "names"),
        ("train", "train", None),
        ("test10k", "test", None),
        ("latents_values", None, None),
        ("image_ids", None, None),
        ("x_mean", None, None),
        ("metadata", None, None),
        ("train_test", None, None),
    ],
)
def test_names_give_part_and_role(name, part, role):
    place = place_of(name, USUAL)
    assert (place.part, place.role) == (part, role)


def test_version_1_uses_its_table_only():
    assert place_of("X_Train", BEFORE).role == "images"
    assert place_of("trainX", BEFORE).role is None


@pytest.mark.parametrize(("name", "none"), [("arr_0", True), ("arr_12", True), ("arr_x", False), ("array", False)])
def test_default_names_of_numpy_are_recognised(name, none):
    assert nameless(name) is none


# Choosing among arrays

X, Y = pixels(20, 8, 8), np.arange(20) % 4


def read(tmp_path, rules=USUAL, **arrays):
    np.savez(tmp_path / "set.npz", **arrays)
    return read_path(tmp_path / "set.npz", rules)


@pytest.mark.parametrize(
    ("images", "labels"),
    [("data", "target"), ("X", "y"), ("imgs", "categories"), ("trainX", "trainY"), ("Xtr", "ytr"), ("pixels", "digit")],
)
def test_common_pairs_of_names_are_read(tmp_path, images, labels):
    parts = read(tmp_path, **{images: X, labels: Y})
    assert np.array_equal(parts.train.images[:, 0], X)
    assert parts.train.labels.tolist() == Y.tolist()
    assert parts.notes == ()


def test_medmnist_gives_three_parts(tmp_path):
    arrays = {f"{part}_images": pixels(n, 28, 28, 3) for part, n in (("train", 9), ("val", 5), ("test", 4))}
    arrays |= {f"{part}_labels": np.arange(n)[:, None] % 3 for part, n in (("train", 9), ("val", 5), ("test", 4))}
    parts = read(tmp_path, **arrays)
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [9, 5, 4]
    assert parts.validation.labels.tolist() == [0, 1, 2, 0, 1]


def test_arrays_without_names_are_identified_by_shape(tmp_path):
    np.savez(tmp_path / "set.npz", X, Y, np.zeros(3))
    parts = read_path(tmp_path / "set.npz")
    assert parts.train.labels.tolist() == Y.tolist()
    assert "images: array arr_0" in parts.notes[0]
    assert "labels: array arr_1" in parts.notes[1]
    assert parts.notes[2] == "other arrays are ignored: arr_2"


def test_ambiguous_unnamed_labels_are_ignored(tmp_path):
    np.savez(tmp_path / "set.npz", X, Y, Y)
    assert not read_path(tmp_path / "set.npz").train.labelled


def test_the_only_array_with_the_shape_of_images_is_chosen(tmp_path):
    parts = read(tmp_path, faces=X, embeddings=np.zeros((20, 64)), ids=np.arange(20), meta=np.array([{}], object))
    assert np.array_equal(parts.train.images[:, 0], X)
    assert not parts.train.labelled
    assert parts.notes == (
        "images: array faces, the only one with pictures",
        "other arrays are ignored: embeddings, ids, meta",
    )


def test_flat_rows_are_images_if_there_is_no_stack(tmp_path):
    assert read(tmp_path, digits8x8=X.reshape(20, 64), y=Y).train.shape == (1, 8, 8)


def test_scikit_learns_bunch_is_read_with_its_class_names(tmp_path):
    names = np.array(["zero", "one", "two", "three"])
    parts = read(tmp_path, data=X.reshape(20, 64), images=X, target=Y, target_names=names)
    assert parts.train.class_names == ("zero", "one", "two", "three")
    assert parts.notes == ("other arrays are ignored: data",)


@pytest.mark.parametrize("labels", [Y, Y + 1, np.eye(4)[Y], Y[:, None] + 1])
def test_class_names_start_at_the_first_label(tmp_path, labels):
    parts = read(tmp_path, images=X, labels=labels, class_names=np.array(["d", "c", "b", "a"]))
    assert parts.train.class_names == ("d", "c", "b", "a")
    assert parts.train.labels.tolist() == Y.tolist()


def test_class_names_match_if_the_first_class_has_no_image(tmp_path):
    parts = read(tmp_path, images=X, labels=Y % 3 + 1, class_names=np.array(["d", "c", "b", "a", "unused"]))
    assert [parts.train.class_names[label] for label in parts.train.labels[:3]] == ["c", "b", "a"]


def test_class_names_that_do_not_match_are_ignored_with_a_note(tmp_path):
    parts = read(tmp_path, images=X, labels=Y, class_names=np.array(["d", "c"]))
    assert parts.train.class_names == ("0", "1", "2", "3")
    assert "its 2 names do not match the labels" in parts.notes[0]


def test_a_single_part_is_the_whole_set(tmp_path):
    parts = read(tmp_path, x_test=X, y_test=Y)
    assert (len(parts.train), parts.test) == (20, None)


def test_images_along_the_last_axis_find_their_labels(tmp_path):
    np.savez(tmp_path / "set.npz", np.stack([X] * 3, 3).transpose(1, 2, 3, 0), Y + 1)
    assert read_path(tmp_path / "set.npz").train.class_names == ("1", "2", "3", "4")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"a": X, "b": X}, ["a [20, 8, 8], b [20, 8, 8]", "name the array of images 'images'"]),
        ({"a": Y, "b": Y}, ["a [20], b [20]"]),
        ({"images": X, "imgs": X}, ["images, imgs could all be the images"]),
        ({"x_train": X, "trainX": X}, ["x_train, trainX could all be the images"]),
        ({"x": X, "x_train": X}, ["x, x_train"]),
        ({"x": X, "y": Y, "target": Y}, ["y, target could all be the labels"]),
        ({"x": X, "x_test": X, "test_images": X}, ["x_test, test_images could all be the test images"]),
        ({"x_val": X, "x_test": X}, ["no train part"]),
        ({"images": np.array([{}] * 20, object), "labels": Y}, ["never loaded"]),
        ({"images": X, "labels": np.array(["a"] * 20, object)}, ["[labels]", "never loaded"]),
    ],
)
def test_ambiguous_arrays_are_refused_in_one_line(tmp_path, arrays, words):
    with pytest.raises(UserError) as caught:
        read(tmp_path, **arrays)
    assert all(word in str(caught.value) for word in (str(tmp_path), *words))
    assert "\n" not in str(caught.value)


def test_version_1_refuses_other_names(tmp_path):
    parts = read(tmp_path, BEFORE, x=X, y=Y + 1, data=X)
    assert (parts.train.labels.tolist(), parts.notes) == ((Y + 1).tolist(), ())
    with pytest.raises(UserError, match="no array is named images or x_train, only data, target; rename one"):
        read(tmp_path, BEFORE, data=X, target=Y)


def test_only_headers_are_read_for_identification(tmp_path, monkeypatch):
    from ganforge.data.sources import arrays

    read_names = []
    real = arrays.read_npy
    monkeypatch.setattr(arrays, "read_npy", lambda stream, where: read_names.append(where) or real(stream, where))
    read(tmp_path, images=X, labels=Y, latents=np.zeros((20, 500)))
    assert [name.rpartition(" ")[2] for name in read_names] == ["[images]", "[labels]"]


# Folders and zips of arrays


def save(folder, **arrays):
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


def test_a_folder_of_npy_files_is_a_set(tmp_path):
    save(tmp_path / "set", x_train=X, y_train=Y, x_test=X[:8], y_test=Y[:8], other=np.zeros(3))
    parts = read_path(tmp_path / "set")
    assert (len(parts.train), len(parts.test), parts.test.labels.tolist()) == (20, 8, Y[:8].tolist())
    assert parts.notes == ("other arrays are ignored: other.npy",)


def test_a_folder_of_npz_files_of_parts_is_a_set(tmp_path):
    for name, n in (("train", 20), ("val", 5), ("test", 8)):
        np.savez(tmp_path / f"digits-{name}.npz", images=X[:n], labels=Y[:n])
    parts = read_path(tmp_path)
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [20, 5, 8]
    assert parts.test.labels.tolist() == Y[:8].tolist()


@pytest.mark.parametrize("write", [lambda p: np.save(p / "whatever.npy", X), lambda p: np.savez(p / "a.npz", b=X)])
def test_a_nested_folder_with_one_file_is_read_like_the_file(tmp_path, write):
    (tmp_path / "set" / "inner" / "deep").mkdir(parents=True)
    write(tmp_path / "set" / "inner" / "deep")
    assert np.array_equal(read_path(tmp_path / "set").train.images[:, 0], X)


def test_folder_names_give_the_parts(tmp_path):
    save(tmp_path / "set" / "train", images=X, labels=Y)
    save(tmp_path / "set" / "testing", images=X[:8], labels=Y[:8])
    assert len(read_path(tmp_path / "set").test) == 8


def test_several_sets_in_a_folder_are_refused_by_name(tmp_path):
    save(tmp_path / "set" / "cats", images=X)
    save(tmp_path / "set" / "dogs", images=X)
    with pytest.raises(UserError, match="contains several sets: cats, dogs; give the path of one"):
        read_path(tmp_path / "set")
    for name in ("pathmnist", "bloodmnist"):
        np.savez(tmp_path / f"{name}.npz", train_images=X)
    with pytest.raises(UserError, match=r"bloodmnist\.npz \[train_images\], pathmnist\.npz"):
        read_path(tmp_path)
