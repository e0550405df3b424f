"""Pages with a player: every pixel and number of the recording, in a file that loads nothing."""

import base64
import html
import io
import json
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sidestep.agents import EnvConfig
from sidestep.scripts import record
from sidestep.scripts.shared.examples import example
from sidestep.scripts.viewer import page as pages
from sidestep.scripts.viewer.page import Page, Sheet, episode_page, page_of, write_shots
from sidestep.scripts.viewer.panels.moment import Pixels
from sidestep.scripts.viewer.players import Players
from sidestep.scripts.viewer.recording import Shot
from sidestep.scripts.viewer.replay import Replay, ReplayEpisode, level_in

GRU = str(example("glimpse-gru"))


def data_of(text: str) -> dict[str, Any]:
    """What a page holds."""
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.S)
    assert found is not None
    return json.loads(found[1])  # type: ignore[no-any-return]


def pictures_of(data: dict[str, Any]) -> list[Pixels]:
    """The pictures put together from a page's tiles, by its format's words."""
    (wide, high), columns = data["tile"], data["columns"]
    sheet = base64.b64decode(data["image"].partition(",")[2])
    pixels = np.asarray(Image.open(io.BytesIO(sheet)).convert("RGB"))
    planes = zlib.decompress(base64.b64decode(data["steps"]))
    low, second, third, top = np.frombuffer(planes, np.uint8).reshape(4, -1).astype(np.int64)
    codes = low + 256 * (second + 256 * (third + 256 * top))
    across, down = -(-data["width"] // wide), -(-data["height"] // high)
    pictures, new, held = [], 0, np.zeros(across * down, dtype=np.int64)
    for step in codes.reshape(-1, across * down):
        canvas = np.zeros((down * high, across * wide, 3), dtype=np.uint8)
        for place, code in enumerate(step.tolist()):
            if code == 1:
                held[place], new = new, new + 1
            elif code:
                held[place] = code - 2
            row, column = divmod(place, across)
            y, x = int(held[place]) // columns * high, int(held[place]) % columns * wide
            canvas[row * high :, column * wide :][:high, :wide] = pixels[y : y + high, x : x + wide]
        pictures.append(canvas[: data["height"], : data["width"]])
    return pictures


def films(count: int = 5, shape: tuple[int, int] = (37, 43)) -> list[Pixels]:
    """Pictures that differ in a few places, come back, and end in the midst of a tile."""
    rng = np.random.default_rng(7)
    first = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    pictures = [first]
    for _ in range(count - 2):
        picture = pictures[-1].copy()
        y, x = rng.integers(0, shape[0] - 9), rng.integers(0, shape[1] - 9)
        picture[y : y + 9, x : x + 9] = rng.integers(0, 256, (9, 9, 3))
        pictures.append(picture)
    return [*pictures, first]


def test_pictures_come_out_as_they_went_in() -> None:
    pictures = films()
    page = page_of([Shot(picture) for picture in pictures], 4, "a film")
    found = pictures_of(data_of(page.text))
    assert page.frames == len(found) == 5 and page.size == (43, 37)
    for got, want in zip(found, pictures, strict=True):
        np.testing.assert_array_equal(got, want)


def test_what_was_seen_before_is_kept_once() -> None:
    pictures = films(count=3)
    sheet = Sheet()
    for picture in pictures * 4:
        sheet.add(picture)
    once = Sheet()
    for picture in pictures:
        once.add(picture)
    assert len(sheet) == 12 and sheet.image() == once.image()
    steps = np.frombuffer(zlib.decompress(sheet.steps()), np.uint8).reshape(4, 12, -1)
    assert (steps[:, 3] == 0).all()  # the film's last picture is its first
    with pytest.raises(ValueError, match="frames: expected one shape"):
        sheet.add(pictures[0][:5])


def test_a_page_has_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="frames: expected at least one, got none"):
        page_of([], 5, "nothing")
    monkeypatch.setattr(pages, "MOST_FRAMES", 3)
    assert page_of([Shot(picture) for picture in films()], 5, "cut").frames == 3
    monkeypatch.setattr(pages, "MOST_TILES", 17)  # 3 x 6 of them
    with pytest.raises(ValueError, match="out: expected fewer different pictures on a page; a sm"):
        page_of([Shot(picture) for picture in films()], 5, "large")


def test_names_are_words_and_no_markup() -> None:
    facts = ({"seed": 0, "success": "</script><b>"},)
    page = page_of([Shot(films()[0], facts=facts)], 5, "<b> & {{made}} {{data}}", "a <i>")
    assert data_of(page.text)["facts"] == [list(facts)]
    assert "<b>" not in page.text and "<i>" not in page.text
    assert page.text.count("&lt;b&gt; &amp; {{made}} {{data}}") == 3 and "a &lt;i&gt;" in page.text


def test_a_page_loads_nothing() -> None:
    page = page_of([Shot(films()[0])], 5, "alone")
    assert "default-src 'none'" in page.text
    assert not re.search(r"(?:src|href)=|https?:|@import|fetch\(", page.text)


