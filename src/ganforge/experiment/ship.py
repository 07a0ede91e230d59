"""Makes a run's generator one that ships with the package: python -m ganforge.experiment.ship RUN NAME.

Weights are stored in half precision and measured again as stored, on test images; the card beside them says what came
out. 'make model' trains the run and calls this.
"""

import sys
from pathlib import Path
from typing import Any

import torch

import ganforge
from ganforge.data.load import load
from ganforge.files import write_atomically
from ganforge.json_text import to_json
from ganforge.judge.measure import Measurement, measure
from ganforge.judge.shipped import load_judge
from ganforge.runs.checkpoint import write_tensors
from ganforge.runs.folder import RunFolder
from ganforge.sampling import SHIPPED, TRUNCATION, Generator, load_generator

FAKES, SEEDS = 10_000, 100


def ship(run: Path, name: str, target: Path = SHIPPED) -> Path:
    """Write ``name.safetensors`` and its card ``name.md`` into ``target``, from a conditional run on digits."""
    trained, saved = load_generator(run), RunFolder(run).read_run()
    note = {**trained.note, "trained_with": _command(saved, trained.note["step"]), "storage": "fp16"}
    half = {key: value.half() for key, value in trained.module.state_dict().items()}
    file = target / f"{name}.safetensors"
    write_tensors(file, half, note)
    generator = load_generator(file)
    splits = load(saved["data"]["source"])
    labels = torch.arange(FAKES) % len(generator.class_names)
    fakes = generator.sample_classes(FAKES, labels, seed=0)
    measured = measure(load_judge(), splits.test, fakes, labels, splits.train)
    card = _card(name, note, saved, measured, _read_right(generator), file.stat().st_size)
    write_atomically(file.with_suffix(".md"), card.encode())
    return file


def _command(saved: dict[str, Any], step: int) -> str:
    """What trains it anew: by its step, because minutes are longer on one machine than on another."""
    return f"ganforge train {saved['recipe']} --data {saved['data']['name']} --steps {step} --seed {saved['seed']}"


def _read_right(generator: Generator) -> list[int]:
    """Of 100 seeds, in how many the judge reads each class rightly as ``ganforge write`` draws it."""
    count = len(generator.class_names)
    text = "".join(generator.class_names)
    seen = [load_judge().look(generator.write(text, seed=seed)).classes for seed in range(SEEDS)]
    hits: list[int] = (torch.stack(seen) == torch.arange(count)).sum(0).tolist()
    return hits


def _card(name: str, note: dict[str, Any], saved: dict[str, Any], m: Measurement, right: list[int], size: int) -> str:
    def each(values: list[float | None] | None) -> str:
        return " | ".join("" if value is None else f"{value:.3f}" for value in values or [])

    recalls = [None if a is None or not b else a / b for a, b in zip(m.class_recall, m.class_recall_floor, strict=True)]
    columns = "|---" * len(note["class_names"])
    return f"""# The generator `{name}`

Draws the handwritten digits it is asked for: `ganforge write 20261122`, `ganforge sample --model {name}`.

- **What**: recipe `{saved["recipe"]}`, averaged weights at step {note["step"]:,}, stored in half precision
  ({size / 1e6:.1f} MB).
- **How**: `{note["trained_with"]}` ({saved["seconds"]:.0f} s of training, torch {saved["versions"]["torch"]},
  {saved["threads"]} threads), then `python -m ganforge.experiment.ship`; `make model` does both.
- **On what**: the first 55,000 training images of {note["data"]} (LeCun, Cortes, Burges), fingerprint
  `{saved["fingerprint"][:16]}`.

## Measured as stored

{m.n_fake:,} pictures, as many of each class, beside the {m.n_real:,} test images; judge `{m.judge}`; "floor" is the
same number for other real images.

| | generated | floor |
|---|---|---|
| the class asked for | {m.label_agreement:.2%} | {m.agreement_on_real:.2%} |
| Fréchet distance on the judge's features (no FID) | {m.frechet_distance:.3f} | {m.frechet_floor:.3f} |
| spread within a class, of real | {m.within_class_spread:.3f} | {m.spread_floor:.3f} |
| precision, 5 neighbours | {m.precision:.3f} | {m.precision_floor:.3f} |
| recall, 5 neighbours | {m.recall:.3f} | {m.recall_floor:.3f} |

| class | {" | ".join(note["class_names"])} |
|---{columns}|
| asked and read, share | {each(m.class_agreement)} |
| spread of real | {each(m.class_spread)} |
| recall as part of real against real | {each(recalls)} |
| drawn calmly as `ganforge write` does, read rightly, of {SEEDS} seeds | {" | ".join(map(str, right))} |

The last row is the generator's own; `ganforge write` draws anew what the judge does not read as asked.

## Limits

It draws digits as MNIST has them: 28×28, grey, centred, of American hands around 1990; no other signs, no other sizes,
one digit at a time (a number is digits side by side). `ganforge write` draws latents {TRUNCATION:g} times as far from
the middle as in training: plainer hands, fewer slips, less variety. A classifier trained on these pictures alone
inherits their mistakes. The judge that measured it read {m.agreement_on_real:.2%} of the real test images rightly:
nothing above that can be seen. Made by ganforge {ganforge.__version__}.
"""


if __name__ == "__main__":
    print(to_json(str(ship(Path(sys.argv[1]), sys.argv[2]))))
