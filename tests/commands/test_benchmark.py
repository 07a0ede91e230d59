import json
from dataclasses import replace

import pytest
from PIL import Image

from ganforge.benchmarks.read_curves import read_curves
from ganforge.recipes.reading import load_recipe
from ganforge.reports.figures import mode_curves


@pytest.fixture
def small(tmp_path):
    recipe = load_recipe("gan-2d", ["generator.hidden=[8, 8]", "discriminator.hidden=[6]"])
    (tmp_path / "small.toml").write_text(recipe.to_toml())
    return "small.toml"


def test_the_table_describes_the_benchmark(run_command, small, tmp_path):
    call = ("benchmark", "ring", "--recipe", small, "--steps", 150, "--seeds", 2)
    code, out, err = run_command(*call)
    assert code == 0, err
    rows = {line.split("  ")[0]: line for line in out.splitlines()}
    assert rows["PacGAN2"].split()[1:5] == ["7.9", "95.60", "0.07", "–"]
    assert "2,500" in rows["PacGAN2"]
    assert "2 seeds of 10, 150 of 400,000 steps: shortened, not the protocol, other networks: open architecture" in out
    assert "real data (floor)" in out and "100,000" in out
    assert "s for 10,000 steps" in out
    folder = tmp_path / "runs" / "benchmark-ring-gan-2d"
    assert {file.name for file in (folder / "seed-1").iterdir()} == {
        "checkpoints",
        "curve.jsonl",
        "step-150.json",
        "step-150.png",
    }
    with Image.open(folder / "curve.png") as picture:
        assert picture.size == (770, 715), "the legend of two curves stands below them"
    assert "runs/benchmark-ring-gan-2d/curve.png" in out
    code, out, err = run_command(*call, "--json")
    assert code == 0 and err == ""
    report = json.loads(out)
    assert [seed["seed"] for seed in report["seeds"]] == [0, 1]
    assert report["floor"]["2500"]["modes"] == 8 and not report["is_protocol"] and report["open_architecture"]


def test_beside_draws_curves_of_other_recipes(run_command, small, tmp_path, monkeypatch):
    call = ("benchmark", "ring", "--recipe", small, "--steps", 150, "--quick", "--out")
    assert run_command(*call, "one")[0] == run_command(*call, "short", "--steps", 99)[0] == 0
    assert not (tmp_path / "short" / "curve.png").exists()  # no point before step 100
    drawn = []
    monkeypatch.setattr(
        "ganforge.benchmarks.mode_coverage.mode_curves",
        lambda runs, modes, title: drawn.append((runs, modes, title)) or b"PNG",
    )
    code, out, err = run_command(*call, "two", "--beside", "one, short")
    assert code == 0 and "two/curve.png" in out, err
    [(runs, modes, title)] = drawn
    assert list(runs) == ["two, seed 0", "one, seed 0"] and (modes, title) == (8, "ring")
    assert [step for step, _, _ in runs["one, seed 0"]] == [100, 150] and runs["one, seed 0"] == runs["two, seed 0"]

    (tmp_path / "mine").mkdir()
    for folder in ("mine", "nowhere"):
        code, _, err = run_command(*call, "three", "--beside", folder)
        assert code == 2 and f"{folder} is not a folder of 'ganforge benchmark ring'" in err
        assert not (tmp_path / "three").exists()


def test_a_seed_without_modes_has_a_gap_in_its_curve(tmp_path):
    (tmp_path / "seed-3").mkdir()
    (tmp_path / "benchmark.json").write_text('{"benchmark": "ring"}')
    lines = ({"step": 100, "modes": 0, "reverse_kl": None}, {"step": 150, "modes": 7, "reverse_kl": 0.5, "n": 9})
    (tmp_path / "seed-3" / "curve.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    curves = read_curves(tmp_path, "ring")
    assert str(curves) == f"{{'{tmp_path.name}, seed 3': [(100, 0, nan), (150, 7, 0.5)]}}"
    assert mode_curves(curves, 8, title="ring").startswith(b"\x89PNG")


@pytest.mark.parametrize("last", [100, 300, 900, 40000])
def test_the_axis_of_a_curve_has_several_labels(monkeypatch, last):
    steps = [step for step in (100, 150, 200, 300, 900, 5000, 40000) if step <= last]
    labels = []

    def png(figure):
        figure.canvas.draw()
        low, high = figure.axes[1].get_xlim()
        ticks = zip(figure.axes[1].get_xticks(), figure.axes[1].get_xticklabels(), strict=True)
        labels.extend(label.get_text() for tick, label in ticks if low <= tick <= high)
        return b""

    monkeypatch.setattr("ganforge.reports.figures._png", png)
    mode_curves({"seed 0": [(step, 1, 0.5) for step in steps]}, 8, title="ring")
    assert len(labels) >= (2 if last > 100 else 1) and "100" in labels and "" not in labels


def test_quick_is_marked_as_no_protocol(run_command, small):
    code, out, _ = run_command("benchmark", "grid", "--recipe", small, "--quick", "--steps", 100)
    assert code == 0
    assert "--quick, no protocol: 1 seed of 10, 100 of 400,000 steps" in out
    assert "runs/benchmark-grid-gan-2d-quick/seed-*" in out


def test_techniques_end_in_a_table_of_markdown(run_command, monkeypatch):
    import ganforge.benchmarks.ablations as room

    for name, setup in list(room.ABLATION_SETUPS.items()):
        changes = (*setup.changes, "generator.hidden=[8, 8]", "discriminator.hidden=[6]")
        monkeypatch.setitem(room.ABLATION_SETUPS, name, replace(setup, changes=changes))
    call = ("benchmark", "techniques", "--data", "ring", "--only", "r1,packing", "--quick", "--steps", 4)
    code, out, err = run_command(*call)
    assert code == 0, err
    assert "--quick: a preview, not a result" in out and "4 steps instead of the usual" in out
    rows = {line.split(" | ")[0]: line for line in out.splitlines() if line.startswith("| ")}
    assert {"| base", "| r1", "| packing", "| *real data*"} <= set(rows)
    assert "cannot tell with 1 seed: 3 or more are needed" in rows["| r1"]
    code, out, _ = run_command(*call, "--json")
    assert code == 0
    assert [row["technique"] for row in json.loads(out)["data"]["ring"]["rows"]] == ["base", "r1", "packing"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ring", "--data", "ring"), "--data ring: belongs to techniques, diagnosis, other-data only; leave it out"),
        (("one-nn", "--only", "r1"), "--only r1: belongs to"),
        (("one-nn", "--steps", "0"), "--steps 0: must be 1 or more"),
        (("one-nn", "--beside", "runs/x"), "--beside runs/x: belongs to ring, grid, stacked-mnist"),
        (("techniques", "--recipe", "dcgan"), "base recipes of its own"),
        (("techniques", "--only", "packs"), "--only packs: did you mean packing?"),
        (("techniqes",), "did you mean techniques?"),
    ],
)
def test_incompatible_flags_are_refused(run_command, arguments, words, tmp_path):
    code, _, err = run_command("benchmark", *arguments)
    assert code == 2 and words in err
    assert not list(tmp_path.iterdir())
