import numpy as np
import pytest
import torch

from ganforge.data.kinds import Signals, read_kind
from ganforge.data.load import load
from ganforge.data.sources.signals import holds_signals, read_signals, to_images, to_values
from ganforge.errors import UserError

HEADER = "# made up\n@problemName Waves\n@timestamps false\n@univariate true\n@classLabel true a b\n@data\n"


def waves(count=12, length=20, channels=1):
    time = np.linspace(0, 6, length)
    phases = np.arange(count)[:, None, None] + np.arange(channels)[:, None]
    return 5 * np.sin(time + phases) - 2


def as_ts(signals, labels):
    rows = [":".join(",".join(f"{x:.6f}" for x in channel) for channel in signal) for signal in signals]
    return HEADER + "".join(f"{row}:{label}\n" for row, label in zip(rows, labels, strict=True))


def as_tsv(signals, labels):
    return "".join(
        "\t".join([label, *(f"{x:.6f}" for x in signal[0])]) + "\n"
        for signal, label in zip(signals, labels, strict=True)
    )


def as_csv(signals, labels):
    return as_tsv(signals, labels).replace("\t", ",")


@pytest.mark.parametrize(
    ("ending", "write"), [("ts", as_ts), ("tsv", as_tsv), ("txt", as_tsv), ("csv", as_csv), ("txt", as_csv)]
)
def test_a_folder_or_file_of_the_archive_has_its_parts_and_classes(tmp_path, ending, write):
    labels = ["a", "b"] * 6
    (tmp_path / f"Waves_TRAIN.{ending}").write_text(write(waves(), labels))
    (tmp_path / f"Waves_TEST.{ending}").write_text(write(waves(), labels))
    for path in (tmp_path, tmp_path / f"Waves_TRAIN.{ending}"):
        raw = read_signals(path)
        assert holds_signals(path)
        assert raw.train.shape == (1, 1, 20) and raw.train.class_names == ("a", "b") and len(raw.test) == 12
        values = to_values(raw.train.images, raw.train.kind).numpy()
        assert np.abs(values - waves()).max() <= 10 / 255 / 2 + 1e-5


@pytest.mark.parametrize("ending", ["csv", "tsv", "txt"])
@pytest.mark.parametrize("separator", ["\t", ",", "; ", "   "])
def test_a_text_file_of_any_name_with_the_label_first_holds_signals(tmp_path, ending, separator):
    path = tmp_path / f"beats.{ending}"
    path.write_text("\ufeff" + as_tsv(waves(), ["-1", "1.0"] * 6).replace("\t", separator), encoding="utf-8")
    splits = load(str(path))
    assert isinstance(splits.train.kind, Signals) and splits.train.shape == (1, 1, 20)
    assert set(splits.train.class_names) == {"-1", "1.0"}


@pytest.mark.parametrize(
    "row",
    [
        "1," + ",".join(["0.5"] * 64),  # a square picture and its label
        ",".join(["0.5"] * 64),  # a square picture
        "7," + ",".join(["0.5"] * 64) + ",1",  # a square picture with its number and label
        "1," + ",".join(["200"] * 20),  # whole numbers from 0 on
        "0.7," + ",".join(["0.5"] * 20),  # no label at the start
        "1," + ",".join(["0.5"] * 7),  # too short
        "label," + ",".join(f"t{k}" for k in range(20)),  # a header
        "a few words",
        "",
    ],
)
def test_a_text_file_of_another_form_holds_no_signals(tmp_path, row):
    path = tmp_path / "x.csv"
    path.write_text(f"{row}\n" * 5)
    assert not holds_signals(path)


def test_a_square_number_of_samples_needs_a_name_of_the_archive(tmp_path):
    text = as_csv(waves(length=64), ["a", "b"] * 6)
    for name, signals in {"x.csv": False, "X_TRAIN.csv": True, "Y_TRAIN.tsv": True}.items():
        (tmp_path / name).write_text(text)
        assert holds_signals(tmp_path / name) is signals
    (tmp_path / "MNIST_TRAIN.csv").write_text(("5," + ",".join(["0", "255"] * 392) + "\n") * 5)
    assert not holds_signals(tmp_path / "MNIST_TRAIN.csv")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a,1.5,2,,4,5,6,7,8,9,10,11\n", "signal 0 holds a missing or infinite value"),
        ("a,1.5,2,NaN,4,5,6,7,8,9,10,11\n", "signal 0 holds a missing or infinite value"),
        ("a,1.5,2,3,4,5,6,7,8,9,10,inf\n", "signal 0 holds a missing or infinite value"),
        ("a,1.5,2,3,4,5,6,7,8,9,10,11\nb,1,2,3,4,5,6,7,8,9\n", "lengths of 9 to 11; cut or fill"),
        ("a,1.5,2,3,4,5,6,7,8,9,10,11\n" * 3 + "b,1,2,3,4,5,x,7,8,9,10,11\n", "signal 3: could not convert string"),
    ],
)
def test_bad_values_of_a_csv_give_one_line(tmp_path, rows, message):
    (tmp_path / "x.csv").write_text(rows)
    with pytest.raises(UserError) as error:
        load(str(tmp_path / "x.csv"))
    assert message in str(error.value) and "\n" not in str(error.value)


