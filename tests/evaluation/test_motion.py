import pytest
import torch

from ganforge.evaluation.motion import continue_motion


def frame(*squares, side=20, channels=1, ground=0):
    """A frame [1, C, side, side] with bright squares of 3 pixels at (top, left)."""
    picture = torch.full((1, channels, side, side), ground, dtype=torch.uint8)
    for top, left in squares:
        rows, columns = slice(max(0, top), max(0, top + 3)), slice(max(0, left), max(0, left + 3))
        picture[:, :, rows, columns] = 200
    return picture


@pytest.mark.parametrize(("channels", "ground"), [(1, 0), (3, 40)])
def test_each_object_keeps_its_own_velocity(channels, ground):
    frames = [frame((3 + k, 3 + 2 * k), (14 - 2 * k, 12), channels=channels, ground=ground).clone() for k in range(4)]
    continued = continue_motion(frames[0], frames[1], 2, bounce=False)
    assert continued.shape == (1, 2, channels, 20, 20) and continued.dtype == torch.uint8
    assert torch.equal(continued[:, 0], frames[2])
    assert torch.equal(continued[:, 1], frames[3])


def test_objects_leave_the_picture_or_bounce():
    before, last = frame((8, 4)), frame((8, 1))
    leaving = continue_motion(before, last, 3, bounce=False)[0, :, 0]
    assert torch.equal(leaving[0], frame((8, -2))[0, 0])
    assert leaving[2].max() == 0
    bouncing = continue_motion(before, last, 3, bounce=True)[0, :, 0]
    assert (bouncing.flatten(1).double().sum(1) == 9 * 200).all()  # whole in every frame
    lefts = bouncing.amax(1).argmax(1).tolist()
    assert lefts == sorted(lefts) and lefts[2] - lefts[0] == 6


def test_the_stronger_pixel_counts_where_objects_meet():
    before, last = frame((8, 2), (8, 14)), frame((8, 4), (8, 12))
    last[last > 0] = 100
    last[:, :, 8:11, 12:15] = 200
    before[:, :, 8:11, 2:5] = 100
    met = continue_motion(before, last, 2, bounce=False)[0, 1, 0]
    assert torch.equal(met, frame((8, 8))[0, 0])


def test_a_photograph_moves_as_a_whole():
    noise = torch.randint(256, (1, 1, 24, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    clip = [noise[:, :, 4 - k : 20 - k, 4:20] for k in range(3)]
    continued = continue_motion(clip[0], clip[1], 1, bounce=False)
    assert torch.equal(continued[0, 0, :, 3:-3, 3:-3], clip[2][0, :, 3:-3, 3:-3])


def test_an_empty_frame_stays_empty():
    assert continue_motion(frame(), frame(), 2, bounce=True).max() == 0
