"""The pictures on which a strengthened classifier is measured; no training sees them."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ganforge.applications.found_files import Found
from ganforge.applications.latent_search import Explorer
from ganforge.applications.weakness_groups import nearest
from ganforge.data.corruptions import CORRUPTIONS, corrupted
from ganforge.data.images import ImageSet, Splits
from ganforge.data.load import load
from ganforge.evaluation.user_classifier import UserClassifier

TEST, LIKE, VALIDATION, CORRUPTED, FRESH, DIGITS = (
    "test",
    "like the found",
    "validation",
    "corrupted",
    "fresh probe",
    "sklearn digits",
)
"""The measures, each an error."""
CORRUPTED_PICTURES, FRESH_DRAWS = 1000, 3000
"""Test pictures that are corrupted, and random draws of the fresh probe."""
OTHER_DIGITS = tuple("0123456789")


@dataclass(frozen=True)
class Measures:
    """Labelled pictures by measure, none of which any arm learns from."""

    sets: Mapping[str, tuple[ImageSet, ...]]

    def errors(self, classifier: UserClassifier) -> dict[str, float]:
        """Return the error of a classifier on each measure; of several sets, the mean."""
        return {name: statistics.fmean(error_of(classifier, one) for one in sets) for name, sets in self.sets.items()}


def error_of(classifier: UserClassifier, images: ImageSet) -> float:
    """Return the share of pictures that a classifier reads wrongly."""
    predicted = classifier.probabilities(images.images, len(images.class_names)).argmax(1)
    return float((predicted != images.labels).float().mean())


def measures_of(splits: Splits, found: Found, explorer: Explorer) -> Measures:
    """Return the test pictures, those like the found ones, corrupted ones, fresh draws, and scikit-learn's digits.

    Like the found ones are the test pictures of the same class that are nearest in the judge's features. Fresh draws
    are random ones of another seed, of which both readers are sure. scikit-learn's digits belong to digits alone.
    """
    test = splits.test
    few = test.select(slice(0, CORRUPTED_PICTURES))
    fresh = explorer.draw(FRESH_DRAWS, found.seed, name="fresh probe")
    fresh = fresh.select(fresh.sure)
    sets = {
        TEST: (test,),
        LIKE: (test.select(like_found(found, test, explorer)),),
        VALIDATION: (splits.validation,),
        CORRUPTED: tuple(
            ImageSet(corrupted(few.images, name), few.labels, few.class_names, name) for name in CORRUPTIONS
        ),
        FRESH: (ImageSet(fresh.images, fresh.labels, test.class_names, FRESH),),
    }
    if test.class_names == OTHER_DIGITS and test.shape == (1, 28, 28) and not test.name.startswith("digits"):
        digits = load("digits")
        sets[DIGITS] = (digits.train.concat(digits.validation).concat(digits.test),)
    return Measures(sets)


def like_found(found: Found, test: ImageSet, explorer: Explorer) -> Tensor:
    """Return the rows of test pictures that are nearest to the found ones of their class."""
    judge = explorer.readers.judge
    features, tested = judge.look(found.images).features, judge.look_at_set(test).features
    rows = []
    for label in found.labels.unique().tolist():
        of_class = torch.nonzero(test.labels == label).flatten()
        rows.append(of_class[nearest(features[found.labels == label], tested[of_class])])
    return torch.cat(rows)
