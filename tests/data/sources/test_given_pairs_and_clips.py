import numpy as np
import pytest
import torch
from PIL import Image

import ganforge
from ganforge.data.load import load
from ganforge.data.sources.clips import read_clip
from ganforge.errors import UserError

SMALL = ["batch_size=4", "latent.dim=4", "generator.filters=8", "discriminator.filters=4", "run.precision=fp32"]


def picture(path, size, seed=0, colour=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (*size, 3) if colour else size
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)).save(path)


def pairs(folder, count=30, given=(4, 4), target=(8, 8), colour=False):
    for k in range(count):
        picture(folder / "input" / f"p{k}.png", given, k)
        picture(folder / "target" / f"p{k}.png", target, 100 + k, colour)
    return folder


def gif(path, frames=6, side=8, shift=0):
    images = [Image.fromarray(np.full((side, side), 30 * k + shift, np.uint8)) for k in range(frames)]
    path.parent.mkdir(parents=True, exist_ok=True)
    images[0].save(path, save_all=True, append_images=images[1:], duration=50)


def test_own_pairs_are_read_by_name_and_trained(tmp_path):
    splits = load(str(pairs(tmp_path / "own", colour=True)))
    assert splits.train.shape == (4, 8, 8)
    run = ganforge.train("own-pairs", data=tmp_path / "own", steps=2, out="run", changes=[*SMALL, "pairs.channels=3"])
    resumed = ganforge.resume("run", steps=3)
    assert (run.step, resumed.step) == (2, 3)
    from ganforge.applications.apply import apply

    results = apply(ganforge.load("run"), np.zeros((2, 8, 8), np.uint8))
    assert results.draws.shape == (1, 2, 3, 8, 8)


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda folder: (folder / "input" / "p3.png").unlink(), r"target/p3.png has no partner of that name \(1 of 30"),
        (lambda folder: picture(folder / "input" / "p3.png", (5, 4)), r"p3\.png is 4×5 in input/ and 8×8 in target/"),
        (lambda folder: picture(folder / "target" / "p3.png", (16, 16)), "targets of several sizes"),
        (lambda folder: picture(folder / "input" / "p3.bmp", (4, 4)), "p3.(bmp|png) and p3.(bmp|png) have one name"),
        (lambda folder: (folder / "target" / "p3.png").write_text("x"), "target/p3.png: is no readable picture"),
        (lambda folder: gif(folder / "input" / "p3.png"), "p3.png: is an animation of 6 frames"),
    ],
)
def test_pairs_that_do_not_fit_are_refused(tmp_path, break_it, message):
    break_it(pairs(tmp_path / "own"))
    with pytest.raises(UserError, match=message):
        load(str(tmp_path / "own"))


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("own-pairs", "targets of own are in colour: add --set pairs.channels=3"),
        ("next-frame", "own holds pairs, and this recipe takes clips: take own-pairs"),
        ("enlarge-4x", "own holds pairs, and this recipe takes single pictures"),
    ],
)
def test_pairs_need_a_recipe_that_takes_them(tmp_path, recipe, message):
    with pytest.raises(UserError, match=message):
        ganforge.train(recipe, data=pairs(tmp_path / "own", colour=True), steps=1, changes=SMALL)


def test_other_files_may_lie_beside_the_pairs_and_inputs_are_applied_at_their_size(tmp_path):
    from ganforge.applications.apply import apply

    (pairs(tmp_path / "own") / "README.txt").write_text("ours")
    ganforge.train("own-pairs", data=tmp_path / "own", steps=1, out="run", changes=SMALL)
    results = apply(ganforge.load("run"), tmp_path / "own" / "input")
    assert results.draws.shape == (1, 30, 1, 8, 8)


def test_animations_are_clips(tmp_path):
    for k in range(12):
        gif(tmp_path / "clips" / f"c{k}.gif", frames=6 + k % 2, shift=k)
    splits = load(str(tmp_path / "clips"))
    assert splits.train.shape == (6, 8, 8)
    assert "clips of 6 frames, longer ones cut" in splits.origin
    with pytest.raises(UserError, match=r"11 frames or more; these have 6; --set pairs\.given=5"):
        ganforge.train("next-frame", data=tmp_path / "clips", steps=2, out="run", changes=SMALL)
    changes = [*SMALL, "pairs.given=4"]
    run = ganforge.train("next-frame", data=tmp_path / "clips", steps=2, out="run", changes=changes)
    assert run.step == 2


