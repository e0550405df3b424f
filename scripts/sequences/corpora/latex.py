r"""LaTeX by a grammar of our own: sections, nested environments, mathematics; and its measures."""

import re
from collections.abc import Iterator
from random import Random

from sidestep.scripts.sequences.corpora.counting import Count, indent_of, nested, tally

STEP = 2
"""Columns of one level of environments."""
ENVIRONMENT = re.compile(r"\\(begin|end)\{([^{}\n]*)\}")
COMMAND = re.compile(r"\\([A-Za-z]+)")
NOUNS = ("state", "sequence", "gradient", "network", "gate", "policy", "memory", "value", "word")
ADJECTIVES = ("hidden", "recurrent", "long", "small", "bounded", "linear", "final", "exact")
VERBS = ("depends on", "follows", "decides", "bounds", "forgets", "keeps", "approaches")
LETTERS = ("x", "h", "c", "t", "n", "y", "w", r"\alpha", r"\gamma", r"\theta", r"\pi")
LISTS = ("itemize", "enumerate")
BLOCKS = ("theorem", "proof", "lemma", "remark")
DEEPEST = 3
"""Environments, and braces of a formula, within each other."""


def sections(random: Random, language: str) -> Iterator[str]:
    """Sections without end, each with all that it opens closed."""
    del language
    number = 0
    while True:
        number += 1
        title = _noun_phrase(random).capitalize()
        lines = [rf"\section{{{title}}}", rf"\label{{sec:{number}}}", ""]
        for _ in range(random.randint(2, 5)):
            lines += [*_block(random, 0), ""]
        yield "\n".join(lines) + "\n"


def _noun_phrase(random: Random) -> str:
    return f"the {random.choice(ADJECTIVES)} {random.choice(NOUNS)}"


def _sentence(random: Random) -> str:
    subject, thing = _noun_phrase(random), _noun_phrase(random)
    match random.randrange(5):
        case 0:
            subject += f" ${_formula(random, 2)}$"
        case 1:
            thing = rf"\emph{{{thing}}}"
        case 2:
            thing += rf" of Section~\ref{{sec:{random.randint(1, 9)}}}"
        case 3:
            subject = rf"\textbf{{{subject}}}"
    return f"{subject[0].upper()}{subject[1:]} {random.choice(VERBS)} {thing}."


def _formula(random: Random, depth: int) -> str:
    """An expression whose braces nest at most `depth` deep."""
    if depth == 0 or random.random() < 0.25:
        return random.choice(LETTERS)
    inner, other = _formula(random, depth - 1), _formula(random, depth - 1)
    forms = (
        rf"\frac{{{inner}}}{{{other}}}",
        rf"{random.choice(LETTERS)}_{{{inner}}}",
        rf"{random.choice(LETTERS)}^{{{inner}}}",
        rf"\sqrt{{{inner}}}",
        rf"\sum_{{t=1}}^{{n}} {inner}",
        rf"\left( {inner} + {other} \right)",
        rf"\{{ {inner}, {other} \}}",
        f"{inner} = {other}",
    )
    return random.choice(forms)


def _block(random: Random, level: int) -> list[str]:
    """Lines of a paragraph or an environment, indented by its level."""
    pad = " " * (STEP * level)
    chosen = random.random()
    if level >= DEEPEST or chosen < 0.35:
        return [pad + _sentence(random) for _ in range(random.randint(1, 3))]
    if chosen < 0.6:
        inner = pad + " " * STEP
        return [rf"{pad}\begin{{equation}}", inner + _formula(random, DEEPEST),
                rf"{pad}\end{{equation}}"]  # fmt: skip
    if chosen < 0.8:
        return _items(random, level, random.choice(LISTS))
    name = random.choice(BLOCKS)
    lines = [rf"{pad}\begin{{{name}}}"]
    for _ in range(random.randint(1, 2)):
        lines += _block(random, level + 1)
    return [*lines, rf"{pad}\end{{{name}}}"]


def _items(random: Random, level: int, name: str) -> list[str]:
    pad = " " * (STEP * level)
    lines = [rf"{pad}\begin{{{name}}}"]
    for _ in range(random.randint(2, 3)):
        lines.append(rf"{pad}{' ' * STEP}\item {_sentence(random)}")
        if level + 1 < DEEPEST and random.random() < 0.2:
            lines += _items(random, level + 1, random.choice(LISTS))
    return [*lines, rf"{pad}\end{{{name}}}"]


def commands(text: str) -> frozenset[str]:
    r"""Every command of a text, such as frac of \frac."""
    return frozenset(COMMAND.findall(text))


def recognises(text: str) -> bool:
    """Whether a text has environments."""
    return text.count(r"\begin{") > len(text) / 5000 and r"\end{" in text


def environments_closed(text: str, known: frozenset[str]) -> Count:
    r"""Each \begin and \end that has its partner of the same name, of all."""
    del known
    return nested((name, word == "begin") for word, name in ENVIRONMENT.findall(text))


def braces_closed(text: str, known: frozenset[str]) -> Count:
    r"""Braces that have their partner, of all; those written \{ and \} are none."""
    del known
    bare = re.sub(r"\\[{}\\]", "  ", text)
    return nested((("{"), symbol == "{") for symbol in bare if symbol in "{}")


def dollars_paired(text: str, known: frozenset[str]) -> Count:
    """Paragraphs in which every formula that a $ opens is closed, of those that have one."""
    del known
    parts = (part.replace(r"\$", "").count("$") for part in re.split(r"\n\s*\n", text))
    return tally(number % 2 == 0 for number in parts if number)


def commands_known(text: str, known: frozenset[str]) -> Count:
    """Commands that the training text has, of all."""
    return tally(name in known for name in COMMAND.findall(text))


def indentation_right(text: str, known: frozenset[str]) -> Count:
    """Lines indented by two columns for each environment around them, of all that are not empty."""
    del known
    found, level = [], 0
    for line in text.split("\n"):
        words = [word for word, _ in ENVIRONMENT.findall(line)]
        ends = words[:1] == ["end"]
        if line.strip():
            found.append(indent_of(line) == STEP * max(0, level - ends))
        level = max(0, level + words.count("begin") - words.count("end"))
    return tally(found)
