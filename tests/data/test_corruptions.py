import pytest
import torch

from ganforge.data.corruptions import CORRUPTIONS, corrupted
from ganforge.judge.shipped import load_judge
from weak_digits import digits


@pytest.mark.parametrize("name", CORRUPTIONS)
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
