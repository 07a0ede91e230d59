import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from ganforge.data.pairs import PairsTable, luma, masked, strokes, uniform
from ganforge.errors import UserError

RULES = {
    "downsample": {"kind": "downsample", "factor": 4},
    "mask": {"kind": "mask", "missing": ["half", "centre", "strokes"]},
    "grey": {"kind": "grey"},
    "damage": {"kind": "damage"},
    "next-frame": {"kind": "next-frame", "given": 2, "channels": 3},
    "given": {"kind": "given", "channels": 3},
}
CHANNELS = {"next-frame": 12, "given": 4}


def rule(kind, **changes):
    return TypeAdapter(PairsTable).validate_python(RULES[kind] | changes)


def pictures(kind, n=9, side=16):
    random = torch.Generator().manual_seed(5)
    return torch.randint(256, (n, CHANNELS.get(kind, 3), side, side), dtype=torch.uint8, generator=random)


@pytest.mark.parametrize("kind", RULES)
def test_a_pair_depends_on_seed_and_index_alone(kind):
    images, pair_rule = pictures(kind), rule(kind)
    indices = torch.arange(100, 109)
    whole = pair_rule.pairs(images, 3, indices)
    part = pair_rule.pairs(images[4:6], 3, indices[4:6])
    assert torch.equal(whole.condition[4:6], part.condition)
    assert torch.equal(whole.target[4:6], part.target)


@pytest.mark.parametrize("kind", ["mask", "damage", "next-frame"])
def test_another_seed_makes_other_pairs(kind):
    images, indices = pictures(kind, n=30), torch.arange(30)
    first, second = (rule(kind).pairs(images, seed, indices).condition for seed in (0, 1))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("kind", RULES)
def test_shapes_are_those_of_the_pairs(kind):
    images = pictures(kind)
    target, condition = rule(kind).shapes(tuple(images.shape[1:]))
    pair = rule(kind).pairs(images, 0, torch.arange(len(images)))
    assert tuple(pair.target.shape[1:]) == target
    assert tuple(pair.condition.shape[1:]) == condition
    assert pair.target.dtype == pair.condition.dtype == torch.uint8
    assert rule(kind).visible(pair.condition).shape[2:] == pair.target.shape[2:]


def test_downsampling_is_the_mean_of_each_block():
    images = pictures("downsample")
    condition = rule("downsample").pairs(images, 0, torch.arange(9)).condition
    blocks = images.double().unfold(2, 4, 4).unfold(3, 4, 4).mean((4, 5))
    assert (condition[:, :, ::4, ::4].double() - blocks).abs().max() <= 0.5
    assert torch.equal(rule("downsample").condition_of(condition[:, :, ::4, ::4]), condition)


@pytest.mark.parametrize("kind", ["downsample", "grey", "mask"])
def test_the_true_picture_agrees_with_its_condition(kind):
    images = pictures(kind)
    condition = rule(kind).pairs(images, 0, torch.arange(9)).condition
    projected = rule(kind).consistency()(images.double() / 255, condition.double() / 255)
    assert (projected * 255 - images.double()).abs().max() <= 4  # the condition is rounded to grey levels


def test_halves_are_equally_often():
    masks = rule("mask", missing=["half"]).masks((16, 16), 0, torch.arange(4000))
    corners = (masks[:, 0, 0, 0].bool().long() * 2 + masks[:, 0, 15, 15].bool().long()).bincount(minlength=4)
    assert masks.double().mean() == 255 / 2
    assert corners.tolist()[0] == corners.tolist()[3] == 0
    sides = {tuple(mask[0, [0, 15], [15, 0]].tolist()) for mask in masks}
    assert len(sides) == 2
    four = masks[:, 0].flatten(1).unique(dim=0, return_counts=True)[1]
    assert len(four) == 4
    assert (four - 1000).abs().max() < 110


def test_masked_pixels_are_hidden():
    images = pictures("mask").clamp(min=1)
    pair = rule("mask").pairs(images, 0, torch.arange(9))
    missing = pair.condition[:, -1:].expand(-1, 3, -1, -1) == 255
    assert (pair.condition[:, :3][missing] == 0).all()
    assert torch.equal(pair.condition[:, :3][~missing], images[~missing])


def test_strokes_cover_a_part_only():
    covered = torch.stack([strokes(28, 28, 0, k) for k in range(50)]).double().mean((1, 2)) / 255
    assert covered.min() > 0.01
    assert covered.max() < 0.9


def test_luma_of_grey_is_the_grey_level():
    grey = torch.arange(256, dtype=torch.uint8).view(-1, 1, 1, 1)
    assert torch.equal(luma(grey.expand(-1, 3, -1, -1)), grey)
    assert luma(torch.tensor([255, 0, 0], dtype=torch.uint8).view(1, 3, 1, 1)).item() == round(255 * 0.299)


@pytest.mark.parametrize("damage", ["noise", "blur", "jpeg", "stripes"])
@pytest.mark.parametrize("channels", [1, 3])
def test_each_damage_changes_the_picture(damage, channels):
    images = pictures("damage")[:, :channels]
    condition = rule("damage", damages=[damage]).pairs(images, 0, torch.arange(9)).condition
    assert (condition != images).flatten(1).any(1).all()


def test_next_frame_follows_the_given_ones():
    clips = torch.arange(4, dtype=torch.uint8).repeat_interleave(3).view(1, 12, 1, 1).expand(40, -1, 8, 8)
    pair = rule("next-frame").pairs(clips, 0, torch.arange(40))
    last_given, target = pair.condition[:, 3, 0, 0].long(), pair.target[:, 0, 0, 0].long()
    assert torch.equal(target, last_given + 1)
    assert set(target.tolist()) == {2, 3}


@pytest.mark.parametrize(
    ("kind", "shape", "said"),
    [
        ("downsample", (1, 28, 30), "must divide"),
        ("grey", (1, 8, 8), "grey"),
        ("next-frame", (6, 8, 8), "3 frames or more"),
        ("given", (3, 8, 8), "input/"),
    ],
)
def test_pictures_of_another_kind_are_refused(kind, shape, said):
    with pytest.raises(UserError, match=said):
        rule(kind).shapes(shape)


def test_uniform_numbers_are_uniform_and_independent():
    numbers = uniform(0, "name", torch.arange(20_000), 3)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert (numbers.mean(0) - 0.5).abs().max() < 0.01
    assert (numbers.var(0) - 1 / 12).abs().max() < 0.002
    assert np.abs(np.corrcoef(numbers.T.numpy()) - np.eye(3)).max() < 0.03
    assert abs(float(np.corrcoef(numbers[1:, 0], numbers[:-1, 0])[0, 1])) < 0.03
    assert not torch.equal(numbers, uniform(0, "other", torch.arange(20_000), 3))


def test_a_mask_is_a_further_channel():
    condition = masked(torch.full((1, 1, 2, 2), 7, dtype=torch.uint8), torch.tensor([[[[0, 255], [200, 3]]]]))
    assert condition.flatten().tolist() == [7, 0, 0, 7, 0, 255, 255, 0]


def test_unknown_fields_are_refused():
    with pytest.raises(ValidationError):
        rule("grey", factor=2)
