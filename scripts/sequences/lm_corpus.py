"""`sidestep lm corpus`: make a text to train a character model on."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from sidestep.scripts.sequences.corpora.kinds import Kind, Pieces, kind_named, make
from sidestep.scripts.sequences.lm_task import LARGEST
from sidestep.scripts.shared.console import check_folder, say
from sidestep.sequence.fitting.checkpoint import write_atomically
from sidestep.sequence.limits import LAST_SEED, at_least, check_fields


@dataclass(frozen=True)
class CorpusOptions:
    """Make a text to learn from: a dialogue, LaTeX, or C."""

    kind: Annotated[str, tyro.conf.Positional]
    """dialogue: two speakers a scene; latex: sections, nested environments, mathematics; c: the
    headers that this Python was installed with."""
    out: Path = field(kw_only=True)
    """The file to write, UTF-8."""
    characters: int = 300_000
    """At most; it ends with a whole scene, section, function or line."""
    seed: int = 0
    """Of the draws; of headers, of their order."""
    language: str | None = None
    """Of a dialogue: en or ko; en if left out."""
    generated: bool = False
    """Of c: by a grammar, the same on every machine, in place of the installed headers."""

    def __post_init__(self) -> None:
        """Check every field."""
        kind = kind_named(self.kind)
        limits = {
            "characters": at_least(1000, LARGEST // 4),
            "seed": at_least(0, LAST_SEED),
        }
        check_fields(self, limits)
        if self.language is not None and self.language not in kind.languages:
            expected = " or ".join(kind.languages) or "none"
            raise ValueError(
                f"language: expected {expected} for {kind.name}, got {self.language!r}"
            )
        if self.generated and kind.installed is None:
            raise ValueError(f"generated: expected it for c alone, {kind.name} always is")


def corpus(options: CorpusOptions) -> str:
    """Write the text; returns it."""
    check_folder(options.out, "out")
    kind = kind_named(options.kind)
    language = options.language or (kind.languages[0] if kind.languages else "")
    text = make(_source(kind, options), options.characters, options.seed, language)
    write_atomically(options.out, text.encode())
    lines = text.count("\n")
    say(f"{options.out}: {len(text):,} characters of {len(set(text))} kinds, {lines:,} lines")
    if len(text) < 0.5 * options.characters:
        say(f"There is no more of it: {options.characters:,} were asked for.")
    return text


def _source(kind: Kind, options: CorpusOptions) -> Pieces:
    """What is installed here, where there is any and nothing else was asked for."""
    if kind.installed is None or options.generated:
        return kind.pieces
    if not make(kind.installed, options.characters, options.seed):
        say(f"No {kind.name} is installed with this Python: the text is by a grammar of our own.")
        return kind.pieces
    return kind.installed
