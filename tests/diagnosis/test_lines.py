"""A finding in lines, as ``ganforge diagnose`` prints it."""

from ganforge.diagnosis.finding import Evidence, Finding, Remedy
from ganforge.diagnosis.lines import lines_of


def test_a_finding_says_all_that_is_known():
    finding = Finding(
        "narrow",
        1,
        "the pictures are too much alike",
        evidence=(
            Evidence("spread", 0.3, 0.6),
            Evidence("share of fakes,", 0.00413, 0.02, 0.9),
            Evidence("steps", 9.0),
        ),
        since=1200,
        confidence=0.97,
        cause="the batch is small",
        remedies=(
            Remedy("a wider generator", ("generator.hidden=[128]",), cured=9, tried=10, anew=True),
            Remedy("begin anew with the recipe vae", recipe="vae", anew=True),
            Remedy("more images"),
            Remedy("a fourth"),
        ),
        reconsider="a sheet of different pictures",
    )
    assert lines_of(finding) == [
        "narrow (impaired) · since step 1,200 · confidence 97%",
        "  the pictures are too much alike",
        "  figures:",
        "    spread: 0.3 (healthy: from 0.6)",
        "    share of fakes: 0.413% (healthy: 2% to 90%)",
        "    steps: 9",
        "  likely cause: the batch is small",
        "  remedies:",
        "    1. a wider generator, in a training from the first step: --set 'generator.hidden=[128]' "
        "(cured 9 of 10 such runs)",
        "    2. begin anew with the recipe vae: ganforge train vae (not measured yet)",
        "    3. more images",
        "  would change the mind: a sheet of different pictures",
    ]


def test_what_is_not_known_is_left_out():
    assert lines_of(Finding("healthy", 0, "healthy so far")) == ["healthy (fine)", "  healthy so far"]
    assert lines_of(Finding("x", 2, "ill", "rest"))[-1] == "  remedy: rest"
