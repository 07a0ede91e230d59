from types import SimpleNamespace

import pytest
import torch

from ganforge.benchmarks.next_frame import ClipMeasurer, ClipRow, NextFrameResult
from ganforge.data.moving_digits import digit_paths, moving_digits
from ganforge.data.pairs import NextFrame
from ganforge.evaluation.clips import DigitTruth, split_clips


@pytest.fixture
def measurer(monkeypatch):
    """A measurer of 20 clips of bright and dark squares, whose judge looks at the brightness."""

    def look(pictures):
        return SimpleNamespace(classes=(pictures.double().mean((1, 2, 3)) > 145).long())

    monkeypatch.setattr("ganforge.benchmarks.next_frame.load_judge", lambda: SimpleNamespace(look=look))
    digits = torch.tensor([90, 200]).view(2, 1, 1, 1).expand(2, 1, 6, 6).to(torch.uint8).contiguous()
    options = {"frames": 12, "side": 16, "per_clip": 1}
    paths = digit_paths(2, (6, 6), 20, 0, **options)
    pair = split_clips(NextFrame(kind="next-frame", given=2), moving_digits(digits, 20, 0, **options))
    truth = DigitTruth(torch.from_numpy(paths.chosen), paths.tops[:, :, 2:], paths.lefts[:, :, 2:], (6, 6))
    return ClipMeasurer(pair, truth, lambda _: None)


def test_all_simple_methods_are_measured_and_the_truth_is_best(measurer):
    others = measurer.measure_others()
    assert list(others) == ["constant motion", "reflecting motion", "last frame", "black frames"]
    truth = measurer.measure(measurer.pair.future)
    assert truth["frame_mse"] == 0 and truth["read_10"] == 1
    assert others["constant motion"]["frame_mse_1"] < others["last frame"]["frame_mse_1"]
    assert others["black frames"]["sharpness"] == 0
    assert all(set(metrics) == set(truth) for metrics in others.values())


def rows(reads, mse):
    return tuple({"read_10": read, "frame_mse": mse, "told_apart": 0.9} for read in reads)


def result(ours, control):
    others = (ClipRow("constant motion", ({"read_10": 0.17, "frame_mse": 211.0},)),)
    return NextFrameResult(
        20, ClipRow("ours", rows(ours, 90.0), "9 steps"), ClipRow("L1", rows(control, 80.0), "9 steps"), others
    )


@pytest.mark.parametrize(
    ("ours", "control", "verdict"),
    [
        ((0.5, 0.51, 0.52), (0.2, 0.21, 0.22), "the GAN helps: 51.0% of the digits are read after ten frames"),
        ((0.2, 0.21, 0.22), (0.5, 0.51, 0.52), "the GAN harms"),
        ((0.2, 0.5, 0.3), (0.3, 0.4, 0.35), "the GAN does nothing"),
        ((0.5,), (0.2,), "cannot tell"),
    ],
)
def test_the_verdict_asks_for_readable_digits(ours, control, verdict):
    assert result(ours, control).verdict().startswith(verdict)


def test_the_report_names_the_protocol_the_budgets_and_the_published_rows():
    report = result((0.5, 0.51, 0.52), (0.2, 0.21, 0.22))
    text = "\n".join(report.lines())
    assert "moving-mnist-10to10-framesum-ssim7-own20" in text
    assert "| 9 steps |" in text and "25.04" in text and "hundreds of epochs" in text
    assert "MSE 10→10 90.0 and 80.0" in text and "constant motion, without training, 17.0%" in text
    assert report.to_dict()["protocol"] == report.protocol
    widths = {line.count("|") for line in report.lines() if line.startswith("| ours")}
    heads = {line.count("|") for line in report.lines() if line.startswith(("| method", "| after"))}
    assert widths == heads


@pytest.mark.slow
def test_the_test_clips_are_those_of_the_data_set():
    from conftest import HAS_MNIST
    from ganforge.benchmarks.next_frame import protocol_clips
    from ganforge.data.load import load

    if not HAS_MNIST:
        pytest.skip("set GANFORGE_DATA to a folder with MNIST")
    pair, truth = protocol_clips(30)
    clips = load("moving-mnist").test.images[:30]
    assert torch.equal(torch.cat([pair.given, pair.future[:, :, 0]], 1), clips)
    assert truth.labels.shape == (30, 2) and truth.tops.shape == (30, 2, 10)
