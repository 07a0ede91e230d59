"""A run from its first step to its verdict: training loop, hooks, saving, stopping and divergence."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganforge.errors import Interrupted, RunFailed
from ganforge.experiment.experiment import Experiment, ProgressListener
from ganforge.experiment.hooks import EvolutionHook, LogHook, SheetHook, save_run
from ganforge.experiment.length import StopCondition
from ganforge.experiment.live_findings import LiveFindings
from ganforge.experiment.signals_hook import SignalsHook
from ganforge.experiment.trainer import CheckpointHook, Stopwatch, Trainer, load_state, stop_at
from ganforge.experiment.validation_hook import ValidationHook
from ganforge.experiment.verdict import Verdict, judge_run, kept_verdict
from ganforge.generation.generator import Generator, load_generator
from ganforge.runs.folder import RunFolder
from ganforge.training import loop
from ganforge.training.nonfinite import Diverged, trace
from ganforge.training.state import State
from ganforge.training.tuning.malloc import give_back_freed_memory
from ganforge.worker_pool import stop_signals


@dataclass(frozen=True)
class Run:
    """A trained run: its folder, its last step and its verdict.

    A run can be given wherever a path to its folder can. ``verdict`` is None if nothing measured the pictures.
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
    experiment: Experiment, state: State, length: StopCondition, seconds_before: float, watcher: ProgressListener
) -> Run:
    """Train until the length is reached or a stop signal arrives, save the state, and judge the generator.

    The seconds of training count from the first step to the last: neither the preparation nor the final files count.
    """
    folder, clock = experiment.folder, Stopwatch(seconds_before, runs=False)
    seconds = clock.seconds
    trainer = Trainer(experiment.recipe, state, experiment.streams(), experiment.draws())
    sheets, evolution = SheetHook(experiment), EvolutionHook(experiment)
    checkpoints = CheckpointHook(
        experiment.recipe.run.checkpoint_seconds, lambda state: save_run(experiment, state, seconds())
    )
    folder.update_run(training_set=_training_set(experiment), **unfinished("running", length, seconds_before))
    signals = SignalsHook(experiment, seconds)
    measuring: list[loop.Hook] = [LogHook(experiment, seconds), signals, LiveFindings(folder, watcher)]
    hooks: list[loop.Hook] = [*measuring, sheets, evolution, checkpoints, watcher.look]
    validation = None
    if interval := folder.read_run().get("evaluate_every"):
        validation = ValidationHook(experiment, interval, seconds)
        hooks.insert(-1, validation)
    with stop_signals() as stopped:
        stop = stop_at(length, stopped)
        try:
            watcher.begin(experiment, length)
            if state.step == 0:
                checkpoints.save(state)
                evolution(state, {})
            with clock.running():
                trainer.train(stop, hooks)
            checkpoints.save(state)
            sheets.final(state)
            evolution.finish(state)
            if not stopped.is_set():  # who stops a run does not want to wait
                signals.finish(state)
            curve_message = validation.finish(state) if validation else ""
        except Diverged:
            folder.update_run(status="diverged")
            raise RunFailed(_explain_divergence(experiment, trainer)) from None
        finally:
            watcher.end()
    if stopped.is_set() and state.step < (length.step or math.inf):
        folder.update_run(status="interrupted")
        epoch = state.step / experiment.steps_per_epoch
        raise Interrupted(
            f"stopped at step {state.step} (epoch {epoch:.1f}), everything is saved; "
            f"'ganforge resume {folder.path}' continues"
        )
    folder.update_run(status="finished")
    if curve_message:
        watcher.say(curve_message)
    give_back_freed_memory()
    return judge_run_and_finish(experiment, state, seconds(), watcher)


def _training_set(experiment: Experiment) -> dict[str, Any]:
    """Return what a diagnosis needs to know of the training images, for ``run.json``."""
    train = experiment.splits.train
    return {"n": len(train), "shape": list(train.shape), "class_names": list(train.class_names)}


def complete_run(folder: RunFolder) -> Run:
    """Return a finished run, as saved in its folder."""
    saved = folder.read_run()
    step, seconds = saved.get("step", 0), saved.get("seconds", 0.0)
    return Run(folder.path, step, step / saved["steps_per_epoch"], seconds, kept_verdict(folder))


def unfinished(status: str, length: StopCondition, seconds_before: float = 0.0) -> dict[str, Any]:
    """Return the entries of ``run.json`` for an unfinished run: its status, and its end for a later resumption."""
    seconds = None if math.isinf(length.seconds) else seconds_before + length.seconds
    return {"status": status, "judged": False, "target_step": length.step, "target_seconds": seconds}


def judge_run_and_finish(experiment: Experiment, state: State, seconds: float, watcher: ProgressListener) -> Run:
    """Judge a run at its end; if no judge fits its data, a later ``resume`` tries again.

    Raises:
        Interrupted: the user interrupted the judge; the run itself is complete, and ``resume`` judges it.
    """
    folder = experiment.folder
    try:
        verdict = judge_run(experiment.freeze_for_sampling(state), experiment.splits, folder, watcher)
    except KeyboardInterrupt:
        raise Interrupted(
            f"training is complete and saved, without a verdict; 'ganforge resume {folder.path}' adds it"
        ) from None
    judged = verdict is not None and verdict.measured is not None
    folder.update_run(judged=judged, no_judge=not judged)
    return Run(folder.path, state.step, state.step / experiment.steps_per_epoch, round(seconds, 1), verdict)


def _explain_divergence(experiment: Experiment, trainer: Trainer) -> str:
    """Replay the training from the last good checkpoint and return a message on where it diverged."""
    state, recipe = experiment.new_state(), experiment.recipe
    note, _ = load_state(experiment.folder.checkpoints, state)
    place = trace(state, trainer.step, recipe, trainer.streams, trainer.noise, trainer.state.step)
    return (
        f"diverged at {place}; last good checkpoint: step {note['step']}, in {experiment.folder.checkpoints}; "
        f"train again with a lower --set {' and '.join(f'{rate}=...' for rate in recipe.rates)}"
    )
