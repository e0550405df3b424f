"""Character models: hello, causality, carried state, validation, generated text."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from sidestep.sequence.models.language import (
    CELLS,
    LanguageConfig,
    LanguageModel,
    Stream,
    Vocabulary,
    chunk_loss,
    generate,
    nats_per_character,
)

TEXT = "the quick brown fox jumps over the lazy dog; and again, and again, it jumps!\n"


def model_of(symbols: int, **options: Any) -> LanguageModel:
    torch.manual_seed(3)
    settings = {"hidden_size": 13, "embedding_size": 5, **options}
    return LanguageModel(symbols, LanguageConfig(**settings)).eval()


def test_vocabulary_by_hand() -> None:
    vocabulary = Vocabulary.of("hello")
    assert vocabulary.symbols == "ehlo" and len(vocabulary) == 4
    assert vocabulary.encode("hello").tolist() == [1, 0, 2, 2, 3]
    assert vocabulary.decode(torch.tensor([1, 0, 2, 2, 3])) == "hello"
    korean = Vocabulary.of("나는 간다")
    assert korean.decode(korean.encode("다나는")) == "다나는"


def test_vocabulary_refuses() -> None:
    words = r"line 2, column 3: expected one of the 5 characters .* got 'j'"
    with pytest.raises(ValueError, match=words):
        Vocabulary.of("hello\n").encode("hell\nhej")
    with pytest.raises(ValueError, match="expected at least one character, got none"):
        Vocabulary.of("")
    with pytest.raises(ValueError, match="every symbol once"):
        Vocabulary("abca")


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("embedding", [0, 3])
def test_hello(cell: str, embedding: int) -> None:
    """The course's smallest example: h->e, e->l, l->l, l->o; the two l need a memory."""
    vocabulary = Vocabulary.of("hello")
    model = model_of(4, cell=cell, hidden_size=8, embedding_size=embedding)
    symbols = vocabulary.encode("hello").unsqueeze(-1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    for _ in range(100):
        logits, _ = model(symbols[:-1])  # (4, 1, 4)
        loss = cross_entropy(logits.flatten(0, 1), symbols[1:].flatten(), reduction="sum")
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert vocabulary.decode(logits.argmax(-1).flatten()) == "ello"
    assert float(loss.detach()) < 0.2
    drawn = generate(model, vocabulary.encode("h"), 4, rows=3, temperature=0)
    assert [vocabulary.decode(row) for row in drawn.t()] == ["ello"] * 3


@pytest.mark.parametrize("cell", CELLS)
def test_a_character_never_changes_its_own_prediction(cell: str) -> None:
    model = model_of(7, cell=cell, num_layers=2)
    x = torch.randint(7, (11, 3), generator=torch.Generator().manual_seed(0))
    before, _ = model(x)
    for t in range(11):
        other = x.clone()
        other[t] = (other[t] + 1) % 7
        after, _ = model(other)
        changed = (before != after).any(dim=-1).any(dim=-1)  # (T,), logits for x[t + 1]
        assert not changed[:t].any() and changed[t]


@pytest.mark.parametrize("cell", CELLS)
def test_chunks_with_carried_state_equal_one_long_pass(cell: str) -> None:
    vocabulary = Vocabulary.of(TEXT)
    model, symbols = model_of(len(vocabulary), cell=cell), vocabulary.encode(TEXT)
    whole, short = Stream(symbols, 3, 1000), Stream(symbols, 3, 7)
    expected, end = chunk_loss(model, whole.next(), None)
    state, losses = None, []
    for _ in range(math.ceil(len(short.x) / 7)):
        loss, state = chunk_loss(model, short.next(), state)
        losses.append(float(loss.detach()))
    assert sum(losses) == pytest.approx(float(expected.detach()), rel=1e-5)
    first = [torch.as_tensor(s) for s in (end if isinstance(end, tuple) else (end,))]
    assert state is not None
    for mine, theirs in zip(state if isinstance(state, tuple) else (state,), first, strict=True):
        assert isinstance(mine, Tensor) and not mine.requires_grad
        assert torch.allclose(mine, theirs, atol=1e-6)
    again, _ = chunk_loss(model, short.next(), state)  # the rows begin anew: nothing is carried
    assert float(again.detach()) == pytest.approx(losses[0], rel=1e-6)


def test_gradients_stop_at_the_border_of_a_chunk() -> None:
    model, symbols = model_of(5), torch.arange(23) % 5
    stream = Stream(symbols, 2, 4)
    _, state = chunk_loss(model, stream.next(), None)
    chunk = stream.next()
    alone = [part.clone() for part in state if isinstance(part, Tensor)]
    gradients = []
    for start in (state, tuple(alone)):
        model.zero_grad()
        chunk_loss(model, chunk, start)[0].backward()  # type: ignore[no-untyped-call]
        gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_stream_by_hand() -> None:
    stream = Stream(torch.arange(12), rows=2, steps=3)  # rows 0..4 and 5..9, foreseeing one later
    first, second, third = stream.next(), stream.next(), stream.next()
    assert first.x.t().tolist() == [[0, 1, 2], [5, 6, 7]] and first.first
    assert first.y.t().tolist() == [[1, 2, 3], [6, 7, 8]]
    assert second.x.t().tolist() == [[3, 4], [8, 9]] and not second.first
    assert second.y.t().tolist() == [[4, 5], [9, 10]]
    assert torch.equal(third.x, first.x) and third.first
    assert [len(chunk.x) for chunk in stream.once()] == [3, 2] and stream.position == 3
    exact = Stream(torch.arange(7), 2, 3)
    assert exact.next().first and exact.next().first and exact.position == 0
    with pytest.raises(ValueError, match="at least 4 characters for 3 rows, got 3"):
        Stream(torch.arange(3), 3, 1)
    assert Stream(torch.arange(4), 3, 1).next().y.tolist() == [[1, 2, 3]]
    with pytest.raises(ValueError, match="at least 1 row and 1 step, got 0 and 5"):
        Stream(torch.arange(9), 0, 5)


def test_nats_by_hand() -> None:
    vocabulary = Vocabulary.of(TEXT)
    model, symbols = model_of(len(vocabulary)), vocabulary.encode(TEXT)
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.bias.zero_()
    assert nats_per_character(model, symbols) == pytest.approx(math.log(len(vocabulary)))
    other = model_of(len(vocabulary))
    logits, _ = other(symbols[:-1].unsqueeze(-1))
    expected = float(cross_entropy(logits[:, 0], symbols[1:]).detach())
    for steps in (1, 10, 1000):
        assert nats_per_character(other, symbols, 1, steps) == pytest.approx(expected, rel=1e-5)
    assert nats_per_character(other, symbols[:2], 16) > 0
    with pytest.raises(ValueError, match="at least 2 characters, got 1"):
        nats_per_character(other, symbols[:1])


def test_generated_text_follows_the_model() -> None:
    model = model_of(7, num_layers=2)
    prompt, rows = torch.tensor([1, 4, 2]), 4001
    drawn = generate(model, prompt, 2, rows=rows, generator=torch.Generator().manual_seed(0))
    assert drawn.shape == (2, rows)
    logits, _ = model(prompt.unsqueeze(-1))
    share = drawn[0].bincount(minlength=7) / rows
    assert torch.allclose(share, logits[-1, 0].softmax(-1), atol=0.03)
    first = int(drawn[0, 0])
    follow = drawn[1, drawn[0] == first]  # the second is drawn given the first
    logits, _ = model(torch.cat([prompt, drawn[0, :1]]).unsqueeze(-1))
    share = follow.bincount(minlength=7) / len(follow)
    assert torch.allclose(share, logits[-1, 0].softmax(-1), atol=0.06)


def test_generated_text_respects_top_k_and_temperature() -> None:
    model = model_of(7)
    prompt = torch.tensor([3])
    two = generate(model, prompt, 1, rows=501, top_k=2, temperature=9.0)
    assert set(two.flatten().tolist()) == set(model(prompt[None].t())[0][-1, 0].topk(2)[1].tolist())
    cold = generate(model, prompt, 5, rows=3, temperature=0)
    assert torch.equal(cold, generate(model, prompt, 5, rows=3, top_k=1))
    assert generate(model, prompt, 0, rows=3).shape == (0, 3)
    long = torch.randint(7, (997,), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():  # all of it is read
        _, state = model(long[:-1, None])
        ahead, _ = model.step(long[-1:], state)
    assert torch.equal(generate(model, long, 1, temperature=0)[0], ahead.argmax(-1))
    for wrong in ({"prompt": prompt[:0]}, {"rows": 0}, {"length": -1}):
        with pytest.raises(ValueError, match="expected a prompt of at least 1 character"):
            generate(**{"model": model, "prompt": prompt, "length": 3, **wrong})


def test_step_equals_forward_and_one_hot_has_no_embedding() -> None:
    model = model_of(5, embedding_size=0, cell="gru")
    assert model.embedding is None and model.inputs(torch.tensor([2])).tolist() == [[0, 0, 1, 0, 0]]
    x = torch.tensor([[1, 4], [0, 3], [2, 2]])
    logits, state = model(x)
    carried = model.initial_state(2)
    for t in range(3):
        row, carried = model.step(x[t], carried)
        assert torch.allclose(row, logits[t], atol=1e-6)
    assert isinstance(carried, Tensor) and isinstance(state, Tensor)
    assert torch.allclose(carried, state, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": "elman"}, "cell: expected one of rnn, lstm, gru, got 'elman'"),
        ({"hidden_size": 0}, "hidden_size: expected at least 1, got 0"),
        ({"embedding_size": -1}, "embedding_size: expected at least 0, got -1"),
        ({"dropout": 1.0}, r"dropout: expected a number in \[0, 1\), got 1.0"),
    ],
)
def test_wrong_settings(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LanguageConfig(**options)
