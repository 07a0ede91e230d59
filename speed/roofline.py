"""How near a step of each recipe comes to what this machine can do: python speed/roofline.py [RECIPE ...]

A row for each recipe, on MNIST, in the precision that is chosen here: multiplications and additions of its products
(dense layers and convolutions), bytes that its operations read and write, milliseconds of a step; then the least that
the products and the bytes would take at the machine's ceilings (``ceilings.py``), and the part of the products'
ceiling that is reached. Of the step's time, the last columns say how much goes to products, how much to moving numbers
about (all the other operations), and what is left beside both: Python and torch's own bookkeeping. Looking at the clock
around each operation takes time too, so the three may add up to more than all. Set OMP_NUM_THREADS=1 for one core.

Bytes are an upper bound: what an operation finds in a cache is counted as if it came from memory.
"""

import sys
import time
from typing import Any

import torch
from ceilings import memory_rate, product_rate
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from ganforge.data.load import load
from ganforge.experiment.experiment import Experiment
from ganforge.recipes.reading import load_recipe
from ganforge.runs.folder import RunFolder
from ganforge.training.step_function import step_function
from ganforge.training.tuning.malloc import keep_freed_memory
from ganforge.training.tuning.precision import choose_precision

RECIPES = ("vanilla", "cgan", "udacity-deep", "dcgan", "acgan", "wgan-gp", "vae", "forge-1", "forge-2")
WARM_UP, STEPS = 3, 10


class Ledger(TorchDispatchMode):
    """Adds up seconds and operations of products, seconds of all else, and bytes that operations read and make.

    Products are what torch's own counter knows; its mode cannot follow gradients of gradients.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.products, self.others, self.moved, self.flops = 0.0, 0.0, 0, 0

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call it between two looks at the clock."""
        started = time.perf_counter()
        result = operation(*args, **(kwargs or {}))
        seconds = time.perf_counter() - started
        if count := flop_registry.get(operation.overloadpacket):
            self.products += seconds
            self.flops += count(*args, **(kwargs or {}), out_val=result)
        else:
            self.others += seconds
        if not operation.is_view:
            self.moved += sum(x.nbytes for x in tree_leaves((args, kwargs, result)) if isinstance(x, Tensor))
        return result


def row(name: str, rates: dict[torch.dtype, float], memory: float) -> str:
    """Play a recipe and return its row."""
    splits = load("mnist")
    recipe = load_recipe(name, ["run.device=cpu"])
    recipe = choose_precision(recipe, splits.train.shape, len(splits.train.class_names))
    experiment, rule = Experiment(recipe, splits, RunFolder("."), 0), step_function(recipe)
    state, streams, draws = experiment.new_state(), experiment.streams(), experiment.draws()

    def play(steps: int = STEPS) -> float:
        began = time.perf_counter()
        for _ in range(steps):
            rule(state, recipe, streams, draws)
        return (time.perf_counter() - began) / steps

    play(WARM_UP)
    seconds = min(play() for _ in range(3))
    with Ledger() as ledger:
        play()
    operations, moved = ledger.flops / STEPS, ledger.moved / STEPS
    rate = rates[torch.bfloat16 if recipe.run.precision == "bf16" else torch.float32]
    products, others = ledger.products / STEPS, ledger.others / STEPS
    cells = [
        f"`{name}`",
        recipe.run.precision,
        f"{operations / 1e9:.2f}",
        f"{moved / 1e6:,.0f}",
        f"{1e3 * seconds:.1f}",
        f"{1e3 * operations / rate:.1f}",
        f"{1e3 * moved / memory:.1f}",
        f"{operations / rate / seconds:.0%}",
        f"{products / seconds:.0%}",
        f"{others / seconds:.0%}",
        f"{max(0.0, 1 - (products + others) / seconds):.0%}",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    keep_freed_memory()
    rates = {dtype: product_rate(dtype) for dtype in (torch.bfloat16, torch.float32)}
    memory = memory_rate()
    shown = ", ".join(f"{rate / 1e9:,.0f} GFLOP/s in {str(dtype)[6:]}" for dtype, rate in rates.items())
    print(f"{torch.get_num_threads()} threads; ceilings: {shown}, {memory / 2**30:.0f} GiB/s\n")
    print(
        "| recipe | precision | GFLOP a step | MB moved | ms | ms of its products at the ceiling | ms of its bytes "
        "| of the ceiling reached | in products | moving | beyond operations |"
    )
    print("|---" * 11 + "|")
    for name in sys.argv[1:] or RECIPES:
        print(row(name, rates, memory), flush=True)


if __name__ == "__main__":
    main()
