"""Texts that a command makes, each measure on strings by hand, and `sidestep lm evaluate`."""

from pathlib import Path
from typing import Any

import pytest

from sidestep.scripts import lm
from sidestep.scripts.sequences import lm_evaluate
from sidestep.scripts.sequences.corpora import c_code, dialogue, latex
from sidestep.scripts.sequences.corpora.counting import Count, brackets, indent_of, nested, total
from sidestep.scripts.sequences.corpora.kinds import KINDS, kind_named, kind_of, make
from sidestep.scripts.sequences.lm_evaluate import EvaluateOptions, pieces

NOBODY: frozenset[str] = frozenset()
SOURCES = [
    pytest.param(kind, source, language, id=f"{kind.name}-{source.__name__}-{language}")
    for kind in KINDS
    for source in (kind.pieces, kind.installed)
    if source is not None
    for language in kind.languages or ("",)
]


@pytest.mark.parametrize(
    ("text", "right", "of"),
    [
        ("([]{})", 6, 6),
        ("(]", 0, 2),
        ("((a)", 2, 3),  # one is never closed
        (")(", 0, 2),
        ("([)]", 2, 4),  # the [ stays open, so its ] is alone
        ("([))", 2, 4),  # and the last ) too
        ("no", 0, 0),
    ],
)
def test_nesting(text: str, right: int, of: int) -> None:
    assert nested(brackets(text)) == (right, of)


def test_counts() -> None:
    assert total([Count(1, 2), Count(2, 2), Count(0, 0)]) == (3, 4)
    assert Count(3, 4).share == 0.75 and Count(0, 0).share is None
    assert Count(3, 4).words() == "75.0 % (3/4)" and Count(0, 0).words() == "-"
    assert [indent_of(line) for line in ("x", "  x", "\tx", "  \tx", "")] == [0, 2, 8, 8, 0]


TALK = """\
Anna: Where is the key?
Ben: The key is in the hall.
Anna: Have you seen the map?
Ben: Yes, the lamp was in the hall.

Ben: Hello!
Ben: Who took the coat?
Cleo: You took the coat.
no turn at all
"""


def test_measures_of_a_dialogue() -> None:
    known = frozenset({"Anna", "Ben"})
    assert dialogue.speakers(TALK) == {"Anna", "Ben", "Cleo"}
    assert dialogue.names_known(TALK, known) == (6, 8)  # Cleo, and nobody
    assert dialogue.turns_alternate(TALK, NOBODY) == (4, 6)  # Ben after Ben, nobody after Cleo
    assert dialogue.two_speakers(TALK, NOBODY) == (2, 4)  # Cleo and nobody are new
    assert dialogue.answers_name_the_thing(TALK, NOBODY) == (2, 3)  # lamp for map
    korean = "수지: 우산이 어디 있어?\n민호: 우산은 역에 있어.\n\n민호: 열쇠를 봤어?\n수지: 아니.\n"
    assert dialogue.answers_name_the_thing(korean, NOBODY) == (1, 2)
    assert dialogue.names_known(korean, frozenset({"수지"})) == (2, 4)


def test_particles_go_by_the_final_consonant() -> None:
    line = "현석[아/야] 수지[아/야] 열쇠[은/는] 우산[은/는] 하준[이가/가] 민호[이가/가]"
    expected = "현석아 수지야 열쇠는 우산은 하준이가 민호가"
    assert dialogue.with_particles(line) == expected


def test_measures_of_latex() -> None:
    nest = "\\begin{a}\n  \\begin{b}\n  \\end{a}\n\\end{b}\n"
    assert latex.environments_closed(nest, NOBODY) == (2, 4)  # b is closed too late
    assert latex.environments_closed(r"\begin{a}\end{a}\end{a}", NOBODY) == (2, 3)
    assert latex.braces_closed(r"\frac{a}{b^{2} \{ \}", NOBODY) == (4, 5)
    assert latex.dollars_paired("$a$ and $b$\n\n$c\n\nno\n\n\\$5", NOBODY) == (1, 2)
    assert latex.commands(r"\frac{\alpha}{2}\\") == {"frac", "alpha"}
    assert latex.commands_known(r"\frac \beta \fraz", frozenset({"frac", "beta"})) == (2, 3)
    assert latex.indentation_right(nest, NOBODY) == (4, 4)  # by how many there are
    inner = "x\n\n\\begin{a}\n  y\nz\n\\end{a}"
    assert latex.indentation_right(inner, NOBODY) == (4, 5)


C = """\
/* a { that does not count */
int
f(char *s)  // nor this (
{
    if (s[0] == '{') {
        return 1;
    }
    else {
    return "(" [0];
      }
}
"""


