"""Everything by its commands on a GPU, and runs that move between it and the CPU.

They are skipped without one. `SIDESTEP_TEST_DEVICE=cpu` runs them on the CPU, which tells no more
than that the tests themselves are right.
"""

import copy
import os
import pickle
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from sidestep.agents import DeepSARSA, EnvConfig, RunConfig, Trainer, TrainingConfig, make_vector
from sidestep.agents.acting.transfer import download, upload
from sidestep.agents.algorithms import learner as learning
from sidestep.agents.algorithms.registry import preset
from sidestep.agents.runs import build_agent, load_agent
from sidestep.scripts import evaluate, forecast, lm, record, train, translate
from sidestep.sequence import GRU, LSTM, RNN
from sidestep.sequence.chunks import chunk_of
from sidestep.sequence.fitting.checkpoint import latest_checkpoint, load_checkpoint
from sidestep.sequence.fitting.fitter import seeded
from sidestep.sequence.fitting.optimise import DeviceDescent, flatten_parameters

DEVICE = os.environ.get("SIDESTEP_TEST_DEVICE", "cuda")
ON_GPU = DEVICE != "cpu"
pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(
        ON_GPU and not torch.cuda.is_available(),
        reason=f"there is no device {DEVICE}; SIDESTEP_TEST_DEVICE names another",
    ),
]
WORLD = "sidestep/MovingObstacles-v0"
ENDS = ["--gif-episodes", "0", "--episodes", "50"]


def trained(folder: Path, learner: str, memory: str, steps: int, device: str) -> None:
    words = [learner, "--memory", memory, "--out", str(folder), "--device", device]
    words += ["--num-envs", "32", "--total-steps", str(steps), "--evaluate-every", "4000"]
    train.main([*words, "--evaluation-episodes", "64", *ENDS])


def resumed(folder: Path, steps: int, *device: str) -> None:
    words = ["resume", str(folder), "--total-steps", str(steps)]
    train.main([*words, *(["--device", *device] if device else []), *ENDS])


def tensors_of(folder: Path) -> dict[str, Tensor]:
    return load_checkpoint(latest_checkpoint(folder))[0]


def shapes(tensors: dict[str, Tensor]) -> dict[str, Any]:
    """Names, shapes and types of a checkpoint, but for those that say how far it is."""
    free = ("agent.tick", "recent.rows")
    return {k: (tuple(v.shape), v.dtype) for k, v in tensors.items() if k not in free}


CASES = [("deep-sarsa", m) for m in ("none", "rnn", "lstm", "gru", "attention")]
CASES += [("reinforce", "none"), ("reinforce", "gru")]


@pytest.mark.parametrize(("learner", "memory"), CASES)
def test_a_run_moves_between_devices(learner: str, memory: str, tmp_path: Path) -> None:
    """Trained there, resumed there, on the CPU and there again; then evaluated on both."""
    run = tmp_path / "run"
    trained(run, learner, memory, 6_000, DEVICE)
    first = tensors_of(run)
    resumed(run, 12_000)
    resumed(run, 18_000, "cpu")
    on_cpu = tensors_of(run)
    resumed(run, 24_000, DEVICE)
    last = tensors_of(run)
    assert int(last["agent.steps"]) >= 24_000 > int(first["agent.steps"]) >= 6_000
    if learner == "deep-sarsa":  # of whole episodes those that ended are left out of the memory
        assert shapes(first) == shapes(on_cpu) == shapes(last)
    assert all(bool(v.isfinite().all()) for v in last.values() if v.is_floating_point())
    assert not torch.equal(on_cpu["agent.optimizer.exp_avg"], last["agent.optimizer.exp_avg"])
    for place in (DEVICE, "cpu"):
        agent, _ = load_agent(run, device=place)
        assert agent.flat.device.type == torch.device(place).type
        evaluate.main([str(run), "--episodes", "64", "--device", place])


def test_a_run_of_the_cpu_goes_on_there(tmp_path: Path) -> None:
    run = tmp_path / "run"
    trained(run, "deep-sarsa", "gru", 6_000, "cpu")
    resumed(run, 12_000, DEVICE)
    assert int(tensors_of(run)["agent.steps"]) >= 12_000


