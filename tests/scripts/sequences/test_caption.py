"""`sidestep caption`: worlds and their sentences read back, the model's parts, and the command."""

import json
import random
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sidestep.envs import Cell, Level
from sidestep.scripts import cli
from sidestep.scripts.sequences import caption_task
from sidestep.scripts.sequences.caption_figures import CELL as DRAWN
from sidestep.scripts.sequences.caption_figures import drawing_of, lit
from sidestep.scripts.sequences.caption_task import (
    describe,
    exact_ones,
    load_captioner,
    look_shares,
    some_scenes,
)
from sidestep.scripts.sequences.caption_worlds import (
    CAPTIONS,
    LANGUAGES,
    Facts,
    draw_scene,
    facts_of,
    join_caption,
    map_of,
    pictures_of,
    place_symbols,
    scene_of,
    symbols_of,
)
from sidestep.sequence.models.beams import Hypothesis
from sidestep.sequence.models.captioning import Captioner, cells_of
from sidestep.sequence.models.seq2seq_config import Seq2SeqConfig
from sidestep.sequence.tasks.pairs import TokenVocabulary

SMALL = "--hidden-size 6 --embedding-size 5 --batch-size 3 --log-every 1"
RNG = random.Random(7)
SCENES = [draw_scene(RNG) for _ in range(499)]


def caption(words: str) -> None:
    cli.main(["caption", *words.split()])


def failing(capsys: pytest.CaptureFixture[str], words: str) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        caption(words)
    error = capsys.readouterr().err
    assert stop.value.code == 2 and error.count("\n") == 1, error
    return error


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three updates, with few worlds to be measured by."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("caption") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(caption_task, "VALIDATED", 7)
        caption(f"train {SMALL} --updates 3 --checkpoint-every 2 --out {folder}")
    return folder


ROWS = {"위": 0, "위쪽": 0, "아래": 2, "아래쪽": 2, "upper": 0, "top": 0, "lower": 2, "bottom": 2}
COLUMNS = {"왼쪽": 0, "오른쪽": 2, "left": 0, "right": 2}
NUMBERS = {"한": 1, "두": 2, "세": 3, "네": 4, "one": 1, "two": 2, "three": 3, "four": 4}
SIDES = {"왼쪽": "left", "오른쪽": "right", "위": "above", "아래": "below"}
PATTERNS = {
    "korean": r"에이전트는 (.+)에 있고, 목표는 (.+)에 있으며, 장애물(?:은 없다|"
    r"(?: (.) 개가 오간다)?(?: (.) 개가 오가고)?(?: (.) 개가 헤맨다)?)\."
    r"(?: 에이전트 바로 (.+)에 장애물이 있다\.)?",
    "english": r"The agent is (.+) and the goal is (.+); (?:there are no obstacles|"
    r"(?:(\w+) obstacles? patrols?)?(?: and )?(?:(\w+) (?:obstacles? )?wanders?)?)\."
    r"(?: An obstacle is just (?:to the )?(\w+)(?: of)? the agent\.)?",
}


def read(text: str, language: str) -> Facts:
    """The facts that a caption tells."""
    found = re.fullmatch(PATTERNS[language], text)
    assert found is not None, text
    agent, goal, *rest = found.groups()
    if language == "korean":
        only, both, wanderers, side = rest
        patrols, side = only or both, SIDES.get(side)
    else:
        patrols, wanderers, side = rest
    places = [re.findall(r"\w+", place) for place in (agent, goal)]
    regions = [
        (
            next((ROWS[w] for w in p if w in ROWS), 1),
            next((COLUMNS[w] for w in p if w in COLUMNS), 1),
        )
        for p in places
    ]
    return Facts(*regions, NUMBERS.get(patrols, 0), NUMBERS.get(wanderers, 0), side)


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_read_back_as_the_facts(language: str) -> None:
    seen = set()
    for scene in SCENES:
        facts = facts_of(scene)
        tokens = CAPTIONS[language](facts)
        assert read(join_caption(tokens, language), language) == facts
        assert set(tokens) <= set(symbols_of(language)) and len(tokens) < caption_task.MAX_TARGET
        seen |= {(facts.patrols, facts.wanderers), facts.beside, facts.agent}
    assert {(2, 1), (0, 0), "left", "right", "above", "below", None, (1, 1)} <= seen


