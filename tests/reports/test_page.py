import pytest

from ganforge.diagnosis.finding import Evidence, Finding, Remedy
from ganforge.reports.blocks import (
    Charts,
    Code,
    Film,
    FindingCard,
    Frame,
    Listing,
    Page,
    Picture,
    Section,
    Table,
    Verdict,
    Words,
)
from ganforge.reports.charts import Chart, Curve
from ganforge.reports.page import render
from page_checks import check_page

HOSTILE = "<script>alert('x')</script>\"&"
PIXEL = "data:image/webp;base64,AAAA"
CHART = Chart(HOSTILE, [Curve(HOSTILE, [(0, 1), (9, 2)])], levels=[(HOSTILE, 1.5)], mark=(3, HOSTILE), note=HOSTILE)
FINDING = Finding(
    HOSTILE,
    2,
    HOSTILE,
    HOSTILE,
    (Evidence(HOSTILE, 0.2, 0.6, None), Evidence("open", 3.0)),
    430,
    0.93,
    HOSTILE,
    (Remedy(HOSTILE, (HOSTILE,), 9, 10, anew=True), Remedy("take another recipe", recipe="forge-2")),
    HOSTILE,
)


def picture(alt=HOSTILE):
    return Picture(PIXEL, alt, 10, 20, HOSTILE)


def film(runs=1):
    return Film(HOSTILE, [(f"{HOSTILE}{k}", [Frame(s, s / 2, picture()) for s in (1, 2000)]) for k in range(runs)])


BLOCKS = [
    Words(HOSTILE),
    Words(HOSTILE, "missing"),
    Listing([HOSTILE, HOSTILE]),
    Table(HOSTILE, (HOSTILE, "b"), [(HOSTILE, CHART), ("c", HOSTILE)], "prose"),
    Table(HOSTILE, (), [(HOSTILE, HOSTILE)], "facts"),
    Code(HOSTILE),
    Code(HOSTILE, HOSTILE),
    Charts([CHART, Chart("without points", [Curve("none", [])])]),
    picture(),
    film(),
    film(2),
    Verdict(2, HOSTILE, HOSTILE, HOSTILE),
    FindingCard(FINDING, [CHART], HOSTILE),
]


def page(*blocks):
    return render(Page(HOSTILE, HOSTILE, [Section("all", HOSTILE, blocks)], HOSTILE))


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: type(block).__name__)
def test_every_block_is_well_formed_and_escapes_what_it_shows(block):
    reader = check_page(page(block))
    assert not [script for script in reader.text["script"] if "alert" in script]


def test_a_page_of_all_blocks_has_no_two_ids_alike_and_is_the_same_each_time():
    assert check_page(page(*BLOCKS)).ids and page(*BLOCKS) == page(*BLOCKS)


def test_a_film_shows_its_last_frames_without_a_script_and_compares_seconds_only_of_several_runs():
    shown = [image for image in check_page(page(film(2))).all("img") if "hidden" not in image]
    assert [image["data-step"] for image in shown] == ["2000", "2000"]
    assert film(2).by_seconds and not film(1).by_seconds
    assert not Film("t", [("a", [Frame(1, None, picture())]), ("b", [Frame(1, 1.0, picture())])]).by_seconds
    assert "seconds</label>" in page(film(2)) and "seconds</label>" not in page(film(1))


def test_a_finding_says_all_it_knows():
    html = page(FindingCard(FINDING))
    for words in ("step 430", "93% of such findings", "cured 9 of 10 such runs", "train anew", "0.6 or more"):
        assert words in html
    assert "ganforge train forge-2" in html and "Likely cause" in html


def test_a_section_of_reasons_alone_is_missing():
    assert Section("a", "b", [Words("why", "missing")]).missing
    assert not Section("a", "b", [Words("why", "missing"), Words("but this")]).missing


def test_a_sentence_begins_with_a_capital_unless_it_begins_with_a_name():
    html = page(Verdict(0, "t", "healthy so far"), Verdict(1, "t", "generator_lr = 1 is too high"))
    assert "Healthy so far" in html and "generator_lr = 1" in html
