"""What `sidestep lm` fits: a text, its split, and a character model on a stream of it."""

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unicodedata import normalize

import torch
from torch import Tensor

from sidestep.sequence.devices import device_of, work_of
from sidestep.sequence.fitting.fitted import read_fitted, read_run
from sidestep.sequence.fitting.fitter import FittingConfig, Loss, module_of, seeded
from sidestep.sequence.fitting.records import build_config, check_named, entries, read_regular
from sidestep.sequence.fitting.stored import Spec, check_tensors, within
from sidestep.sequence.limits import MANY, PART, at_least, check_fields
from sidestep.sequence.models.language import (
    LanguageConfig,
    LanguageModel,
    Stream,
    Vocabulary,
    chunk_loss,
    generate,
    nats_per_character,
)
from sidestep.sequence.state import State, flatten_state, unflatten_state

HELD_OUT = 0.1
"""The share that is held out unless another is asked for."""
LARGEST = 2**30
"""Bytes of the largest text that is read."""
SAMPLE = 200
"""Characters of the samples that are drawn at every validation."""


@dataclass(frozen=True)
class StreamConfig:
    """How the text is cut."""

    rows: int = 16
    """Pieces of the text that are read side by side; fewer where they would be shorter than
    `steps`."""
    steps: int = 64
    """Characters between updates; gradients reach back so far, the state farther."""
    validation_share: float | None = None
    """The text's last part that is held out; 0: nothing. 0.1 if left out, or nothing of a text so
    short that this would be less than two characters."""
    prompt: str | None = None
    r"""What the samples at every validation continue, read as in `sample`; the text's first line if
    left out."""

    def __post_init__(self) -> None:
        """Check every field."""
        limits = {"rows": at_least(1, MANY), "steps": at_least(1, MANY), "validation_share": PART}
        check_fields(self, limits)
        if self.prompt == "":
            raise ValueError("prompt: expected at least one character, got none")


def default_text() -> str:
    """Python's own documentation of its topics, as every Python brings it."""
    from pydoc_data.topics import topics

    return "\n".join(topics.values())


def read_text(path: Path | None) -> str:
    r"""A text file's characters, line ends as \\n; None: `default_text`.

    Raises:
        OSError: there is none, or it cannot be read.
        ValueError: no regular file, one beyond 1 GiB, empty, or not UTF-8 text.
    """
    if path is None:
        return default_text()
    try:
        data = read_regular(path, LARGEST)
        text = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected UTF-8 text, got byte {error.start} of others") from None
    if not text:
        raise ValueError(f"{path}: expected text, got an empty file")
    if "\0" in text:
        raise ValueError(f"{path}: expected text, got a binary file (byte 0)")
    return text


def split_text(symbols: Tensor, config: StreamConfig) -> tuple[Tensor, Tensor]:
    """The part (N,) to learn from and the part (M,) held out, in the order of the text.

    Returns:
        Both; M is 0 where nothing is held out.

    Raises:
        ValueError: one of them is too short.
    """
    share = config.validation_share
    held_out = int((HELD_OUT if share is None else share) * len(symbols))
    if share is None and held_out < 2:
        held_out = 0
    training, validation = symbols[: len(symbols) - held_out], symbols[len(symbols) - held_out :]
    if len(training) < 2:
        raise ValueError(
            f"expected a text of at least 2 characters to learn from, got {len(training)} of "
            f"{len(symbols)}"
        )
    if share and len(validation) < 2:
        raise ValueError(
            f"validation_share: expected at least 2 of the {len(symbols)} characters held out, or "
            f"0, got {share:g}, which is {len(validation)}"
        )
    return training, validation


def read_prompt(prompt: str, vocabulary: Vocabulary) -> str:
    r"""A prompt as the text that a model was trained on has it.

    Line ends are \n, in whatever form they come; where the model knows no backslash, the two
    characters \n stand for one too. Letters with marks are taken in the normal form of Unicode that
    the model knows.
    """
    text = prompt.replace("\r\n", "\n").replace("\r", "\n")
    if "\\" not in vocabulary.symbols:
        text = text.replace("\\n", "\n")
    return in_known_form(text, vocabulary)


def start_of(prompt: str | None, vocabulary: Vocabulary) -> str:
    """What a sample continues: the prompt, or a line's end, or else the first known character."""
    if prompt is not None:
        return read_prompt(prompt, vocabulary)
    return "\n" if "\n" in vocabulary.symbols else vocabulary.symbols[0]


