"""Formulas as MathML, made while the site is built: a browser draws them itself, offline too."""

from collections.abc import Iterator
from html import escape
from xml.etree import ElementTree

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

Element = ElementTree.Element

LOGGER = logging.getLogger(__name__)
MATHML = "http://www.w3.org/1998/Math/MathML"
MINUS, PRIME, MID = "\N{MINUS SIGN}", "\N{PRIME}", "\N{DIVIDES}"
LIMITS = {"msub": "munder", "msup": "mover", "msubsup": "munderover"}
BOUNDED = frozenset("max min sup inf lim argmax argmin".split())
"""Names with their bounds below them, where a formula has a line of its own; so have sums."""
SUMS = frozenset("∑∏")
ACCENTS = {"^": "\N{MODIFIER LETTER CIRCUMFLEX ACCENT}", "~": "\N{SMALL TILDE}", "―": "‾"}


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer `mathml`."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def inline(writer: HTML5Translator, node: nodes.math) -> None:
    """Write a formula within a line."""
    writer.body.append(mathml(node, "inline"))
    raise nodes.SkipNode


def block(writer: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula of its own; where it is wider than the page, it alone scrolls."""
    writer.body.append(f'<div class="formula" tabindex="0">{mathml(node, "block")}</div>\n')
    raise nodes.SkipNode


def mathml(node: nodes.Element, display: str) -> str:
    """A formula's MathML; what cannot be read is a warning, and stands as it was written."""
    latex = node.astext()
    try:
        return from_latex(latex, display)
    except Exception as error:  # the converter has a class for each fault, with no common one
        told = f"{type(error).__name__} {error}"
        LOGGER.warning("expected LaTeX, got %r: %s", latex, told, location=node)
        return f"<code>{escape(latex)}</code>"


def from_latex(latex: str, display: str = "block") -> str:
    """MathML of a formula; display is `block` or `inline`.

    A block is cut where it has a wide space: its parts stand in a line or, on a narrow page, below
    each other.

    Raises:
        ValueError: a command that the converter does not know.
    """
    for name in ("aligned", "align", "gathered"):  # one environment of the converter is like these
        latex = latex.replace(rf"\begin{{{name}}}", r"\begin{split}")
        latex = latex.replace(rf"\end{{{name}}}", r"\end{split}")
    ElementTree.register_namespace("", MATHML)
    tree = ElementTree.fromstring(convert(latex, display=display))
    for element in tree.iter():
        element.tag = element.tag.removeprefix(f"{{{MATHML}}}")
        if "\\" in (element.text or ""):
            raise ValueError(f"expected a command of LaTeX, got {element.text}")
    for element in list(tree.iter()):
        bounds(element)
        columns(element)
        if element.tag == "mover" and element[1].text in ACCENTS:
            element[1].text = ACCENTS[element[1].text]
        elif element.text == "~":  # of no accent: those have been visited with what they stand on
            element.tag, element.text = "mo", "\N{TILDE OPERATOR}"
        if element.text == PRIME:
            element.set("class", "prime")
    for element in list(tree.iter()):
        if element.tag in ("mrow", "mtd", "mstyle"):
            element[:] = list(spaced(enclosed(list(element))))
    parts = [list(tree)] if display == "inline" else cut(list(tree))
    return "".join(written(part, display) for part in parts)


def written(part: list[Element], display: str) -> str:
    """One formula as text."""
    math = ElementTree.Element("math", {"xmlns": MATHML, "display": display})
    math.extend(part)
    return ElementTree.tostring(math, encoding="unicode")


def cut(tree: list[Element]) -> list[list[Element]]:
    """Parts of a formula between its wide spaces."""
    row = list(tree[0]) if len(tree) == 1 and tree[0].tag == "mrow" else tree
    parts: list[list[Element]] = [[]]
    for element in row:
        if element.tag == "mspace" and element.get("width") in ("1em", "2em"):
            parts.append([])
        else:
            parts[-1].append(element)
    return [part for part in parts if part]


def bounds(element: Element) -> None:
    """Put the bounds of a sum below and above it; in a line a browser puts them beside it."""
    if element.tag in LIMITS and element[0].tag == "mo" and element[0].text in BOUNDED | SUMS:
        element.tag = LIMITS[element.tag]
        element[0].set("movablelimits", "true")


def columns(element: Element) -> None:
    """Say in CSS how columns stand: browsers know MathML's own attributes no more."""
    if element.tag == "mtable" and element.get("columnspacing", "").startswith("0em"):
        element.set("class", "aligned")
    if side := element.attrib.pop("columnalign", None):
        element.set("style", f"text-align: {side}")


def function(element: Element | None) -> bool:
    """Tell whether an element is a name such as tanh, with a power or an index perhaps."""
    if element is not None and element.tag in (*LIMITS, *LIMITS.values()):
        element = element[0]
    if element is None or element.tag not in ("mi", "mo"):
        return False
    text = (element.text or "").strip()
    return len(text) > 1 and text.isalpha()


def enclosed(row: list[Element]) -> list[Element]:
    """Put a matrix and its brackets into a row of their own: they grow with what is beside them."""
    made: list[Element] = []
    for element in row:
        if len(made) > 1 and made[-1].tag == "mtable" and element.tag == made[-2].tag == "mo":
            inner = ElementTree.Element("mrow")
            inner.extend([made[-2], made[-1], element])
            made[-2:] = [inner]
        else:
            made.append(element)
    return made


def spaced(row: list[Element]) -> Iterator[Element]:
    """Neighbours, with thin spaces about functions' names; a sign stands close to its number."""
    for number, element in enumerate(row):
        before = row[number - 1] if number else None
        after = row[number + 1] if number + 1 < len(row) else None
        here = function(element)
        if element.tag == "mo" and element.text in (MINUS, "+", "±") and operator(before):
            element.set("form", "prefix")
        if here:
            name = element if len(element) == 0 else element[0]
            name.tag = "mi"
        if here and before is not None and (before.tag != "mo" or before.text in (")", "∂")):
            if not function(before) and before.tag != "mspace":
                yield thin()
        yield element
        if here and after is not None and after.tag not in ("mo", "mspace"):
            yield thin()


def operator(before: Element | None) -> bool:
    """Tell whether a plus or minus after this one is a sign: there is nothing to add to."""
    if before is None or before.tag == "mspace":
        return True
    return before.tag == "mo" and before.text not in (")", "]", "}", PRIME, MID, "|")


def thin() -> Element:
    """A thin space."""
    return ElementTree.Element("mspace", {"width": "0.167em"})
