"""What `sidestep caption` fits: pictures of worlds to sentences; and its run read again."""

import math
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sidestep.envs import Scene
from sidestep.scripts.sequences.caption_worlds import (
    CAPTIONS,
    CELL,
    LANGUAGES,
    SIDE,
    Language,
    facts_of,
    pictures_of,
    place_symbols,
    scenes,
    symbols_of,
)
from sidestep.sequence.devices import device_of, work_of
from sidestep.sequence.fitting.fitted import read_fitted, read_run
from sidestep.sequence.fitting.fitter import FittingConfig, Loss, module_of, seeded
from sidestep.sequence.fitting.records import build_config, entries
from sidestep.sequence.fitting.stored import check_tensors
from sidestep.sequence.limits import MANY, at_least, check_fields, one_of
from sidestep.sequence.models.beams import Hypothesis
from sidestep.sequence.models.captioning import Captioner
from sidestep.sequence.models.decoding import greedy
from sidestep.sequence.models.seq2seq import sequence_log_probability, target_loss
from sidestep.sequence.models.seq2seq_config import Seq2SeqConfig
from sidestep.sequence.tasks.pairs import BEGIN, END, PAD, TokenVocabulary, pad
from sidestep.sequence.tasks.task import Split

VALIDATED, TESTED = 200, 500
"""Worlds of the validation and of the test split."""
MAX_TARGET = 20
"""Longest caption, in symbols."""
ROWS = 100
"""Worlds that are captioned at once."""


@dataclass(frozen=True)
class CaptionData:
    """What is learnt from."""

    language: Language = "korean"
    """Of the sentences."""
    batch_size: int = 64
    """Worlds of an update."""

    def __post_init__(self) -> None:
        """Check every field."""
        limits = {"language": one_of(*LANGUAGES), "batch_size": at_least(1, MANY)}
        check_fields(self, limits)


def some_scenes(split: Split, count: int, seed: str) -> list[Scene]:
    """So many worlds of a split; the seed alone decides which."""
    found = scenes(split, random.Random(seed))
    return [next(found) for _ in range(count)]


def vocabulary_of(language: str) -> TokenVocabulary:
    """Numbers of the tokens of a language's captions."""
    return TokenVocabulary(symbols_of(language))


def make_captioner(data: CaptionData, config: Seq2SeqConfig) -> Captioner:
    """A model for these captions."""
    config = replace(config, max_source=SIDE * SIDE)
    numbers = 3 * CELL * CELL
    return Captioner(SIDE, SIDE, numbers, len(vocabulary_of(data.language)), config)


class CaptionTask:
    """A captioner on new worlds always, for a `Fitter`.

    The worlds of an update follow from seed and update alone, so resuming needs no state.

    Args:
        data: language, batch size.
        model: the architecture.
        fitting: gives updates, seed and device.
    """

    unit = "symbols"

    def __init__(self, data: CaptionData, model: Seq2SeqConfig, fitting: FittingConfig) -> None:
        """Make the model, and draw what it is validated by."""
        self.data, self.fitting = data, fitting
        self.vocabulary = vocabulary_of(data.language)
        with seeded(fitting.seed):
            self.model = make_captioner(data, model)
        work = data.batch_size * (SIDE * SIDE + MAX_TARGET) // 2
        self.device = device_of(fitting.device, lambda: work_of(self.model, work))
        self.module: nn.Module = self.model.to(self.device)
        self.held_out = some_scenes("validation", VALIDATED, "0")

    def batch(self, some: Sequence[Scene]) -> tuple[Tensor, Tensor]:
        """Pictures (B, height, width, 3), and targets (S, B) with BEGIN and END."""
        tokens = [captioned(scene, self.data.language) for scene in some]
        target, _ = pad([[BEGIN, *self.vocabulary.encode(row), END] for row in tokens])
        return torch.from_numpy(pictures_of(some)).to(self.device), target.to(self.device)

    def logits(self, pictures: Tensor, target: Tensor) -> Tensor:
        """(S - 1, B, V) of target[1:]."""
        logits, _ = self.model.describe(pictures, target)
        return logits

    def loss(self, update: int) -> Loss:
        """Cross-entropy of the captions of new worlds; see `target_loss`."""
        some = some_scenes("train", self.data.batch_size, f"{self.fitting.seed} {update}")
        pictures, target = self.batch(some)
        count = int((target[1:] != PAD).sum())
        return Loss(target_loss(self.logits(pictures, target), target) * count, count)

    def validate(self) -> dict[str, float]:
        """Nats per symbol of worlds never seen, and the exact share of what is written.

        Raises:
            FloatingPointError: the nats are not finite.
        """
        total, count = 0.0, 0
        for start in range(0, VALIDATED, ROWS):
            pictures, target = self.batch(self.held_out[start : start + ROWS])
            total -= float(sequence_log_probability(self.logits(pictures, target), target).sum())
            count += int((target[1:] != PAD).sum())
        if not math.isfinite(total):
            raise FloatingPointError(f"expected a finite loss of the validation split, got {total}")
        right = exact_ones(self.model, self.data.language, self.held_out)
        return {"loss": total / count, "exact": sum(right) / len(right)}

    def state_dict(self) -> dict[str, Tensor]:
        """Nothing: see above."""
        return {}

    def check_state(self, state: dict[str, Tensor]) -> None:
        """Refuse any tensor."""
        check_tensors({}, state, "task.")

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Nothing to restore."""


def captioned(scene: Scene, language: str) -> tuple[str, ...]:
    """The right caption of a world, as tokens."""
    return CAPTIONS[language](facts_of(scene))


def describe(model: Captioner, some: Sequence[Scene]) -> list[Hypothesis]:
    """What a model in evaluation mode writes greedily for each world."""
    device = next(model.parameters()).device
    found: list[Hypothesis] = []
    for start in range(0, len(some), ROWS):
        pictures = torch.from_numpy(pictures_of(some[start : start + ROWS])).to(device)
        with torch.no_grad():
            found += greedy(model, model.look(pictures), MAX_TARGET)
    return found


def exact_ones(model: Captioner, language: str, some: Sequence[Scene]) -> list[bool]:
    """Whether each world's caption is written without a mistake."""
    vocabulary = vocabulary_of(language)
    return [
        tuple(vocabulary.decode(one.tokens)) == captioned(scene, language)
        for one, scene in zip(describe(model, some), some, strict=True)
    ]