def in_known_form(text: str, vocabulary: Vocabulary) -> str:
    """The text in the normal form of Unicode of which a model knows all characters.

    Returns:
        The text as it is where that will do, or where no form does.
    """
    for form in (None, "NFC", "NFD"):
        candidate = text if form is None else normalize(form, text)
        if set(candidate) <= set(vocabulary.symbols):
            return candidate
    return text


class LanguageTask:
    """A character model on a text, for a `Fitter`.

    Args:
        text: all of it.
        model: the architecture.
        stream: how the text is cut.
        fitting: gives seed and device.

    Raises:
        ValueError: a text too short, a prompt with other characters, or no such device.
    """

    unit = "characters"

    def __init__(
        self, text: str, model: LanguageConfig, stream: StreamConfig, fitting: FittingConfig
    ) -> None:
        """Encode the text and make the model."""
        self.vocabulary = Vocabulary.of(text)
        parts = split_text(self.vocabulary.encode(text), stream)
        rows = max(1, min(stream.rows, (len(parts[0]) - 1) // stream.steps))
        with seeded(fitting.seed):
            self.module = LanguageModel(len(self.vocabulary), model)
        device = device_of(fitting.device, lambda: work_of(self.module, rows * stream.steps))
        self.module.to(device)
        self.training, self.validation = (part.to(device) for part in parts)
        prompt = text[: text.find("\n") + 1][:80] or text[:1]
        if stream.prompt is not None:
            prompt = read_prompt(stream.prompt, self.vocabulary)
        with naming_prompt():
            self.prompt = self.vocabulary.encode(prompt).to(device)
        self.stream = Stream(self.training, rows, stream.steps)
        self.fitting, self.updates = fitting, 0
        self.state: State | None = None
        self.samples: list[tuple[int, Tensor]] = []

    def loss(self, update: int) -> Loss:
        """The next chunk of the stream."""
        chunk = self.stream.next()
        total, self.state = chunk_loss(self.module, chunk, self.state)
        self.updates = update + 1
        return Loss(total, chunk.y.numel())

    def validate(self) -> dict[str, float]:
        """Nats per character of the held-out part, if there is one; a sample is drawn on the way.

        Raises:
            FloatingPointError: they are not finite.
        """
        figures = {}
        if len(self.validation):
            figures["loss"] = nats_per_character(self.module, self.validation)
        generator = torch.Generator(self.prompt.device).manual_seed(self.fitting.seed)
        try:
            sample = generate(self.module, self.prompt, SAMPLE, generator=generator)
        except ValueError:  # logits that are no numbers
            figures["loss"] = math.nan
        if not math.isfinite(figures.get("loss", 0.0)):
            raise FloatingPointError(
                f"expected a finite loss of the held-out text, got {figures['loss']} after "
                f"{self.updates} updates"
            )
        self.samples.append((self.updates, sample[:, 0].cpu()))
        return figures

    def state_dict(self) -> dict[str, Tensor]:
        """The place in the stream, the carried state, and the samples so far."""
        state = {} if self.state is None else flatten_state(self.state)
        return {
            **state,
            "position": torch.tensor(self.stream.position),
            "sampled_at": torch.tensor([number for number, _ in self.samples], dtype=torch.int64),
            "samples": torch.cat(
                [torch.empty(0, dtype=torch.int64), *(s for _, s in self.samples)]
            ),
        }

    def check_state(self, state: dict[str, Tensor]) -> None:
        """Refuse what `load_state_dict` could not take.

        Raises:
            ValueError: a tensor is missing, too many, of another shape or type, or has numbers
                that this text and vocabulary do not.
        """
        own: dict[str, Tensor | Spec] = {
            "position": Spec(torch.int64, ()),
            "sampled_at": Spec(torch.int64, (None,)),
            "samples": Spec(torch.int64, (None,)),
        }
        if any(name.startswith("state") for name in state):
            own |= flatten_state(self.module.initial_state(self.stream.x.shape[1]))
        check_tensors(own, state, "task.")
        within(state["position"], "task.position", 0, len(self.stream.x) - 1)
        within(state["sampled_at"], "task.sampled_at", 0)
        within(state["samples"], "task.samples", 0, len(self.vocabulary) - 1)
        if len(state["samples"]) != SAMPLE * len(state["sampled_at"]):
            raise ValueError(
                f"checkpoint tensor 'task.samples': expected {SAMPLE} characters for each of "
                f"{len(state['sampled_at'])}, got {len(state['samples'])}"
            )

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore `state_dict()`."""
        self.stream.position = int(state["position"])
        carried = {k: v.to(self.prompt.device) for k, v in state.items() if k.startswith("state")}
        self.state = unflatten_state(carried) if carried else None
        numbers, rows = state["sampled_at"].tolist(), state["samples"].view(-1, SAMPLE)
        self.samples = list(zip(numbers, rows, strict=True))

    def sampled_text(self) -> str:
        """The samples of all validations, each under the number of updates before it."""
        start = self.vocabulary.decode(self.prompt)
        parts = [
            f"=== after {number} updates\n{start}{self.vocabulary.decode(sample)}\n"
            for number, sample in self.samples
        ]
        return "\n".join(parts)


def record_of(
    path: Path | None,
    text: str,
    model: LanguageConfig,
    stream: StreamConfig,
    fitting: FittingConfig,
) -> dict[str, Any]:
    """What config.json holds."""
    return {
        "text": {
            "path": None if path is None else str(path.resolve()),
            "characters": len(text),
            "sha256": digest(text),
        },
        "vocabulary": Vocabulary.of(text).symbols,
        "model": asdict(model),
        "stream": asdict(stream),
        "fitting": asdict(fitting),
    }


def digest(text: str) -> str:
    """What tells one text from another."""
    return hashlib.sha256(text.encode()).hexdigest()


def text_of(folder: Path, record: dict[str, Any], file: Path | None = None) -> str:
    """The text that a run was begun with.

    Args:
        folder: of the run.
        record: its `read_run`.
        file: where the text is now; None: where it was.

    Raises:
        OSError: it is not there.
        ValueError: it is another one.
    """
    there = record["text"]["path"]
    path = file or check_named(None if there is None else Path(there))
    try:
        text = read_text(path)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path}: expected the text of {folder}; say where it is now with --file"
        ) from None
    if digest(text) != record["text"]["sha256"]:
        name = "the text of Python's documentation topics" if path is None else str(path)
        raise ValueError(
            f"{name}: expected the {record['text']['characters']:,} characters that {folder} was "
            f"begun with, got others ({len(text):,})"
        )
    return text


def held_out_text(folder: Path, vocabulary: Vocabulary) -> str:
    """The part of a run's text that was held out; all of it where nothing was.

    Raises:
        OSError: the text is not where it was.
        ValueError: it is another one.
    """
    record = read_run(folder, "lm")
    _, _, stream = configs_of(folder, record)
    text = text_of(folder, record)
    _, held_out = split_text(vocabulary.encode(text), stream)
    return text[len(text) - len(held_out) :] if len(held_out) else text


@contextmanager
def naming_prompt() -> Iterator[None]:
    """Say that it is the prompt that holds a character which a model does not know."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"prompt, {error}") from None


def configs_of(
    folder: Path, record: dict[str, Any]
) -> tuple[Vocabulary, LanguageConfig, StreamConfig]:
    """Vocabulary, architecture and stream of a run.

    Raises:
        ValueError: the record is of another version.
    """
    source = f"{folder}/config.json"
    entries(record, source, text=dict, vocabulary=str, model=dict, stream=dict)
    entries(record["text"], f"{source}: text", path=str | None, characters=int, sha256=str)
    return (
        Vocabulary(record["vocabulary"]),
        build_config(LanguageConfig, record["model"], source),
        build_config(StreamConfig, record["stream"], source),
    )


def load_language_model(
    folder: Path | str, checkpoint: str = "best"
) -> tuple[LanguageModel, Vocabulary]:
    """The trained model of a run of `sidestep lm`, set to evaluation, and its vocabulary.

    Args:
        folder: of the run.
        checkpoint: best (by validation), last, or a name.

    Raises:
        FileNotFoundError: no run, or no checkpoint in it.
        ValueError: a damaged checkpoint, or one of another architecture.
    """
    folder = Path(folder)
    vocabulary, config, _ = configs_of(folder, read_run(folder, "lm"))
    tensors, _ = read_fitted(folder, checkpoint)
    model = module_of(lambda: LanguageModel(len(vocabulary), config), tensors, config.num_layers)
    return model, vocabulary
