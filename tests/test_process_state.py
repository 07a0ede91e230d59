"""Settings of torch and NumPy in the calling process change no result, and are restored afterwards."""

import random
import subprocess
import sys
import threading
from contextlib import contextmanager

import numpy as np
import pytest
import torch

import ganforge
from conftest import small_images
from ganforge.errors import UserError
from ganforge.generation.encoder import load_encoder
from ganforge.judge.shipped import load_judge
from ganforge.process_state import plain_state

SMALL = ["generator.filters=4", "discriminator.filters=4", "batch_size=8"]


@contextmanager
def setting(write, value, before):
    write(value)
    try:
        yield
    finally:
        write(before)


def set_precision(backend):
    return lambda value: setattr(backend, "fp32_precision", value)


STATES = {
    "seeded": lambda: setting(torch.manual_seed, 7, 0),
    "float64": lambda: setting(torch.set_default_dtype, torch.float64, torch.float32),
    "default device": lambda: setting(torch.set_default_device, "meta", None),
    "device as a context": lambda: torch.device("meta"),
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "autocast without a cache": lambda: torch.autocast("cpu", torch.bfloat16, cache_enabled=False),
    "autocast that is off": lambda: torch.autocast("cpu", torch.bfloat16, enabled=False),
    "no_grad": torch.no_grad,
    "inference mode": torch.inference_mode,
    "anomaly detection": lambda: torch.autograd.set_detect_anomaly(True),
    "deterministic algorithms": lambda: setting(torch.use_deterministic_algorithms, True, False),
    "coarse products": lambda: setting(torch.set_float32_matmul_precision, "medium", "highest"),
    "coarse products by backend": lambda: setting(set_precision(torch.backends.mkldnn.matmul), "bf16", "ieee"),
    "coarse convolutions": lambda: setting(set_precision(torch.backends.mkldnn.conv), "bf16", "none"),
    "without oneDNN": lambda: setting(torch._C._set_mkldnn_enabled, False, True),
}


def snapshot():
    """All settings that the states above change."""
    precisions = [
        backend.fp32_precision
        for backend in (torch.backends.mkldnn.matmul, torch.backends.mkldnn.conv, torch.backends.cuda.matmul)
    ]
    return {
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "autocast": [torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")],
        "autocast cache": torch.is_autocast_cache_enabled(),
        "autocast depth": [torch.autocast_increment_nesting(), torch.autocast_decrement_nesting()],
        "gradients": [torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_anomaly_enabled()],
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "only warns": torch.is_deterministic_algorithms_warn_only_enabled(),
        "precisions": [*precisions, torch.backends.mkldnn.enabled],
        "random states": [
            torch.get_rng_state().numpy().tobytes(),
            np.random.get_state()[1].tobytes(),
            random.getstate(),
        ],
    }


def inside():
    with plain_state():
        settings = snapshot()
    return settings.pop("deterministic"), settings.pop("only warns"), settings


@pytest.mark.parametrize("state", STATES)
def test_inside_plain_state_settings_are_those_of_a_fresh_process(state):
    _, _, plain = inside()
    with STATES[state]():
        deterministic, only_warns, settings = inside()
    assert settings == plain
    assert deterministic == only_warns == (state == "deterministic algorithms")


def weights(name, changes, data):
    run = ganforge.train(name, data=data, steps=3, changes=changes)
    return (run.folder / "generator.safetensors").read_bytes()


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """The weights in a plain process, by recipe."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("straight"))
        data = arrays()
        return {name: weights(name, changes, data) for name, changes in RECIPES.items()}


def arrays():
    bars = small_images()
    return bars.images.numpy(), bars.labels.numpy()


RECIPES = {"forge-1": [*SMALL, "run.precision=bf16"], "dcgan": [*SMALL, "run.precision=fp32"]}


IN_FLOAT32 = ("float64", "coarse products", "coarse products by backend", "coarse convolutions", "without oneDNN")


@pytest.mark.parametrize(
    ("state", "name"), [*((state, "forge-1") for state in STATES), *((state, "dcgan") for state in IN_FLOAT32)]
)
def test_weights_do_not_depend_on_the_callers_settings_which_are_restored(state, name, straight):
    with STATES[state]():
        before = snapshot()
        trained = weights(name, RECIPES[name], arrays())
        assert snapshot() == before
    assert trained == straight[name]


@pytest.mark.parametrize("state", STATES)
def test_images_and_predictions_do_not_depend_on_the_callers_settings(state):
    generator, judge = ganforge.load("mnist"), load_judge()
    drawn = generator.sample(4, seed=1), generator.morph(labels=[1, 2], frames=3), generator.write("07")
    predictions = judge.look(drawn[0])
    with STATES[state]():
        before = snapshot()
        again = ganforge.load("mnist")
        redrawn = again.sample(4, seed=1), again.morph(labels=[1, 2], frames=3), again.write("07")
        predictions_again = judge.look(redrawn[0])
        assert snapshot() == before
    assert all(map(torch.equal, drawn, redrawn))
    assert torch.equal(predictions.features, predictions_again.features)


def test_codes_do_not_depend_on_autocast():
    run = ganforge.train("vae", data=arrays(), steps=2, changes=["batch_size=8", "run.precision=fp32"])
    images, encoder = small_images().images[:5], load_encoder(run)
    codes = encoder.encode(images)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(load_encoder(run).encode(images), codes)


def test_training_accepts_tensors_of_inference_mode(straight):
    with torch.inference_mode():
        images, labels = map(torch.from_numpy, arrays())
        assert images.clone().is_inference()
        trained = weights("dcgan", RECIPES["dcgan"], (images.clone(), labels.clone()))
    assert trained == straight["dcgan"]


@pytest.mark.parametrize("state", STATES)
def test_settings_are_restored_after_a_refusal(state):
    with STATES[state]():
        before = snapshot()
        with pytest.raises(UserError):
            ganforge.train("dcgan", data=(np.zeros((9, 4, 4)), None))
        assert snapshot() == before


def test_numpy_does_not_raise_although_the_caller_has_set_it_to():
    with np.errstate(all="raise"):
        with plain_state():
            assert np.exp(np.float64(-1000)) == 0
        assert np.geterr()["under"] == "raise"


def test_settings_are_restored_only_when_the_last_thread_ends():
    inside, leave, dtypes = threading.Event(), threading.Event(), []

    def other():
        with plain_state():
            inside.set()
            leave.wait(60)
            dtypes.append(torch.get_default_dtype())

    with setting(torch.set_default_dtype, torch.float64, torch.float32):
        thread = threading.Thread(target=other)
        with plain_state():
            thread.start()
            inside.wait(60)
        leave.set()
        thread.join()
        assert dtypes == [torch.float32]
        assert torch.get_default_dtype() == torch.float64


def test_the_first_call_does_not_change_pythons_random_state():
    script = "import random, ganforge; random.seed(0); ganforge.train; print(random.random())"
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert float(output) == random.Random(0).random()
