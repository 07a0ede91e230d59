import numpy as np
import pytest
import torch

import ganforge
from ganforge.data.moving_digits import moving_digits
from ganforge.errors import UserError
from ganforge.experiment.evaluate import read_group

SMALL = [
    *("batch_size=8", "latent.dim=4", "generator.filters=8", "discriminator.filters=4"),
    *("run.precision=fp32", "averaging.half_life=0", "pairs.given=2"),
]


@pytest.fixture(scope="module")
def foretell(tmp_path_factory):
    folder = tmp_path_factory.mktemp("foretell")
    digits = torch.full((1, 1, 4, 4), 200, dtype=torch.uint8)
    clips = moving_digits(digits, 1100, 0, frames=5, side=12, per_clip=1)
    np.savez(folder / "clips.npz", clips=clips[:, :, None].numpy())
    run = ganforge.train("next-frame", data=folder / "clips.npz", steps=2, out=folder / "run", changes=SMALL)
    return run.folder, len(clips)


def test_a_run_of_clips_is_measured_against_copies_and_motion(foretell):
    folder, _ = foretell
    evaluation = ganforge.evaluate(folder, split="test")
    names = [metric.name for metric in evaluation.metrics]
    assert names == ["frame_mse", "frame_mse_1", "frame_mse_2", "frame_ssim", "frame_ssim_1", "sharpness"]
    assert evaluation.protocol.judge == "2to3-framesum-ssim7"
    mse = evaluation["frame_mse_1"]
    assert mse.interval[0] < mse.value < mse.interval[1] and mse.worst_case > 0
    assert [note.split(",")[0] for note in evaluation.notes] == ["constant motion", "reflecting motion"]
    assert any("copies of the last frame" in cell for row in evaluation.rows() for cell in row)
    assert read_group(folder).evaluations == (evaluation,)


def test_options_of_single_pictures_and_wrong_numbers_are_refused(foretell):
    folder, count = foretell
    with pytest.raises(UserError, match="--nearest: is for single pictures"):
        ganforge.evaluate(folder, nearest="x.png")
    with pytest.raises(UserError, match="900 clips to measure: there are"):
        ganforge.evaluate(folder, n=900)
    with pytest.raises(UserError, match="clips of 2 frames: the model looks at 2"):
        clips = np.zeros((count, 2, 1, 12, 12), np.uint8)
        np.savez("short.npz", clips=clips)
        ganforge.evaluate(folder, data="short.npz")
