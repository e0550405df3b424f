"""The course in two languages: a chapter links to its twin, and says which language it is in."""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

NAMES = {"en": "English", "ko": "한국어"}
COURSES = {"course/en/index": "/course/notes", "course/ko/index": "/course/notes.ko"}
"""The first page of the course in each language, and its table of the notes."""


def twins(docname: str, known: set[str]) -> dict[str, str]:
    """Pages of the same matter by language; none where a page has no twin."""
    if docname.startswith(("course/en/", "course/ko/")):
        chapter = docname.rpartition("/")[2]
        pages = {code: f"course/{code}/{chapter}" for code in NAMES}
    else:
        pages = {"en": docname.removesuffix(".ko"), "ko": f"{docname.removesuffix('.ko')}.ko"}
    return pages if known.issuperset(pages.values()) else {}


def chapters(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put the chapters of a language under its first page, in their order."""
    if docname in COURSES:
        pages = ["[0-9]*", COURSES[docname]]
        source[0] += "\n```{toctree}\n:hidden:\n:glob:\n\n" + "\n".join(pages) + "\n```\n"


def switch(
    app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: nodes.document
) -> None:
    """Put the languages of a chapter above it, and name its own in the page's head."""
    if pagename.startswith("course/ko/") or pagename.endswith(".ko"):
        context["language"] = "ko"
    found = twins(pagename, set(app.env.found_docs))
    if not found:
        return
    words, heads = [], []
    for code, page in found.items():
        uri, name = context["pathto"](page), NAMES[code]
        if page == pagename:
            words.append(f'<span lang="{code}" aria-current="page">{name}</span>')
        else:
            words.append(f'<a lang="{code}" hreflang="{code}" href="{uri}">{name}</a>')
            heads.append(f'<link rel="alternate" hreflang="{code}" href="{uri}">\n')
    context["body"] = f'<p class="languages">{" · ".join(words)}</p>\n{context["body"]}'
    context["metatags"] = context.get("metatags", "") + "".join(heads)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the switch."""
    app.connect("source-read", chapters)
    app.connect("html-page-context", switch)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
