import io
import sys
from types import SimpleNamespace

import pytest

from mnistpipe.training import progress as progress_module
from mnistpipe.training.loop import Epoch
from mnistpipe.training.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def set_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Stands for standard error; no fixture, as pytest puts its own in place before each call."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    return terminal


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that goes on by two seconds each time it is read."""
    times = iter(range(0, 100, 2))
    clock = SimpleNamespace(monotonic=lambda: float(next(times)))
    monkeypatch.setattr(progress_module, "time", clock)
    return clock


def record(number: int) -> Epoch:
    return Epoch(number, 0.1, 1.25, 0.5, 0.75)


def line(number: int, left_s: int) -> str:
    return (
        f"train-net: epoch {number}/3, training loss 1.2500, validation loss 0.5000, "
        f"validation accuracy 75.00%, 50 images/s, {left_s} s left"
    )


def run_epoch(progress: Progress, number: int) -> None:
    progress.batch(60)
    progress.batch(40)
    progress.epoch(record(number))


@pytest.mark.usefixtures("clock")
def test_without_a_terminal_each_epoch_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress("train-net", 3, 100)
    for number in (1, 2, 3):
        run_epoch(progress, number)
    progress.close()
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [line(1, 4), line(2, 2), line(3, 0)]
    assert printed.err == ""


@pytest.mark.usefixtures("clock")
def test_epochs_done_before_count_for_neither_speed_nor_time_left(
    capsys: pytest.CaptureFixture[str],
) -> None:
    progress = Progress("train-net", 3, 100, n_done=1)
    run_epoch(progress, 2)
    run_epoch(progress, 3)
    progress.close()
    assert capsys.readouterr().out.splitlines() == [
        "train-net: going on after epoch 1 of 3",
        line(2, 2),
        line(3, 0),
    ]


def test_a_finished_run_has_nothing_more_to_say(capsys: pytest.CaptureFixture[str]) -> None:
    Progress("train-net", 3, 100, n_done=3).close()
    assert capsys.readouterr().out == "train-net: going on after epoch 3 of 3\n"


def test_a_terminal_has_a_bar_that_names_the_running_epoch(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = set_terminal(monkeypatch)
    progress = Progress("train-net", 3, 100)
    shown = []
    for number in (1, 2, 3):
        shown.append(terminal.getvalue().split("\r")[-1])
        run_epoch(progress, number)
    shown.append(terminal.getvalue().split("\r")[-1])
    progress.close()
    assert capsys.readouterr().out == ""
    for text, running, share in zip(shown, (1, 2, 3, 3), (0, 33, 67, 100), strict=True):
        assert text.startswith(f"train-net epoch {running}/3: ")
        assert f" {share}%|" in text
    assert "validation=75.00%" in shown[-1]


def test_a_bar_goes_on_where_the_run_does(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = set_terminal(monkeypatch)
    Progress("train-net", 4, 100, n_done=1).close()
    assert "train-net epoch 2/4:  25%|" in terminal.getvalue()


@pytest.mark.usefixtures("clock")
def test_one_of_several_runs_draws_no_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = set_terminal(monkeypatch)
    progress = Progress("train-net", 3, 100, bar=False)
    run_epoch(progress, 1)
    progress.close()
    assert terminal.getvalue() == ""
    assert capsys.readouterr().out.splitlines() == [line(1, 4)]
