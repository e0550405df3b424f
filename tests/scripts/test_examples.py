"""The trained runs that come with the package: small, whole, as their commands write them, good."""

import json
import os
import shlex
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sidestep.agents import evaluate, load_agent, make_vector
from sidestep.agents.environments import final_episodes
from sidestep.scripts import cli
from sidestep.scripts.examples import example, size_of
from sidestep.scripts.lm import TrainOptions as LanguageOptions
from sidestep.scripts.sequences.lm_task import load_language_model
from sidestep.scripts.sequences.translate_data import corpus_of
from sidestep.scripts.sequences.translate_search import SearchConfig, scores_of
from sidestep.scripts.sequences.translate_task import corpus_again, load_translator, record_of
from sidestep.scripts.shared.console import parse
from sidestep.scripts.shared.examples import EXAMPLES, FOLDER, listed_examples
from sidestep.scripts.shared.tables import markdown_table
from sidestep.scripts.shared.train_flags import parse_options
from sidestep.scripts.shared.uncompiled import plays_uncompiled
from sidestep.scripts.train import run_of
from sidestep.scripts.translate import TrainOptions as TranslateOptions
from sidestep.sequence.fitting.folder import LOCK, read_settings
from sidestep.sequence.fitting.log import read_log
from sidestep.sequence.fitting.stripped import is_for_acting, strip_run, thinned
from sidestep.sequence.models.language import nats_per_character

MOST = 2_000_000
"""Bytes of all examples together."""
AGENTS = [row for row in EXAMPLES.values() if row.trained.startswith("train ")]
LANGUAGE = [row for row in EXAMPLES.values() if row.trained.startswith("lm ")]
TRANSLATORS = [row for row in EXAMPLES.values() if row.trained.startswith("translate ")]
HELD_OUT = (
    "A class definition defines a class object. The list of base classes may be empty, and names "
    "are first looked up in the local scope of the function. If the value is not a string, it is "
    'converted with "str()" before the comparison.\n'
)
"""Prose in the manner of the pages that the language model read."""


