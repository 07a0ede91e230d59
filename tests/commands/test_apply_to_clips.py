import json

import numpy as np
import pytest
import torch
from PIL import Image

import ganforge
from ganforge.applications.continue_clips import continue_source
from ganforge.data.sources.clips import read_clip
from ganforge.data.sources.clips_to_continue import read_moving
from ganforge.errors import UserError

SMALL = [
    *("batch_size=8", "latent.dim=4", "generator.filters=8", "discriminator.filters=4"),
    *("run.precision=fp32", "averaging.half_life=0", "pairs.given=3"),
]


def noise(clips, frames, channels=1, side=8):
    return np.random.default_rng(0).integers(0, 256, (clips, frames, channels, side, side), dtype=np.uint8)


@pytest.fixture(scope="module")
def foretell(tmp_path_factory):
    folder = tmp_path_factory.mktemp("foretell")
    np.savez(folder / "clips.npz", clips=noise(30, 4))
    return ganforge.train("next-frame", data=folder / "clips.npz", steps=2, out=folder / "run", changes=SMALL).folder


def gif(path, frames=5, side=8):
    images = [Image.fromarray(np.full((side, side), 40 * k, np.uint8)) for k in range(frames)]
    path.parent.mkdir(parents=True, exist_ok=True)
    images[0].save(path, save_all=True, append_images=images[1:], duration=50)
    return path


def test_a_folder_has_the_clip_its_new_frames_and_a_sheet(foretell, tmp_path, run_command):
    gif(tmp_path / "walk.gif")
    code, out, _ = run_command("apply", foretell, "walk.gif", "--frames", 2, "--draws", 2, "--out", "on", "--json")
    assert code == 0
    names = sorted(path.name for path in (tmp_path / "on").iterdir())
    assert names == [
        *("sheet.png", "walk-1-006.png", "walk-1-007.png", "walk-1.gif"),
        *("walk-2-006.png", "walk-2-007.png", "walk-2.gif"),
    ]
    assert len(json.loads(out)["files"]) == 7
    continued = read_clip(tmp_path / "on" / "walk-1.gif")
    assert torch.equal(continued[:5], read_clip(tmp_path / "walk.gif"))
    with Image.open(tmp_path / "on" / "walk-1-006.png") as frame:
        assert frame.size == (8, 8)
    assert run_command("apply", foretell, "on/walk-1.gif")[0] == 0  # one frame more by default
    assert (foretell / "applied" / "walk-1-008.png").exists()


@pytest.mark.parametrize(("name", "shape"), [("x.npz", (4, 8, 1, 8, 8)), ("x.gif", None), ("x.png", None)])
def test_the_ending_chooses_the_form(foretell, tmp_path, run_command, name, shape):
    clips = noise(2, 5)
    np.savez(tmp_path / "clips.npz", clips=clips)
    assert run_command("apply", foretell, "clips.npz", "--frames", 3, "--draws", 2, "--out", name)[0] == 0
    assert [path.name for path in tmp_path.glob("x*")] == [name]
    if shape:
        with np.load(tmp_path / name) as arrays:
            assert arrays["clips"].shape == shape
            np.testing.assert_array_equal(arrays["clips"][::2, :5], clips)
        assert read_moving(str(tmp_path / name)).frames.shape == shape
    else:
        with Image.open(tmp_path / name) as image:
            assert getattr(image, "n_frames", 1) == (8 if name == "x.gif" else 1)


def test_a_sheet_has_a_column_for_each_frame_and_the_simple_methods(foretell):
    results = continue_source(ganforge.load(foretell), noise(1, 4), 2, draws=2)
    assert list(results.simple) == ["constant motion", "reflecting motion", "last frame"]
    assert results.draws.shape == (2, 1, 2, 1, 8, 8)
    assert results.whole.shape == (2, 1, 6, 1, 8, 8)
    assert results.sheet().width > results.sheet().height / 2


def test_colour_clips_are_seen_in_grey_and_folders_of_frames_are_clips(foretell, tmp_path):
    generator = ganforge.load(foretell)
    results = continue_source(generator, noise(1, 4, channels=3), 1)
    assert results.given.shape == (1, 4, 1, 8, 8)
    (tmp_path / "frames").mkdir()
    for k, frame in enumerate(noise(1, 4)[0, :, 0]):
        Image.fromarray(frame).save(tmp_path / "frames" / f"f{k + 8}.png")
    from_folder = continue_source(generator, tmp_path / "frames", 2)
    assert from_folder.names == ("frames",)
    assert torch.equal(from_folder.draws, continue_source(generator, noise(1, 4)[0], 2).draws)


