"""Generated tasks: their answers, their splits, their symbols."""

import datetime
import random
import re

import pytest
import torch

from sidestep.sequence.tasks import dates as forms
from sidestep.sequence.tasks.dates import dates
from sidestep.sequence.tasks.task import (
    SPLITS,
    Task,
    adding,
    copy,
    examples,
    hello,
    reversal,
    split_of,
    stream,
)
from sidestep.sequence.tasks.word_order import word_order

TASKS = [copy(), reversal(), dates(), word_order()]
DAY = datetime.date(2021, 3, 4)  # a Thursday


def name(task: Task) -> str:
    return task.name


def test_hello() -> None:
    pair = hello()
    assert list(zip(pair.source, pair.target, strict=True)) == [
        ("h", "e"), ("e", "l"), ("l", "l"), ("l", "o"),
    ]  # fmt: skip


def test_copy_and_reversal() -> None:
    for pair in examples(copy(3, 7), "train", 101, seed=1):
        assert pair.target == pair.source and 3 <= len(pair.source) <= 7
    lengths = set()
    for pair in examples(reversal(3, 7), "train", 101, seed=1):
        assert pair.target == pair.source[::-1]
        assert all(pair.source[s] == pair.target[t] for s, t in pair.alignment)
        lengths.add(len(pair.source))
    assert lengths == {3, 4, 5, 6, 7}


@pytest.mark.parametrize("task", TASKS, ids=name)
def test_splits_share_no_target_and_no_source(task: Task) -> None:
    found = {split: examples(task, split, 499, seed=3) for split in SPLITS}
    for first, second in (("train", "test"), ("train", "validation"), ("validation", "test")):
        pairs, others = found[first], found[second]  # type: ignore[index]
        assert not {p.target for p in pairs} & {p.target for p in others}
        assert not {p.source for p in pairs} & {p.source for p in others}
    assert len({pair.source for pair in found["test"]}) == 499


def test_share_of_the_splits() -> None:
    rng, counts = random.Random(5), dict.fromkeys(SPLITS, 0)
    for _ in range(10_000):
        counts[split_of(reversal(9, 20).draw(rng).target)] += 1
    assert counts["train"] == pytest.approx(8000, abs=150)
    assert counts["test"] == pytest.approx(1000, abs=120)


@pytest.mark.parametrize("task", TASKS, ids=name)
def test_symbols_lengths_and_seeds(task: Task) -> None:
    pairs = examples(task, "train", 2003, seed=7)
    assert {token for p in pairs for token in p.source} <= set(task.source_symbols)
    assert {token for p in pairs for token in p.target} <= set(task.target_symbols)
    assert max(len(p.source) for p in pairs) <= task.max_source
    assert max(len(p.target) for p in pairs) <= task.max_target
    assert pairs == examples(task, "train", 2003, seed=7) != examples(task, "train", 2003, seed=8)
    assert all(task.split_source(task.join_source(p.source)) == list(p.source) for p in pairs)


def test_empty_splits_and_wrong_words_are_told() -> None:
    only = Task("only", lambda rng: hello(), (), (), 4, 4, list, "".join, "".join)
    other = next(split for split in SPLITS if split != split_of(hello().target))
    with pytest.raises(ValueError, match=f"only to have pairs in {other}, got none"):
        next(stream(only, other, random.Random(0)))
    with pytest.raises(ValueError, match=r"500 different pairs of copy, got \d+"):
        examples(copy(2, 2), "train", 500, seed=0)
    with pytest.raises(ValueError, match="expected split to be one of"):
        next(stream(copy(), "dev", random.Random(0)))  # type: ignore[arg-type]
    for wrong in ((0, 3), (4, 3)):
        with pytest.raises(ValueError, match="1 <= shortest <= longest, got"):
            reversal(*wrong)


def test_dates_by_hand() -> None:
    written = {form(DAY) for form in (*forms.ENGLISH, *forms.KOREAN)}
    assert written == {
        *("March 4, 2021", "4 March 2021", "Mar 4, 2021", "04-Mar-21", "March 4th, 2021"),
        *("the 4th of March 2021", "Thursday, March 4, 2021", "Thu 4 Mar 2021", "3/4/2021"),
        *("03/04/21", "4.3.2021", "2021/03/04", "20210304", "March fourth, twenty twenty-one"),
        *("2021년 3월 4일", "2021년 03월 04일", "2021년 3월 4일 목요일", "2021. 3. 4."),
        *("2021. 3. 4.(목)", "21년 3월 4일", "이천이십일년 삼월 사일"),
    }
    assert forms.KOREAN[-1](datetime.date(1987, 6, 30)) == "천구백팔십칠년 유월 삼십일"
    assert forms.KOREAN[-1](datetime.date(2010, 10, 11)) == "이천십년 시월 십일일"


@pytest.mark.parametrize(
    ("year", "said"),
    [
        (1950, "nineteen fifty"), (1999, "nineteen ninety-nine"), (2000, "two thousand"),
        (2009, "two thousand nine"), (2010, "twenty ten"), (2049, "twenty forty-nine"),
        (1900, "nineteen hundred"), (1905, "nineteen oh five"),
    ],
)  # fmt: skip
def test_spelled_years(year: int, said: str) -> None:
    assert forms.spelled_year(year) == said


def test_ordinals() -> None:
    assert [forms.ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 22, 23, 30, 31)] == [
        *("1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "23rd"),
        *("30th", "31st"),
    ]
    assert [forms.spelled_ordinal(n) for n in (1, 12, 20, 21, 30, 31)] == [
        *("first", "twelfth", "twentieth", "twenty-first", "thirtieth", "thirty-first"),
    ]


def test_a_form_means_one_day() -> None:
    """No two days of the hundred years are written alike."""
    first = datetime.date(forms.FIRST_YEAR, 1, 1).toordinal()
    last = datetime.date(forms.LAST_YEAR, 12, 31).toordinal()
    days = {}
    for number in range(first, last + 1):
        day = datetime.date.fromordinal(number)
        for form in (*forms.ENGLISH, *forms.KOREAN):
            assert days.setdefault(form(day), number) == number, form(day)
    assert max(map(len, days)) <= forms.MAX_SOURCE
    symbols = set(dates().source_symbols)
    assert {c for text in days for c in text + text.upper() + text.lower()} <= symbols


def test_targets_are_iso() -> None:
    for pair in examples(dates(), "validation", 211, seed=2):
        text = "".join(pair.target)
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", text) and datetime.date.fromisoformat(text)


def test_adding() -> None:
    x, target = adding(torch.Generator().manual_seed(0), 997, 20)
    assert x.shape == (20, 997, 2) and 0 <= float(x[..., 0].min()) <= float(x[..., 0].max()) < 1
    assert x[:10, :, 1].sum(0).tolist() == x[10:, :, 1].sum(0).tolist() == [1.0] * 997
    by_hand = [float(sum(v for v, mark in row if mark)) for row in x.transpose(0, 1).tolist()]
    assert target.tolist() == pytest.approx(by_hand)
    assert float((target - 1).pow(2).mean()) == pytest.approx(1 / 6, abs=0.03)
    with pytest.raises(ValueError, match="steps >= 2, got 1"):
        adding(torch.Generator(), 3, 1)
