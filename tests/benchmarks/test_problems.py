import math

import pytest
import torch

from ganforge.benchmarks import problems
from ganforge.benchmarks.problems import Points, StackedDigits, stretched
from ganforge.data.load import load
from ganforge.data.synthetic import grid, mode_number, ring
from ganforge.judge.shipped import load_judge


def real(mixture, count=20_000):
    return mixture.points(count, 5).points


@pytest.mark.parametrize("mixture", [ring(), grid()], ids=lambda m: m.name)
def test_real_points_have_the_figures_of_the_floor(mixture):
    problem, modes = Points(mixture), len(mixture.centres)
    measured = problem.figures(real(mixture))
    assert measured["modes"] == problem.modes == modes
    assert measured["high_quality"] == pytest.approx(98.89, abs=0.3)
    assert measured["reverse_kl"] == pytest.approx((modes - 1) / 40_000, abs=4e-4)
    assert measured["std_ratio"] == pytest.approx(1, abs=0.02)
    floor = problem.floor(2_500)
    assert floor["reverse_kl"] == pytest.approx((modes - 1) / 5_000, rel=0.35)  # .0014 and .0048


def test_each_failure_changes_its_figure():
    problem, mixture, points = Points(ring()), ring(), real(ring())
    modes = mixture.nearest(points)[0]
    collapsed = problem.figures(points[modes == 3])
    assert collapsed["modes"] == 1 and collapsed["reverse_kl"] == pytest.approx(math.log(8))
    missed = problem.figures(points[modes != 3])
    assert missed["modes"] == 7 and missed["reverse_kl"] == pytest.approx(math.log(8 / 7), abs=0.002)
    shrunken = problem.figures(mixture.centres[modes] + (points - mixture.centres[modes]) / 2)
    assert shrunken["high_quality"] > 99.99 and shrunken["std_ratio"] == pytest.approx(0.513, abs=0.02)
    assert problem.figures(points + 0.02)["std_ratio"] < 1  # a shifted mode is no wider, though fewer are good
    assert problem.figures(points + 0.02)["high_quality"] < 70
    shifted = problem.figures(points + 0.5)
    assert shifted == {"modes": 0, "high_quality": 0, "reverse_kl": None, "std_ratio": None}


def test_a_point_is_high_quality_up_to_three_standard_deviations():
    problem, centre = Points(ring()), ring().centres[0]
    at = [centre + torch.tensor([0.0, far * 0.01]) for far in (2.99, 3.01)]
    assert problem.figures(torch.stack(at))["high_quality"] == 50


@pytest.fixture
def stacked(monkeypatch):
    """The protocol on the digits of scikit-learn, which need no download."""
    monkeypatch.setattr(problems, "load", lambda name, images: load("digits", images=images))
    return StackedDigits("all", kept=300)


def test_each_colour_is_read_by_the_judge_red_first(stacked):
    from ganforge.recipes.reading import load_recipe

    batches = stacked.batches(load_recipe("dcgan-stacked", ["run.device=cpu"]), 0)
    pixels = torch.cat([batches[k].images for k in range(4)])
    assert pixels.min() == 0 and pixels.max() == 1  # this protocol's pixels are not -1..1
    samples = (pixels * 255).round().to(torch.uint8)
    predicted = load_judge().look(samples.flatten(0, 1)[:, None]).classes.view(-1, 3)
    truth = stacked._stacks.some(300, 0).labels[:256]
    assert (mode_number(predicted) == truth).double().mean() > 0.7  # it reads 92 % of these digits, three of them 78 %
    assert stacked.figures(samples)["modes"] == len(mode_number(predicted).unique())


def test_faint_digits_lose_modes_for_the_judge_but_not_at_full_contrast(stacked):
    """Faint digits, as drawn by generators whose discriminator normalises its first layer."""
    real = stacked._stacks.some(300, 0).gather(torch.arange(300))
    faint = (110 + real.float() * 0.25).to(torch.uint8)
    measured, true = stacked.figures(faint), stacked.figures(real)
    assert measured["modes"] < 0.5 * true["modes"] and measured["reverse_kl"] > true["reverse_kl"] + 0.5
    assert measured["modes_full_contrast"] == pytest.approx(true["modes"], rel=0.1)
    assert true["modes_full_contrast"] == pytest.approx(true["modes"], rel=0.1)


def test_full_contrast_stretches_the_ink_and_leaves_a_grey_image_empty():
    image = torch.full((2, 1, 10, 10), 90, dtype=torch.uint8)
    image[0, 0, 2:4, 2:4] = torch.tensor([[110, 110], [110, 100]], dtype=torch.uint8)
    ink, grey = stretched(image)
    assert ink[0, 2:4, 2:4].tolist() == [[255, 255], [255, 128]] and ink.count_nonzero() == 4
    assert not grey.any()


def test_one_repeated_stack_is_one_mode(stacked):
    samples = stacked._stacks.gather(torch.tensor([1234])).expand(50, -1, -1, -1)
    measured = stacked.figures(samples)
    assert measured["modes"] == measured["modes_full_contrast"] == 1
    assert measured["reverse_kl"] == measured["reverse_kl_full_contrast"] == pytest.approx(math.log(1000))


def test_the_floor_by_digits_equals_the_floor_by_stacks(stacked):
    real = stacked._stacks.some(200, 4).gather(torch.arange(200))
    assert stacked.figures_of_real(200, 4) == stacked.figures(real)


def test_both_pools_of_digits(stacked):
    assert len(stacked._stacks.digits) > len(StackedDigits("train", kept=None)._stacks.digits)