def test_facts_by_hand() -> None:
    level = Level.parse(
        """
        G.....
        ...>..
        ..S?..
        ....#.
        ......
        .v....
        """
    )
    facts = facts_of(scene_of(level))
    assert facts == Facts((1, 1), (0, 0), 2, 1, "right")
    assert facts_of(scene_of(level, Cell(4, 5))) == Facts((2, 2), (0, 0), 2, 1, None)
    assert join_caption(CAPTIONS["korean"](facts), "korean") == (
        "에이전트는 한가운데에 있고, 목표는 왼쪽 위에 있으며, 장애물 두 개가 오가고 "
        "한 개가 헤맨다. 에이전트 바로 오른쪽에 장애물이 있다."
    )
    symbols = CAPTIONS["english"](facts)
    assert join_caption(symbols, "english") == (
        "The agent is in the middle and the goal is at the upper left; two obstacles patrol and "
        "one wanders. An obstacle is just to the right of the agent."
    )
    found = place_symbols(symbols, "english")
    assert {who: symbols[n] for who, n in found.items()} == {
        "agent": "in the middle",
        "goal": "at the upper left",
    }


def test_worlds_of_a_split_are_always_the_same_and_in_no_other() -> None:
    first, again = (some_scenes("test", 31, "3") for _ in range(2))
    assert first == again != some_scenes("test", 31, "4")
    known = {(str(s.level), s.agent) for s in first}
    assert not known & {(str(s.level), s.agent) for s in some_scenes("train", 31, "3")}
    for scene in SCENES:
        assert scene.level.goal in scene.level.reachable(scene.level.start)
        taken = [scene.level.start, scene.level.goal, scene.agent]
        taken += [Cell(x, y) for x, y, _, _ in scene.obstacles]
        assert len(set(taken)) == len(taken) and not scene.level.is_wall(*scene.agent)


def test_cells_are_cut_in_reading_order() -> None:
    pictures = torch.arange(2 * 6 * 10 * 3, dtype=torch.int64).view(2, 6, 10, 3) % 251
    cells = cells_of(pictures.to(torch.uint8), 3, 5)
    assert cells.shape == (15, 2, 12)
    wanted = pictures[1, 2:4, 6:8].flatten() / 255  # row 1, column 3
    torch.testing.assert_close(cells[8, 1], wanted.float())
    with pytest.raises(ValueError, match="4 rows and 5 columns of cells, got"):
        cells_of(pictures, 4, 5)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_the_first_state_does_not_know_places_and_values_do(cell: str) -> None:
    config = Seq2SeqConfig(cell=cell, hidden_size=8, embedding_size=6, num_layers=2)
    model = Captioner(7, 9, 12, 11, config, torch.Generator().manual_seed(1)).eval()
    picture = torch.full((1, 14, 18, 3), 20, dtype=torch.uint8)
    here, there = picture.clone(), picture.clone()
    here[0, 4:6, 4:6], there[0, 8:10, 12:14] = 200, 200  # a bright cell: (2, 2), and (4, 6)
    one, other = model.look(here), model.look(there)
    states = [x.state if isinstance(x.state, torch.Tensor) else x.state[0] for x in (one, other)]
    assert states[0].shape == (2, 1, 8)
    torch.testing.assert_close(*states)
    assert one.memory is not None and other.memory is not None
    s, t = 2 * 9 + 2, 4 * 9 + 6
    torch.testing.assert_close(one.memory.keys[0, s], other.memory.keys[0, t])
    assert not torch.allclose(one.memory.values[0, s], other.memory.values[0, t])
    assert (one.memory.values[0, s] - other.memory.values[0, t]).abs().max() > 0.1
    empty = torch.ones(63, dtype=torch.bool)
    empty[[s + row * 9 + column for row in (-1, 0, 1) for column in (-1, 0, 1)]] = False
    assert not one.memory.values[0, empty].any() and one.memory.values[0, ~empty].any(-1).all()
    logits, weights = model.describe(here, torch.tensor([[1], [5], [6]]))
    assert logits.shape == (2, 1, 11) and weights is not None and weights.shape == (2, 1, 63)
    for seed in range(5):  # untrained, it looks at what shows something
        fresh = Captioner(7, 9, 12, 11, config, torch.Generator().manual_seed(seed)).eval()
        _, weights = fresh.describe(here, torch.tensor([[1], [5], [6]]))
        assert weights is not None and weights[:, 0].argmax(-1).tolist() == [s, s]


