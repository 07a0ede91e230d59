import json
import os
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import ganforge
from conftest import small_images
from ganforge.applications.apply import apply
from ganforge.data.images import scale
from ganforge.data.sources.pictures_to_apply import as_pictures, read_masks, read_pictures, result_names
from ganforge.errors import UserError
from ganforge.generation.grids import image_grid

SMALL = [
    *("batch_size=8", "latent.dim=6", "generator.filters=8", "discriminator.filters=4"),
    *("run.precision=fp32", "averaging.half_life=0"),
]


def train(folder, recipe, *changes, channels=1):
    """Train a few steps on noisy bars, in colour with three channels."""
    images = small_images().images.expand(-1, channels, -1, -1).clone()
    if channels == 3:
        images[:, 1] //= 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANFORGE_CACHE", str(folder / "cache"))
        patch.setattr("ganforge.experiment.verdict.FAKES", 200)
        data = {"images": images.permute(0, 2, 3, 1).numpy(), "labels": small_images().labels.numpy()}
        return ganforge.train(recipe, data=data, steps=3, out=folder / recipe, changes=[*SMALL, *changes]).folder


@pytest.fixture(scope="module")
def enlarge(tmp_path_factory):
    return train(tmp_path_factory.mktemp("enlarge"), "enlarge-4x")


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    return train(tmp_path_factory.mktemp("complete"), "complete")


@pytest.fixture(scope="module")
def colour(tmp_path_factory):
    return train(tmp_path_factory.mktemp("colour"), "colour", channels=3)


def picture(path, array):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.asarray(array, np.uint8)).save(path)
    return path


def test_enlarged_pictures_keep_the_means_of_their_blocks(enlarge):
    small = torch.randint(256, (5, 1, 2, 2), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    results = apply(ganforge.load(enlarge), small.numpy(), draws=3)
    assert results.draws.shape == (3, 5, 1, 8, 8)
    means = results.draws.double().unfold(3, 4, 4).unfold(4, 4, 4).mean((5, 6))
    assert (means - small.double()).abs().max() <= 1
    assert results.simple[0] == "bicubic"


def test_known_pixels_are_kept(complete):
    images = small_images(6).images
    mask = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    mask[..., :4] = 255
    results = apply(ganforge.load(complete), images.numpy()[:, 0], mask=mask.numpy()[:, 0])
    assert torch.equal(results.draws[0][..., 4:], images[..., 4:])


def test_luma_is_kept(colour):
    grey = torch.randint(256, (4, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    pixels = apply(ganforge.load(colour), grey.numpy()[:, 0]).draws[0].double()
    luma = 0.299 * pixels[:, 0] + 0.587 * pixels[:, 1] + 0.114 * pixels[:, 2]
    assert (luma - grey[:, 0].double()).abs().max() <= 1


def test_a_draw_depends_on_its_number_and_the_seed_alone(enlarge):
    generator, small = ganforge.load(enlarge), np.full((2, 2, 2), 90, np.uint8)
    one, three, other = (apply(generator, small, draws=n, seed=s).draws for n, s in ((1, 0), (3, 0), (1, 1)))
    assert torch.equal(one[0], three[0])
    assert not torch.equal(three[0], three[1])
    assert not torch.equal(one, other)


def test_the_command_writes_folder_sheet_and_arrays(enlarge, tmp_path, run_command):
    (tmp_path / "small").mkdir()
    for k in (1, 2, 10):
        picture(tmp_path / "small" / f"p{k}.png", np.full((2, 2), 20 * k))
    code, out, _ = run_command("apply", enlarge, tmp_path / "small", "--draws", 2, "--out", "applied", "--json")
    assert code == 0
    assert json.loads(out)["n"] == 3
    names = sorted(path.name for path in (tmp_path / "applied").iterdir())
    assert names == ["p1-1.png", "p1-2.png", "p10-1.png", "p10-2.png", "p2-1.png", "p2-2.png", "sheet.png"]
    with Image.open(tmp_path / "applied" / "p1-1.png") as image:
        assert image.size == (8, 8)
    assert run_command("apply", enlarge, tmp_path / "small", "--out", "x.npz")[0] == 0
    with np.load(tmp_path / "x.npz") as arrays:
        assert arrays["images"].shape == (3, 1, 8, 8, 1)
    assert read_pictures(tmp_path / "small").names == ["p1", "p2", "p10"]
    assert run_command("apply", enlarge, tmp_path / "small" / "p1.png", "--out", "x.png")[0] == 0


def test_a_sheet_names_the_file_of_each_row(enlarge, tmp_path, run_command, monkeypatch):
    drawn = []
    monkeypatch.setattr("ganforge.applications.apply.image_grid", lambda *_, **names: drawn.append(names) or grid(*_))
    grid = image_grid
    for name in ("p1", "p10", "a very long name of a picture", "p2"):
        picture(tmp_path / "small" / f"{name}.png", np.zeros((2, 2)))
    code, _, err = run_command("apply", enlarge, "small", "--draws", 2, "--out", "x.png")
    assert code == 0, err
    assert drawn[0]["row_names"] == ["a very long …f a picture", "p1", "p2", "p10"]
    assert drawn[0]["column_names"] == ["given", "result 1", "result 2", "bicubic"]


def test_an_archive_has_the_order_and_the_names_of_its_folder(enlarge, tmp_path, run_command):
    for folder, numbers in (("flat", (1, 2, 10)), ("nested/a", (1, 2)), ("nested/b", (1, 10))):
        (tmp_path / folder).mkdir(parents=True)
        for k in numbers:
            picture(tmp_path / folder / f"{k}.png", np.full((2, 2), 20 * k))
    for name, form in (("flat", "zip"), ("flat", "gztar"), ("nested", "zip")):
        packed = shutil.make_archive(tmp_path / f"{name}-packed", form, tmp_path, name)
        from_archive, from_folder = read_pictures(packed), read_pictures(tmp_path / name)
        assert torch.equal(from_archive.images, from_folder.images)
        assert from_archive.names == from_folder.names
    assert read_pictures(tmp_path / "nested").names == ["a-1", "a-2", "b-1", "b-10"]
    assert read_pictures(tmp_path / "flat").images[:, 0, 0, 0].tolist() == [20, 40, 200]
    assert run_command("apply", enlarge, "flat-packed.zip", "--out", "results")[0] == 0
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["1.png", "10.png", "2.png", "sheet.png"]


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["a.png", "a.bmp"], ["a.png", "a.bmp"]),
        (["A.png", "a.bmp"], ["A.png", "a.bmp"]),
        (["x/a.png", "x/b.png"], ["a", "b"]),
        (["x/a.png", "x-a.png"], ["00000-x-a.png", "00001-x-a.png"]),
        (["a.png", "sheet.png"], ["a.png", "sheet.png"]),
        (["sheet"], ["00000-sheet"]),
    ],
)
def test_every_picture_has_a_result_of_its_own(files, names):
    assert result_names(files) == names


