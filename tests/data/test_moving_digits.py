import numpy as np
import pytest
import torch

from ganforge.data.moving_digits import digit_paths, moving_digits

DOT = torch.full((1, 1, 2, 2), 200, dtype=torch.uint8)


def positions(clips):
    """Return the top left corner of the only digit in each frame, [clips, frames, 2]."""
    rows, columns = (clips.amax(dim).argmax(2) for dim in (3, 2))
    return torch.stack([rows, columns], 2)


def test_digits_move_evenly_and_bounce():
    clips = moving_digits(DOT, 50, 0, frames=30, side=42, per_clip=1)
    assert clips.shape == (50, 30, 42, 42)
    assert (clips.flatten(2).double().sum(2) == 4 * 200).all()  # whole in every frame
    places = positions(clips).double()
    steps = places.diff(dim=1)
    lengths = steps.square().sum(2).sqrt()
    away = ((places[:, :-1] > 4) & (places[:, :-1] < 36) & (places[:, 1:] > 4) & (places[:, 1:] < 36)).all(2)
    assert (lengths[away] - 4).abs().max() < 1.5  # a tenth of 40 pixels, rounded
    signs = steps.sign()
    assert (signs[:, 1:] * signs[:, :-1] < 0).any(1).any(1).double().mean() > 0.9  # nearly every digit bounces


def test_same_seed_same_clips():
    assert torch.equal(moving_digits(DOT, 3, 1), moving_digits(DOT, 3, 1))
    assert not torch.equal(moving_digits(DOT, 3, 1), moving_digits(DOT, 3, 2))


def test_the_brighter_pixel_counts():
    two = torch.stack([torch.full((1, 64, 64), 10), torch.full((1, 64, 64), 90)]).to(torch.uint8)
    clips = moving_digits(two, 200, 0, frames=2)
    assert set(clips.flatten(1).amax(1).tolist()) == {10, 90}
    assert (clips.flatten(1).amin(1) == clips.flatten(1).amax(1)).all()


def test_paths_say_where_each_digit_is():
    shades = torch.tensor([50, 100, 150]).view(3, 1, 1, 1).expand(3, 1, 2, 3).to(torch.uint8)
    clips = moving_digits(shades, 20, 4, frames=6, side=20, per_clip=1)
    paths = digit_paths(3, (2, 3), 20, 4, frames=6, side=20, per_clip=1)
    for clip in range(20):
        for frame in range(6):
            top, left = paths.tops[clip, 0, frame], paths.lefts[clip, 0, frame]
            shade = shades[paths.chosen[clip, 0], 0, 0, 0]
            assert (clips[clip, frame, top : top + 2, left : left + 3] == shade).all()


def published_places(count, frames):
    """Return places [count, frames] in 0..1 along one axis by the code of the published clips, one loop as there."""
    random = np.random.default_rng(0)
    place, velocity = random.random(count), 0.1 * np.sin(random.random(count) * 2 * np.pi)
    places = []
    for _ in range(frames):
        place = place + velocity
        velocity = np.where((place <= 0) | (place >= 1), -velocity, velocity)
        place = np.clip(place, 0, 1)
        places.append(place)
    return np.stack(places, 1)


@pytest.mark.parametrize("frames", [1, 2, 5, 9])
def test_digits_go_as_far_as_in_the_published_clips(frames):
    tops = digit_paths(10, (28, 28), 4000, 0).tops.reshape(-1, 20) / (64 - 28)
    ours, published = (np.abs(p[:, frames:] - p[:, :-frames]).mean() for p in (tops, published_places(8000, 20)))
    assert ours == pytest.approx(published, rel=0.03)
