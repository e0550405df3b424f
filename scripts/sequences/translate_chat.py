"""`sidestep translate chat RUN`: each line that comes in is answered, until the input ends."""

import sys
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import torch
import tyro

from sidestep.scripts.sequences.translate_search import SearchConfig, searcher
from sidestep.scripts.sequences.translate_task import Run, decode, load_translator
from sidestep.scripts.shared.console import console
from sidestep.sequence.models.seq2seq import Seq2Seq
from sidestep.sequence.tasks.pairs import bare

LEAVE = "exit"
"""The line that ends a conversation, as the end of the input does."""
PROMPT = "> "


@dataclass(frozen=True)
class ChatOptions:
    """Answer line by line what is typed, or comes through a pipe, until its end or "exit"."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run's folder."""
    how: tyro.conf.OmitArgPrefixes[SearchConfig] = field(default_factory=SearchConfig)
    checkpoint: str = "best"
    """best (by validation), last, or the name of one in the folder."""


def chat(options: ChatOptions) -> int:
    """Converse; returns how many lines were answered."""
    torch.set_num_threads(1)
    model, record = load_translator(options.run, options.checkpoint)
    asked = sys.stdin.isatty()
    if asked:
        console.say(f'Say something; an empty line is passed over, "{LEAVE}" ends.')
    count = 0
    for words in answers(model, record, options.how, _lines(asked)):
        console.say(words)
        count += 1
    return count


def _lines(asked: bool) -> Iterator[str]:
    """What comes in, line by line; a prompt before each where a person types."""
    while True:
        try:
            line = input(PROMPT if asked else "")
        except EOFError:
            if asked:
                console.say("")
            return
        except UnicodeDecodeError as error:
            raise ValueError(f"standard input: expected UTF-8 text, got {error.reason}") from None
        yield line


def answers(model: Seq2Seq, record: Run, how: SearchConfig, lines: Iterable[str]) -> Iterator[str]:
    """Answer lines; what the model cannot read is said instead, or before it answers.

    Args:
        model: in evaluation mode.
        record: of its run.
        how: the search; of several hypotheses the best is the answer.
        lines: what is said, up to the line "exit".

    Yields:
        One text for each line that says something.
    """
    languages, limit = record.languages, record.model.max_source
    search = searcher(model, how, record.data.max_target + 1)
    for line in lines:
        text = unicodedata.normalize("NFC", line.strip())
        if text == LEAVE:
            return
        tokens = languages.split_source(text)
        if not text:
            continue
        if not tokens or len(tokens) > limit:
            yield f"(I read 1 to {limit} tokens at a time, and this has {len(tokens)}.)"
            continue
        unknown = ", ".join(repr(bare(token)) for token in languages.source.unknown(tokens))
        (row,) = decode(model, languages, [tuple(tokens)], search)
        answer = languages.join_target(languages.target.decode(row[0].tokens)).strip() or "..."
        yield f"{answer}  (I have never seen {unknown}.)" if unknown else answer
