"""A judge as a file: safetensors with one JSON note, no pickle, the same bytes for the same training."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from ganforge.errors import UserError
from ganforge.files import write_atomically
from ganforge.json_text import to_json
from ganforge.judge.network import DIGIT_LAYERS, FEATURE_DIM, IMAGE_SHAPE, JudgeNetwork, Layers


def name_layers(layers: Layers) -> str:
    """Name the layers of a network in a line, such as ``conv 32 | 64-64 | 128, dense 128``."""
    return f"conv {' | '.join('-'.join(map(str, widths)) for widths in layers)}, dense {FEATURE_DIM}"


@dataclass(frozen=True)
class Card:
    """What a judge's file says of itself.

    Attributes:
        version: which judge this is; figures of two versions are never put side by side.
        classes: the names of the classes, in index order.
        data: SHA-256 fingerprint of the images it was trained on.
        epochs: how often it saw each of them.
        seed: what its training's random draws depended on.
        validation_accuracy: share right of the validation images, on which everything was chosen.
        test_accuracy: share right of the test images, looked at once.
        architecture: name of its layers.
        shape: channels, height and width of the images it looks at.
        flip: whether a mirrored image is still of its class.
    """

    version: str
    classes: tuple[str, ...]
    data: str
    epochs: int
    seed: int
    validation_accuracy: float
    test_accuracy: float
    architecture: str = name_layers(DIGIT_LAYERS)
    shape: tuple[int, int, int] = IMAGE_SHAPE
    flip: bool = False


LATER = ("shape", "flip")
"""Fields that came after the judge of digits: written only where they differ, so that its file keeps its bytes."""


def _note(card: Card) -> dict[str, Any]:
    defaults = {field.name: field.default for field in fields(Card)}
    return {k: v for k, v in asdict(card).items() if k not in LATER or v != defaults[k]}


def save_judge(path: Path, network: JudgeNetwork, card: Card) -> str:
    """Write weights and card to ``path`` and return the file's SHA-256.

    Raises:
        RunFailed: the file cannot be written; what stood there before still does.
    """
    # one key: safetensors writes several in an order that changes from run to run
    note = {"ganforge": to_json(_note(card), sort_keys=True)}
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    content = save(weights, note)
    write_atomically(path, content)
    return hashlib.sha256(content).hexdigest()


def read_judge(path: Path, expected_hash: str | None = None) -> tuple[JudgeNetwork, Card, str]:
    """Read a judge's file and return its frozen network, its card and its SHA-256.

    Raises:
        UserError: the file is missing, is no judge, or its hash is not ``expected_hash``.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); a judge is a .safetensors file") from error
    found = hashlib.sha256(content).hexdigest()
    if expected_hash is not None and found != expected_hash:
        raise UserError(
            f"{path}: its SHA-256 starts with {found[:12]} and not {expected_hash[:12]}, so it is not the judge that "
            "figures were made with; install ganforge again"
        )
    try:
        weights = load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        note: dict[str, Any] = json.loads(header["__metadata__"]["ganforge"])
        lists = {name: tuple(value) for name, value in note.items() if isinstance(value, list)}
        card = Card(**{**note, **lists})
        network = _with_weights(card, weights)
    except SafetensorError as error:
        raise UserError(f"{path}: is no judge of ganforge: no .safetensors file, or one that was cut off") from error
    except (KeyError, TypeError):
        raise UserError(f"{path}: is no judge of ganforge: it bears no card of one") from None
    except ValueError as error:
        raise UserError(f"{path}: is no judge of ganforge: {error}") from error
    except RuntimeError as error:  # torch counts up every weight that has another name or size
        raise UserError(f"{path}: is no judge of ganforge: its weights are not those of its card") from error
    return network, card, found


def _read_layers(name: str) -> Layers:
    """Turn what `name_layers` wrote back into layers.

    Raises:
        ValueError: it is not in that form.
    """
    convolutions = name.removeprefix("conv ").removesuffix(f", dense {FEATURE_DIM}")
    try:
        layers = tuple(tuple(int(width) for width in stage.split("-")) for stage in convolutions.split(" | "))
    except ValueError:
        layers = ()
    if name_layers(layers) != name:
        raise ValueError(f"its layers are {name!r}, which this version cannot read")
    return layers


def _with_weights(card: Card, weights: dict[str, torch.Tensor]) -> JudgeNetwork:
    with torch.device("meta"):
        network = JudgeNetwork(len(card.classes), card.shape, _read_layers(card.architecture))
    network.load_state_dict(weights, assign=True)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.eval().requires_grad_(False)