def test_cells_by_hand() -> None:
    """One number a cell; weights of one: the usual cell is 0.2, its neighbour 0.6 above it."""
    config = Seq2SeqConfig(hidden_size=1, embedding_size=1, bidirectional=False)
    model = Captioner(1, 5, 1, 5, config)
    with torch.no_grad():
        for weight in (model.source_embedding.pixels.weight, model.encoder.shown.weight):
            weight.fill_(1)
        model.encoder.around.weight.copy_(torch.arange(9.0).view(1, 9))
        model.encoder.row.fill_(10)
        model.encoder.column.copy_(torch.arange(5.0).unsqueeze(1))
    cells = torch.tensor([0.2, 0.2, 0.2, 0.8, 0.2]).view(5, 1, 1)
    keys, values, _ = model.encoder(model.source_embedding(cells))
    x = 0.6 / (0.6 / 5**0.5 + 1e-3)
    assert keys.flatten().tolist() == pytest.approx([0, 0, 0, x, 0], abs=1e-5)
    # the middle row of the kernel is 3, 4, 5; the place of column 3 is 10 + 3
    wanted = [0, 0, 5 * x, 4 * x + 13 * x, 3 * x]
    assert values.flatten().tolist() == pytest.approx(wanted, abs=1e-4)


@pytest.mark.slow
def test_captions_are_learnt_and_attention_finds_its_cells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    caption(f"train --language english --updates 200 --validate-every 0 --out {tmp_path}/run")
    model, data = load_captioner(tmp_path / "run")
    some = some_scenes("test", 200, "7")
    right = exact_ones(model, data.language, some)
    assert sum(right) / len(right) > 0.95
    shares = look_shares(data.language, some, describe(model, some))
    assert shares["agent"] > 0.9 and shares["goal"] > 0.9


def test_a_run_is_resumed_exactly(run: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(caption_task, "VALIDATED", 7)
    parts = tmp_path / "parts"
    shutil.copytree(run, parts)
    for file in parts.glob("checkpoint-000000000003*"):
        file.unlink()
    caption(f"resume {parts}")
    first, second = (load_captioner(folder, "last")[0].state_dict() for folder in (run, parts))
    assert all(tensor.equal(second[name]) for name, tensor in first.items())


def test_figures_of_a_run(run: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for name in ("curve.png", "caption.png", "config.json"):
        assert (run / name).stat().st_size > 100
    caption(f"evaluate {run} --worlds 11")
    shown = capsys.readouterr().out
    model, data = load_captioner(run)
    some = some_scenes("test", 11, "0")
    right = exact_ones(model, data.language, some)
    assert f"{sum(right) / 11:.1%}" in shown and "worlds never seen" in " ".join(shown.split())
    level = tmp_path / "own.txt"
    level.write_text(str(some[0].level))
    caption(f"show {run} --level {level} --out {tmp_path}/x.png")
    assert "It should be: 에이전트는" in capsys.readouterr().out
    assert (tmp_path / "x.png").stat().st_size > 5000
    for rows, words in (
        ("S>>>..", "at most 2 patrols, as are counted, got 3"),
        ("S>?.?.", "at most 1 wanderers, as are counted, got 2"),
    ):
        level.write_text("\n".join([rows, *["......"] * 4, "....G."]))
        assert f"level: expected {words}" in failing(capsys, f"show {run} --level {level}")
    level.write_text("SG")
    for words, message in (
        (f"show {run} --level {level}", "level: expected 6x6 cells, as captions are learnt from"),
        (f"show {run} --out x.gif", "out: expected a .png, .svg or .pdf, got x.gif"),
        (f"evaluate {run} --worlds 0", "worlds: expected at least 1, got 0"),
        (f"train --language french --out {tmp_path}/no", "expected one of korean, english, got"),
        (f"show {tmp_path}", "expected a run's folder with a config.json in it"),
    ):
        assert message in failing(capsys, words)
    other = tmp_path / "other"
    shutil.copytree(run, other)
    record = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**record, "symbols": ["a"]}))
    assert "expected the words of this version's captions" in failing(capsys, f"show {other}")


