"""Signals that stop a command."""

import multiprocessing
import signal

import pytest

from sidestep.scripts.shared.loop_bar import stoppable

INT, TERM = signal.SIGINT, signal.SIGTERM


@pytest.mark.parametrize(
    "sent", [(INT,), (TERM,), (INT, TERM), (TERM, INT), (TERM, TERM), (TERM, INT, TERM)]
)
def test_a_signal_is_noted(sent: tuple[signal.Signals, ...]) -> None:
    before = [signal.getsignal(number) for number in (INT, TERM)]
    with stoppable() as caught:
        assert not caught
        for number in sent:
            signal.raise_signal(number)
    assert caught == [number.name for number in sent]
    assert [signal.getsignal(number) for number in (INT, TERM)] == before


@pytest.mark.parametrize("between", [(), (TERM,)])
def test_a_second_ctrl_c_interrupts(between: tuple[signal.Signals, ...]) -> None:
    before = signal.getsignal(INT)
    with pytest.raises(KeyboardInterrupt), stoppable():
        for number in (INT, *between, INT):
            signal.raise_signal(number)
    assert signal.getsignal(INT) is before


def _noted(sent: tuple[int, ...], found: "multiprocessing.SimpleQueue[list[str]]") -> None:
    with stoppable() as caught:
        for number in sent:
            signal.raise_signal(number)
    found.put(caught)


def test_a_process_of_a_command_leaves_ctrl_c_to_it() -> None:
    context = multiprocessing.get_context("spawn")
    found = context.SimpleQueue()
    process = context.Process(target=_noted, args=((INT, TERM, INT, TERM), found))
    process.start()
    process.join()
    assert process.exitcode == 0 and found.get() == ["SIGTERM", "SIGTERM"]
