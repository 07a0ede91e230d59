"""Packages a run's generator to ship with ganforge: python tools/package_model.py RUN NAME.

Weights are stored in half precision and measured as stored, on test images; the model card holds the results.
'make model' trains the run and calls this script.
"""

import sys
from pathlib import Path
from typing import Any

import torch

import ganforge
from ganforge.data.load import load
from ganforge.evaluation.evaluator import Evaluator, generate_images
from ganforge.evaluation.features import FeatureExtractor
from ganforge.files import write_atomically
from ganforge.generation.generator import SHIPPED, TRUNCATION, Generator, load_generator
from ganforge.json_text import to_json
from ganforge.judge.shipped import load_judge
from ganforge.metrics.measurement import Measurement
from ganforge.runs.checkpoint import write_tensors
from ganforge.runs.folder import RunFolder

FAKES, SEEDS = 10_000, 100


def ship(run: Path, name: str) -> Path:
    """Write ``name.safetensors`` and its card ``name.md`` into the package, from a conditional run on digits."""
    source, saved = load_generator(run), RunFolder(run).read_run()
    note = {**source.note, "trained_with": _command(saved, source.note["step"]), "storage": "fp16"}
    half_precision = {key: value.half() for key, value in source.module.state_dict().items()}
    file = SHIPPED / f"{name}.safetensors"
    write_tensors(file, half_precision, note)
    generator = load_generator(file)
    splits = load(saved["data"]["source"])
    evaluator = Evaluator(FeatureExtractor(load_judge()), splits, "test", FAKES, reals=splits.test)
    measured = evaluator.measure(generate_images(generator, splits.test, FAKES, seed=0))
    card = _card(name, note, saved, measured, _count_correct(generator), file.stat().st_size)
    write_atomically(file.with_suffix(".md"), card.encode())
    return file


def _command(saved: dict[str, Any], step: int) -> str:
    """Return the command that trains the run again; its length is in steps, because minutes depend on the machine."""
    return f"ganforge train {saved['recipe']} --data {saved['data']['name']} --steps {step} --seed {saved['seed']}"


def _count_correct(generator: Generator) -> list[int]:
    """Return, for each class, in how many of 100 seeds the judge reads the picture by ``ganforge write`` correctly."""
    count = len(generator.class_names)
    text = "".join(generator.class_names)
    classes = [load_judge().look(generator.write(text, seed=seed)).classes for seed in range(SEEDS)]
    correct: list[int] = (torch.stack(classes) == torch.arange(count)).sum(0).tolist()
    return correct


def _card(name: str, note: dict[str, Any], saved: dict[str, Any], m: Measurement, correct: list[int], size: int) -> str:
    def cells(values: list[float | None] | None) -> str:
        return " | ".join("" if value is None else f"{value:.3f}" for value in values or [])

    recalls = [
        None if a is None or not b else a / b
        for a, b in zip(m.class_recall, m.class_recall_real_reference, strict=True)
    ]
    columns = "|---" * len(note["class_names"])
    return f"""# The generator `{name}`

Draws the requested handwritten digits: `ganforge write 20261122`, `ganforge sample --model {name}`.

- **What**: recipe `{saved["recipe"]}`, averaged weights at step {note["step"]:,}, stored in half precision
  ({size / 1e6:.1f} MB).
- **How**: `{note["trained_with"]}` ({saved["seconds"]:.0f} s of training, torch {saved["versions"]["torch"]},
  {saved["threads"]} threads), then `python tools/package_model.py`; `make model` does both.
- **On what**: the first 55,000 training images of {note["data"]} (LeCun, Cortes, Burges), fingerprint
  `{saved["fingerprint"][:16]}`.

## Measured as stored

{m.n_fake:,} pictures, equally many of each class, against the {m.n_real:,} test images; judge `{m.judge}`;
"other reals" is the value of as many training images in their place.

| | generated | other reals |
|---|---|---|
| the requested class | {m.label_agreement:.2%} | {m.agreement_on_real:.2%} |
| Fréchet distance on the judge's features (not FID) | {m.frechet_distance:.3f} | {m.frechet_real_reference:.3f} |
| spread within a class, of real | {m.within_class_spread:.3f} | {m.spread_real_reference:.3f} |
| precision, 5 neighbours | {m.precision:.3f} | {m.precision_real_reference:.3f} |
| recall, 5 neighbours | {m.recall:.3f} | {m.recall_real_reference:.3f} |

| class | {" | ".join(note["class_names"])} |
|---{columns}|
| requested class read, share | {cells(m.class_agreement)} |
| spread of real | {cells(m.class_spread)} |
| recall relative to real against real | {cells(recalls)} |
| drawn by `ganforge write` (truncated latents) and read correctly, of {SEEDS} seeds | {" | ".join(map(str, correct))} |

The last row counts first attempts; `ganforge write` draws a picture again if the judge does not read it as requested.

## Limits

It draws digits as in MNIST: 28×28, grey, centred, in American handwriting of about 1990; no other characters, no other
sizes, one digit at a time (a number is a row of digits). `ganforge write` scales latents by {TRUNCATION:g}: plainer
handwriting, fewer errors, less variety. A classifier trained on these pictures alone inherits their errors. The judge
reads {m.agreement_on_real:.2%} of the real test images correctly; values above that cannot be resolved. Made by
ganforge {ganforge.__version__}.
"""


if __name__ == "__main__":
    print(to_json(str(ship(Path(sys.argv[1]), sys.argv[2]))))
