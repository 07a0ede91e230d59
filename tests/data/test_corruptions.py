import pytest
import torch

from ganforge.data.corruptions import BRIGHT_ROW, CORRUPTIONS, DARK_ROW, TRIED, corrupted
from ganforge.judge.shipped import load_judge
from weak_digits import digits


@pytest.mark.parametrize("name", TRIED)
def test_a_corruption_is_a_function_of_pictures_and_seed_and_leaves_the_class(name):
    images = digits(60, 5)
    changed = corrupted(images.images, name, 1)
    assert changed.dtype == torch.uint8 and changed.shape == images.images.shape
    assert torch.equal(changed, corrupted(images.images, name, 1))
    assert not torch.equal(changed, images.images)
    # people read digits of little contrast and with stripes, which the judge never saw; these keep their pixels in place
    read = (load_judge().look(changed).classes == images.labels).float().mean()
    pairs = torch.stack([images.images.flatten(1).float(), changed.flatten(1).float()], 1)
    alike = torch.stack([torch.corrcoef(pair)[0, 1] for pair in pairs]).mean()
    assert read > 0.7 or alike > 0.6


def test_a_scanner_breaks_one_row_of_the_middle_half_and_is_no_part_of_the_protocol():
    images = digits(60, 5).images
    for name, level in {BRIGHT_ROW: 255, DARK_ROW: 0}.items():
        changed = corrupted(images, name, 1)
        rows = torch.nonzero((changed == level).all(3).all(1) & (changed != images).any(3).any(1))
        assert len(rows) == 60 and rows[:, 1].min() >= 7 and rows[:, 1].max() < 21
        others = torch.ones(60, 28, dtype=torch.bool)
        others[rows[:, 0], rows[:, 1]] = False
        assert torch.equal(changed[:, 0][others], images[:, 0][others])
        assert name not in CORRUPTIONS
