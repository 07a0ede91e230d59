import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ganforge.data.images import ImageSet, Splits
from ganforge.data.load import load
from ganforge.errors import UserError
from ganforge.judge.files import read_judge, save_judge
from ganforge.judge.shipped import load_judge
from ganforge.judge.training import accuracy, train_and_save, train_judge

TOOL = Path(__file__).parents[2] / "tools" / "train_digit_judge.py"


@pytest.fixture(scope="module")
def splits():
    return load("digits")


def test_the_same_seed_gives_the_same_file_and_another_seed_another(splits, tmp_path):
    small = Splits(splits.train.select(slice(0, 300)), splits.validation, splits.test)
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        train_and_save(small, tmp_path / name, "test-1", epochs=1, seed=seed)
    one, again, other = ((tmp_path / name).read_bytes() for name in ("one", "again", "other"))
    assert one == again
    assert one != other
    assert sorted(file.name for file in tmp_path.iterdir()) == ["again", "one", "other"]


@pytest.mark.slow
def test_a_few_epochs_on_few_digits_give_high_accuracy(splits):
    state = torch.get_rng_state()
    steps = []
    network = train_judge(splits, epochs=4, on_step=lambda done, total, loss: steps.append((done, total)))
    assert accuracy(network, splits.validation) > 0.8
    assert steps[-1] == (44, 44)
    assert torch.equal(torch.get_rng_state(), state), "training must not touch the global random state"
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert not network.training


def test_a_judge_survives_its_file(tmp_path):
    judge = load_judge()
    digest = save_judge(tmp_path / "copy.safetensors", judge.network, judge.card)
    network, card, stored_hash = read_judge(tmp_path / "copy.safetensors")
    assert stored_hash == digest == judge.hash
    assert card == judge.card
    assert all(torch.equal(value, judge.network.state_dict()[name]) for name, value in network.state_dict().items())


def test_a_file_without_a_judge_is_rejected_in_one_line(tmp_path):
    (tmp_path / "text").write_text("no judge")
    for name, word in (("text", "is no judge"), ("missing", "cannot be read")):
        with pytest.raises(UserError, match=word) as refusal:
            read_judge(tmp_path / name)
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("shape", "label", "word"),
    [
        ((1, 7, 7), 0, "8 to 64"),
        ((1, 28, 65), 0, "8 to 64"),
        ((4, 28, 28), 0, "grey or colour"),
        ((1, 28, 28), -1, "needs a label"),
        ((1, 28, 28), 0, "one class"),
        ((1, 28, 28), None, "too few"),
    ],
)
def test_data_unfit_for_a_judge_are_rejected(shape, label, word):
    labels = torch.arange(9) % 2 if label is None else torch.full((9,), label)
    images = ImageSet(torch.zeros(9, *shape, dtype=torch.uint8), labels, ("a", "b"))
    with pytest.raises(UserError, match=word):
        train_judge(Splits(images, images, images))


def test_the_command_reports_wrong_input_in_one_line_and_exits_with_2(tmp_path):
    command = [sys.executable, str(TOOL), "--data", "no-such-data", "--out", str(tmp_path / "j")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no-such-data" in done.stderr
    assert "Traceback" not in done.stderr
