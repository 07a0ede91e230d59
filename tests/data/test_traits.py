import torch

from ganforge.data.traits import measured_traits


def picture(*boxes):
    image = torch.zeros(1, 28, 28, dtype=torch.uint8)
    for top, bottom, left, right, level in boxes:
        image[0, top:bottom, left:right] = level
    return image


def test_thickness_loops_and_place_are_measured():
    thin = picture((4, 24, 13, 15, 255))
    thick = picture((4, 24, 10, 16, 255))
    ring = picture((4, 24, 4, 24, 255), (8, 20, 8, 20, 0))
    two_rings = picture((4, 24, 4, 24, 255), (6, 12, 8, 20, 0), (15, 21, 8, 20, 0))
    left = picture((4, 24, 1, 3, 255))
    traits = measured_traits(torch.stack([thin, thick, ring, two_rings, left]))
    assert traits["loops"].tolist() == [0, 0, 1, 2, 0]
    assert 1.5 < traits["thickness"][0] < 3 < traits["thickness"][1] < 7
    assert traits["right"][4] == -12 and abs(traits["right"][0]) < 0.01 and abs(traits["down"][0]) < 0.01


def test_an_empty_picture_has_finite_traits():
    traits = measured_traits(torch.zeros(1, 3, 8, 8, dtype=torch.uint8))
    assert all(abs(values[0]) < 10 for values in traits.values())
