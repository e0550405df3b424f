"""What `sidestep translate` fits: a model on a corpus; and its run read again."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sidestep.scripts.sequences.translate_data import (
    CHAT,
    OF_FILES,
    TASKS,
    WORD_OF_BEFORE,
    Corpus,
    DataConfig,
    Languages,
    corpus_of,
    digest,
)
from sidestep.sequence.devices import Work, device_of, work_of
from sidestep.sequence.fitting.fitted import read_fitted, read_run
from sidestep.sequence.fitting.fitter import FittingConfig, Loss, module_of, seeded
from sidestep.sequence.fitting.records import build_config, check_named, entries, shown
from sidestep.sequence.fitting.stored import check_tensors
from sidestep.sequence.models.beams import Hypothesis
from sidestep.sequence.models.decoding import greedy
from sidestep.sequence.models.seq2seq import Seq2Seq, sequence_log_probability, target_loss
from sidestep.sequence.models.seq2seq_config import Seq2SeqConfig, teacher_forcing_at
from sidestep.sequence.tasks.pairs import (
    PAD,
    TokenVocabulary,
    make_batch,
    read_pairs,
    source_batch,
)

WATCHED = 200
"""Pairs of the validation split that are written out at every validation."""
UNITS = ("task", "character", "word", "letter")
"""What texts are cut into; a task's own are those of a generated one only."""
ROWS = 100
"""Sentences that are decoded at once."""


