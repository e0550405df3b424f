"""Source files as pages: what a page of the docs links to in the repository can be read offline.

A link to `../sequence/tasks/dates.py` goes to a page with that file, and so does the word [source]
beside each object of the API, to its line.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms import SphinxTransform
from sphinx.util.osutil import relative_uri

ROOT = Path(__file__).resolve().parents[2]
LEXERS = {".py": "python", ".toml": "toml", ".txt": "text", ".yml": "yaml", ".md": "markdown"}
NAMESPACE = "sidestep."


class LinkedFiles(SphinxTransform):
    """Turn links to source files into links to their pages; other files are copied, by Sphinx."""

    default_priority = 100

    def apply(self, **kwargs: Any) -> None:
        """Replace the links of one page."""
        for link in list(self.document.findall(addnodes.download_reference)):
            path = Path(self.env.relfn2path(link["reftarget"], self.env.docname)[1]).resolve()
            if path.suffix in LEXERS and path.is_relative_to(ROOT):
                uri = page_uri(self.env, path.relative_to(ROOT).as_posix())
                link.replace_self(nodes.reference("", "", *link.children, refuri=uri))


def page_uri(env: BuildEnvironment, file: str) -> str:
    """Address of a file's page from the present one; the page will be made."""
    linked(env).setdefault(env.docname, set()).add(file)
    return relative_uri(f"{env.docname}.html", f"source/{file}.html")


def linked(env: BuildEnvironment) -> dict[str, set[str]]:
    """Files that each page links to."""
    if not hasattr(env, "linked_files"):
        env.linked_files = {}  # type: ignore[attr-defined]
    return env.linked_files  # type: ignore[attr-defined, no-any-return]


def forget(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    """Drop what a page linked to, before it is read again."""
    linked(env).pop(docname, None)


def merge(app: Sphinx, env: BuildEnvironment, docs: list[str], other: BuildEnvironment) -> None:
    """Take what a parallel reader found."""
    linked(env).update({doc: files for doc, files in linked(other).items() if doc in docs})


def beside_objects(app: Sphinx, document: nodes.document) -> None:
    """Write [source] beside each class, function and method of the API."""
    for entry in document.findall(addnodes.desc):
        if entry.get("domain") != "py":
            continue
        for signature in entry.findall(addnodes.desc_signature):
            if signature.parent is entry and (place := where(signature)):
                file, line = place
                uri = f"{page_uri(app.env, file)}#L-{line}"
                word = nodes.inline("", "[source]", classes=["viewcode-link"])
                signature += nodes.reference("", "", word, refuri=uri, classes=["to-source"])


def where(signature: nodes.Element) -> tuple[str, int] | None:
    """File and line of an object; None for what is no code of the repository, such as constants."""
    import importlib

    try:
        found: Any = importlib.import_module(signature["module"])
        for name in signature["fullname"].split("."):
            found = getattr(found, name)
        found = inspect.unwrap(found.fget if isinstance(found, property) else found)
        path = Path(inspect.getsourcefile(found) or "").resolve()
        line = inspect.getsourcelines(found)[1]
    except (AttributeError, TypeError, OSError):
        return None
    return (path.relative_to(ROOT).as_posix(), line) if path.is_relative_to(ROOT) else None


def pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """The page of each file that is linked to."""
    for file in sorted(set().union(*linked(app.env).values())):
        lexer = LEXERS[PurePosixPath(file).suffix]
        text = (ROOT / file).read_text(encoding="utf-8")
        code = app.builder.highlighter.highlight_block(  # type: ignore[attr-defined]
            text, lexer, lineanchors="L", force=True
        )
        body = f'<h1>{file}</h1>\n<div class="highlight-{lexer} notranslate">{code}</div>'
        yield f"source/{file}", {"title": file, "body": body}, "page.html"


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the links and the pages."""
    app.add_transform(LinkedFiles)
    app.connect("doctree-read", beside_objects)
    app.connect("env-purge-doc", forget)
    app.connect("env-merge-info", merge)
    app.connect("html-collect-pages", pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
