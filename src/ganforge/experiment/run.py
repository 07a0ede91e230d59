"""One run from its first step to its verdict: the loop, the hooks, saving, stopping, and what to do when it breaks."""

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganforge.data.batches import Streams
from ganforge.errors import Interrupted, RunFailed
from ganforge.experiment.experiment import Experiment, ProgressListener, StopCondition
from ganforge.experiment.hooks import CheckpointHook, EvolutionHook, LogHook, SheetHook
from ganforge.experiment.validation_hook import ValidationHook
from ganforge.experiment.verdict import Verdict, judge_run, kept_verdict
from ganforge.runs.checkpoint import newest_checkpoint
from ganforge.runs.folder import RunFolder
from ganforge.sampling import Generator, load_generator
from ganforge.training import loop
from ganforge.training.malloc import give_back_freed_memory, keep_freed_memory
from ganforge.training.noise import NoiseSource
from ganforge.training.nonfinite import Diverged, trace
from ganforge.training.rules import rule_of
from ganforge.training.state import State
from ganforge.worker_pool import stop_signals


@dataclass(frozen=True)
class Run:
    """A run that was trained: where it is, how far it came and what was found.

    It stands for its folder wherever a path can be given. ``verdict`` is None where no judge knows the data.
    """

    folder: Path
    step: int
    epoch: float
    seconds: float
    verdict: Verdict | None = field(default=None)

    def __fspath__(self) -> str:
        return str(self.folder)

    def generator(self) -> Generator:
        """The trained generator."""
        return load_generator(self.folder)


def run_training(
    experiment: Experiment, state: State, length: StopCondition, done: float, watcher: ProgressListener
) -> Run:
    """Play until the length is reached or somebody says stop; save; judge."""
    keep_freed_memory()
    folder, started = experiment.folder, time.perf_counter()
    streams, draws = experiment.streams(), experiment.draws()

    def seconds() -> float:
        return done + time.perf_counter() - started

    sheets, evolution, checkpoints = (
        SheetHook(experiment),
        EvolutionHook(experiment),
        CheckpointHook(experiment, seconds),
    )
    hooks: list[loop.Hook] = [LogHook(experiment, seconds), sheets, evolution, checkpoints, watcher.look]
    quality = None
    if every := folder.read_run().get("evaluate_every"):
        quality = ValidationHook(experiment, every, seconds)
        hooks.insert(-1, quality)
    deadline = time.perf_counter() + length.seconds
    target = length.step if length.step is not None else math.inf
    folder.update_run(**unfinished("running", length, done))
    with stop_signals() as stopped:
        try:
            watcher.begin(experiment, length)
            if state.step == 0:
                checkpoints.save(state)
                evolution(state, {})
            loop.train(
                state,
                rule_of(experiment.recipe),
                experiment.recipe,
                streams,
                draws,
                stop=lambda state: state.step >= target or stopped.is_set() or time.perf_counter() >= deadline,
                hooks=hooks,
            )
            checkpoints.save(state)
            sheets.final(state)
            evolution.finish(state)
            curve = quality.finish(state) if quality else ""
        except Diverged:
            folder.update_run(status="diverged")
            raise RunFailed(_explain(experiment, state.step, streams, draws)) from None
        finally:
            watcher.end()
    if stopped.is_set() and state.step < target:
        folder.update_run(status="interrupted")
        epoch = state.step / experiment.steps_per_epoch
        raise Interrupted(
            f"stopped at step {state.step} (epoch {epoch:.1f}), everything is saved; "
            f"'ganforge resume {folder.path}' goes on"
        )
    folder.update_run(status="finished")
    if curve:
        watcher.say(curve)
    give_back_freed_memory()
    return judge_run_and_finish(experiment, state, seconds(), watcher)


def complete_run(folder: RunFolder) -> Run:
    """Return what is known of a run that was trained before."""
    saved = folder.read_run()
    step, seconds = saved.get("step", 0), saved.get("seconds", 0.0)
    return Run(folder.path, step, step / saved["steps_per_epoch"], seconds, kept_verdict(folder))


def unfinished(status: str, length: StopCondition, done: float = 0.0) -> dict[str, Any]:
    """Return what ``run.json`` says of a run that is not at its end, and where that is, for whoever goes on with it."""
    seconds = None if math.isinf(length.seconds) else done + length.seconds
    return {"status": status, "judged": False, "target_step": length.step, "target_seconds": seconds}


def judge_run_and_finish(experiment: Experiment, state: State, seconds: float, watcher: ProgressListener) -> Run:
    """Judge a run that has come to its end; where no judge knows its data, ``resume`` asks again.

    Raises:
        Interrupted: the user had no patience; the run itself is complete, and ``resume`` judges it.
    """
    folder = experiment.folder
    try:
        verdict = judge_run(experiment.freeze_for_sampling(state), experiment.splits, folder, watcher)
    except KeyboardInterrupt:
        raise Interrupted(
            f"training is complete and saved, the verdict was left out; 'ganforge resume {folder.path}' gives it"
        ) from None
    folder.update_run(judged=verdict is not None, no_judge=verdict is None)
    return Run(folder.path, state.step, state.step / experiment.steps_per_epoch, seconds, verdict)


def _explain(experiment: Experiment, last: int, streams: Streams, draws: NoiseSource) -> str:
    """Replay from the last good checkpoint to name what broke."""
    state = experiment.new_state()
    tensors, note, _ = newest_checkpoint(experiment.folder.checkpoints)
    state.load(tensors, note["step"], note["images_seen"])
    where = trace(state, rule_of(experiment.recipe), experiment.recipe, streams, draws, last)
    return (
        f"diverged at {where}; last good checkpoint: step {note['step']}, in {experiment.folder.checkpoints}; "
        f"train again with a lower --set {' and '.join(f'{rate}=...' for rate in experiment.recipe.rates)}"
    )
