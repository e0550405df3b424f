"""The bench of sequence to sequence: what it says of given figures, and that it runs."""

from pathlib import Path
from typing import Any

import pytest

from sidestep.scripts.benches import translation as bench_translation
from sidestep.scripts.benches.translation import LONGEST, SHORTEST, length_figure, markdown, measure
from sidestep.scripts.sequences import translate_data


def record() -> dict[str, Any]:
    """Figures as `measure` returns them."""
    common = {"updates": 1500, "seconds": 61.4}
    lengths = range(SHORTEST, LONGEST + 1)
    reversal = {
        name: {**common, "exact_16_to_20": exact, "exact_by_length": dict.fromkeys(lengths, share)}
        for name, exact, share in (("additive", 0.914, 0.9), ("none", 0.02, 0.1))
    }
    return {
        "reversal": reversal,
        "dates": {**common, "exact": 0.996},
        "word_order": {**common, "exact": 1.0, "aligned": 0.851},
    }


def test_section_by_hand() -> None:
    text = markdown(record())
    assert "| reversal of 16 to 20 digits, with attention | 91.4% |  | 1,500 |" in text
    assert "| reversal of 16 to 20 digits, without | 2.0% |  | 1,500 |" in text
    assert "| dates to ISO | 99.6% |  | 1,500 |" in text
    assert "| Korean word order to English | 100.0% | 85.1% | 1,500 |" in text
    assert "BLEU" not in text
    one = {"updates": 800, "seconds": 90.0, "exact": 0.021, "bleu": 7.25, "chrf": 20.1,
           "split": "7 pairs", "signature": "tok:13a"}  # fmt: skip
    unscored = {k: v for k, v in one.items() if k not in ("bleu", "chrf", "signature")}
    text = markdown({**record(), "korean_english": {"additive": one, "none": unscored}})
    assert "| Korean to English, with attention | 7.2 | 20.1 | 2.1% | 800 |" in text
    assert "| Korean to English, without |  |  | 2.1% | 800 |" in text
    assert "7 pairs; tok:13a." in text


def test_figure_of_lengths() -> None:
    (axes,) = length_figure(record()["reversal"]).axes
    first, second = axes.lines
    assert list(first.get_xdata()) == list(range(SHORTEST, LONGEST + 1))
    assert set(first.get_ydata()) == {0.9} and set(second.get_ydata()) == {0.1}


@pytest.mark.slow
def test_everything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translate_data, "HELD_OUT", 23)
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("\n".join(f"number {n}\t숫자 {n}" for n in range(200)), encoding="utf-8")
    result, text = measure(bench_translation.Options(out=tmp_path, pairs=pairs, quick=True))
    assert set(result) == {
        *("seed", "seconds", "reversal", "dates", "word_order", "korean_english"),
    }
    for name in ("translation-lengths.png", "translation-alignment.png"):
        assert (tmp_path / "figures" / name).read_bytes()[:4] == b"\x89PNG"
    assert text.startswith("## Sequence to sequence")
    with pytest.raises(FileNotFoundError):
        measure(bench_translation.Options(out=tmp_path, pairs=tmp_path / "no.tsv", quick=True))