def look_shares(
    language: str, some: Sequence[Scene], found: Sequence[Hypothesis]
) -> dict[str, float]:
    """How often attention is most on the agent's and on the goal's cell where that is told.

    Args:
        language: of the captions.
        some: worlds.
        found: what was written of them.

    Returns:
        The share for "agent" and "goal" where their places are told in exact captions; {} where
        there are none, or no attention.
    """
    vocabulary, looked = vocabulary_of(language), {"agent": [0, 0], "goal": [0, 0]}
    for scene, one in zip(some, found, strict=True):
        tokens = tuple(vocabulary.decode(one.tokens))
        if one.attention is None or tokens != captioned(scene, language):
            continue
        cells = {"agent": scene.agent, "goal": scene.level.goal}
        for who, number in place_symbols(tokens, language).items():
            wanted = cells[who].y * scene.level.width + cells[who].x
            looked[who][0] += int(one.attention[number].argmax()) == wanted
            looked[who][1] += 1
    return {who: hits / count for who, (hits, count) in looked.items() if count}


def record_of(data: CaptionData, model: Seq2SeqConfig, fitting: FittingConfig) -> dict[str, Any]:
    """What config.json holds."""
    return {
        "symbols": list(symbols_of(data.language)),
        "data": asdict(data),
        "model": asdict(model),
        "fitting": asdict(fitting),
    }


def run_of(folder: Path, record: dict[str, Any]) -> tuple[CaptionData, Seq2SeqConfig]:
    """A record from `read_run` in its types.

    Raises:
        ValueError: the record is of another version, or its captions had other words.
    """
    source = f"{folder}/config.json"
    entries(record, source, symbols=list[str], data=dict, model=dict)
    data = build_config(CaptionData, record["data"], source)
    if record["symbols"] != list(symbols_of(data.language)):
        raise ValueError(f"{source}: expected the words of this version's captions, got others")
    return data, build_config(Seq2SeqConfig, record["model"], source)


def load_captioner(folder: Path | str, checkpoint: str = "best") -> tuple[Captioner, CaptionData]:
    """The trained model of a run of `sidestep caption`, set to evaluation, and what it learnt.

    Args:
        folder: of the run.
        checkpoint: best (by validation), last, or a name.

    Raises:
        FileNotFoundError: no run, or no checkpoint in it.
        ValueError: a damaged checkpoint, or one of another architecture.
    """
    folder = Path(folder)
    data, model = run_of(folder, read_run(folder, "caption"))
    tensors, _ = read_fitted(folder, checkpoint)
    return module_of(lambda: make_captioner(data, model), tensors), data