def test_arrays_of_five_dimensions_are_clips(tmp_path):
    clips = np.random.default_rng(0).integers(0, 256, (20, 5, 1, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "clips.npz", clips=clips)
    train = load(str(tmp_path / "clips.npz")).train
    assert train.shape == (5, 8, 8)
    whole = {row.tobytes() for row in clips}
    assert all(image.numpy().tobytes() in whole for image in train.images)


def test_clips_are_refused_by_recipes_for_single_pictures(tmp_path):
    np.savez(tmp_path / "clips.npz", clips=np.zeros((20, 5, 1, 8, 8), np.uint8))
    with pytest.raises(UserError, match="holds clips or pairs"):
        ganforge.train("vanilla", data=tmp_path / "clips.npz", steps=1)


def test_a_single_frame_is_no_clip(tmp_path):
    picture(tmp_path / "frames" / "a.png", (8, 8))
    with pytest.raises(UserError, match="needs two or more"):
        read_clip(tmp_path / "frames")
    picture(tmp_path / "frames" / "b.png", (9, 8))
    with pytest.raises(UserError, match="several sizes"):
        read_clip(tmp_path / "frames")


def test_a_damaged_animation_is_refused(tmp_path):
    gif(tmp_path / "a.gif")
    (tmp_path / "a.gif").write_bytes((tmp_path / "a.gif").read_bytes()[:30])
    with pytest.raises(UserError, match="is no readable animation"):
        read_clip(tmp_path / "a.gif")


def test_a_folder_of_frames_is_a_clip(tmp_path):
    for k in range(3):
        picture(tmp_path / "frames" / f"f{k}.png", (8, 8), k, colour=True)
    clip = read_clip(tmp_path / "frames")
    assert clip.shape == (3, 3, 8, 8) and clip.dtype == torch.uint8


def test_frames_of_other_sizes_are_refused(tmp_path):
    gif(tmp_path / "clips" / "a.gif")
    gif(tmp_path / "clips" / "b.gif", side=9)
    with pytest.raises(UserError, match="its frames are 9×9"):
        load(str(tmp_path / "clips"))


def test_few_pairs_or_clips_are_trained_in_smaller_batches(tmp_path):
    changes = [change for change in SMALL if not change.startswith("batch_size")]
    pairs(tmp_path / "own", count=9)
    for k in range(9):
        gif(tmp_path / "clips" / f"c{k}.gif", frames=5, shift=k)
    for recipe, data, extra in (("own-pairs", "own", []), ("next-frame", "clips", ["pairs.given=3"])):
        ganforge.train(recipe, data=tmp_path / data, steps=1, out=tmp_path / recipe, changes=[*changes, *extra])
        assert (
            "batch_size = 2\n" in (tmp_path / recipe / "recipe.toml").read_text()
        )  # 7 for training, half of them, in twos
    with pytest.raises(UserError, match="batch_size = 8 is more than the 7"):
        ganforge.train("own-pairs", data=tmp_path / "own", changes=[*changes, "batch_size=8"])


@pytest.mark.parametrize(
    ("recipe", "data", "message"),
    [
        ("own-pairs", "one", "one: has no target/; give a folder with input/ and target/"),
        ("own-pairs", "digits", "holds single pictures, and this recipe takes pairs"),
        ("next-frame", "one/input", "input: p.png is no animation; give a folder of animations"),
        (
            "next-frame",
            "walk.gif",
            "walk: 1 clip is too few for train, validation and test; give 4 clips or more, of 11",
        ),
    ],
)
def test_missing_pairs_and_clips_are_named(tmp_path, recipe, data, message):
    picture(tmp_path / "one" / "input" / "p.png", (8, 8))
    gif(tmp_path / "walk.gif")
    with pytest.raises(UserError, match=message):
        ganforge.train(recipe, data=data if data == "digits" else tmp_path / data, steps=1)
