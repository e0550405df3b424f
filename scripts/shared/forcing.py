"""Forced gates, as `gates`, `watch` and `record` are told them: `--set f=0 o=1`, in words, done."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from sidestep.sequence import GRU, LSTM, Recurrent, force_gates
from sidestep.sequence.layers.forcing import check_gates
from sidestep.sequence.layers.steps import ZWeighs
from sidestep.sequence.models.language import LanguageModel

if TYPE_CHECKING:  # they load a world
    from sidestep.agents import Agent
    from sidestep.agents.insight import Insight, Numbers

Flags = TypeVar("Flags", bound=Any)
Convention = Literal["keeps", "updates"]
"""What an open z of a GRU does: it keeps the past, or it updates it by the candidate."""
WEIGHS: Mapping[str, ZWeighs] = {"keeps": "past", "updates": "candidate"}
EQUATIONS = {
    "keeps": "h' = (1 - z) * n + z * h",
    "updates": "h' = (1 - z) * h + z * n",
}
MEANINGS: Mapping[tuple[str, float], str] = {
    ("f", 0): "all that the cell held is forgotten at every step",
    ("f", 1): "nothing of what the cell holds is forgotten",
    ("i", 0): "nothing new enters the cell",
    ("i", 1): "every candidate enters the cell whole",
    ("o", 0): "nothing of the cell is shown: h is 0",
    ("o", 1): "the whole cell is shown",
    ("g", 0): "there is nothing new that could enter the cell",
    ("r", 0): "the candidate sees nothing of the past",
    ("r", 1): "the candidate sees the whole past",
    ("z", 0): "h is the candidate alone: nothing of it stays as it was",
    ("z", 1): "h stays as it is for ever: nothing new enters",
    ("n", 0): "the candidate is 0: h only fades",
}
"""What comes of a gate at a value, z being that which keeps."""


@dataclass(frozen=True)
class Forcing:
    """Gates that are held at a value."""

    values: Mapping[str, float]
    """By the gate's letter, as the user counts them."""
    convention: Convention = "keeps"
    layer: int | None = None
    """Which of several layers, from 0."""
    in_last: bool = True
    """Whether that is the last layer, which a viewer looks into; see `on`."""
    is_known: bool = True
    """Whether the gates are those of an LSTM or GRU, of which it is known what they do."""

    @classmethod
    def of(
        cls, words: tuple[str, ...], convention: Convention = "keeps", layer: int | None = None
    ) -> "Forcing":
        """Read words such as f=0.

        Raises:
            ValueError: one that is none, or a gate twice.
        """
        values: dict[str, float] = {}
        for word in words:
            name, _, number = word.partition("=")
            try:
                value = float(number)
            except ValueError:
                raise ValueError(f"set: expected GATE=VALUE such as f=0, got {word!r}") from None
            if name in values:
                raise ValueError(f"set: expected each gate once, got {name} again")
            values[name] = value
        return cls(values, convention, layer)

    def __bool__(self) -> bool:
        """Whether a gate is forced."""
        return bool(self.values)

    def __str__(self) -> str:
        """The words that it was read from: f=0 o=1."""
        return " ".join(f"{name}={value:g}" for name, value in self.values.items())

    def check(self, layer: Recurrent) -> None:
        """Refuse what a layer cannot be forced to.

        Raises:
            ValueError: gates that it lacks, values out of range, z's convention without a z, or
                several layers of which none, or none that there is, was chosen.
        """
        check_gates(layer, self.values)
        if self.convention != "keeps" and "z" not in layer.gate_words:
            got = f"a layer without it, {type(layer).__name__}"
            raise ValueError(f"convention: expected a layer with a gate z, a GRU, got {got}")
        top, chosen = layer.num_layers - 1, self.layer
        if chosen is None and top and self.values:
            raise ValueError(f"layer: expected one of the layers 0 to {top}, got none chosen")
        if chosen is not None and not 0 <= chosen <= top:
            raise ValueError(f"layer: expected 0 to {top}, got {chosen}")

    def on(self, layer: Recurrent) -> "Forcing":
        """The same, of a layer that is forced; raises what `check` raises."""
        self.check(layer)
        last = self.layer in (None, layer.num_layers - 1)
        return replace(self, in_last=last, is_known=isinstance(layer, LSTM | GRU))

    @property
    def options(self) -> dict[str, Any]:
        """What `force_gates` and `trace_forced` are told beside the layer and the values."""
        return {"level": self.layer, "z_weighs": WEIGHS[self.convention]}

    def in_model(self, model: LanguageModel) -> LanguageModel:
        """The same language model with forced gates; the one that is given stays as it is.

        Raises:
            ValueError: it has no gates, or not these.
        """
        self.check(model.recurrent)
        forced = copy.deepcopy(model)
        forced.recurrent = force_gates(model.recurrent, self.values, **self.options)
        return forced

    def applied(self, agent: "Agent") -> "Agent":
        """The same agent with forced gates; the one that is given stays as it is.

        Raises:
            ValueError: it has no memory, none with gates, or not these.
        """
        memory = memory_of(agent)
        self.check(memory)
        forced = copy.deepcopy(agent)
        forced.network.memory = force_gates(memory, self.values, **self.options)
        return forced

    def statement(self) -> str:
        """What is forced and what comes of it, in a line; "" where nothing is."""
        if not self:
            return ""
        where = "" if self.layer is None else f" in layer {self.layer}"
        counted = " (z updates)" if "z" in self.values and self.convention == "updates" else ""
        meaning = self.meaning()
        return f"forced {self}{counted}{where}" + (f": {meaning}" if meaning else "")

    def meaning(self) -> str:
        """What comes of it, in words; "" where there is nothing plain to say."""
        values = {**self.values} if self.is_known else {}
        if "z" in values and self.convention == "updates":
            values["z"] = 1 - values["z"]
        said = [MEANINGS[pair] for pair in values.items() if pair in MEANINGS]
        return "; ".join(said)

    def gate(self, name: str, values: Any) -> Any:
        """A gate's values, z counted by the convention."""
        return 1 - values if name == "z" and self.convention == "updates" else values

    def word(self, name: str, word: str) -> str:
        """What a gate does when it is open, z by the convention."""
        return self.convention if name == "z" else word

    def shown(self, insight: "Insight") -> "Insight":
        """What was thought in a tick, z counted by the convention."""
        names = [name for name, _ in insight.gates]
        gates: list[tuple[str, Numbers]] = [
            (name, np.asarray(self.gate(name, values))) for name, values in insight.gates
        ]
        words = zip(names, insight.gate_words, strict=False)
        told = tuple(self.word(name, word) for name, word in words)
        return insight._replace(gates=tuple(gates), gate_words=told)


def parted(options: Flags) -> Flags:
    """The flags with the file where it belongs, if it stands after the gates: `--set f=0 FILE`.

    Args:
        options: a frozen dataclass with `run`, `file` and `forced`.
    """
    words = options.forced
    if options.run is None or options.file is not None or not words:
        return options
    last = Path(words[-1])
    return replace(options, forced=words[:-1], file=last) if last.is_file() else options


def memory_of(agent: "Agent") -> Recurrent:
    """The memory of an agent, which has gates.

    Raises:
        ValueError: it has none, or none with gates.
    """
    memory, name = agent.network.memory, agent.config.network.memory
    if not agent.network.remembers:
        raise ValueError(
            f"memory: expected a run with one that has gates (lstm, gru), got memory={name!r}"
        )
    if not isinstance(memory, Recurrent) or not memory.gate_rows:
        raise ValueError(f"memory: expected one with gates (lstm, gru), got {name!r}")
    return memory
