"""The site: its extensions, its links, and what a browser makes of it."""

import functools
import importlib
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import urlopen

import pytest

from sidestep.scripts import cli, docs

from .browser import Page, browser, executable

ROOT = Path(__file__).resolve().parents[1]
NEEDED = ("sphinx", "furo", "myst_parser", "latex2mathml")


def extension(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """One of the site's own extensions; skips without the extra."""
    for package in NEEDED:
        pytest.importorskip(package)
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "_ext"))
    return importlib.import_module(name)


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        (r"\frac{a}{b}", "<mfrac><mrow><mi>a</mi></mrow><mrow><mi>b</mi></mrow></mfrac>"),
        (r"\underbrace{\sum_{k=0}^n k}", '<munderover><mo movablelimits="true">∑</mo>'),
        (r"\begin{aligned} a &= 1 \\ b &= 2 \end{aligned}", 'class="aligned"'),
        (r"\begin{aligned} a &= 1 \\ b &= 2 \end{aligned}", 'style="text-align: right"'),
        (r"3\tanh x", '<mn>3</mn><mspace width="0.167em" /><mi>tanh</mi><mspace'),
        (r"\tanh(x)", "<mi>tanh</mi><mo"),
        (r"\operatorname{softmax}(x)", "<mi>softmax</mi><mo"),
        (r"a \begin{pmatrix} 1 \end{pmatrix} b", "<mi>a</mi><mrow><mo>(</mo><mtable>"),
        (r"x = -1", '<mo form="prefix">\N{MINUS SIGN}</mo>'),
        (r"x - 1", "<mo>\N{MINUS SIGN}</mo>"),
        (r"\hat{h}", "<mo>\N{MODIFIER LETTER CIRCUMFLEX ACCENT}</mo>"),
    ],
)
def test_formulas(latex: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mathml = extension("mathml", monkeypatch).from_latex(latex)
    assert expected in mathml.replace(' stretchy="false"', "")


def test_wide_formulas_are_cut_at_wide_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    from_latex = extension("mathml", monkeypatch).from_latex
    parts = r"h = 1, \qquad c = 2 \quad d \sim p"
    assert from_latex(parts).count("<math ") == 3
    assert from_latex(parts, "inline").count("<math ") == 1
    assert from_latex(parts).endswith("<mi>d</mi><mo>\N{TILDE OPERATOR}</mo><mi>p</mi></math>")


def test_a_command_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"expected a command of LaTeX, got \\foo"):
        extension("mathml", monkeypatch).from_latex(r"\foo x")


def test_korean_words_are_found_by_their_beginnings(monkeypatch: pytest.MonkeyPatch) -> None:
    language = extension("search_korean", monkeypatch).EnglishAndKorean({})
    words = language.split("은닉 상태에서는 gates")
    assert words == ["은닉", "상태에서는", "gates", "상태", "상태에", "상태에서"]
    assert language.stem("gates") == "gate"


def test_docstrings_become_restructured_text(monkeypatch: pytest.MonkeyPatch) -> None:
    module = extension("docstrings", monkeypatch)
    assert module.returns(["Returns:", "    A: b.", "", "Raises:"]) == [
        *("", ":returns:", "    A: b.", "", "Raises:")
    ]
    assert module.tables(["| a | b |", "|---|---|", "| 1 | 2 |", "x"]) == [
        *("", ".. list-table::", "   :header-rows: 1", ""),
        *("   * - a", "     - b", "   * - 1", "     - 2", "", "x"),
    ]
    assert module.formulas(["By", "", "    r = s", "", "x"]) == [
        "By",
        "",
        "::",
        "",
        "    r = s",
        "",
        "x",
    ]


