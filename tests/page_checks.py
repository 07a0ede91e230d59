"""What must hold of every page: its structure, read with the standard library's parser."""

import base64
import hashlib
import re
from html.parser import HTMLParser

VOID = {"meta", "img", "input", "br", "link", "path", "rect", "circle"}


class Reader(HTMLParser):
    """Collects tags with their attributes, and the text of each kind of element."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.open, self.text = [], [], {}
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data):
        if self.open:
            self.text.setdefault(self.open[-1], []).append(data.strip())

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def ids(self):
        return [attributes["id"] for _, attributes in self.tags if "id" in attributes]


def check_page(html):
    """Assert what must hold of every page, and return its reader."""
    page = Reader(html)
    assert page.open == [], f"not closed: {page.open}"
    assert page.all("html") == [{"lang": "en"}] and len(page.all("h1")) == 1 and len(page.all("title")) >= 1
    assert len(page.ids) == len(set(page.ids))
    references = [
        reference
        for _, attributes in page.tags
        for name in ("aria-labelledby", "for")
        for reference in attributes.get(name, "").split()
    ]
    assert set(references) <= set(page.ids)
    assert all(attributes.get("alt") for attributes in page.all("img"))
    for attributes in page.all("svg"):
        named = attributes.get("aria-labelledby") or attributes.get("aria-label")
        assert attributes.get("aria-hidden") == "true" or (attributes.get("role") == "img" and named)
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert all(later <= earlier + 1 for earlier, later in zip(levels, levels[1:], strict=False))
    check_that_it_loads_nothing(page, html)
    return page


def check_that_it_loads_nothing(page, html):
    for _, attributes in page.tags:
        assert attributes.get("src", "data:image/").startswith("data:image/")
        assert attributes.get("href", "#").startswith("#")
        assert not [name for name in attributes if name.startswith("on")]
    scripts = [part.split("</script>")[0] for part in html.split("<script>")[1:]]
    assert len(scripts) == 1 and len(page.all("script")) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    (policy,) = [m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert "default-src 'none'" in policy and f"script-src 'sha256-{digest}'" in policy
    assert "@import" not in html and "url(" not in html
