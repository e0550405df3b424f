"""What the tests of `sidestep lm watch` read: a text, and small models that were never trained."""

from pathlib import Path

import torch

from sidestep.scripts import lm
from sidestep.sequence.models.language import LanguageConfig, LanguageModel, Vocabulary

TEXT = "one (two)\n가나다 three,\nfour\n"
LETTERS = Vocabulary.of(TEXT)


def model_of(cell: str, layers: int = 2) -> LanguageModel:
    torch.manual_seed(3)
    config = LanguageConfig(cell, hidden_size=7, num_layers=layers, embedding_size=5)
    return LanguageModel(len(LETTERS), config).eval()


def run_in(folder: Path) -> Path:
    """A run of three updates on the text, which lies beside it."""
    text = folder / "text.txt"
    text.write_text(TEXT * 12, encoding="utf-8")
    flags = "--updates 3 --hidden-size 6 --embedding-size 4 --rows 2 --steps 8"
    lm.main(["train", str(text), "--out", str(folder / "run"), *flags.split()])
    return folder / "run"
