"""The judge of a benchmark's data: the one that fits, else a judge that the benchmark trains first."""

from ganforge.data.images import Splits
from ganforge.errors import UserError
from ganforge.experiment.experiment import ProgressListener
from ganforge.files import ensure_writable
from ganforge.judge.choice import USABLE, choose_judge
from ganforge.judge.judge import Judge
from ganforge.judge.training import refuse_what_cannot_be_judged, seconds_per_epoch, train_and_save
from ganforge.judge.user_judges import kept_file, kept_judge, version_of

EPOCHS, SEED = 10, 1
"""Of a judge that a benchmark trains: 10 epochs read 84 % of CIFAR-10 (docs/judge.md)."""


def judge_for_data(splits: Splits, watcher: ProgressListener, epochs: int = EPOCHS) -> Judge:
    """Return the judge that fits the data; if there is none, train one and keep it for all later runs on these data.

    Raises:
        UserError: a judge of these data exists and is damaged or too weak, or none can be trained on them.
    """
    judge, reason = choose_judge(splits)
    if judge is not None:
        return judge
    file = kept_file(splits)
    name = splits.train.name
    if file.exists():
        raise UserError(f"{name}: {reason}; 'ganforge judge train {name} --minutes 20' trains a better one")
    refuse_what_cannot_be_judged(splits)
    ensure_writable(file)  # before the training, which takes minutes
    mirrored = splits.train.shape[0] == 3  # a photograph keeps its class, a letter does not
    minutes = epochs * seconds_per_epoch(splits, mirrored) / 60
    watcher.say(
        f"{name}: {reason}; a judge is trained first: {epochs} epochs, about {max(1, round(minutes))} min, kept for "
        f"later ('ganforge judge train {name} --epochs {epochs}' does the same)"
    )
    status = f"training the judge of {name}"
    try:
        card = train_and_save(
            splits,
            file,
            version_of(splits),
            epochs,
            SEED,
            mirrored,
            lambda done, total, loss: watcher.benchmarking(done, total, f"{status}, loss {loss:.3f}"),
        )
    finally:
        watcher.end()
    watcher.say(f"the judge of {name} reads {card.test_accuracy:.1%} of the test images; saved as {file}")
    trained = kept_judge(splits)
    if trained is None or card.test_accuracy < USABLE:
        raise UserError(
            f"{name}: the judge is too weak; 'ganforge judge train {name} --minutes 30' trains a better one"
        )
    return trained
