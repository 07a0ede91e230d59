"""Every benchmark by its name on the command line."""

from collections.abc import Callable
from dataclasses import dataclass

from ganforge.benchmarks.ablations import run_ablations
from ganforge.benchmarks.applications import run_applications
from ganforge.benchmarks.augmentation import run_augmentation
from ganforge.benchmarks.autoencoders import run_autoencoders
from ganforge.benchmarks.clustering import run_clustering
from ganforge.benchmarks.common import BenchmarkOptions, BenchmarkReport
from ganforge.benchmarks.diagnosis import run_diagnosis
from ganforge.benchmarks.downstream_accuracy import DOWNSTREAM_TASKS, run_downstream
from ganforge.benchmarks.few_labels import run_few_labels
from ganforge.benchmarks.mode_coverage import run_mode_coverage
from ganforge.benchmarks.other_data import run_other_data
from ganforge.benchmarks.protocols import PROTOCOLS
from ganforge.benchmarks.weaknesses import run_weaknesses
from ganforge.errors import UserError, suggest_names


@dataclass(frozen=True)
class Benchmark:
    """A benchmark: the function that runs it, and those of its options that most benchmarks lack."""

    run: Callable[[BenchmarkOptions], BenchmarkReport]
    own_options: tuple[str, ...] = ()


BENCHMARKS = {
    **dict.fromkeys(PROTOCOLS, Benchmark(run_mode_coverage, ("beside",))),
    **dict.fromkeys(DOWNSTREAM_TASKS, Benchmark(run_downstream)),
    "few-labels": Benchmark(run_few_labels, ("labels", "draw")),
    "clusters": Benchmark(run_clustering),
    "techniques": Benchmark(run_ablations, ("data", "only")),
    "autoencoders": Benchmark(run_autoencoders),
    "applications": Benchmark(run_applications, ("task",)),
    "weaknesses": Benchmark(run_weaknesses, ("only",)),
    "augment": Benchmark(run_augmentation, ("only",)),
    "diagnosis": Benchmark(run_diagnosis, ("only", "data")),
    "other-data": Benchmark(run_other_data, ("task", "data")),
}


def run_benchmark(options: BenchmarkOptions) -> BenchmarkReport:
    """Run the benchmark ``options.name``.

    Raises:
        UserError: no benchmark has this name, an option belongs to another benchmark, or as the benchmark says.
        RunFailed: a run diverged, or the disk is full; everything saved so far is safe.
        Interrupted: a stop signal arrived; the same call resumes.
    """
    if options.name not in BENCHMARKS:
        raise UserError(f"no benchmark is called {options.name!r}; {suggest_names(options.name, BENCHMARKS)}")
    benchmark = BENCHMARKS[options.name]
    for option in sorted({option for other in BENCHMARKS.values() for option in other.own_options}):
        value = getattr(options, option)
        if value not in (None, ()) and option not in benchmark.own_options:
            owners = [name for name, other in BENCHMARKS.items() if option in other.own_options]
            place = ", ".join(owners) if len(owners) > 1 else f"'ganforge benchmark {owners[0]}'"
            value = value if isinstance(value, int) else ",".join(value)
            raise UserError(f"--{option} {value}: belongs to {place} only; leave it out")
    return benchmark.run(options)