def test_a_run_is_shown(tmp_path: Path) -> None:
    """What a window shows, off screen, with every panel's insight."""
    run, picture = tmp_path / "run", tmp_path / "tick.png"
    trained(run, "reinforce", "lstm", 6_000, DEVICE)
    record.main([str(run), "--out", str(picture), "--tick", "0", "--device", DEVICE])
    assert picture.stat().st_size > 1_000


def test_the_library_learns_and_predicts(tmp_path: Path) -> None:
    model = DeepSARSA(WORLD, num_envs=16, memory="gru", device=DEVICE).learn(2_000)
    model.save(tmp_path / "model")
    loaded = DeepSARSA.load(tmp_path / "model", device=DEVICE)
    obs, _ = loaded.env.reset(seed=0)
    first, state = loaded.predict(obs, deterministic=True)
    second, _ = DeepSARSA.load(tmp_path / "model", device="cpu").predict(obs, deterministic=True)
    assert (first == second).mean() > 0.9 and state[1].shape == (16,)
    twin = pickle.loads(pickle.dumps(copy.deepcopy(loaded.agent)))
    assert torch.equal(twin.flat, loaded.agent.flat)


def agents(memory: str, device: str, lanes: int = 32) -> Trainer:
    config, _ = preset("deep-sarsa", WORLD, memory)
    training = TrainingConfig(total_steps=10**9, num_envs=lanes, evaluate_every=0)
    run = RunConfig("deep-sarsa", EnvConfig(WORLD), config, training)
    env = make_vector(run.env, lanes)
    return Trainer(build_agent(run, 0, device, env=env), env, training)


@pytest.mark.parametrize("memory", ["none", "rnn", "lstm", "gru", "attention"])
def test_an_update_computes_the_same(memory: str) -> None:
    """The gradient of one update, and the weights after it, beside the CPU's."""
    here, there = agents(memory, "cpu"), agents(memory, DEVICE)
    rollout = here.agent.collect(here.collector)
    sent = [*rollout.inputs[:4], *rollout[1:-1]]
    *inputs, action, reward, terminated, truncated, valid, final = upload(sent, DEVICE)
    state = there.agent.initial_state(32)
    moved = rollout._replace(
        inputs=rollout.inputs._replace(
            obs=inputs[0], reset=inputs[1], last_action=inputs[2], last_reward=inputs[3]
        ),
        action=action,
        reward=reward,
        terminated=terminated,
        truncated=truncated,
        valid=valid,
        final_value=final,
        state=state,
    )
    there.agent.random = copy.deepcopy(here.agent.random)  # which draws the minibatches
    figures = [a.update(r) for a, r in ((here.agent, rollout), (there.agent, moved))]
    assert figures[1] == pytest.approx(figures[0], rel=2e-3, abs=1e-5)
    pairs = zip(*(t.agent.network.parameters() for t in (here, there)), strict=True)
    moves = torch.cat([(a.detach() - b.detach().cpu()).flatten() for a, b in pairs])
    assert float(moves.abs().mean()) < 5e-5  # Adam: where a gradient is tiny, its sign may differ


@pytest.mark.skipif(not ON_GPU, reason="the CPU's generator has tests of its own")
def test_the_devices_generator_is_left_as_it_was() -> None:
    """Weights are drawn on the CPU; a fit lends the device's generator to its task."""
    before = torch.cuda.get_rng_state()
    agents("gru", DEVICE)
    with seeded(3):
        torch.rand(2)
    assert torch.equal(torch.cuda.get_rng_state(), before)


