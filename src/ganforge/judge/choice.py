"""The choice of the judge: which one fits these real images, and why another does not."""

from ganforge.data.images import ImageSet, Splits
from ganforge.errors import UserError
from ganforge.judge.digit_check import digit_domain
from ganforge.judge.judge import Judge, OnProgress, Predictions
from ganforge.judge.network import IMAGE_SHAPE
from ganforge.judge.shipped import load_judge
from ganforge.judge.user_judges import kept_judge
from ganforge.metrics.modes import confident_share, label_agreement

READABLE = 0.8
"""Lowest accuracy on labelled real images at which the judge of digits is used."""
SURE = 0.6
"""Lowest share of confident predictions on unlabelled real images; not sufficient, as alphabets reach it too."""
ALIKE = 0.4
"""Smallest likeness of digits: measured digits have .6 or more, letters and other shapes .1 or less."""
USABLE = 0.5
"""Smallest accuracy of a user's judge, or share of confident predictions without labels, at which it is used."""
ENOUGH = 1000
"""Real images for the choice of the judge: a share of a few dozen is unreliable."""


def choose_judge(splits: Splits, on_progress: OnProgress | None = None) -> tuple[Judge | None, str]:
    """Return the judge of digits for handwritten digits, else the user's judge of these data; or None and the reason.

    The confidence of a judge is not sufficient: the images must be of its kind (`why_no_digits`). A judge that the user
    trained is stored under the fingerprint of its images and is used for no others.
    """
    if len(splits.test) < 2:
        return None, "a single test image is not enough for a comparison"
    reason = why_no_digits(splits, on_progress) if splits.test.shape == IMAGE_SHAPE else ""
    if splits.test.shape == IMAGE_SHAPE and not reason:
        return load_judge(), ""
    try:
        user_judge = kept_judge(splits)
    except UserError as error:
        return None, str(error)
    if user_judge is None:
        return None, f"no judge fits these images{reason and f': {reason}'}"
    if (share := _share_read(user_judge, splits.test, on_progress)) < USABLE:
        return None, f"{user_judge.version} classifies only {share:.0%} of the real images correctly"
    return user_judge, ""


def why_no_digits(splits: Splits, on_progress: OnProgress | None = None) -> str:
    """Return why the judge of digits does not fit real images; empty if they are handwritten digits."""
    return _why_no_digits(_evidence(splits), on_progress)


def _why_no_digits(images: ImageSet, on_progress: OnProgress | None = None) -> str:
    """Return why the judge of digits does not fit these images; empty if they are handwritten digits.

    Labels decide if there are any: the judge must agree with the names of the classes. Without labels, the judge must
    be confident on most images, and their features must be those of digits (`ganforge.judge.digit_check`).
    """
    judge = load_judge()
    if images.labelled:
        if unknown := [name for name in images.class_names if name not in judge.class_names]:
            return f"the judge of digits knows the classes 0 to 9, and no class {unknown[0]}"
        accuracy = _share_read(judge, images, on_progress)
        return "" if accuracy >= READABLE else f"the judge of digits agrees with the labels of {accuracy:.0%} of them"
    return _why_unlike_digits(judge.look_at_set(images, on_progress))


def _why_unlike_digits(predictions: Predictions) -> str:
    confident = confident_share(predictions.confidence)
    if confident < SURE:
        return f"the judge of digits is confident on only {confident:.0%} of them"
    if digit_domain().likeness(predictions) < ALIKE:
        return "to the judge of digits they look like letters or other shapes, not like handwritten digits"
    return ""


def why_foreign(judge: Judge, splits: Splits) -> str:
    """Return why a judge that the user named does not fit real images; empty if it does."""
    if judge.hash == load_judge().hash:
        return why_no_digits(splits)
    share = _share_read(judge, splits.test, None)
    manner = "correctly" if splits.test.labelled else "with confidence"
    return "" if share >= USABLE else f"{judge.version} classifies {share:.0%} of the real images {manner}"


def _evidence(splits: Splits) -> ImageSet:
    """Return the test images; if there are fewer than `ENOUGH`, validation and training images are added."""
    images = splits.test
    for more in (splits.validation, splits.train):
        if len(images) < ENOUGH:
            images = images.concat(more.select(slice(0, ENOUGH - len(images))))
    return images


def _share_read(judge: Judge, images: ImageSet, on_progress: OnProgress | None) -> float:
    """Return the share of real images that a judge classifies correctly, or, without labels, with confidence."""
    predictions = judge.look_at_set(images, on_progress)
    if images.labelled:
        return label_agreement(predictions.classes, judge.numbered(images.labels, images.class_names))
    return confident_share(predictions.confidence)


def judge_by_training_images(splits: Splits, sample: ImageSet) -> Judge | None:
    """Return the judge that fits a sample of the training images, or None; test images stay unseen.

    The choice is that of `choose_judge`, on other evidence.
    """
    if sample.shape == IMAGE_SHAPE and not _why_no_digits(sample):
        return load_judge()
    try:
        judge = kept_judge(splits)
    except UserError:
        return None
    return judge if judge and _share_read(judge, sample, None) >= USABLE else None