def table_of_examples() -> str:
    """All examples as Markdown."""
    rows = [
        (
            f"`{row.name}`",
            f"{row.shows}: `sidestep {row.see}`",
            f"`sidestep {row.trained}`",
            row.figure,
        )
        for row in EXAMPLES.values()
    ]
    columns = ("name", "what it shows", "trained by", "what it reached")
    return markdown_table(columns, rows).replace("---:", "---")


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """When each file was written, and what is in it; a lock is a file too."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_all_are_there_and_small() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(EXAMPLES)
    assert size_of(FOLDER) < MOST
    assert AGENTS and LANGUAGE and TRANSLATORS
    assert len(AGENTS) + len(LANGUAGE) + len(TRANSLATORS) == len(EXAMPLES)
    for row in EXAMPLES.values():
        assert f"--example {row.name}" in row.see
        held = {path.name.rpartition(".")[2] for path in row.folder.iterdir()}
        assert held == {"json", "jsonl", "safetensors"} | ({"txt"} if row in AGENTS else set())


def test_the_page_lists_them() -> None:
    """Between its marks in docs/watching.md; `table_of_examples` writes it."""
    page = Path(__file__).resolve().parents[2] / "docs" / "watching.md"
    text = page.read_text(encoding="utf-8")
    _, _, rest = text.partition("<!-- begin examples -->\n")
    assert rest.partition("\n<!-- end examples -->")[0] == table_of_examples()


@pytest.mark.parametrize("row", AGENTS, ids=lambda row: row.name)
def test_an_agent_is_what_its_command_trains(row: Any) -> None:
    _, learner, *flags = shlex.split(row.trained)
    with ExitStack() as stack:
        options, _ = parse_options(learner, flags, stack)
    run, _ = run_of(learner, options)
    assert json.loads(run.to_json()) == read_settings(row.folder)


@pytest.mark.parametrize("row", AGENTS, ids=lambda row: row.name)
def test_an_agent_reaches_its_figure(row: Any) -> None:
    agent, run = load_agent(row.folder)
    final = json.loads((row.folder / "final.json").read_text())
    assert final["success"][0] == pytest.approx(row.value, abs=5e-4)
    episodes = 200 if final_episodes(run.env) > 100 else 12  # of an env that is not native
    env = make_vector(run.env, episodes)
    try:
        result = evaluate(agent, env, episodes, seed=1)
    finally:
        env.close()
    success = result.summary(None)["success"][0]
    deviation = np.sqrt(row.value * (1 - row.value) / episodes)
    assert success >= row.value - max(4 * deviation, 0.01)


@pytest.mark.parametrize("row", LANGUAGE, ids=lambda row: row.name)
def test_a_language_model_is_what_its_command_trains_and_reads_on(row: Any) -> None:
    options = parse(LanguageOptions, "lm train", shlex.split(row.trained)[2:], "")
    record = read_settings(row.folder)
    for name in ("model", "stream", "fitting"):
        assert record[name] == json.loads(json.dumps(asdict(getattr(options, name))))
    assert record["text"]["path"] is None
    model, vocabulary = load_language_model(row.folder)
    found = nats_per_character(model, vocabulary.encode(HELD_OUT))
    chance = float(np.log(len(vocabulary)))
    assert abs(found - row.value) < 0.6 < chance - 2 * row.value  # other text than was held out
    validated = read_log(row.folder)
    best = min(line["validation"]["loss"] for line in validated if "validation" in line)
    assert best == pytest.approx(row.value, abs=5e-3)


@pytest.mark.parametrize("row", TRANSLATORS, ids=lambda row: row.name)
def test_a_translator_is_what_its_command_trains_and_translates(row: Any) -> None:
    options = parse(TranslateOptions, "translate train", shlex.split(row.trained)[2:], "")
    corpus = corpus_of(options.file, options.data, options.model.max_source)
    made = record_of(corpus, options.data, options.model, options.fitting)
    assert {"kind": "translate", **json.loads(json.dumps(made))} == read_settings(row.folder)
    model, run = load_translator(row.folder)
    corpus = corpus_again(row.folder, run)
    scores, _ = scores_of(model, corpus, SearchConfig(search="greedy"), run.data.max_target)
    assert scores.exact == pytest.approx(row.value, abs=0.01)  # the same 500 pairs


WORDS = [
    "evaluate --example glimpse-gru --episodes 8",
    "table --example glimpse-gru --example obstacles",
    "record --example glimpse-gru --out episode.gif --panels values units",
    "record --panels values units --out tick.png --tick 1 --example=obstacles",
    "lm paint --example topics text.txt --unit 0 --length 20",
]
SHORT = {"watch": ["--episodes", "1", "--fps", "1000"], "gates": ["--episodes", "4"]}
"""Flags that have the commands of the table end soon."""


def test_every_command_takes_them_and_writes_nothing_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(HELD_OUT)
    before = contents(FOLDER)
    for row in EXAMPLES.values():
        words = shlex.split(row.see)
        cli.main([*words, *SHORT.get(words[0], [])])
    for other in WORDS:
        cli.main(other.split())
    with pytest.raises(SystemExit):
        cli.main(["train", "resume", "--example", "obstacles"])
    with pytest.raises(SystemExit):
        cli.main(["lm", "resume", "--example", "topics"])
    assert contents(FOLDER) == before
    assert not list(FOLDER.rglob(LOCK))
    written = {path.name for path in tmp_path.iterdir()}
    pictures = {"episode.gif", "tick.png", "translation.png", "painted-0.png", "painted-0.html"}
    assert written == pictures | {"text.txt"}
    error = capsys.readouterr().err
    assert error.count("for watching only") == 2 and error.count("\n") == 2


def test_a_missing_name_lists_them_and_a_wrong_one_too(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ("watch --example", "evaluate --example --episodes 3", "examples"):
        try:
            cli.main(words.split())
        except SystemExit as stop:
            assert not stop.code
        assert capsys.readouterr().out.strip() == listed_examples().strip()
    with pytest.raises(SystemExit) as stop:
        cli.main("watch --example glimse-gru".split())
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert f"expected one of {', '.join(EXAMPLES)}, got 'glimse-gru'" in error
    assert "did you mean glimpse-gru?" in error and error.count("\n") == 1
    with pytest.raises(ValueError, match="example: expected one of"):
        example("nobody")
    with pytest.raises(SystemExit) as stop:
        cli.main(["solve", "--example", "obstacles"])  # it takes no run
    assert stop.value.code == 2


def test_a_packed_run_acts_as_before_and_says_that_it_does_not_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    few = "--num-envs 2 --total-steps 200 --evaluate-every 100 --evaluation-episodes 4"
    cli.main(f"train deep-sarsa {few} --episodes 4 --gif-episodes 0 --out run".split())
    cli.main("examples --pack run --out small".split())
    assert "for watching only" in capsys.readouterr().out
    whole, small = load_agent("run")[0], load_agent("small")[0]
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, small.network.state_dict()[name])
    assert size_of(tmp_path / "small") < 0.6 * size_of(tmp_path / "run")
    for words in ("train resume small --total-steps 400", "train resume small"):
        with pytest.raises(SystemExit) as stop:
            cli.main(words.split())
        assert stop.value.code == 2
        error = capsys.readouterr().err
        assert "expected a run with all that training goes on from" in error
        assert error.count("\n") == 1
    assert not (tmp_path / "small" / LOCK).exists()
    for words in ("examples --pack run", "examples --out there", "examples --pack no --out there"):
        with pytest.raises(SystemExit) as stop:
            cli.main(words.split())
        assert stop.value.code == 2
    with pytest.raises(FileExistsError, match="expected a new folder"):
        strip_run(Path("run"), Path("small"))


def test_a_log_is_thinned_to_what_a_curve_shows() -> None:
    lines = [b'{"steps": %d, "evaluation": {}}\n' % n if n % 50 == 7 else b'{"steps": %d}\n' % n
             for n in range(530)]  # fmt: skip
    kept = thinned(b"".join(lines)).splitlines(keepends=True)
    assert [line for line in kept if b"evaluation" in line] == lines[7::50]
    others = [line for line in kept if b"evaluation" not in line]
    assert others[0] == lines[0] and 80 < len(others) <= 100
    assert kept == sorted(kept, key=lines.index)
    assert thinned(b"") == b"" and thinned(b"".join(lines[:90])) == b"".join(lines[:90])


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("agent.network.head.weight", True),
        ("agent.steps", True),
        ("agent.optimizer.step", False),
        ("module.recurrent.weight", True),
        ("optimizer.step", False),
        ("collector.action", False),
        ("env.state", False),
        ("random.cpu", False),
    ],
)
def test_what_acting_needs(name: str, kept: bool) -> None:
    assert is_for_acting(name) is kept


@pytest.mark.parametrize(
    ("words", "plain"),
    [
        ("watch --example glimpse-gru", True),
        ("watch --fps 3 --example=obstacles --panels values", True),
        ("watch --example glimpse-gru --lanes 4", False),
        ("watch --example crossing-gru", False),
        ("watch --example glimpse-gru --env sidestep/Crossing-v0", False),
        ("watch --example glimpse-gru --env-kwargs=split=test", False),
        ("watch --example glimpse-gru --optimum", False),
        ("watch --example topics-of-nobody", False),
        ("watch --example", False),
        ("watch runs/gru", False),
        ("record --example glimpse-gru", False),
        ("", False),
    ],
)
def test_when_rules_stay_uncompiled(words: str, plain: bool) -> None:
    assert plays_uncompiled(words.split()) is plain


def test_a_first_look_compiles_nothing_and_plays_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What stands between installation and the first frame, without the seconds of a compiler."""
    words = "watch --example glimpse-gru --seed 5 --episodes 2 --fps 1000".split()
    cli.main(words)  # compiled: numba is loaded here
    compiled = capsys.readouterr().out
    settings = {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONWARNINGS": "error"}
    fresh = {k: v for k, v in os.environ.items() if k != "NUMBA_DISABLE_JIT"} | settings
    code = f"from sidestep.scripts import cli; cli.main({words!r}); import sys; "
    code += "assert 'matplotlib' not in sys.modules"  # it would take a third of a second
    first = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=fresh, capture_output=True, text=True
    )
    assert (first.returncode, first.stderr, first.stdout) == (0, "", compiled)
    assert not list(tmp_path.rglob("*.nbc"))
