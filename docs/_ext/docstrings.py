"""Docstrings as they are written here, made ready for Sphinx.

What a field or property says is left as it is (napoleon would take words before a colon for a
type), and so is what "Returns:" says; headings and tables in Markdown, as Gymnasium's docstrings
have them, become those of reStructuredText. Names in backquotes are links where they are public.
"""

import builtins
import importlib
import pkgutil
import re
import sys
from typing import Any

from docutils import nodes
from public import PACKAGES, names
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.ext.napoleon import GoogleDocstring
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxRole

VALUES = {"attribute", "data", "property"}
KEPT: dict[str, list[str]] = {}
"""Docstrings of values on their way past napoleon."""


def before(app: Sphinx, what: str, name: str, found: Any, options: Any, lines: list[str]) -> None:
    """Make a docstring reStructuredText, before napoleon sees it."""
    lines[:] = formulas(tables(headings(returns(lines))))
    if what in VALUES:
        KEPT[name] = GoogleDocstring(lines, app.config, app, "method", name, found, options).lines()


def after(app: Sphinx, what: str, name: str, found: Any, options: Any, lines: list[str]) -> None:
    """Give a value its docstring back."""
    if name in KEPT:
        lines[:] = KEPT.pop(name)


def returns(lines: list[str]) -> list[str]:
    """Write the section "Returns:" as a field; "Yields:" likewise."""
    made: list[str] = []
    inside = False
    for line in lines:
        if match := re.fullmatch(r"(Returns|Yields):", line):
            inside = True
            made += ["", f":{match[1].lower()}:"]
        else:
            inside = inside and (not line or line.startswith(" "))
            made.append(line)
    return made


def headings(lines: list[str]) -> list[str]:
    """Turn `## Heading` into a rubric."""
    made: list[str] = []
    for line in lines:
        made += [f".. rubric:: {line[3:]}", ""] if line.startswith("## ") else [line]
    return made


def tables(lines: list[str]) -> list[str]:
    """Turn tables with `|` into lists of rows; the line below the head is dropped."""
    made: list[str] = []
    inside = False
    for line in lines:
        row = line.startswith("|") and line.endswith("|")
        if row and not inside:
            made += ["", ".. list-table::", "   :header-rows: 1", ""]
        if row and not set(line) <= set("|-: "):
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            made += [f"   {'* -' if number == 0 else '  -'} {c}" for number, c in enumerate(cells)]
        if inside and not row:
            made.append("")
        if not row:
            made.append(line)
        inside = row
    return made


def formulas(lines: list[str]) -> list[str]:
    """Keep the lines of indented paragraphs apart, as formulas are written."""
    made: list[str] = []
    above = ""
    for number, line in enumerate(lines):
        starts = line.startswith("    ") and number > 0 and not lines[number - 1]
        if starts and above[:1] not in ("", " ", ".", ":") and not above.endswith("::"):
            made += ["::", ""]
        made.append(line)
        above = line or above
    return made


def skip(app: Sphinx, what: str, name: str, found: Any, skipped: bool, options: Any) -> bool | None:
    """Leave out a tuple's fields, which its docstring tells of, and what stands elsewhere."""
    if type(found).__name__ == "_tuplegetter":
        return True
    if what == "module" and any(
        getattr(importlib.import_module(package), name, None) is found for package in PACKAGES
    ):
        return True
    return None


class Name(SphinxRole):
    """Text in backquotes: a link where it names something public, plain code elsewhere."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Make the node."""
        code = nodes.literal(self.rawtext, self.text, classes=["code"])
        here = self.env.ref_context.get("py:module", "")
        for package in sorted(PACKAGES, key=lambda name: name != here):
            words = self.text.removeprefix(f"{package}.").removesuffix("()")
            if public(package, words):
                target = f"{package}.{words}"
                link = addnodes.pending_xref(
                    "", code, refdomain="py", reftype="obj", reftarget=target, refwarn=False
                )
                link["refdoc"] = self.env.docname
                return [link], []
        return [code], []


def public(package: str, words: str) -> bool:
    """Tell whether `Level` or `Level.from_text` is public in a package."""
    first = words.split(".")[0]
    return first in {name for name, _ in names(package)} and real(f"{package}.{words}")


def real(target: str) -> bool:
    """Tell whether Python finds an object by its full name."""
    try:
        pkgutil.resolve_name(target)
    except (ImportError, AttributeError, ValueError):
        return False
    return True


class Module(SphinxPostTransform):
    """A public name means the object of the package that speaks of it, or of one it imports."""

    default_priority = 5

    def run(self, **kwargs: Any) -> None:
        """Write the names out in full."""
        for link in self.document.findall(addnodes.pending_xref):
            target, home = link["reftarget"], link.get("py:module") or ""
            found = [package for package in PACKAGES if public(package, target)]
            if found and link.get("refdomain") == "py":  # agents import sequence only, the last
                package = next((name for name in found if home.startswith(name)), found[-1])
                link["reftarget"] = f"{package}.{target}"


def exists(
    app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, content: nodes.TextElement
) -> nodes.TextElement | None:
    """Leave a name that the site has no page for as text, if there is such a thing in Python."""
    target = node["reftarget"]
    if node.get("refdomain") != "py":
        return None
    ours = [module for name, module in sys.modules.items() if name.startswith("sidestep.")]
    if any(hasattr(module, target) for module in (builtins, *ours)) or real(target):
        return content
    return None


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the steps."""
    app.connect("autodoc-process-docstring", before, priority=400)
    app.connect("autodoc-process-docstring", after, priority=600)
    app.connect("autodoc-skip-member", skip)
    app.connect("missing-reference", exists, priority=600)
    app.add_role("name", Name())
    app.add_post_transform(Module)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
