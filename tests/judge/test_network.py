import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from ganforge.judge.network import FEATURE_DIM, JudgeNetwork, fitting_layers


def test_one_image_costs_no_more_than_thirty_million_operations():
    with FlopCounterMode(display=False) as counter:
        JudgeNetwork(10).eval()(torch.zeros(1, 1, 28, 28))
    assert 25e6 < counter.get_total_flops() <= 30e6


def test_every_stage_has_the_promised_shape():
    stages = JudgeNetwork(7).activations(torch.zeros(2, 1, 28, 28))
    assert {name: tuple(stage.shape[1:]) for name, stage in stages.items()} == {
        "stage1": (32, 14, 14),
        "stage2": (64, 7, 7),
        "stage3": (128, 3, 3),
        "dense": (FEATURE_DIM,),
        "features": (FEATURE_DIM,),
        "logits": (7,),
    }


def test_gradients_reach_every_parameter():
    network = JudgeNetwork(10)
    network(torch.rand(8, 1, 28, 28)).square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in network.parameters())


@pytest.mark.parametrize("side", [8, 9, 15, 16, 28, 32, 39, 40, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_image_size_has_a_small_network(channels, side):
    shape = (channels, side, side + 1 if side < 64 else side)
    network = JudgeNetwork(5, shape, fitting_layers(shape)).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        stages = network.activations(torch.zeros(1, *shape))
    assert stages["logits"].shape == (1, 5)
    last = stages[network.stages[-1]]
    assert min(last.shape[2:]) >= 1 and max(last.shape[2:]) <= 5
    assert counter.get_total_flops() < 90e6