def test_animations_of_several_lengths_count_by_their_last_frames(tmp_path):
    gif(tmp_path / "clips" / "a.gif", frames=3)
    gif(tmp_path / "clips" / "b.gif", frames=5)
    clips = read_moving(tmp_path / "clips")
    assert clips.names == ["a", "b"]
    assert clips.frames[:, :, 0, 0, 0].tolist() == [[0, 40, 80], [80, 120, 160]]


def test_clips_of_equal_names_have_results_of_their_own(tmp_path):
    for name in ("a.gif", "a.webp"):
        gif(tmp_path / "clips" / name)
    assert read_moving(tmp_path / "clips").names == ["a.gif", "a.webp"]


def test_arrays_with_channels_last_are_clips(foretell):
    generator, clips = ganforge.load(foretell), noise(2, 4, channels=3)
    for array in (clips, clips[0]):
        last = np.moveaxis(array, -3, -1)
        assert torch.equal(continue_source(generator, last, 1).draws, continue_source(generator, array, 1).draws)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("one.gif",), "one.gif: has 1 frame; a clip needs two or more"),
        (("short.gif",), "short.gif: has 2 frames, and next-frame looks at 3; give a longer clip"),
        (("large.gif",), "large.gif: frames of 9×9 pixels, and next-frame takes 8×8"),
        (("mixed",), "mixed: its frames have several sizes; give frames of 8×8, which next-frame takes"),
        (("several",), "b.gif: its frames are 9×9, and those of a.gif 8×8; give 8×8, which next-frame takes"),
        (("text.gif",), "text.gif: is no clip; give an animation"),
        (("half.gif",), "half.gif: is no readable animation"),
        (("damaged-frame",), "5.png: is no readable picture"),
        (("both",), "both: holds animations, as a.gif, and single pictures, as b.png; give a folder of animations"),
        (("text.npz",), "text.npz: is damaged or not an .npz"),
        (("floats.npz",), "float64 [1, 4, 1, 8, 8]; give uint8"),
        (("missing.gif",), "there is no such file"),
        (("text.txt",), "is no clip; give an animation"),
        (("good.gif", "--frames", 0), "--frames 0: must be 1 or more"),
        (("good.gif", "--out", "x.jpg"), "--out x.jpg: write .png"),
        (("good.gif", "--out", "."), "good.gif is one of the given files, and would be replaced"),
        (("good.gif", "--out", "good.gif"), "good.gif is one of the given files, and would be replaced"),
        (("good.gif", "--mask", "good.gif"), "belongs to models that complete pictures"),
    ],
)
def test_bad_clips_are_refused_in_one_line_and_nothing_is_written(foretell, tmp_path, run_command, arguments, message):
    for name, frames, side in (("one", 1, 8), ("short", 2, 8), ("large", 5, 9), ("good", 5, 8)):
        gif(tmp_path / f"{name}.gif", frames, side)
    gif(tmp_path / "several" / "a.gif")
    gif(tmp_path / "several" / "b.gif", side=9)
    (tmp_path / "mixed").mkdir()
    for k in (8, 9):
        Image.fromarray(np.zeros((k, k), np.uint8)).save(tmp_path / "mixed" / f"{k}.png")
    for name in ("text.gif", "text.npz", "text.txt"):
        (tmp_path / name).write_text("no clip")
    content = (tmp_path / "good.gif").read_bytes()
    (tmp_path / "half.gif").write_bytes(content[: len(content) // 2])
    gif(tmp_path / "both" / "a.gif")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "both" / "b.png")
    (tmp_path / "damaged-frame").mkdir()
    for k in range(5):
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "damaged-frame" / f"{k}.png")
    (tmp_path / "damaged-frame" / "5.png").write_text("no picture")
    np.savez(tmp_path / "floats.npz", clips=noise(1, 4) / 255)
    arguments = arguments if "--out" in arguments else (*arguments, "--out", "on")
    code, _, err = run_command("apply", foretell, *arguments)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "on").exists()


def test_other_models_continue_no_clips(tmp_path, run_command):
    gif(tmp_path / "good.gif")
    code, _, err = run_command("apply", "mnist", "good.gif", "--frames", 2, "--out", "on")
    assert code == 2 and "--frames 2: mnist" in err.replace("forge-1", "mnist") and "does not continue clips" in err
    assert err.count("\n") == 1 and not (tmp_path / "on").exists()
    with pytest.raises(UserError, match="does not continue clips"):
        continue_source(ganforge.load("mnist"), noise(1, 4), 1)


def test_new_frames_are_counted(foretell):
    made = []

    def counting(*work):
        made.append(work)
        return made.append

    continue_source(ganforge.load(foretell), noise(2, 4), 3, draws=2, counting=counting)
    assert made == [("continuing clips", 12), *[2] * 6]
