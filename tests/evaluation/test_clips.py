import pytest
import torch
from pydantic import TypeAdapter

from ganforge.data.moving_digits import digit_paths, moving_digits
from ganforge.data.pairs import PairsTable
from ganforge.errors import UserError
from ganforge.evaluation.clips import DigitTruth, clip_metrics, clips_told_apart, digits_read, split_clips

RULE = TypeAdapter(PairsTable).validate_python({"kind": "next-frame", "given": 2})


def shapes():
    """Two digits to tell apart by their brightness, and clips of them with the truth."""
    digits = torch.tensor([90, 200]).view(2, 1, 1, 1).expand(2, 1, 6, 6).to(torch.uint8).contiguous()
    options = {"frames": 12, "side": 24, "per_clip": 1}
    paths = digit_paths(2, (6, 6), 30, 0, **options)
    clips = moving_digits(digits, 30, 0, **options)
    truth = DigitTruth(torch.from_numpy(paths.chosen), paths.tops[:, :, 2:], paths.lefts[:, :, 2:], (6, 6))
    return split_clips(RULE, clips), truth


def brightness(pictures):
    return (pictures.double().mean((1, 2, 3)) > 145).long()


def test_clips_are_split_after_the_given_frames():
    clips = torch.arange(5).view(1, 5, 1, 1).to(torch.uint8)
    pair = split_clips(RULE, clips, 2)
    assert pair.given.flatten().tolist() == [0, 1]
    assert pair.future.shape == (1, 2, 1, 1, 1) and pair.future.flatten().tolist() == [2, 3]
    assert split_clips(RULE, clips).future.shape[1] == 3
    with pytest.raises(UserError, match="clips of 2 frames: the model looks at 2"):
        split_clips(RULE, clips[:, :2])


def test_the_true_clips_are_best():
    pair, truth = shapes()
    metrics = clip_metrics(pair.future, pair.future)
    assert metrics["frame_mse"] == 0 and metrics["frame_ssim"] == pytest.approx(1) and metrics["sharpness"] == 1
    assert digits_read(truth, pair.future, pair.future, brightness) == dict.fromkeys(
        ("read_1", "read_2", "read_5", "read_10"), 1
    )


def test_copies_of_the_last_frame_get_worse_and_stay_sharp():
    pair, truth = shapes()
    copies = pair.given[:, -1:, None].expand_as(pair.future)
    metrics = clip_metrics(pair.future, copies)
    assert 0 < metrics["frame_mse_1"] < metrics["frame_mse_2"] < metrics["frame_mse_5"]
    assert metrics["frame_mse"] > metrics["frame_mse_1"]
    assert metrics["sharpness"] == pytest.approx(1, abs=0.15)
    read = digits_read(truth, pair.future, copies, brightness)
    assert 1 >= read["read_1"] > read["read_5"]


def test_copied_frames_are_told_apart_as_clips():
    digits = torch.full((1, 1, 6, 6), 200, dtype=torch.uint8)
    pair = split_clips(RULE, moving_digits(digits, 400, 0, frames=6, side=16, per_clip=1))
    copies = pair.given[:, -1:, None].expand_as(pair.future)
    assert clips_told_apart(pair.future, copies) > 0.8