def test_measures_of_c() -> None:
    assert c_code.bare("a /* {\n( */ b") == "a     \n     b"
    assert c_code.bare('x = "a\\"(" + 1') == "x = " + 6 * " " + " + 1"
    assert c_code.brackets_closed(C, NOBODY) == (14, 14)
    assert c_code.brackets_closed("f(a[1)];", NOBODY) == (2, 4)
    assert c_code.comments_closed("/* a */ b /* c", NOBODY) == (1, 2)
    assert c_code.comments_closed("/*/ is not closed", NOBODY) == (0, 1)
    assert c_code.comments_closed("/*/", NOBODY) == (0, 1)
    assert c_code.comments_closed('"/*" // /*', NOBODY) == (0, 0)
    directives = "#if A\n# ifdef B\n#endif\n/*\n#endif\n*/\n#define endif\n"
    assert c_code.directives_closed(directives, NOBODY) == (2, 3)
    # inside three blocks: right, right, wrong; of three ends the second is wrong
    assert c_code.indentation_right(C, NOBODY) == (4, 6)
    assert c_code.indentation_right("}\n", NOBODY) == (0, 1)


@pytest.mark.parametrize(("kind", "source", "language"), SOURCES)
def test_what_is_made_is_of_its_kind_and_right(kind: Any, source: Any, language: str) -> None:
    if source is c_code.headers and not c_code.header_files():
        pytest.skip("no C headers with this Python")
    text = make(source, 60_000, 5, language)
    assert text == make(source, 60_000, 5, language) != make(source, 60_000, 6, language)
    assert 50_000 < len(text) <= 60_000 and text.endswith("\n")
    assert kind_of(text).name == kind.name
    known = kind.known(text)
    for name, measure in kind.measures.items():
        count = measure(text, known)
        assert count.of > 20 or source is c_code.headers, name
        if source is not c_code.headers:  # others wrote these
            assert count.right == count.of, name
        else:
            assert count.share is None or count.share > 0.8, name


def test_a_long_piece_is_cut_at_a_lines_end() -> None:
    def long(*_: Any) -> Any:
        yield "12345\n" * 20

    assert make(long, 50, 0) == "12345\n" * 8

    def short(*_: Any) -> Any:
        yield from ["a" * 46 + "\n", "later\n"]

    assert make(short, 50, 0) == "a" * 46 + "\n"  # enough: nothing is cut


def test_pieces_of_a_text_begin_with_paragraphs() -> None:
    text = "".join(f"{k:03}\n\n" for k in range(100))  # 500 characters
    found = pieces(text, 4, 60)
    assert [piece[:3] for piece in found] == ["000", "025", "050", "075"]
    assert all(len(piece) == 60 for piece in found)
    assert [piece[:3] for piece in pieces("x" + text, 2, 60)] == ["x00", "050"]
    assert pieces("abc", 5, 10) == ["abc"] and len(pieces(text, 50, 100)) == 5


def test_corpora_by_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "talk.txt"
    flags = ["--out", str(out), "--characters", "2000"]
    lm.main(["corpus", "dialogue", *flags, "--language", "ko", "--seed", "3"])
    text = out.read_text(encoding="utf-8")
    assert text == make(dialogue.scenes, 2000, 3, "ko") and "수지" in text
    assert f"{len(text):,} characters of {len(set(text))} kinds" in capsys.readouterr().out
    lm.main(["corpus", "dialogue", *flags])
    assert out.read_text(encoding="utf-8") == make(dialogue.scenes, 2000, 0, "en")
    lm.main(["corpus", "c", "--generated", *flags])
    assert out.read_text(encoding="utf-8") == make(c_code.functions, 2000, 0)


def test_c_comes_from_the_installed_headers_or_is_generated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    include, out = tmp_path / "include", tmp_path / "c.txt"
    (include / "sub").mkdir(parents=True)
    (include / "a.h").write_bytes(b"int a;\r\n\xff")
    (include / "sub" / "b.h").write_text("int b;\n\n\n")
    (include / "c.txt").write_text("none")
    monkeypatch.setattr(c_code.sysconfig, "get_path", lambda name: str(include))
    lm.main(["corpus", "c", "--out", str(out)])
    assert sorted(out.read_text().split("\n\n")) == ["", "int a;", "int b;"]
    assert "There is no more of it: 300,000 were asked for." in capsys.readouterr().out
    monkeypatch.setattr(c_code.sysconfig, "get_path", lambda name: str(tmp_path / "none"))
    lm.main(["corpus", "c", "--out", str(out), "--characters", "3000"])
    assert out.read_text() == make(c_code.functions, 3000, 0)
    said = "No c is installed with this Python: the text is by a grammar of our own."
    assert said in " ".join(capsys.readouterr().out.split())


