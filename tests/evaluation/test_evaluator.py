"""The caches of the evaluator, and the three results that it gives for the same fakes."""

import pytest

from ganforge.data.load import load
from ganforge.evaluation.evaluator import REFERENCE_SETS, Evaluator
from ganforge.evaluation.features import FeatureExtractor
from ganforge.files import cache_folder, ensure_writable
from ganforge.judge.shipped import load_judge


def evaluator(say, **progress):
    return Evaluator(FeatureExtractor(load_judge()), load("digits"), "test", 150, say=say, **progress)


def test_reference_values_are_cached_and_those_of_another_version_computed_again():
    fakes, messages = load("digits").validation.select(slice(0, 150)), []
    first = evaluator(messages.append)
    file = ensure_writable(cache_folder() / "evaluation" / f"{first.protocol.id}-quick.json")
    file.write_text('{"recall": 0.9, "bad recall": 0.1}')
    evaluation = first.evaluate(fakes, "digits")
    assert evaluation["recall"].worst_case == pytest.approx(0, abs=0.1)
    assert evaluation["frechet_distance"].real_reference < evaluation["frechet_distance"].worst_case
    assert len(messages) == 1
    assert evaluator(messages.append).evaluate(fakes, "digits") == evaluation
    assert len(messages) == 1, "the second evaluator reads the cache"


def test_the_three_results_agree_where_they_have_the_same_metric():
    fakes, engine = load("digits").validation.select(slice(0, 150)), evaluator(lambda text: None)
    values, measurement, evaluation = engine.compute(fakes), engine.measure(fakes), engine.evaluate(fakes, "digits")
    assert values.keys() <= {metric.name for metric in evaluation.metrics}
    for name, value in values.items():
        assert evaluation[name].value == value
    for name in ("confident", "classes_present", "label_agreement"):
        assert getattr(measurement, name) == values[name]
    assert measurement.within_class_spread == values["class_spread"]
    assert evaluation["confident"].real_reference == engine.real_reference["confident"]


def test_the_reference_values_have_a_progress_of_their_own():
    seen, referred = [], []
    engine = evaluator(lambda text: None, on_progress=seen.append, on_reference=referred.append)
    engine.evaluate(load("digits").validation.select(slice(0, 150)), "digits")
    assert sum(referred) == REFERENCE_SETS * 150 - 150 + min(150, len(load("digits").validation)) and sum(seen) > 0
