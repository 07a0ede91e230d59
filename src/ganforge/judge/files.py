"""Judge files: safetensors with JSON metadata; the same training gives the same bytes."""

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
    """Return the name of a network's layers, such as ``conv 32 | 64-64 | 128, dense 128``."""
    return f"conv {' | '.join('-'.join(map(str, widths)) for widths in layers)}, dense {FEATURE_DIM}"


@dataclass(frozen=True)
class Card:
    """Metadata of a judge's file.

    Attributes:
        version: name of the judge; metrics of two versions are never compared.
        classes: names of the classes, in index order.
        data: SHA-256 fingerprint of the training images.
        epochs: of its training.
        seed: of its training.
        validation_accuracy: on the validation images, which served every choice.
        test_accuracy: on the test images, which were used once.
        architecture: name of its layers (`name_layers`).
        shape: channels, height and width of its images.
        flip: whether mirrored images keep their class.
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


OPTIONAL_FIELDS = ("shape", "flip")
"""Fields newer than the judge of digits: written only if not the default, so that its file keeps its bytes."""


def _metadata(card: Card) -> dict[str, Any]:
    defaults = {field.name: field.default for field in fields(Card)}
    return {k: v for k, v in asdict(card).items() if k not in OPTIONAL_FIELDS or v != defaults[k]}


def save_judge(path: Path, network: JudgeNetwork, card: Card) -> str:
    """Write weights and card to ``path`` and return the file's SHA-256.

    Raises:
        RunFailed: the file cannot be written; an earlier file at ``path`` is unchanged.
    """
    # a single key: safetensors writes several keys in an order that changes from run to run
    note = {"ganforge": to_json(_metadata(card), sort_keys=True)}
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    content = save(weights, note)
    write_atomically(path, content)
    return hashlib.sha256(content).hexdigest()


def read_judge(path: Path, expected_hash: str | None = None) -> tuple[JudgeNetwork, Card, str]:
    """Return the frozen network, the card and the SHA-256 of a judge's file.

    Raises:
        UserError: the file is missing, holds no judge, or its hash is not ``expected_hash``.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give the .safetensors file of a judge") from error
    file_hash = hashlib.sha256(content).hexdigest()
    if expected_hash is not None and file_hash != expected_hash:
        raise UserError(
            f"{path}: its SHA-256 starts with {file_hash[:12]} and not {expected_hash[:12]}, so it is not the shipped "
            "judge; install ganforge again"
        )
    try:
        weights = load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        note: dict[str, Any] = json.loads(header["__metadata__"]["ganforge"])
        tuples = {name: tuple(value) for name, value in note.items() if isinstance(value, list)}
        card = Card(**{**note, **tuples})
        network = _with_weights(card, weights)
    except SafetensorError as error:
        raise UserError(f"{path}: is no judge of ganforge: no .safetensors file, or a truncated one") from error
    except (KeyError, TypeError):
        raise UserError(f"{path}: is no judge of ganforge: its metadata holds no card of a judge") from None
    except ValueError as error:
        raise UserError(f"{path}: is no judge of ganforge: {error}") from error
    except RuntimeError as error:  # torch's message lists every weight of another name or size
        raise UserError(f"{path}: is no judge of ganforge: its weights do not fit its card") from error
    return network, card, file_hash


def _read_layers(name: str) -> Layers:
    """Return the layers of a name that `name_layers` wrote.

    Raises:
        ValueError: the name has another form.
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