def test_what_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for words, flags in {
        "kind: expected one of dialogue, latex, c, got 'dialog' (did you mean dialogue?)": "dialog",
        "language: expected en or ko for dialogue, got 'fr'": "dialogue --language fr",
        "language: expected none for latex, got 'ko'": "latex --language ko",
        "generated: expected it for c alone, latex always is": "latex --generated",
        "characters: expected at least 1000, got 9": "c --characters 9",
        "seed: expected at least 0, got -1": "c --seed -1",
    }.items():
        with pytest.raises(SystemExit) as caught:
            lm.main(["corpus", *flags.split(), "--out", "text.txt"])
        error = capsys.readouterr().err
        assert caught.value.code == 2 and error.count("\n") == 1 and words in error, error
    with pytest.raises(SystemExit):
        lm.main(["corpus", "c", "--out", "missing/text.txt"])
    assert "out: expected a folder that is there, got missing" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    with pytest.raises(
        ValueError, match="kind: expected a text that looks like dialogue, latex, c;"
    ):
        kind_of("Once upon a time\nthere was a text.\n")


def test_a_model_is_measured_beside_its_text_and_a_markov_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text, run = tmp_path / "talk.txt", tmp_path / "run"
    talk = make(dialogue.scenes, 20_000, 0, "en")
    text.write_text(talk, encoding="utf-8")
    lm.main(["train", str(text), "--out", str(run), "--updates", "2", "--hidden-size", "7"])
    written = {
        "generate": "Anna: Hi.\nBob: Hi.\nAnna: Hi.\n",  # one name that is not known
        "counted": "Ben: Hi.\nBen: Hi.\nAnna: Hi.\n",
    }
    monkeypatch.setattr(lm_evaluate, "_written", lambda *a: [written["generate"]] * 3)
    monkeypatch.setattr(lm_evaluate, "_counted", lambda *a: [written["counted"]] * 2)
    found = lm_evaluate.evaluate(EvaluateOptions(run, samples=2, length=500, order=4))
    real, model, counted = found
    assert (real, model, counted) == ("held-out text", "LSTM 1 x 7", "Markov, 4 characters")
    assert found[model]["speakers are known"] == (6, 9)
    assert found[model]["turns alternate"] == (6, 6)
    assert found[model]["a scene keeps its two speakers"] == (3, 3)
    assert found[counted]["turns alternate"] == (2, 4)
    assert found[counted]["a scene keeps its two speakers"] == (0, 2)
    assert found[counted]["answers name the thing asked for"] == (0, 0)
    for name, count in found[real].items():
        assert count.share is not None and count.share > 0.8, name  # the cut breaks a line or two
    printed = capsys.readouterr().out
    assert "66.7 %" in printed and "dialogue: 2 texts of 500 characters, temperature 1" in printed


def test_evaluate_by_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, run = tmp_path / "doc.txt", tmp_path / "run"
    text.write_text(make(latex.sections, 8000, 0), encoding="utf-8")
    lm.main(["train", str(text), "--out", str(run), "--updates", "2", "--hidden-size", "5"])
    capsys.readouterr()
    flags = ["--samples", "2", "--length", "150", "--order", "6"]
    outs = []
    for seed in ("1", "1", "2"):
        lm.main(["evaluate", str(run), *flags, "--seed", seed])
        outs.append(capsys.readouterr().out)
    assert outs[0] == outs[1] != outs[2]
    assert "environments close" in outs[0] and "Markov, 6" in outs[0]
    lm.main(["evaluate", str(run), *flags, "--kind", "c"])
    assert "comments close" in capsys.readouterr().out
    for words, more in {
        "order: window: expected a shorter one": ("--order", "40"),
        "kind: expected one of": ("--kind", "poem"),
        "samples: expected at least 1, got 0": ("--samples", "0"),
        "temperature: expected a number of at least 0": ("--temperature", "-1"),
    }.items():
        with pytest.raises(SystemExit) as caught:
            lm.main(["evaluate", str(run), *more])
        assert caught.value.code == 2 and words in capsys.readouterr().err
    text.rename(tmp_path / "moved.txt")
    with pytest.raises(SystemExit):
        lm.main(["evaluate", str(run)])
    assert "--file" in capsys.readouterr().err
    lm.main(["evaluate", str(run), *flags, "--file", str(tmp_path / "moved.txt")])


def test_a_kind_is_found_by_its_name() -> None:
    assert [kind_named(kind.name) for kind in KINDS] == list(KINDS)


@pytest.mark.slow
def test_a_trained_model_lies_between_counts_and_the_text(tmp_path: Path) -> None:
    text, run = tmp_path / "talk.txt", tmp_path / "run"
    text.write_text(make(dialogue.scenes, 120_000, 0, "en"), encoding="utf-8")
    flags = "--updates 260 --hidden-size 96 --validate-every 130 --learning-rate 8e-3"
    lm.main(["train", str(text), "--out", str(run), *flags.split()])
    found = lm_evaluate.evaluate(EvaluateOptions(run, samples=8, length=800, order=2))
    real, model, counted = found.values()
    for name in ("speakers are known", "turns alternate"):
        shares = [counts[name].share for counts in (counted, model, real)]
        low, middle, high = (share or 0.0 for share in shares)
        assert low + 0.1 < middle <= high + 0.02, name
