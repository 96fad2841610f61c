"""What signals do while an apply is at work. How that looks from outside is in test_apply."""

from __future__ import annotations

import signal
from threading import Thread

import pytest

from reconciler.cli.interrupt import interruptible


def test_signals_do_what_they_did_before_when_all_is_over() -> None:
    """What an interruption changes is put back; without one, nothing is changed."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with interruptible() as stop:
        assert not stop.is_set()
        stop.set()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_thread_has_no_signals(capsys: pytest.CaptureFixture[str]) -> None:
    """Elsewhere than in the main thread the event is one like any other, and says what it does."""

    def work() -> None:
        with interruptible() as stop:
            stop.set()
            assert stop.is_set()

    thread = Thread(target=work)
    thread.start()
    thread.join()
    assert capsys.readouterr().err.startswith("interrupted: finishing the calls under way")


def test_a_background_job_goes_on_ignoring_ctrl_c() -> None:
    """Whoever started us with it ignored gets it ignored."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruptible() as stop:
            stop.set()
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