class TranslationTask:
    """A sequence-to-sequence model on a corpus, for a `Fitter`.

    The pairs of an update follow from seed and update alone, so resuming needs no state.

    Args:
        corpus: pairs.
        data: batch size, limits, teacher forcing.
        model: the architecture.
        fitting: gives updates, seed and device.
    """

    unit = "symbols"

    def __init__(
        self, corpus: Corpus, data: DataConfig, model: Seq2SeqConfig, fitting: FittingConfig
    ) -> None:
        """Make the model."""
        self.corpus, self.data, self.fitting = corpus, data, fitting
        self.languages = corpus.languages
        with seeded(fitting.seed):
            self.model: Seq2Seq = make_model(self.languages, model)
        self.device = device_of(fitting.device, lambda: self.work(model))
        self.module: nn.Module = self.model.to(self.device)

    def work(self, model: Seq2SeqConfig) -> Work:
        """What an update computes, or a step, where each reads what the one before gave."""
        data = self.data
        forced = min(data.teacher_forcing, data.final_teacher_forcing)
        if model.input_feeding or forced < 1:
            return work_of(self.model, data.batch_size, "tick")
        pairs = self.corpus.train(self.fitting.seed, 0, data.batch_size)
        symbols = sum(len(pair.source) + len(pair.target) for pair in pairs)
        return work_of(self.model, symbols // 2)

    def loss(self, update: int) -> Loss:
        """Cross-entropy of the next batch; see `target_loss`."""
        data = self.data
        pairs = self.corpus.train(self.fitting.seed, update, data.batch_size)
        batch = make_batch(pairs, self.languages.source, self.languages.target)
        count = int((batch.target[1:] != PAD).sum())  # while it is on the host: nothing waits
        batch = batch.to(self.device)
        forcing = teacher_forcing_at(
            update, self.fitting.updates, data.teacher_forcing, data.final_teacher_forcing
        )
        logits, _ = self.model(batch.source, batch.source_lengths, batch.target, forcing)
        return Loss(target_loss(logits, batch.target) * count, count)

    def validate(self) -> dict[str, float]:
        """Nats per symbol of the validation split, and the exact share of what it writes.

        Returns:
            Nothing where nothing is held out for it.

        Raises:
            FloatingPointError: the nats are not finite.
        """
        total, count = 0.0, 0
        pairs = self.corpus.validation
        if not pairs:
            return {}
        for start in range(0, len(pairs), ROWS):
            batch = make_batch(
                pairs[start : start + ROWS], self.languages.source, self.languages.target
            ).to(self.device)
            logits, _ = self.model(batch.source, batch.source_lengths, batch.target)
            total -= float(sequence_log_probability(logits, batch.target).sum())
            count += int((batch.target[1:] != PAD).sum())
        if not math.isfinite(total):
            raise FloatingPointError(f"expected a finite loss of the validation split, got {total}")
        watched = pairs[:WATCHED]
        written = write(self.model, self.languages, [p.source for p in watched], self.data)
        exact = [w == list(p.target) for w, p in zip(written, watched, strict=True)]
        return {"loss": total / count, "exact": sum(exact) / len(exact)}

    def state_dict(self) -> dict[str, Tensor]:
        """Nothing: see above."""
        return {}

    def check_state(self, state: dict[str, Tensor]) -> None:
        """Refuse any tensor."""
        check_tensors({}, state, "task.")

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Nothing to restore."""


def make_model(languages: Languages, config: Seq2SeqConfig) -> Seq2Seq:
    """A model for these vocabularies."""
    return Seq2Seq(len(languages.source), len(languages.target), config)


def write(
    model: Seq2Seq, languages: Languages, sources: list[tuple[str, ...]], data: DataConfig
) -> list[list[str]]:
    """What the model writes greedily for each source, as tokens."""
    found = decode(model, languages, sources, lambda e: greedy(model, e, data.max_target + 1))
    return [languages.target.decode(hypothesis.tokens) for hypothesis in found]


def decode(
    model: Seq2Seq, languages: Languages, sources: list[tuple[str, ...]], search: Any
) -> list[Any]:
    """Decode sources in batches of similar length.

    Args:
        model: in evaluation mode.
        languages: of the model.
        sources: tokens.
        search: from what was encoded to a list with an entry for each source.

    Returns:
        The entries in the order of the sources; attention reaches to each source's END.
    """
    device = next(model.parameters()).device
    order = sorted(range(len(sources)), key=lambda number: len(sources[number]))
    found: list[Any] = [None] * len(sources)
    for start in range(0, len(order), ROWS):
        numbers = order[start : start + ROWS]
        source, lengths = source_batch([sources[n] for n in numbers], languages.source)
        with torch.no_grad():
            encoded = model.encode(source.to(device), lengths.to(device))
        for number, entry in zip(numbers, search(encoded), strict=True):
            found[number] = _cut(entry, len(sources[number]) + 1)
    return found


def _cut(entry: Any, length: int) -> Any:
    """Take padding away from attention: a hypothesis or a list of them."""
    if not isinstance(entry, Hypothesis):
        return [_cut(one, length) for one in entry]
    if entry.attention is None:
        return entry
    return entry._replace(attention=entry.attention[:, :length].cpu())


def record_of(
    corpus: Corpus, data: DataConfig, model: Seq2SeqConfig, fitting: FittingConfig
) -> dict[str, Any]:
    """What config.json holds."""
    languages = corpus.languages
    return {
        "file": corpus.record,
        "name": languages.name,
        "units": list(languages.units),
        "source_symbols": list(languages.source.symbols[4:]),
        "target_symbols": list(languages.target.symbols[4:]),
        "data": asdict(data),
        "model": asdict(model),
        "fitting": asdict(fitting),
    }


@dataclass(frozen=True)
class Run:
    """What a run's config.json says."""

    languages: Languages
    data: DataConfig
    model: Seq2SeqConfig
    file: dict[str, Any] | None
    older: bool
    """Whether it was begun before there were shares of a file's pairs to hold out."""


def run_of(folder: Path, record: dict[str, Any]) -> Run:
    """A record from `read_run` in its types.

    Raises:
        ValueError: the record is of another version.
    """
    source = f"{folder}/config.json"
    words = list[str]
    entries(record, source, file=dict | None, name=str, units=words, data=dict, model=dict)
    entries(record, source, source_symbols=words, target_symbols=words)
    allowed = UNITS if record["name"] in TASKS else UNITS[1:]
    if len(record["units"]) != 2 or not set(record["units"]) <= set(allowed):
        got = f"{shown(record['units'])} of {shown(record['name'])}"
        raise ValueError(f"{source}: expected two units of {', '.join(allowed)}, got {got}")
    if record["file"] is not None:
        entries(record["file"], f"{source}: file", path=str, pairs=int, sha256=str)
    older = "test_share" not in record["data"]
    record = _of_before(record) if older else record
    languages = Languages(
        record["name"],
        TokenVocabulary(record["source_symbols"]),
        TokenVocabulary(record["target_symbols"]),
        tuple(record["units"]),
    )
    return Run(
        languages,
        build_config(DataConfig, record["data"], source),
        build_config(Seq2SeqConfig, record["model"], source),
        record["file"],
        older,
    )


def _of_before(record: dict[str, Any]) -> dict[str, Any]:
    """An older record as this version writes it: it knows no shares, and no spaces in tokens."""
    if record["file"] is None:  # what says nothing about a generated task was written down then
        data = {name: value for name, value in record["data"].items() if name not in OF_FILES}
        return {**record, "data": data}
    units = [WORD_OF_BEFORE if unit == "word" else unit for unit in record["units"]]
    return {**record, "units": units}


def corpus_again(folder: Path, run: Run, file: Path | None = None) -> Corpus:
    """The pairs that a run was begun with.

    Args:
        folder: of the run.
        run: its record.
        file: where the pairs are now; None: where they were.

    Raises:
        OSError: they are not there.
        ValueError: they are others, or they were cut in another way than now.
    """
    if run.file is None or run.languages.name == CHAT:
        corpus = corpus_of(None, run.data, run.model.max_source)
        if run.file is not None and (corpus.record or {})["sha256"] != run.file["sha256"]:
            raise ValueError(
                f"{folder}: expected the chat that it was begun with, got another version's; it "
                "still answers, but to go on or to measure it, train it again"
            )
        return corpus
    if run.older:
        raise ValueError(
            f"{folder}: expected a run whose pairs were held out as they are now, got an older "
            "one; it still translates, but to go on or to measure it, train it again"
        )
    path = file or check_named(Path(run.file["path"]))
    assert path is not None
    try:
        texts = read_pairs(path)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path}: expected the pairs of {folder}; say where they are now with --file"
        ) from None
    if run.data.swap:
        texts = [(target, source) for source, target in texts]
    if digest(texts) != run.file["sha256"]:
        raise ValueError(
            f"{path}: expected the {run.file['pairs']:,} pairs that {folder} was begun with, got "
            f"others ({len(texts):,})"
        )
    return corpus_of(path, run.data, run.model.max_source)


def load_translator(folder: Path | str, checkpoint: str = "best") -> tuple[Seq2Seq, Run]:
    """The trained model of a run of `sidestep translate`, set to evaluation, and its record.

    Args:
        folder: of the run.
        checkpoint: best (by validation), last, or a name.

    Raises:
        FileNotFoundError: no run, or no checkpoint in it.
        ValueError: a damaged checkpoint, or one of another architecture.
    """
    folder = Path(folder)
    run = run_of(folder, read_run(folder, "translate"))
    tensors, _ = read_fitted(folder, checkpoint)
    return module_of(lambda: make_model(run.languages, run.model), tensors), run
