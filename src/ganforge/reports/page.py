"""A page of typed blocks as one HTML file: styles, script, charts and pictures are inside, so it needs no network."""

import base64
import hashlib
from collections.abc import Callable
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ganforge.reports import blocks, charts

TEMPLATES = Path(__file__).parent / "templates"
STATES = {2: "failed", 1: "impaired", 0: "well", None: "unknown"}
"""Class names of a finding's severity on the page."""


def render(page: blocks.Page) -> str:
    """Return a page as HTML that opens without a network.

    Every text is escaped: names of classes and files may hold anything. The page forbids itself to load or run
    anything that is not in it, by a content security policy with the digest of its only script.
    """
    script = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    html = (
        _environment()
        .get_template("page.html.jinja")
        .render(
            page=page,
            style=Markup((TEMPLATES / "page.css").read_text(encoding="utf-8")),
            script=Markup(script),
            digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            next_id=_ids(),
        )
    )
    return html.strip() + "\n"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        drawing=lambda chart: Markup(charts.drawing(chart)),
        spark=lambda chart: Markup(charts.spark(chart)),
        charts=charts,
        state=STATES.__getitem__,
        is_chart=lambda value: isinstance(value, charts.Chart),
        number=charts.number,
        healthy_range=charts.healthy_range,
    )
    environment.filters |= {"kind": _kind, "sentence": _sentence}
    return environment


def _kind(block: Any) -> str:
    """Return the name of a block's class, by which the template chooses its form."""
    return type(block).__name__


def _sentence(text: str) -> str:
    """Return a text with a capital, unless it begins with a name such as that of a field."""
    first = text.partition(" ")[0]
    return text[:1].upper() + text[1:] if first.isalpha() and first.islower() else text


def _ids() -> Callable[[], str]:
    """Return a function that gives every call another id, for labels that refer to elements."""
    numbers = count(1)
    return lambda: f"e{next(numbers)}"