def test_a_picture_called_sheet_is_not_overwritten_by_the_sheet(enlarge, tmp_path, run_command):
    for name in ("a", "sheet"):
        picture(tmp_path / "small" / f"{name}.png", np.zeros((2, 2)))
    assert run_command("apply", enlarge, "small", "--out", "results")[0] == 0
    names = sorted(path.name for path in (tmp_path / "results").iterdir())
    assert names == ["a.png.png", "sheet.png", "sheet.png.png"]


@pytest.mark.parametrize(
    ("source", "out", "replaced"),
    [
        ("small/a.png", "small", "a.png"),
        ("small", "small", "a.png"),
        ("small/a.png", "small/a.png", "a.png"),
        ("small/../small/a.png", "small/a.png", "a.png"),
        ("pictures.npz", "pictures.npz", "pictures.npz"),
    ],
)
def test_no_result_replaces_a_given_picture(enlarge, tmp_path, run_command, source, out, replaced):
    original = picture(tmp_path / "small" / "a.png", np.zeros((2, 2))).read_bytes()
    np.savez(tmp_path / "pictures.npz", images=np.zeros((1, 2, 2), np.uint8))
    code, _, err = run_command("apply", enlarge, source, "--out", out)
    assert code == 2 and f"{replaced} is one of the given files, and would be replaced" in err and err.count("\n") == 1
    assert [path.name for path in (tmp_path / "small").iterdir()] == ["a.png"]
    assert (tmp_path / "small" / "a.png").read_bytes() == original
    assert run_command("apply", enlarge, source, "--out", "small/results")[0] == 0


