"""Old names of recipe fields on the command line."""

import json

from ganforge.recipes.reading import built_in


def test_both_names_of_a_field_are_refused_in_one_line(run_command, tmp_path):
    text = built_in()["vanilla"].replace("[game]", "[averaging]\nhalf_life = 3\n\n[game]")
    (tmp_path / "both.toml").write_text("ema_half_life = 4\n" + text)
    for arguments in (
        [tmp_path / "both.toml"],
        ["vanilla", "--set", "ema_half_life=4", "--set", "averaging.half_life=3"],
    ):
        code, _, err = run_command("train", *arguments, "--data", "digits")
        assert code == 2 and "ema_half_life is the old name of averaging.half_life" in err and err.count("\n") == 1


def test_an_old_name_is_shown_as_the_new_one(run_command, tmp_path):
    (tmp_path / "old.toml").write_text("packing = 4\n" + built_in()["vanilla"])
    assert "packing = 4  " in run_command("recipes", "show", tmp_path / "old.toml")[1]
    values = json.loads(run_command("recipes", "show", tmp_path / "old.toml", "--json")[1])
    assert values["packing"] == values["game"]["packing"] == 4
