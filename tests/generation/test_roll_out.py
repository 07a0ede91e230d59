import numpy as np
import pytest
import torch

import ganforge
from ganforge.errors import UserError
from ganforge.generation.roll_out import continue_clips, roll_out

SMALL = [
    *("batch_size=8", "latent.dim=4", "generator.filters=8", "discriminator.filters=4"),
    *("run.precision=fp32", "averaging.half_life=0", "pairs.given=2"),
]


@pytest.fixture(scope="module")
def foretell(tmp_path_factory):
    folder = tmp_path_factory.mktemp("foretell")
    clips = np.random.default_rng(0).integers(0, 256, (30, 4, 1, 8, 8), dtype=np.uint8)
    np.savez(folder / "clips.npz", clips=clips)
    return ganforge.train("next-frame", data=folder / "clips.npz", steps=2, out=folder / "run", changes=SMALL).folder


def test_results_are_fed_back():
    given = torch.tensor([1, 2, 3]).view(1, 3, 1, 1).expand(2, 3, 2, 2)
    seen = []

    def total(window, frame):
        seen.append((frame, window[0, :, 0, 0].tolist()))
        return window.sum(1, keepdim=True)

    frames = roll_out(total, given, 3)
    assert seen == [(0, [1, 2, 3]), (1, [2, 3, 6]), (2, [3, 6, 11])]
    assert frames.shape == (2, 3, 1, 2, 2)
    assert frames[0, :, 0, 0, 0].tolist() == [6, 11, 20]


def test_colour_frames_move_the_window_by_their_channels():
    given = torch.arange(6).view(1, 6, 1, 1)
    frames = roll_out(lambda window, _: window[:, :3] + 10, given, 2)
    assert frames.flatten().tolist() == [10, 11, 12, 13, 14, 15]


def test_a_draw_depends_on_its_number_and_the_seed_alone(foretell):
    generator = ganforge.load(foretell)
    clips = torch.randint(256, (3, 5, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    two = continue_clips(generator, clips, 3, draws=2)
    assert two.shape == (2, 3, 3, 1, 8, 8) and two.dtype == torch.uint8
    assert torch.equal(two[:1], continue_clips(generator, clips, 3))
    assert torch.equal(two[:, :, :1], continue_clips(generator, clips, 1, draws=2))
    assert torch.equal(two[:, :, 0], generator.translate(clips[:, -2:], draws=2))
    assert not torch.equal(two[0], two[1])
    assert not torch.equal(two, continue_clips(generator, clips, 3, draws=2, seed=1))


def test_a_frame_follows_from_the_frames_before(foretell):
    generator = ganforge.load(foretell)
    clips = torch.randint(256, (2, 2, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    frames = continue_clips(generator, clips, 2)[0]
    window = torch.cat([clips[:, 1:], frames[:, 0]], 1)
    assert torch.equal(frames[:, 1], generator.result(window, seed=0, name="translate 0 frame 1"))


def test_clips_that_do_not_fit_are_refused(foretell):
    generator = ganforge.load(foretell)
    with pytest.raises(UserError, match="looks at 2 frames, and the clip has 1"):
        continue_clips(generator, torch.zeros(1, 1, 8, 8, dtype=torch.uint8), 1)
    with pytest.raises(UserError, match="--frames 0"):
        continue_clips(generator, torch.zeros(1, 2, 8, 8, dtype=torch.uint8), 0)
    with pytest.raises(UserError, match="does not continue clips"):
        continue_clips(ganforge.load("mnist"), torch.zeros(1, 2, 28, 28, dtype=torch.uint8), 1)