def test_docs_wants_a_clone_and_an_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def line(*words: str) -> str:
        with pytest.raises(SystemExit) as stop:
            cli.main(["docs", *words])
        assert stop.value.code == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        return error

    (tmp_path / "mine.txt").write_text("kept")
    monkeypatch.setattr(docs, "NEEDED", ("json",))
    assert "expected an empty folder" in line("--out", str(tmp_path))
    monkeypatch.setattr(docs, "NEEDED", ("no_such_package",))
    assert "expected the extra `docs` to be installed, got no no_such" in line()
    monkeypatch.setattr(docs, "PAGES", tmp_path / "docs")
    assert "expected a clone of the repository" in line()
    assert "port: expected" in line("--port", "70000")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_docs_serves_until_it_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def build(out: Path, strict: bool) -> None:
        out.mkdir()
        (out / "index.html").write_text(f"strict: {strict}")

    answers = []

    def serve(server: ThreadingHTTPServer) -> None:
        ask = threading.Thread(
            target=lambda: answers.append(urlopen(f"http://127.0.0.1:{server.server_port}/").read())
        )
        ask.start()
        server.handle_request()
        ask.join()
        raise KeyboardInterrupt

    monkeypatch.setattr(docs, "NEEDED", ())
    monkeypatch.setattr(docs, "build", build)
    monkeypatch.setattr(ThreadingHTTPServer, "serve_forever", serve)
    cli.main(["docs", "--out", str(tmp_path / "site"), "--port", "0", "--strict"])
    assert answers == [b"strict: True"]
    assert capsys.readouterr().out.splitlines()[-1] == "Stopped"

    with ThreadingHTTPServer(("127.0.0.1", 0), docs.Quiet) as taken:
        with pytest.raises(SystemExit) as stop:
            cli.main(["docs", "--out", str(tmp_path / "other"), "--port", str(taken.server_port)])
    assert stop.value.code == 2
    assert "docs: port: expected a free one, got" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


@pytest.mark.slow
def test_a_warning_ends_a_strict_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for package in NEEDED:
        pytest.importorskip(package)
    pages = tmp_path / "docs"
    pages.mkdir()
    (pages / "conf.py").write_text("")
    (pages / "index.rst").write_text("Title\n=====\n\n:doc:`missing`\n")
    monkeypatch.setattr(docs, "PAGES", pages)
    words = ["docs", "--out", str(tmp_path / "site"), "--no-serve"]
    cli.main(words)
    assert (tmp_path / "site" / "index.html").exists()
    assert "missing" in capsys.readouterr().err
    (pages / "index.rst").write_text("Title\n=====\n\n:doc:`absent`\n")
    with pytest.raises(SystemExit) as stop:
        cli.main([*words, "--strict"])
    assert stop.value.code == 2
    assert "expected a site without warnings or errors" in capsys.readouterr().err


class Links(HTMLParser):
    """What a page refers to, and the anchors that it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value and tag != "use":
                self.targets.add(value)
            if name in ("id", "name") and value:
                self.anchors.add(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as the command does, where warnings are errors."""
    for package in NEEDED:
        pytest.importorskip(package)
    out = tmp_path_factory.mktemp("site") / "docs"
    words = ["docs", "--out", str(out), "--no-serve", "--strict"]
    command = subprocess.run(
        [sys.executable, "-m", "sidestep.scripts.cli", *words], capture_output=True, text=True
    )
    assert command.returncode == 0, command.stderr
    assert command.stderr == ""
    return out


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Where the site is served."""
    handler = functools.partial(docs.Quiet, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page of a headless browser."""
    if executable() is None:
        pytest.skip("no Chromium on this machine")
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.mark.slow
def test_every_link_leads_somewhere(site: Path) -> None:
    pages = {
        path.relative_to(site).as_posix(): Links(path.read_text(encoding="utf-8"))
        for path in site.rglob("*.html")
    }
    assert len(pages) > 40
    broken = []
    for name, links in pages.items():
        for target in links.targets:
            parts = urlsplit(urljoin(f"http://site/{name}", target))
            if parts.netloc != "site":
                continue
            file = unquote(parts.path).lstrip("/") or name
            anchor = unquote(parts.fragment)
            known = (site / file).is_file()
            if not known or (anchor and file in pages and anchor not in pages[file].anchors):
                broken.append(f"{name}: {target}")
    assert broken == []


