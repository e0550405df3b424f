"""The kinds of texts, a row each: how they are made, how known, and what is measured of them."""

from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

from sidestep.scripts.sequences.corpora import c_code, dialogue, latex
from sidestep.scripts.sequences.corpora.counting import Count
from sidestep.scripts.shared.words import did_you_mean

Pieces = Callable[[Random, str], Iterator[str]]
"""Pieces of a text, each with all that it opens closed, drawn in a language."""
Measure = Callable[[str, frozenset[str]], Count]
"""Counts what is right in a text, beside what is known from the training text."""
ENOUGH = 0.9
"""Of the characters that are asked for; with fewer a piece that does not fit is cut."""


class Kind(NamedTuple):
    """A row."""

    name: str
    pieces: Pieces
    """By a grammar of our own, the same on every machine."""
    known: Callable[[str], frozenset[str]]
    """What a training text makes known: speakers, commands."""
    recognises: Callable[[str], bool]
    """Whether a text is of this kind."""
    measures: dict[str, Measure]
    """By what a table calls them."""
    languages: tuple[str, ...] = ()
    """To choose from; the first one if left out."""
    installed: Pieces | None = None
    """What this machine has of it, which comes before the grammar's."""


KINDS = (
    Kind(
        "dialogue",
        dialogue.scenes,
        dialogue.speakers,
        dialogue.recognises,
        {
            "speakers are known": dialogue.names_known,
            "turns alternate": dialogue.turns_alternate,
            "a scene keeps its two speakers": dialogue.two_speakers,
            "answers name the thing asked for": dialogue.answers_name_the_thing,
        },
        languages=tuple(dialogue.LANGUAGES),
    ),
    Kind(
        "latex",
        latex.sections,
        latex.commands,
        latex.recognises,
        {
            "environments close": latex.environments_closed,
            "braces close": latex.braces_closed,
            "$ in pairs": latex.dollars_paired,
            "commands are known": latex.commands_known,
            "indentation is right": latex.indentation_right,
        },
    ),
    Kind(
        "c",
        c_code.functions,
        c_code.nothing,
        c_code.recognises,
        {
            "brackets close": c_code.brackets_closed,
            "comments close": c_code.comments_closed,
            "#if has its #endif": c_code.directives_closed,
            "indentation is right": c_code.indentation_right,
        },
        installed=c_code.headers,
    ),
)
"""All kinds, in the order in which a text is tried for them."""


def kind_named(name: str) -> Kind:
    """The row of that name.

    Raises:
        ValueError: there is none.
    """
    for kind in KINDS:
        if kind.name == name:
            return kind
    names = [kind.name for kind in KINDS]
    raise ValueError(
        f"kind: expected one of {', '.join(names)}, got {name!r}{did_you_mean(name, names)}"
    )


def kind_of(text: str) -> Kind:
    """The kind of a text, by the look of it.

    Raises:
        ValueError: it looks like none.
    """
    for kind in KINDS:
        if kind.recognises(text):
            return kind
    names = ", ".join(kind.name for kind in KINDS)
    raise ValueError(f"kind: expected a text that looks like {names}; say which with --kind")


def make(pieces: Pieces, characters: int, seed: int, language: str = "") -> str:
    """A text of at most so many characters, the same for the same seed.

    It ends with a whole piece, or, where the pieces are long, with a whole line.

    Args:
        pieces: of a row.
        characters: at most.
        seed: of the draws.
        language: one of the row's.
    """
    parts, length = [], 0
    for piece in pieces(Random(seed), language):
        if length + len(piece) > characters:
            if length < ENOUGH * characters:
                parts.append(piece[: piece.rfind("\n", 0, characters - length) + 1])
            break
        parts.append(piece)
        length += len(piece)
    return "".join(parts)
