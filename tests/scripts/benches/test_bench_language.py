"""`sidestep bench language`: its peer computes the same, and its tables say what was measured."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from sidestep.scripts.benches import language as bench
from sidestep.scripts.benches.language_speed import TorchModel, bench_speed, speed_markdown
from sidestep.sequence.models.language import LanguageConfig, LanguageModel, generate


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_the_peer_on_torch_nn_computes_the_same(cell: Any) -> None:
    torch.manual_seed(0)
    ours = LanguageModel(7, LanguageConfig(cell, hidden_size=5, embedding_size=3))
    peer: Any = TorchModel(ours)
    x = torch.randint(7, (11, 2))
    assert torch.allclose(ours(x)[0], peer(x)[0], atol=1e-6)
    prompt = torch.tensor([3, 1])
    mine, theirs = (generate(m, prompt, 9, temperature=0) for m in (ours, peer))
    assert torch.equal(mine, theirs)
    assert sum(p.numel() for p in peer.parameters()) == sum(p.numel() for p in ours.parameters())


def test_speed_is_told_for_training_and_writing() -> None:
    config = LanguageConfig("gru", hidden_size=5, embedding_size=3)
    (row,) = bench_speed([("GRU 1 x 5", config)], rounds=1, seed=0)
    assert all(row[name] > 0 for name in ("train", "write 1", "write 64", "train torch"))
    text = speed_markdown([row], threads=1)
    assert text.count("| GRU 1 x 5 |") == 3 and "writing, 64 rows" in text


def record_of(nats: float) -> dict[str, Any]:
    return {"nats": nats, "bits": nats / math.log(2), "parameters": 1234,
            "held_out": 4321, "symbols": 65, "fitting": {"updates": 2500, "learning_rate": 3e-3},
            "curve": [(250, 2.0), (500, nats)]}  # fmt: skip


def test_the_section_and_the_figure() -> None:
    records, counted = {"LSTM 1 x 256": record_of(1.5)}, {0: 3.3, 5: 1.7}
    text = bench.characters_markdown(records, counted, "some.txt")
    assert "| LSTM 1 x 256 | 1.500 | 2.164 | 2,500 | 0.003 | 1,234 |" in text
    assert "| window of 5 | 1.700 | 2.453 |" in text and "last 4,321 characters (65 kinds)" in text
    (axes,) = bench.characters_figure(records, counted).axes
    assert [line.get_label() for line in axes.lines][-1] == "LSTM 1 x 256: 1.500"


def test_finished_models_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same text and settings; a call that fails later loses nothing."""
    text = tmp_path / "text.txt"
    text.write_text("hello world. " * 300)
    small = LanguageConfig("gru", hidden_size=5, embedding_size=3)
    monkeypatch.setattr(bench, "CANDIDATES", (bench.Candidate(small, 10),))
    monkeypatch.setattr(bench, "LARGER", bench.Candidate(small, 10, learning_rate=-1.0))
    words = ["--text", str(text), "--parts", "characters", "--quick", "--out", str(tmp_path)]
    bench.main(words)
    path = tmp_path / "results" / "language.json"
    first = json.loads(path.read_text())["models"]["GRU 1 x 5"]
    with pytest.raises(SystemExit):  # the larger one's rate is refused
        bench.main([*words, "--larger"])
    trained: list[Any] = []
    monkeypatch.setattr(bench, "_trained", lambda *args: trained.append(args) or first)
    bench.main(words)
    assert json.loads(path.read_text())["models"]["GRU 1 x 5"] == first and not trained
    bench.main([*words, "--seed", "1"])
    bench.main([*words, "--no-reuse"])
    assert len(trained) == 2


def test_candidates_are_those_of_the_published_table() -> None:
    names = [candidate.name() for candidate in (*bench.CANDIDATES, bench.LARGER)]
    assert names == ["LSTM 1 x 256", "RNN 1 x 256", "GRU 1 x 256", "LSTM 1 x 512, dropout 0.25"]
    assert (bench.STREAM.rows, bench.STREAM.steps) == (32, 100)


def test_wrong_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options, message in (
        (["--rounds", "0"], "rounds: expected at least 1, got 0"),
        (["--text", str(tmp_path / "none.txt")], "No such file"),
        (["--parts", "nothing"], "nothing"),
    ):
        with pytest.raises(SystemExit) as caught:
            bench.main([*options, "--out", str(tmp_path / "docs")])
        assert caught.value.code == 2 and message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