def test_channels_of_a_ts_file_are_separated_by_colons(tmp_path):
    (tmp_path / "Waves.ts").write_text(as_ts(waves(channels=3), ["a", "b"] * 6))
    assert load(str(tmp_path / "Waves.ts")).train.shape == (3, 1, 20)


@pytest.mark.parametrize(
    ("names", "channels"), [(("X", "y"), 2), (("X_train", "y_train"), 1), (("signals", "labels"), 9)]
)
def test_an_npz_of_three_dimensions_and_few_channels_holds_signals(tmp_path, names, channels):
    np.savez(tmp_path / "w.npz", **{names[0]: waves(channels=channels), names[1]: np.arange(12) % 2})
    splits = load(str(tmp_path / "w.npz"))
    assert splits.train.shape == (channels, 1, 20) and splits.train.labelled
    assert isinstance(splits.train.kind, Signals)


def test_an_npz_of_pictures_holds_no_signals(tmp_path):
    np.savez(tmp_path / "p.npz", X=np.zeros((12, 28, 28), np.uint8), y=np.arange(12) % 2)
    assert not holds_signals(tmp_path / "p.npz")


def test_scaling_by_hand_and_back():
    kind = Signals(low=(-1.0, 0.0), high=(1.0, 100.0))
    values = torch.tensor([[[-1.0, 0.0, 1.0, 5.0], [0.0, 50.0, 100.0, -3.0]]])
    images = to_images(values, kind)
    assert images[0, :, 0].tolist() == [[0, 128, 255, 255], [0, 128, 255, 0]]
    back = to_values(images, kind)
    assert torch.allclose(back[0, 1], torch.tensor([0, 12800 / 255, 100, 0]))


def test_a_kind_is_read_back_and_a_damaged_one_refused():
    kind = Signals(low=(0.5,), high=(2.0,))
    assert read_kind(kind.model_dump(mode="json"), "here") == kind
    assert read_kind(None, "here") is None
    with pytest.raises(UserError, match="here: the kind of its data is damaged"):
        read_kind({"kind": "smell"}, "here")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEADER + "1,2,3,4,5,6,7,8:a\n1,2:b\n", "lengths of 2 to 8; cut or fill"),
        (HEADER + "1,2,?,4,5,6,7,8:a\n1,2,3,4,5,6,7,8:b\n", "signal 0 holds a missing or infinite value"),
        (HEADER + "1,2,nan,4,5,6,7,8:a\n", "signal 0 holds a missing"),
        (HEADER + "1,2,inf,4,5,6,7,8:a\n", "signal 0 holds a missing"),
        (HEADER + "1,2,x,4,5,6,7,8:a\n", "could not convert string to float"),
        (HEADER + "1,2,3:a\n1,2,4:b\n", "1 channels of 3 samples; give"),
        (HEADER + "1,1,1,1,1,1,1,1:a\n1,1,1,1,1,1,1,1:b\n", "channel 0 has one value throughout"),
        (HEADER + "1,2,3,4,5,6,7,8:1,2:a\n", "different lengths"),
        (HEADER, "holds no signal"),
        (HEADER.replace("timestamps false", "timestamps true") + "1,2:a\n", "has time stamps"),
    ],
)
def test_bad_signals_give_one_line(tmp_path, content, message):
    (tmp_path / "Waves.ts").write_text(content)
    with pytest.raises(UserError) as error:
        load(str(tmp_path / "Waves.ts"))
    assert message in str(error.value) and "\n" not in str(error.value)


def test_parts_of_other_lengths_are_refused_and_values_beyond_are_clipped_with_a_note(tmp_path):
    np.savez(tmp_path / "a.npz", signals_train=waves(), signals_test=waves(length=21))
    with pytest.raises(UserError, match="have 1 channels of 21 samples"):
        read_signals(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", signals_train=waves(), signals_test=waves() * 3)
    raw = read_signals(tmp_path / "b.npz")
    assert any("beyond the training values: clipped" in note for note in raw.notes)