def test_an_episode_s_pictures_and_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, size = tmp_path / "a.html", ["--size", "320x240", "--episodes", "2", "--seed", "7"]
    record.main([GRU, "--out", str(path), *size, "--panels", "values", "units"])
    page = path.read_text(encoding="utf-8")
    data = data_of(page)
    options = record.Options(
        run=Path(GRU), out=path, size="320x240", panels=("values", "units"), seed=7
    )
    players = Players.of(options)
    try:
        (session,) = players.sessions(1, 7)
        shots = list(record.shots_of(session, [7, 8], options))
        told = [shot.facts[0] for shot in shots]
        assert len(shots) == len(data["facts"]) > 8
        for got, shot in zip(pictures_of(data), shots, strict=True):
            np.testing.assert_array_equal(got, shot.picture)
        session.begin(7)
        for fact in told:
            if fact["seed"] != session.seed:
                session.begin(8)
            now, insight = session.now, session.now.impression
            assert (fact["tick"], fact["action"]) == (now.tick, now.action)
            assert fact["return"] == pytest.approx(session.tally.total, abs=1e-5)
            if insight is not None:
                np.testing.assert_allclose(fact["scores"], insight.insight.scores, rtol=1e-5)
            session.tick()
    finally:
        players.close()
    assert [facts for (facts,) in data["facts"]] == told
    ends = [number for number, fact in enumerate(told) if fact["over"]]
    assert data["holds"] == ends and len(ends) == 2
    for first, last in ((0, ends[0]), (ends[0] + 1, ends[1])):
        rewards = [fact["reward"] for fact in told[first : last + 1]]
        assert rewards[0] is None and told[first]["tick"] == 0
        assert sum(rewards[1:]) == pytest.approx(told[last]["return"], abs=1e-5)
        assert told[last]["action"] is None and told[last]["success"] in (True, False)
        assert all(fact["exact"] for fact in told[first:last])
    assert data["actions"] == ["up", "down", "right", "left", "stay"]
    assert data["score"] == "probability"
    said = "Made by <code>sidestep record --example glimpse-gru --seed 7 --panels values units "
    assert said + "--out a.html --episodes 2 --size 320x240</code>" in page
    assert "of seeds 7, 8" in " ".join(capsys.readouterr().out.split())


def test_lanes_have_a_row_each(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    record.main(["--optimum", "--out", str(path), "--lanes", "3", "--size", "200x160"])
    data = data_of(path.read_text(encoding="utf-8"))
    assert [fact["seed"] for fact in data["facts"][0]] == [0, 1, 2]
    assert all(len(lanes) == 3 for lanes in data["facts"])
    assert all(lane["over"] for lane in data["facts"][-1] if lane["episode"] == 1)


def test_a_film_is_counted_by_its_pictures(tmp_path: Path) -> None:
    shots = [Shot(picture) for picture in films(count=4)]
    assert write_shots(tmp_path / "a.html", shots, 5, "a film", "sidestep lm hello") == 4
    assert write_shots(tmp_path / "a.gif", shots, 5, "a film") == 4
    assert "sidestep lm hello" in (tmp_path / "a.html").read_text(encoding="utf-8")


def test_a_large_page_is_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "LARGEST", 1000)
    record.main(["--optimum", "--out", str(tmp_path / "a.html"), "--size", "200x160"])
    error = capsys.readouterr().err
    assert "out: expected a page of at most 0.001 MB to open at once; a smaller --size" in error
    assert error.count("\n") == 1


def replay(tmp_path: Path) -> Path:
    """A replay of two ticks in which its player stays."""
    config = EnvConfig("sidestep/MovingObstacles-v0", ("level='S.G'",), 2)
    path = tmp_path / "a.json"
    whole = Replay(config, "tester", ())
    env = whole.make_env()
    env.reset(seed=3)
    total = sum(float(env.step(4)[1]) for _ in range(2))
    episode = ReplayEpisode(3, level_in(env), (4, 4), total, False)
    env.close()
    Replay(config, "tester", (episode,)).save(path)
    return path


def test_a_replay_becomes_a_page(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    record.main([str(replay(tmp_path)), "--out", str(path), "--size", "200x160"])
    text = path.read_text(encoding="utf-8")
    facts = [fact for (fact,) in data_of(text)["facts"]]
    assert pictures_of(data_of(text))[0].shape == (160, 200, 3)
    assert [fact["action"] for fact in facts] == [4, 4, None] and facts[-1]["return"] == -0.1
    assert "<title>a.json (tester), seed 3</title>" in text


def test_a_session_s_episode_as_a_page_in_a_notebook() -> None:
    options = record.Options(optimum=True, out=Path("a.html"))
    players = Players.of(options)
    try:
        (session,) = players.sessions(1, 5)
        session.tick()
        page = episode_page(session, panels=(), size=(200, 160))
    finally:
        players.close()
    facts = [fact for (fact,) in data_of(page.text)["facts"]]
    assert [fact["tick"] for fact in facts] == list(range(len(facts))) and facts[-1]["over"]
    assert repr(page).startswith("Page('sidestep/MovingObstacles-v0, seed 5', ")
    shown = page._repr_html_()
    inside = re.search(r'srcdoc="([^"]*)"', shown)
    assert inside is not None and html.unescape(inside[1]) == page.text
    assert Page("é", 1, (2, 3), "t").nbytes == 2