@pytest.mark.skipif(not ON_GPU, reason="the CPU waits for nothing")
@pytest.mark.parametrize("memory", ["none", "gru"])
def test_nothing_waits_but_for_the_answer(memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """CUDA refuses to wait within ticks and updates, but for one answer each."""
    trainer = agents(memory, DEVICE)
    for _ in range(2):
        trainer._update()
    waits: list[str] = []

    def allowed(name: str, function: Any) -> Any:
        def run(*args: Any) -> Any:
            waits.append(name)
            torch.cuda.set_sync_debug_mode("default")
            try:
                return function(*args)
            finally:
                torch.cuda.set_sync_debug_mode("error")

        return run

    agent: Any = trainer.agent
    monkeypatch.setattr(learning, "download", allowed("answer", download))
    monkeypatch.setattr(agent._unread, "read", allowed("figures", agent._unread.read))
    assert isinstance(agent._unread, DeviceDescent)
    torch.cuda.set_sync_debug_mode("error")
    try:
        rollout = agent.collect(trainer.collector)
        agent.update(rollout)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert waits == ["answer"] * len(rollout.reward) + ["figures"]


LAYERS = {
    "rnn": lambda d: RNN(16, 64, 2, device=d),
    "lstm": lambda d: LSTM(16, 64, 2, bidirectional=True, device=d),
    "gru": lambda d: GRU(16, 64, device=d),
    "gru, no biases": lambda d: GRU(16, 64, 2, bias=False, device=d),
    "gru, 24 units": lambda d: GRU(7, 24, device=d),
}


@pytest.mark.parametrize("name", LAYERS)
def test_cudnn_finds_the_weights_in_one_chunk(name: str) -> None:
    """It neither warns nor copies, through all that a layer goes through; and computes the same."""
    layer = LAYERS[name](DEVICE)
    x = torch.randn(11, 5, layer.input_size, device=DEVICE)
    flat = copy.deepcopy(layer)
    module = torch.nn.Sequential(torch.nn.Linear(3, 1, device=DEVICE), flat)
    vector = flatten_parameters(module)
    forms = [layer, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), flat]
    forms += [copy.deepcopy(layer).to("cpu").to(DEVICE), copy.deepcopy(layer).double().float()]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = copy.deepcopy(layer).to("cpu").double()(x.cpu().double())[0]
        for form in forms:
            y, _ = form(x)
            y.square().sum().backward()
            assert torch.allclose(y.detach().cpu().double(), expected.detach(), atol=2e-5)
            if ON_GPU:
                chunk = chunk_of(form)
                assert chunk is not None and chunk.fits()
    assert vector.grad is not None and bool(vector.grad.any())
    with torch.no_grad():
        vector.zero_()
    assert not flat(x)[0].any()


def fitted(command: Any, words: list[str], run: Path, updates: tuple[int, ...]) -> None:
    """A run begun there, resumed on the CPU, and there again."""
    first, second, third = map(str, updates)
    command.main([*words, "--out", str(run), "--updates", first, "--device", DEVICE])
    for number, place in ((second, "cpu"), (third, DEVICE)):
        command.main(["resume", str(run), "--updates", number, "--device", place])
    facts = load_checkpoint(latest_checkpoint(run))[1]
    assert facts["updates"] == updates[-1]


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_language_model_moves_between_devices(cell: str, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text('It said "one, two" and (three).\n  Then "four" again.\n' * 40)
    words = ["train", str(text), "--cell", cell, "--hidden-size", "24", "--num-layers", "2"]
    words += ["--dropout", "0.1", "--rows", "4", "--steps", "16", "--validate-every", "10"]
    fitted(lm, words, tmp_path / "run", (10, 15, 20))
    lm.main(["sample", str(tmp_path / "run"), "--length", "20"])


@pytest.mark.parametrize("attention", ["none", "general"])
def test_a_translator_moves_between_devices(attention: str, tmp_path: Path) -> None:
    words = ["train", "--hidden-size", "16", "--embedding-size", "8", "--attention", attention]
    words += ["--batch-size", "16", "--validate-every", "5", "--final-teacher-forcing", "0.5"]
    fitted(translate, words, tmp_path / "run", (6, 9, 12))


def test_a_forecaster_moves_between_devices(tmp_path: Path) -> None:
    fitted(forecast, ["--validate-every", "5"], tmp_path / "run", (6, 9, 12))
