"""A memory from outside is one like the shipped ones, everywhere; a recurrent layer also a cell."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from sidestep.agents import (
    DeepSarsa,
    DeepSarsaConfig,
    EnvConfig,
    NetworkConfig,
    RunConfig,
    TrainingConfig,
    load_agent,
)
from sidestep.agents.acting.batch import Inputs
from sidestep.agents.insight import look
from sidestep.scripts import evaluate, lm, train
from sidestep.scripts.shared.groups import groups_of
from sidestep.sequence import MEMORIES, Look, MemoryKind, make_memory, register_memory
from sidestep.sequence.layers.inspection import gate_statistics
from sidestep.sequence.memory.memory import NoMemory
from sidestep.sequence.memory.table import CELLS, KINDS
from sidestep.sequence.models.language import LanguageConfig, LanguageModel
from sidestep.sequence.models.seq2seq import Seq2Seq
from sidestep.sequence.models.seq2seq_config import Seq2SeqConfig
from sidestep.sequence.models.units import unit_activations

from .commands import SHORT, as_an_older, refused, succeeds


def agent_of(memory: str) -> DeepSarsa:
    box, actions = spaces.Box(-1, 1, (3,)), spaces.Discrete(2)
    config = DeepSarsaConfig(network=NetworkConfig((11,), memory, memory_size=7))
    return DeepSarsa(box, actions, config, 0)


def inputs_of(lanes: int = 1) -> Inputs:
    obs = torch.linspace(-1, 1, 3 * lanes).view(lanes, 3)
    none = torch.zeros(lanes)
    return Inputs(obs, none.bool(), none.long(), none)


def test_an_exponential_average_by_hand(pieces: Any) -> None:
    memory = make_memory("leaky", input_size=1, hidden_size=1)
    with torch.no_grad():
        memory.weight.fill_(1)
    x, reset = torch.tensor([[[8.0]], [[4.0]], [[2.0]]]), torch.tensor([[False], [False], [True]])
    y, state = memory(x, None, reset)  # k = 1/2: 4, 4, and 1 after the reset
    assert y.flatten().tolist() == [4, 4, 1] and state.flatten().tolist() == [1]


def test_the_network_and_a_look_into_it(pieces: Any) -> None:
    agent = agent_of("leaky")
    assert type(agent.network.memory).__name__ == "Leaky"
    state = torch.full((1, 1, 7), 2.0)
    insight = look(agent, inputs_of(), state)
    y, _ = agent.network.memory.step(agent.network.encode(inputs_of()), state)
    assert insight.units is not None
    assert insight.units.tolist() == pytest.approx(y[0].tolist())
    ((letter, gate),) = insight.gates
    assert (letter, gate.tolist(), insight.gate_words) == ("k", [0.5] * 7, ("lets in",))


def test_a_layer_brings_its_gates_and_their_words(pieces: Any) -> None:
    agent = agent_of("minimal")
    layer: Any = agent.network.memory
    for parameter in layer.parameters():
        parameter.data.zero_()
    insight = look(agent, inputs_of(), torch.ones(1, 1, 7))
    assert insight.gates[0][1].tolist() == [0.5] * 7 and insight.gate_words == ("renews",)
    assert insight.units is not None and insight.units.tolist() == [0.5] * 7  # (1 - f) h + f * 0
    found = gate_statistics(layer, torch.zeros(4, 2, 11))
    assert list(found) == ["f"] and found["f"].mean.tolist() == [0.5] * 7


def test_a_layer_is_a_cell_of_every_sequence_model(pieces: Any) -> None:
    """The one table: what sequence models take are the rows that name a layer."""
    assert CELLS == ("rnn", "lstm", "gru", "minimal") and MEMORIES[-2:] == ("leaky", "minimal")
    model = LanguageModel(5, LanguageConfig("minimal", 7, 2, embedding_size=3))
    x = torch.tensor([[0], [1], [2], [3]])
    logits, state = model(x)
    first, before = model(x[:2])
    second, after = model(x[2:], before)
    assert torch.allclose(torch.cat([first, second]), logits, atol=1e-6)
    assert torch.allclose(state, after, atol=1e-6) and state.shape == (2, 1, 7)
    units = unit_activations(model.eval(), x[:, 0])
    assert units.shape == (4, 14) and units[-1, 7:].tolist() == pytest.approx(state[1, 0].tolist())
    pair = Seq2Seq(5, 6, Seq2SeqConfig("minimal", 8, 4))
    assert type(pair.encoder).__name__ == "MinimalUnit" == type(pair.decoder).__name__
    with pytest.raises(ValueError, match="cell: expected one of rnn, lstm, gru, minimal, got 'lea"):
        LanguageConfig("leaky")


def test_derivatives_of_a_cell_that_is_its_specification_alone(pieces: Any) -> None:
    layer = make_memory("minimal", input_size=3, hidden_size=5, dtype=torch.float64)
    x = torch.randn(4, 2, 3, dtype=torch.float64, requires_grad=True)
    reset = torch.tensor([[False, False], [True, False], [False, True], [False, False]])
    assert torch.autograd.gradcheck(lambda x: layer(x, None, reset)[0], x)


def test_the_commands_know_it(
    as_fresh: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(tmp_path / "run")
    words = ["deep-sarsa", "--memory", "leaky", *SHORT, "--out", run]
    with pytest.raises(SystemExit):
        as_fresh(train.main, words)
    assert "none, rnn, lstm, gru, attention" in capsys.readouterr().err
    as_fresh(train.main, [*words, "--modules", "pieces"])
    with pytest.raises(SystemExit):
        as_fresh(train.main, ["deep-sarsa", "--modules", "pieces", "--help"])
    help_ = " ".join(capsys.readouterr().out.split())
    assert "{none,rnn,lstm,gru,attention,leaky,minimal}" in help_
    as_an_older(Path(run))
    with pytest.raises(SystemExit):
        as_fresh(evaluate.main, [run, "--episodes", "5"])
    line = capsys.readouterr().err
    assert "memory: expected one of none, rnn, lstm, gru, attention, got 'leaky'; of one" in line
    as_fresh(evaluate.main, [run, "--episodes", "5", "--modules", "pieces"])
    resume = ["resume", run, "--total-steps", "800", "--episodes", "5", "--modules", "pieces"]
    as_fresh(train.main, resume)
    assert NetworkConfig.__annotations__["memory"] in (str, "str")


def test_a_checkpoint_brings_its_weights_back(
    pieces: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    train.main(["reinforce", "--memory", "minimal", *SHORT, "--out", str(run)])
    agent, config = load_agent(run)
    again, _ = load_agent(run)
    assert config.agent.network.memory == "minimal"
    for one, other in zip(agent.network.parameters(), again.network.parameters(), strict=True):
        assert torch.equal(one, other)
    fresh = type(agent)(agent.observation_space, agent.action_space, config.agent, 0)
    moved = fresh.network.memory.weight_hh_l0 - agent.network.memory.weight_hh_l0
    assert 1e-5 < float(moved.detach().abs().max()) < 1


def test_a_language_model_of_it(as_fresh: Any, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("abcabdabe. " * 60)
    words = ["train", str(text), "--cell", "minimal", "--hidden-size", "8",
             "--updates", "20", "--out", str(tmp_path / "lm")]  # fmt: skip
    as_fresh(lm.main, [*words, "--modules", "pieces"])
    config = json.loads((tmp_path / "lm" / "config.json").read_text())
    assert "minimal" in json.dumps(config)


class Broken(torch.nn.Module):
    """A memory with one fault."""

    def __init__(self, fault: str, size: int) -> None:
        super().__init__()
        self.fault, self.input_size, self.output_size = fault, size, size
        if fault == "size":
            self.input_size = 1

    def initial_state(self, batch: int) -> torch.Tensor:
        if self.fault == "batch":
            return torch.zeros(batch, 1, self.output_size)
        state = torch.zeros(1, batch, self.output_size)
        return state + 1 if self.fault == "begin" else state

    def step(self, x: Any, state: Any, reset: Any = None) -> Any:
        if reset is not None and self.fault != "forget":
            state = state.masked_fill(reset.view(1, -1, 1), 0)
        y = x + state[0]
        if self.fault == "shape":
            return y[:, :1], y.unsqueeze(0)
        return y, (y.unsqueeze(0).repeat(2, 1, 1) if self.fault == "grows" else y.unsqueeze(0))

    def forward(self, x: Any, state: Any = None, reset: Any = None, lengths: Any = None) -> Any:
        state, rows = self.initial_state(x.shape[1]) if state is None else state, []
        for t, x_t in enumerate(x):
            given = None if reset is None or self.fault == "late" else reset[t]
            y, state = self.step(x_t, state, given)
            rows.append(2 * y if self.fault == "sequence" else y)
        return torch.stack(rows), state


def broken(fault: str) -> MemoryKind:
    return MemoryKind(lambda input_size, *_, **__: Broken(fault, input_size))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("size", "expected input_size 3, as it was asked, got 1"),
        ("batch", r"expected the batch, 2, in dimension 1 of a state, got \(2, 1, 3\)"),
        ("begin", "expected an initial state of zeros, got others"),
        ("shape", r"expected step to return \(2, 3\), got \(2, 1\)"),
        ("grows", "expected a state of"),
        ("sequence", "expected a sequence to give what its steps give, got a difference of"),
        ("forget", "expected a reset to forget all that was before, got a difference of"),
        ("late", "expected a reset to begin a row anew, got a difference of"),
    ],
)
def test_a_memory_that_breaks_the_interface_is_refused(
    tables: None, fault: str, words: str
) -> None:
    before = dict(KINDS)
    register_memory("sound", broken("none"))
    with pytest.raises(ValueError, match=f"memory 'mine': {words}"):
        register_memory("mine", broken(fault))
    assert KINDS.keys() - before.keys() == {"sound"}


@pytest.mark.parametrize(
    ("name", "kind", "error", "words"),
    [
        ("two words", broken("none"), ValueError, "expected an identifier"),
        ("gru", broken("none"), ValueError, "expected one that is free, got 'gru'"),
        ("mine", Broken, TypeError, "expected a row, sidestep.sequence.MemoryKind, got type"),
        ("mine", MemoryKind(3), TypeError, "expected make to be callable, got 3"),  # type: ignore
        ("mine", MemoryKind(lambda *_, **__: 3), TypeError, "Module, got int"),  # type: ignore
        (
            "mine",
            broken("none")._replace(gate_words={"q": "quits"}),
            ValueError,
            r"expected words for the gates \[\], got some for \['q'\]",
        ),
        ("mine", broken("none")._replace(look=lambda *_: 1), TypeError, "Look, got int"),
        ("mine", broken("none")._replace(remembers=0), TypeError, "True or False, got 0"),  # type: ignore
        (
            "mine",
            broken("none")._replace(remembers=False),
            ValueError,
            "expected y to be x, as rem",
        ),
    ],
)
def test_bad_rows_are_refused(
    tables: None, name: str, kind: Any, error: type[Exception], words: str
) -> None:
    before = dict(KINDS)
    with pytest.raises(error, match=words):
        register_memory(name, kind)
    assert before == KINDS


def test_one_that_remembers_nothing_is_none_as_the_shipped_one(tables: None) -> None:
    """What is asked of "none" is asked of its row: any name may stand there."""
    register_memory("blank", MemoryKind(lambda size, *_, **__: NoMemory(size), remembers=False))
    shipped, own = agent_of("none"), agent_of("blank")
    inputs = inputs_of(2)
    assert torch.equal(own.network.step(inputs, ())[0], shipped.network.step(inputs, ())[0])
    assert not own.network.remembers and agent_of("gru").network.remembers
    with pytest.raises(ValueError, match="expected a memory to pass by, got memory='blank'"):
        NetworkConfig((5,), "blank", skip_connection=True)
    batch = Inputs._make(None if part is None else torch.stack([part] * 3) for part in inputs)
    needed = torch.tensor([[True, True], [True, False], [False, False]])
    assert torch.equal(own.network(batch, (), needed)[0], shipped.network(batch, (), needed)[0])
    run = RunConfig("deep-sarsa", EnvConfig(), own.config, TrainingConfig())
    other = RunConfig("deep-sarsa", EnvConfig(), agent_of("gru").config, TrainingConfig())
    names = [group.name for group in groups_of([(Path("a"), run, {}), (Path("b"), other, {})])]
    assert names == ["deep-sarsa, MovingObstacles-v0", "deep-sarsa, gru, MovingObstacles-v0"]
    own.check_architecture(own.observation_space, own.action_space, own.config, own.state_dict())


def test_trying_a_memory_draws_nothing(tables: None) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    register_memory("mine", KINDS["attention"]._replace())
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("name", tuple(KINDS))
def test_shipped_rows_keep_to_the_interface_too(tables: None, name: str) -> None:
    register_memory("again", KINDS[name]._replace())
    assert make_memory("again", input_size=3).input_size == 3


def test_the_same_row_again_is_no_error(pieces: Any) -> None:
    register_memory("leaky", pieces.LEAKY)
    with pytest.raises(ValueError, match="got 'leaky', which is taken"):
        register_memory("leaky", pieces.LEAKY._replace(look=lambda *_: Look()))


@pytest.mark.slow
def test_in_fresh_processes(tmp_path: Path) -> None:
    words = ["train", "deep-sarsa", "--memory", "minimal", *SHORT, "--out", "run"]
    assert "got 'minimal'" in refused(tmp_path, *words) or not (tmp_path / "run").exists()
    succeeds(tmp_path, *words, "--modules", "pieces")
    as_an_older(tmp_path / "run")
    assert "got 'minimal'; of one that another" in refused(tmp_path, "evaluate", "run")
    succeeds(tmp_path, "evaluate", "run", "--episodes", "5", "--modules", "pieces")
    succeeds(tmp_path, "record", "run", "--out", "run.png", "--panels", "gates",
             "--modules", "pieces")  # fmt: skip
    assert (tmp_path / "run.png").stat().st_size > 5000
    assert np.isfinite((tmp_path / "run.png").stat().st_mtime)