def test_the_agent_is_on_the_printed_map() -> None:
    scene = SCENES[0]
    shown, level = map_of(scene).splitlines(), str(scene.level).splitlines()
    x, y = scene.agent
    assert shown[y][x] == "A" and level[y][x] != "A"
    shown[y] = shown[y][:x] + level[y][x] + shown[y][x + 1 :]
    assert shown == level


def test_batches_are_described_as_one_by_one(run: Path) -> None:
    model, _ = load_captioner(run)
    together = describe(model, SCENES[:13])
    for scene, one in zip(SCENES[:13], together, strict=True):
        assert describe(model, [scene])[0].tokens == one.tokens


def test_looks_are_counted_by_hand() -> None:
    """Attention is on the agent's cell in one world of two, never on the goal's."""
    vocabulary = TokenVocabulary(symbols_of("english"))
    found = []
    for number, scene in enumerate(SCENES[:2]):
        symbols = CAPTIONS["english"](facts_of(scene))
        weights = torch.zeros(len(symbols), 36)
        elsewhere = {scene.agent, scene.level.goal}
        x, y = next(cell for cell, _ in scene.level.cells() if cell not in elsewhere)
        weights[:, y * 6 + x] = 0.5
        if number:
            place = place_symbols(symbols, "english")["agent"]
            weights[place, scene.agent.y * 6 + scene.agent.x] = 1
        found.append(Hypothesis(vocabulary.encode(symbols), 0.0, 0.0, weights, True))
    assert look_shares("english", SCENES[:2], found) == {"agent": 0.5, "goal": 0.0}
    wrong = [one._replace(tokens=one.tokens[:-1]) for one in found]
    assert look_shares("english", SCENES[:2], wrong) == {}


def test_cells_are_lit_by_their_weight() -> None:
    picture = np.full_like(drawing_of(SCENES[0]), 200)
    weights = torch.zeros(36)
    weights[[7, 35]] = torch.tensor([0.5, 0.25])
    shown = lit(picture, weights, 6)
    assert shown[DRAWN + 3, DRAWN + 3].tolist() == [200] * 3
    assert shown[-1, -1].tolist() == [125] * 3 and shown[0, 0].tolist() == [50] * 3


def test_the_model_reads_the_world_as_it_is_drawn() -> None:
    pictures = pictures_of(SCENES[:3])
    assert pictures.shape == (3, 48, 48, 3) and pictures.dtype == np.uint8
    moved = SCENES[0]._replace(agent=SCENES[0].level.start)
    changed = (pictures_of([moved])[0] != pictures[0]).any(-1)
    rows, columns = np.nonzero(changed)
    cells = {(int(y) // 8, int(x) // 8) for y, x in zip(rows, columns, strict=True)}
    here, start = SCENES[0].agent, SCENES[0].level.start
    assert {(here.y, here.x), (start.y, start.x)} <= cells
