import json

import pytest

from ganforge.recipes.reading import load_recipe


@pytest.fixture
def small(tmp_path):
    recipe = load_recipe("gan-2d", ["generator.hidden=[8, 8]", "discriminator.hidden=[6]"])
    (tmp_path / "small.toml").write_text(recipe.to_toml())
    return "small.toml"


def test_the_table_says_what_was_done(run_command, small, tmp_path):
    call = ("benchmark", "ring", "--recipe", small, "--steps", 150, "--seeds", 2)
    code, out, err = run_command(*call)
    assert code == 0, err
    rows = {line.split("  ")[0]: line for line in out.splitlines()}
    assert rows["PacGAN2"].split()[1:5] == ["7.9", "95.60", "0.07", "–"]
    assert "2,500" in rows["PacGAN2"]
    assert "2 seeds of 10, 150 of 400,000 steps: shortened, not the protocol, other nets: open architecture" in out
    assert "real data (floor)" in out and "100,000" in out
    assert "s for 10,000 steps" in out
    folder = tmp_path / "runs" / "benchmark-ring-gan-2d"
    assert {file.name for file in (folder / "seed-1").iterdir()} == {
        "checkpoints",
        "curve.jsonl",
        "step-150.json",
        "step-150.png",
    }
    code, out, err = run_command(*call, "--json")
    assert code == 0 and err == ""
    found = json.loads(out)
    assert [seed["seed"] for seed in found["seeds"]] == [0, 1]
    assert found["floor"]["2500"]["modes"] == 8 and not found["is_protocol"] and found["open_architecture"]


def test_quick_calls_itself_no_protocol(run_command, small):
    code, out, _ = run_command("benchmark", "grid", "--recipe", small, "--quick", "--steps", 100)
    assert code == 0
    assert "--quick, no protocol: 1 seed of 10, 100 of 400,000 steps" in out
    assert "runs/benchmark-grid-gan-2d-quick/seed-*" in out
