"""Pages in headless Chromium: no message on the console, nothing loaded, a slider for the keyboard, room on a phone.

Needs Playwright for Python and a chromium; rules of accessibility are checked where AXE names an axe.min.js.
"""

import base64
import io
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from ganforge.diagnosis.finding import Evidence, Finding, Remedy
from ganforge.reports.blocks import (
    Charts,
    Code,
    Film,
    FindingCard,
    Frame,
    Page,
    Picture,
    Section,
    Table,
    Verdict,
    Words,
)
from ganforge.reports.charts import Chart, Curve
from ganforge.reports.page import render

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no chromium")
AXE = Path(os.environ.get("AXE", "node_modules/axe-core/axe.min.js"))
CHART = Chart(
    "A figure with a long name that needs more than one line on a phone",
    [Curve(f"run {k}", [(s, s * k + 1) for s in range(1, 900)]) for k in range(6)],
    healthy=(100, 500),
    levels=[("other real pictures", 50.0)],
    mark=(430, "first seen"),
)


def frame(step, seconds):
    file = io.BytesIO()
    Image.new("RGB", (360, 380), (step % 256, 90, 90)).save(file, "WEBP")
    source = f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
    return Frame(step, seconds, Picture(source, f"pictures at step {step}", 360, 380))


@pytest.fixture(scope="module")
def html():
    film = Film(
        "Two runs",
        [("slow", [frame(1, 10), frame(100, 1000)]), ("quick", [frame(1, 1), frame(50, 5), frame(100, 10)])],
    )
    finding = Finding(
        "discriminator-won",
        2,
        "the discriminator won",
        evidence=(Evidence("spread of the pictures, of the real one", 0.02, 0.6, 1.4),),
        since=430,
        cause="a cause",
        remedies=(Remedy("rates divided by 5", ("generator_lr=0.00004", "discriminator_lr=0.00004"), 9, 10),),
    )
    long = "ganforge train runs/a-folder-with-a-very-long-name-without-blanks/recipe.toml --data mnist --seed 0"
    blocks = [
        Verdict(1, "Impaired", "what is wrong", "figures in one line"),
        FindingCard(finding, [CHART]),
        FindingCard(Finding("healthy", 0, "healthy so far")),
        film,
        Charts([CHART, CHART]),
        Table("A wide table", tuple("abcdefghijklmnop"), [("row", *("100.0 %" for _ in range(15)))]),
        Table(
            "Words", ("figure", "meaning"), [("recall", "share of real pictures that are near to a fake " * 2)], "prose"
        ),
        Table("Facts", (), [("SHA-256", "0123456789abcdef" * 4)], "facts"),
        Code(long),
        Code(long, "a folded text"),
        Words("Why something is missing.", "missing"),
    ]
    return render(Page("Runs", "side by side", [Section("all", "Everything", blocks)], "foot"))


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser, html, tmp_path):
    """Return a function that opens the page in a window of a width; no window may log or load anything."""
    messages, pages = [], []
    (tmp_path / "page.html").write_text(html, encoding="utf-8")

    def open_page(width=1280, **options):
        page = browser.new_page(viewport={"width": width, "height": 800}, **options)
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", lambda request: messages.append(request.url) if request.url.startswith("http") else None)
        page.goto((tmp_path / "page.html").as_uri())
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert messages == []


def shown(page):
    return page.eval_on_selector_all(".panel img:not([hidden])", "all => all.map(image => image.dataset.step)")


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_window(opened, width):
    page = opened(width)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth)")


def test_the_keyboard_moves_the_slider_and_each_run_shows_its_newest_frame(opened):
    page = opened()
    slider = page.locator("input[type=range]")
    slider.focus()
    assert shown(page) == ["100", "100"] and slider.get_attribute("aria-valuetext") == "step 100"
    page.keyboard.press("ArrowLeft")
    assert shown(page) == ["1", "50"] and slider.get_attribute("aria-valuetext") == "step 50"
    page.keyboard.press("Home")
    assert shown(page) == ["1", "1"]


def test_runs_are_compared_at_equal_seconds(opened):
    page = opened()
    page.get_by_label("seconds").check()
    page.locator("input[type=range]").focus()
    page.keyboard.press("ArrowLeft")
    assert shown(page) == ["1", "100"] and page.locator("output").text_content() == "10 s"


def test_play_runs_to_the_end_and_can_be_paused(opened):
    page = opened()
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Play").wait_for()
    assert shown(page) == ["100", "100"]


def test_without_scripts_the_last_frames_are_shown_and_no_slider(opened):
    page = opened(java_script_enabled=False)
    assert not page.locator("input[type=range]").is_visible() and page.locator(".panel img:visible").count() == 2


@pytest.mark.skipif(not AXE.exists(), reason="there is no axe-core (AXE=axe.min.js names one)")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_no_rule_of_accessibility_is_broken(opened, width, scheme):
    page = opened(width, color_scheme=scheme)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    violations = page.evaluate("axe.run().then(result => result.violations)")
    assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in violations] == []