def test_masks_are_read_alike_from_a_file_a_folder_a_zip_and_arrays(tmp_path):
    missing = np.arange(64).reshape(8, 8) % 3 == 0
    clear = np.dstack([np.zeros((8, 8, 3)), np.where(missing, 0, 255)])
    masks = {"white": missing * 255, "clear": clear}
    for name, mask in masks.items():
        picture(tmp_path / "masks" / f"{name}.png", mask)
        assert (read_masks(tmp_path / "masks" / f"{name}.png")[0, 0].numpy() == missing).all()
    np.savez(tmp_path / "levels.npz", masks=missing[None] * np.uint8(255))
    np.save(tmp_path / "bits.npy", missing[None])
    packed = shutil.make_archive(tmp_path / "packed", "zip", tmp_path, "masks")
    for source in (tmp_path / "masks", packed, tmp_path / "levels.npz", tmp_path / "bits.npy", missing[None]):
        assert (read_masks(source).numpy() == missing).all(), source


def test_a_single_npy_file_is_read_at_any_size(tmp_path):
    np.save(tmp_path / "small.npy", np.zeros((3, 2, 2), np.uint8))
    assert read_pictures(tmp_path / "small.npy").images.shape == (3, 1, 2, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("big.png",), "big.png: pictures of 9×7 pixels, and enlarge-4x takes 2×2"),
        (("missing.png",), "there is no such file"),
        (("small.png", "--draws", 0), "--draws 0: must be 1 or more"),
        (("small.png", "--mask", "small.png"), "belongs to models that complete pictures"),
        (("small.png", "--out", "x.jpg"), "--out x.jpg: write .png"),
        (("mixed",), "mixed: b.png is 9×7 pixels, and a.png is 2×2; give 2×2, which enlarge-4x takes"),
        (("text.npz",), "text.npz: is damaged or not an .npz"),
        (("result.png", "--out", "new"), "already has the size of results, 8×8; give one of 2×2"),
        (("coloured.png", "--out", "new"), "pictures in colour, and those that enlarge-4x learned are grey"),
        (("some-coloured", "--out", "new"), "pictures in colour, as b, and those that enlarge-4x learned are grey"),
        (("dark.tiff", "--out", "new"), "dark.tiff: its levels go from 0 to 1; save it with 8 bits, from 0 to 255"),
        (("moving.gif", "--out", "new"), "moving.gif: is an animation of 2 frames"),
        (("damaged", "--out", "new"), "b.png: is no readable picture"),
        (
            ("huge.png", "--out", "new"),
            "huge.png: is no readable picture (it claims 10,000×10,000 px, more than the limit",
        ),
        (("pairs", "--out", "new"), "pairs: holds pairs; give the pictures of its folder input"),
        (("small.png", "--draws", 10**9), "must be at most 64"),
    ],
)
def test_bad_input_is_refused_in_one_line(enlarge, tmp_path, run_command, arguments, message):
    picture(tmp_path / "small.png", np.zeros((2, 2)))
    picture(tmp_path / "big.png", np.zeros((7, 9)))
    (tmp_path / "mixed").mkdir()
    picture(tmp_path / "mixed" / "a.png", np.zeros((2, 2)))
    picture(tmp_path / "mixed" / "b.png", np.zeros((7, 9)))
    (tmp_path / "text.npz").write_text("no arrays")
    picture(tmp_path / "result.png", np.zeros((8, 8)))
    picture(tmp_path / "coloured.png", np.full((2, 2, 3), (200, 0, 0)))
    picture(tmp_path / "some-coloured" / "a.png", np.zeros((2, 2)))
    picture(tmp_path / "some-coloured" / "b.png", np.full((2, 2, 3), (200, 0, 0)))
    Image.fromarray(np.eye(2, dtype=np.float32)).save(tmp_path / "dark.tiff")
    for folder in ("input", "target"):
        (tmp_path / "pairs").mkdir(exist_ok=True)
        picture(tmp_path / "pairs" / folder / "a.png", np.zeros((2, 2)))
    frames = [Image.fromarray(np.full((2, 2), level, np.uint8)) for level in (0, 200)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    (tmp_path / "damaged").mkdir()
    picture(tmp_path / "damaged" / "a.png", np.zeros((2, 2)))
    (tmp_path / "damaged" / "b.png").write_text("no picture")
    Image.new("1", (10_000, 10_000)).save(tmp_path / "huge.png")  # Pillow warns of it
    code, _, err = run_command("apply", enlarge, *arguments)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "new").exists()


