"""Inception features through torch-fidelity, which a stand-in replaces because its weights are large."""

import sys
import types

import pytest
import torch
from torch import nn

from ganforge.errors import UserError
from ganforge.evaluation.inception import inception

MODULE = "torch_fidelity.feature_extractor_inceptionv3"


class StandIn(nn.Module):
    """Like the library: takes uint8 images of three channels and returns a tuple of features."""

    def __init__(self, name, layers, feature_extractor_weights_path):
        super().__init__()
        assert (name, layers) == ("inception-v3-compat", ["2048"])
        self.load_state_dict(torch.load(feature_extractor_weights_path, weights_only=True))

    def forward(self, images):
        assert images.dtype == torch.uint8 and images.shape[1] == 3
        return (images.float().mean((2, 3)),)


@pytest.fixture
def library(monkeypatch):
    stand_in = types.ModuleType(MODULE)
    stand_in.FeatureExtractorInceptionV3 = StandIn
    monkeypatch.setitem(sys.modules, "torch_fidelity", types.ModuleType("torch_fidelity"))
    monkeypatch.setitem(sys.modules, MODULE, stand_in)


def test_grey_pictures_get_three_channels_and_the_protocol_names_the_weights(library, tmp_path):
    torch.save({}, tmp_path / "weights.pth")
    features = inception(tmp_path / "weights.pth")
    grey = torch.arange(8, dtype=torch.uint8).view(2, 1, 2, 2)
    assert features(grey).tolist() == [[1.5] * 3, [5.5] * 3]
    assert features.__qualname__.startswith("inception-2015-")
    torch.save({"other": torch.ones(1)}, tmp_path / "others.pth")
    with pytest.raises(UserError, match="holds no Inception weights"):
        inception(tmp_path / "others.pth")


def test_a_file_that_would_run_code_is_rejected(library, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (exec, ("raise SystemError('it ran')",))

    torch.save({"weights": Bomb()}, tmp_path / "bomb.pth")
    with pytest.raises(UserError, match="holds no Inception weights"):
        inception(tmp_path / "bomb.pth")


def test_missing_files_are_reported(library, tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        inception(tmp_path / "none.pth")


def test_a_missing_library_is_reported(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, MODULE, None)
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(UserError, match="pip install torch-fidelity"):
        inception(tmp_path / "weights.pth")
