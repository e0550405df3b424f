"""C: the headers that a Python installation brings, or code by a grammar; and its measures."""

import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from random import Random

from sidestep.scripts.sequences.corpora.counting import (
    Count,
    brackets,
    indent_of,
    nested,
    tally,
)

PIECE = re.compile(
    r"""/\*.*?(?:\*/|\Z) | //[^\n]* | "(?:\\.|[^"\\\n])*(?:"|$) | '(?:\\.|[^'\\\n])*(?:'|$)""",
    re.X | re.S | re.M,
)
"""Comments and quoted text; what is not closed ends with the line, a comment with the text."""
DIRECTIVE = re.compile(r"^[ \t]*#[ \t]*(if|ifdef|ifndef|endif)\b", re.M)
PAD = " " * 4
NAMES = ("count", "size", "total", "index", "value", "state", "limit", "offset", "depth", "width")
VERBS = ("read", "write", "find", "copy", "merge", "check", "reset", "grow", "shift", "hash")
THINGS = ("buffer", "table", "list", "node", "queue", "frame", "block", "string", "cache", "tree")
DEEPEST = 3


def header_files() -> list[Path]:
    """The C headers that this Python was installed with, by name; none on some systems."""
    folder = Path(sysconfig.get_path("include"))
    return sorted(folder.rglob("*.h"), key=lambda path: path.relative_to(folder).as_posix())


def headers(random: Random, language: str) -> Iterator[str]:
    """The installed headers, once each, in an order of the seed's."""
    del language
    files = header_files()
    random.shuffle(files)
    for path in files:
        text = path.read_text(encoding="utf-8", errors="ignore")
        yield text.replace("\r\n", "\n").rstrip("\n") + "\n\n"


def functions(random: Random, language: str) -> Iterator[str]:
    """Functions without end, with all that they open closed."""
    del language
    while True:
        verb, thing = random.choice(VERBS), random.choice(THINGS)
        first, second = random.sample(NAMES, 2)
        lines = [f"/* {verb.capitalize()} the {thing} up to its {first}. */"]
        kind = random.choice(("int", "void", "long"))
        lines += [f"static {kind}", f"{verb}_{thing}(struct {thing} *{thing}, int {first})", "{"]
        lines.append(f"{PAD}int {second} = {random.randint(0, 9)};")
        for _ in range(random.randint(1, 3)):
            lines += _statement(random, 1, thing, first, second)
        if kind != "void":
            lines.append(f"{PAD}return {second};")
        text = "\n".join([*lines, "}", ""]) + "\n"
        if random.random() < 0.2:
            text = f"#ifdef HAVE_{thing.upper()}\n{text.rstrip()}\n#endif\n\n"
        yield text


def _statement(random: Random, level: int, thing: str, first: str, second: str) -> list[str]:
    """Lines of a statement, indented by its level."""
    pad = PAD * level
    chosen = random.random()
    item = f"{thing}->items[{second}]"
    if level >= DEEPEST or chosen < 0.4:
        simple = (
            f"{second} += {item};",
            f"{item} = ({first} + {random.randint(1, 9)}) * {second};",
            f'printf("%d {thing}\\n", {second});',
            f"{second} = {random.choice(VERBS)}_{random.choice(THINGS)}({first}, {second});",
        )
        return [pad + random.choice(simple)]
    heads = (
        f"if ({item} > {first}) {{",
        f"while ({second} < {first}) {{",
        f"for (int k = 0; k < {first}; k++) {{",
    )
    lines = [pad + random.choice(heads)]
    for _ in range(random.randint(1, 2)):
        lines += _statement(random, level + 1, thing, first, second)
    if lines[0].lstrip().startswith("if") and random.random() < 0.4:
        lines += [f"{pad}}}", f"{pad}else {{"]
        lines += _statement(random, level + 1, thing, first, second)
    return [*lines, f"{pad}}}"]


def nothing(text: str) -> frozenset[str]:
    """Nothing: no measure of C asks for what the training text has."""
    del text
    return frozenset()


def recognises(text: str) -> bool:
    """Whether many lines end as C's do."""
    lines = [line.rstrip() for line in text.split("\n") if line.strip()]
    ends = sum(line.endswith((";", "{", "}", "*/")) or line.startswith("#") for line in lines)
    return ends > 0.4 * len(lines)


def bare(text: str) -> str:
    """The text with spaces for comments and what is quoted; lines stay as they are."""
    return PIECE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def brackets_closed(text: str, known: frozenset[str]) -> Count:
    """Brackets of all kinds that have their partner, of all outside comments and quotes."""
    del known
    return nested(brackets(bare(text)))


def comments_closed(text: str, known: frozenset[str]) -> Count:
    """Comments that are closed, of all that /* opens."""
    del known
    found = (piece[0] for piece in PIECE.finditer(text))
    return tally(len(c) > 3 and c.endswith("*/") for c in found if c.startswith("/*"))


def directives_closed(text: str, known: frozenset[str]) -> Count:
    """Each #if and #endif that has its partner, of all."""
    del known
    return nested(("#if", word != "endif") for word in DIRECTIVE.findall(bare(text)))


def indentation_right(text: str, known: frozenset[str]) -> Count:
    """Lines that stand as their block wants it, of those that begin or end one.

    The line after one that opens a block, by a { at its end, stands further right than that one;
    a line that begins with } stands as the line that opened its block.
    """
    del known
    found: list[bool] = []
    blocks: list[int] = []
    opened = None
    for line in bare(text).split("\n"):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        indent, closes = indent_of(line), line.lstrip().startswith("}")
        if closes:
            found.append(bool(blocks) and indent == blocks[-1])
        elif opened is not None:
            found.append(indent > opened)
        for symbol in line:
            if symbol == "{":
                blocks.append(indent)
            elif symbol == "}" and blocks:
                blocks.pop()
        opened = indent if line.rstrip().endswith("{") else None
    return tally(found)