@pytest.mark.slow
def test_public_names_are_in_the_api(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    public = extension("public", monkeypatch)
    for package in public.PACKAGES:
        api = site / "api" / f"{package.rpartition('.')[2]}.html"
        anchors = Links(api.read_text(encoding="utf-8")).anchors
        for name, _ in public.names(package):
            found = getattr(importlib.import_module(package), name)
            module = getattr(found, "__name__", "") if isinstance(found, ModuleType) else ""
            assert (f"module-{module}" if module else f"{package}.{name}") in anchors


@pytest.mark.slow
def test_pages_open_in_a_browser(site: Path, address: str, page: Page) -> None:
    """Without complaints, without asking anybody else, and no wider than a phone."""
    names = [path.relative_to(site).as_posix() for path in sorted(site.rglob("*.html"))]
    names = [name for name in names if not name.startswith(("source/", "players/"))]
    assert {"index.html", "gallery.html", "api/envs.html", "course/ko/02-rnn.html"} <= set(names)
    for name in [*names, "source/sequence/layers/gru.py.html"]:
        page.show(390, 844)
        page.open(address + name)
        asked = [url for url in page.requests if not url.startswith((address, "data:"))]
        assert (name, page.complaints, asked) == (name, [], [])
        widths = page.run("[document.documentElement.scrollWidth, innerWidth]")
        assert widths[0] <= widths[1], f"{name}: {widths}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("상태", "course/ko/02-rnn.html"),
        ("상태를", "course/ko/02-rnn.html"),
        ("병목", "course/ko/08-seq2seq.html"),
        ("기울기 소실", "course/ko/03-gradients.html"),
        ("bottleneck", "course/en/08-seq2seq.html"),
        ("vanishing gradients", "course/en/03-gradients.html"),
        ("check_vector_env", "api/envs.html"),
    ],
)
def test_search_finds(words: str, found: str, address: str, page: Page) -> None:
    page.show(1400, 1000)
    page.open(address + "course/en/01-sequences.html")
    page.run("document.querySelector('.sidebar-search').focus()")
    page.type(words)
    page.submit()
    page.until("document.querySelector('.search-summary')?.textContent.match(/found|찾/)")
    links = page.run("[...document.querySelectorAll('ul.search a')].map((a) => a.href)")
    assert any(link.startswith(address + found) for link in links), links
    assert page.complaints == []


@pytest.mark.slow
def test_formulas_are_drawn(address: str, page: Page) -> None:
    """By the browser itself, with the font that the site brings."""
    page.show(1400, 1000)
    page.open(address + "course/en/11-policy-gradient.html")
    assert page.run("document.querySelectorAll('math').length") > 20
    assert page.run("document.querySelectorAll('.formula mfrac').length") >= 1
    higher = "(tag) => document.querySelector(`.formula ${tag}`).getBoundingClientRect().height"
    assert page.run(f"({higher})('mfrac') > 1.5 * ({higher})('mi')")
    page.until("document.fonts.check('16px \"Sidestep Math\"')")
    assert not re.search(r"\$|\\[a-z]{3}", page.run("document.querySelector('article').innerText"))


@pytest.mark.slow
def test_light_and_dark(address: str, page: Page) -> None:
    ground = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    for scheme, dark in (("light", False), ("dark", True)):
        page.show(1400, 1000, scheme)
        page.open(address + "index.html")
        assert (max(page.run(ground)) < 60) is dark
    page.run("document.querySelector('.theme-toggle-content .theme-toggle').click()")
    assert page.run("document.body.dataset.theme") == "light"
    assert min(page.run(ground)) > 200


@pytest.mark.slow
def test_chapters_link_to_their_twins(address: str, page: Page) -> None:
    page.open(address + "course/ko/05-gru.html")
    assert page.run("document.documentElement.lang") == "ko"
    there = page.run("document.querySelector('.languages a[hreflang=en]').href")
    assert there == address + "course/en/05-gru.html"
    page.open(there)
    back = page.run("document.querySelector('.languages a[hreflang=ko]').href")
    assert back == address + "course/ko/05-gru.html"
    assert page.run("document.documentElement.lang") == "en"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["glimpse-gru", "forgetful", "obstacles"])
def test_players_play(name: str, address: str, page: Page) -> None:
    """In their frames: a step forward changes place and picture, and playing goes on to the end."""
    page.show(1400, 1000)
    page.open(address + "gallery.html")
    page.run(f"frame = document.querySelector('iframe[src=\"players/{name}.html\"]')")
    page.run("frame.scrollIntoView()")
    page.until("frame.contentDocument?.querySelector('#place')?.textContent.startsWith('0 / ')")
    page.run("part = (id) => frame.contentDocument.getElementById(id)")
    page.run("before = part('canvas').toDataURL()")
    last = int(page.run("part('slider').max"))
    assert last >= 2
    page.run("part('step').click()")
    assert page.run("part('place').textContent") == f"1 / {last}"
    assert page.run("part('canvas').toDataURL() !== before")
    page.run("part('speed').value = part('speed').options[part('speed').options.length - 1].value")
    page.run("part('play').click()")
    page.until(f"part('place').textContent === '{last} / {last}'")
    fits = "frame.clientHeight - frame.contentDocument.body.offsetHeight"
    page.until(f"Math.abs({fits}) < 4")
    assert page.complaints == []
