"""`sidestep lm sample`: let a trained character model write."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro

from sidestep.scripts.sequences.lm_task import load_language_model, naming_prompt, start_of
from sidestep.scripts.shared.console import check_folder, console
from sidestep.sequence.fitting.checkpoint import write_atomically
from sidestep.sequence.limits import LAST_SEED, MANY, at_least, check_fields
from sidestep.sequence.models.language import LanguageModel, Vocabulary, generate
from sidestep.sequence.models.sampling import check_sampling

LONGEST = 10_000_000
"""Characters that are written at once."""


@dataclass(frozen=True)
class SampleOptions:
    """Continue a prompt with a trained model."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run's folder."""
    prompt: str | None = None
    r"""What is continued, of any length, all of it is read; \n stands for a line's end, unless the
    model knows the backslash. A line's end, or else the first character of the vocabulary, if left
    out."""
    length: int = 500
    """Characters to write."""
    samples: int = 1
    """Continuations, drawn side by side."""
    temperature: float = 0.8
    """Below 1 sharpens the distribution, above 1 flattens it; 0 takes the most probable one."""
    top_k: int = 0
    """Draw from so many most probable characters; 0: from all."""
    seed: int = 0
    """Of the draws."""
    checkpoint: str = "best"
    """best (by validation), last, or the name of one in the folder."""
    out: Path | None = None
    """Also write the text to this file."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_sampling(self.temperature, self.top_k)
        limits = {
            "length": at_least(1, LONGEST),
            "samples": at_least(1, MANY),
            "seed": at_least(0, LAST_SEED),
        }
        check_fields(self, limits)
        if self.prompt == "":
            raise ValueError("prompt: expected at least one character, got none")


def continued(
    model: LanguageModel,
    vocabulary: Vocabulary,
    prompt: str | None,
    length: int,
    seed: int,
    **draws: Any,
) -> list[str]:
    """Let a model go on from a prompt; returns whole texts, the prompt in them.

    Args:
        model: writes.
        vocabulary: its characters.
        prompt: as `sample` takes it; None: as `start_of` begins.
        length: characters that are written.
        seed: of the draws.
        draws: rows, temperature and top_k of `generate`.

    Raises:
        ValueError: characters in the prompt that the model does not know.
    """
    start = start_of(prompt, vocabulary)
    with naming_prompt():
        codes = vocabulary.encode(start)
    random = torch.Generator().manual_seed(seed)
    drawn = generate(model, codes, length, generator=random, **draws)
    return [start + vocabulary.decode(row) for row in drawn.t()]


def sample(options: SampleOptions) -> list[str]:
    """Write the continuations; returns them with the prompt."""
    torch.set_num_threads(1)
    check_folder(options.out, "out")
    model, vocabulary = load_language_model(options.run, options.checkpoint)
    draws = {"rows": options.samples, "temperature": options.temperature, "top_k": options.top_k}
    texts = continued(model, vocabulary, options.prompt, options.length, options.seed, **draws)
    for number, text in enumerate(texts):
        if len(texts) > 1:
            console.print(f"--- {number + 1}", style="bold")
        console.print(text.strip("\n"), markup=False, highlight=False, soft_wrap=True)
    if options.out is not None:
        write_atomically(options.out, ("\n---\n".join(texts) + "\n").encode())
    return texts
