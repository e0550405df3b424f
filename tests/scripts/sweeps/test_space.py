"""What a space's file may say, and what is refused in one line."""

from pathlib import Path
from typing import Any

import pytest

from sidestep.scripts import sweep
from sidestep.scripts.sweeps.space import kinds_of, read_space, words_of
from sidestep.scripts.sweeps.sweep import sweep_of

EVERY_FORM = """
learning_rate = {log = [3e-4, 1e-2]}
discount = {low = 0.9, high = 1}
rollout_steps = {int = [4, 64], log = true}
minibatches = {int = [1, 4]}
memory = {choices = ["none", "gru"]}
hidden_sizes = {choices = [[64], [32, 32], []]}
num_envs = {choices = [8, 16]}
final_learning_rate = {choices = ["None", 1e-5]}
trace_decay = 0.8
last_action = true
normalize_rewards = false
"""


def test_every_form_is_read_and_said_as_flags(tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text(EVERY_FORM)
    space = read_space(path, "deep-sarsa")
    kinds = [(p.name, p.kind, p.low, p.high) for p in space.parameters[:4]]
    assert kinds == [
        ("learning_rate", "log", 3e-4, 1e-2),
        ("discount", "linear", 0.9, 1.0),
        ("rollout_steps", "log-int", 4, 64),
        ("minibatches", "int", 1, 4),
    ]
    assert [p.labels for p in space.parameters[4:]] == [
        ["none", "gru"],
        ["[64]", "[32, 32]", "[]"],
        [8, 16],
        ['"None"', "1e-05"],
    ]
    assert space.fixed == {"trace_decay": 0.8, "last_action": True, "normalize_rewards": False}
    stored: dict[str, Any] = {p.name: p.low for p in space.parameters}
    stored |= {"memory": "gru", "hidden_sizes": "[32, 32]", "num_envs": 16}
    stored["final_learning_rate"] = '"None"'
    words = words_of(space.point_of(stored))
    assert " ".join(words) == (
        "--trace-decay 0.8 --last-action --no-normalize-rewards --learning-rate 0.0003 "
        "--discount 0.9 --rollout-steps 4 --minibatches 1 --memory gru --hidden-sizes 32 32 "
        "--num-envs 16 --final-learning-rate None"
    )
    made = sweep_of("deep-sarsa", ["--space", str(path), "--total-steps", "100"])
    agent = made.options_of(space.point_of(stored)).agent
    assert agent.network.hidden_sizes == (32, 32) and agent.network.memory == "gru"
    assert agent.final_learning_rate is None and agent.learning_rate == 3e-4
    assert agent.epsilon_fraction == 1 / 3  # the preset's beside a GRU
    plain = made.options_of(space.point_of(stored | {"memory": "none"})).agent
    assert plain.epsilon_fraction == 1.0  # and without
    empty = space.point_of(stored | {"hidden_sizes": "[]"})
    assert made.options_of(empty).agent.network.hidden_sizes == ()


def test_names_are_those_of_learner_network_and_lanes() -> None:
    kinds = kinds_of("reinforce")
    assert {"learning_rate", "baseline", "memory_size", "num_envs"} <= kinds.keys()
    assert not {"epsilon_end", "network", "total_steps", "seed", "given", "choices"} & kinds.keys()


WRONG = [
    ("learning_rat = {log = [1e-4, 1e-2]}", "got 'learning_rat' (did you mean learning_rate?)"),
    ("total_steps = {int = [1, 9]}", "got total_steps: --total-steps is for all of them"),
    ("baseline = {choices = ['none', 'mean']}", "expected fields of deep-sarsa"),
    ("learning_rate = {log = [1e-2, 1e-4]}", "learning_rate: expected two numbers, the lower"),
    ("learning_rate = {log = [0.0, 1e-4]}", "expected numbers above 0 for a logarithm"),
    ("learning_rate = {log = [1e-4]}", "expected two numbers, the lower first"),
    ("learning_rate = {log = [nan, 1.0]}", "expected two numbers, the lower first"),
    ("learning_rate = {lo = 1e-4, high = 1e-2}", "learning_rate: expected {log = [a, b]}, {low"),
    ("discount = {low = 0.9}", "discount: expected {log = [a, b]}, {low = a, high = b}"),
    ("discount = {low = 0.9, high = 1.5}", "discount: expected a number in [0, 1], got 1.5"),
    ("gamma = 1\ndiscount = {low = 0.9, high = 1.0}", "got 'gamma'"),
    ("trace_decay = 2\ndiscount = {low = 0.9, high = 1.0}", "space.toml: trace_decay: expected"),
    ("memory_span = 9\ndiscount = {low = 0.9, high = 1.0}", "space.toml: memory_span: expected a"),
    ("rollout_steps = {low = 1, high = 9}", "{int = [a, b]} is for whole numbers"),
    ("rollout_steps = {int = [1.5, 9]}", "rollout_steps: expected two whole numbers"),
    ("rollout_steps = {int = [0, 9]}", "rollout_steps: expected"),
    ("memory = {int = [0, 9]}", "memory: expected a number for {int = [a, b]}, got one of str"),
    ("last_action = {int = [0, 1]}", "last_action: expected a number for {int = [a, b]}"),
    ("memory = {choices = ['gru']}", "memory: expected at least two choices, got ['gru']"),
    ("memory = {choices = ['gru', 'gru']}", "memory: expected each choice once"),
    ("memory = {choices = ['gru', 'grew']}", "memory: expected one of none, rnn, lstm, gru"),
    ("memory = {choices = [{a = 1}, 'gru']}", "memory: expected values or lists of them"),
    ("learning_rate = 1e-3", "expected at least one range or choice"),
    ("learning_rate = {log = [1e-4", "expected TOML, got"),
    ("", "expected at least one range or choice"),
]


@pytest.mark.parametrize(("text", "words"), WRONG, ids=[words for _, words in WRONG])
def test_wrong_spaces_are_one_line(
    text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "space.toml"
    path.write_text(text)
    assert words in refused(capsys, "--space", path, "--storage", tmp_path / "s")
    assert not (tmp_path / "s").exists()


def refused(capsys: pytest.CaptureFixture[str], *args: Any, learner: str = "deep-sarsa") -> str:
    """The one line of a sweep that is refused."""
    with pytest.raises(SystemExit) as caught:
        sweep.main([learner, *map(str, args)])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.startswith("sidestep sweep: "), error
    return error


def test_what_else_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "space.toml"
    path.write_text("learning_rate = {log = [3e-4, 1e-2]}")
    space = ("--space", path)
    for name in ("jobs", "trials", "seeds", "rungs", "fresh-seeds"):
        words = f"{name.replace('-', '_')}: expected a whole number of at least 1, got 0"
        assert words in refused(capsys, *space, f"--{name}", 0)
    assert "did you mean --trials" in refused(capsys, *space, "--trails", 3)
    assert "as all goes into --storage" in refused(capsys, *space, "--out", "x")
    both = refused(capsys, *space, "--learning-rate=1e-3")
    assert "expected learning_rate there or as a flag, got both" in both
    assert "got 'deep'" in refused(capsys, *space, learner="deep")
    assert "expected a single run" in refused(capsys, *space, "--watch")
    gone = tmp_path / "no" / "space.toml"
    assert f"expected a TOML file that is there, got {gone}" in refused(capsys, "--space", gone)
    assert "sampler: expected one of tpe, random" in refused(capsys, *space, "--sampler", "cma")