@pytest.mark.skipif(os.name == "nt", reason="pipes and links without a target are of POSIX")
def test_pipes_and_links_without_a_target_are_refused(enlarge, tmp_path, run_command):
    picture(tmp_path / "links" / "a.png", np.zeros((2, 2)))
    (tmp_path / "links" / "b.png").symlink_to("nowhere.png")
    os.mkfifo(tmp_path / "pipe.png")
    for arguments, message in (
        (("apply", enlarge, "links"), "b.png: cannot be read"),
        (("apply", enlarge, "pipe.png"), "pipe.png: is a pipe or a device; save its content as a file"),
        (("edit", "mnist", "--picture", "links/b.png"), "b.png: cannot be read"),
        (("edit", "mnist", "--picture", "pipe.png"), "pipe.png: is a pipe or a device; save its content as a file"),
    ):
        code, _, err = run_command(*arguments)
        assert code == 2 and message in err and err.count("\n") == 1, err


def test_a_result_does_not_depend_on_its_neighbours(enlarge):
    generator = ganforge.load(enlarge)
    small = torch.randint(256, (20, 1, 2, 2), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    condition = scale(generator.recipe.pairs.condition_of(small), generator.recipe.pixel_range)
    latent = generator.latent(20)
    together = generator.draw(latent, condition).int()
    alone = torch.cat([generator.draw(latent[k : k + 1], condition[k : k + 1]) for k in range(20)]).int()
    assert (together - alone).abs().max() <= 1


def test_grey_pictures_are_repaired_beside_a_simple_method(tmp_path, run_command):
    picture(tmp_path / "grey.png", small_images(1).images[0, 0])
    code, _, err = run_command("apply", train(tmp_path, "repair"), "grey.png", "--out", "x.png")
    assert code == 0, err


def test_grey_pictures_are_refused_by_a_model_of_colour(tmp_path):
    repair = ganforge.load(train(tmp_path, "repair", channels=3))
    with pytest.raises(UserError, match="pictures grey, and those that repair learned are in colour"):
        apply(repair, np.zeros((1, 8, 8), np.uint8))


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (None, "needs --mask FILE: white, or transparent"),
        ("missing.png", "--mask missing.png: there is no such file; give a picture"),
        (np.zeros((3, 8, 8), np.uint8), "give one mask of that size"),
    ],
)
def test_a_completion_needs_a_mask_for_its_pictures(complete, mask, message):
    with pytest.raises(UserError, match=message):
        apply(ganforge.load(complete), np.zeros((2, 8, 8), np.uint8), mask=mask)


def test_a_colour_model_learns_from_colour_alone(tmp_path, run_command, bars_file):
    code, _, err = run_command("train", "colour", "--data", bars_file, "--steps", 2)
    assert code == 2
    assert "these are grey" in err
    assert not (tmp_path / "runs").exists()


def test_generators_that_take_no_pictures_are_told_apart(enlarge, run_command):
    for command in (("sample", enlarge), ("write", "12", "--model", enlarge), ("edit", enlarge, "--picture", "x.png")):
        code, _, err = run_command(*command)
        assert code == 2 and "'ganforge apply' takes them" in err
    with pytest.raises(UserError, match="enlarge-4x, enlarge-7x, complete"):
        apply(ganforge.load("mnist"), np.zeros((1, 28, 28), np.uint8))


def test_arrays_of_other_types_are_refused():
    with pytest.raises(UserError, match="give uint8"):
        as_pictures(np.zeros((2, 2, 2)), "the pictures")
    assert as_pictures(np.zeros((2, 4, 5, 3), np.uint8), "").shape == (2, 3, 4, 5)


def test_results_are_counted(enlarge):
    made = []

    def counting(*work):
        made.append(work)
        return made.append

    apply(ganforge.load(enlarge), np.zeros((3, 2, 2), np.uint8), draws=2, counting=counting)
    assert made == [("making results", 6), 3, 3]


def test_simple_methods_are_computed_for_the_sheet_alone(enlarge):
    results = apply(ganforge.load(enlarge), np.zeros((20, 2, 2), np.uint8))
    assert results.draws.shape[1] == 20 and len(results.simple[1]) == 16
    assert results.sheet().height > 16 * 100
