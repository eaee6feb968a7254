import argparse
import re
import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from mnistpipe.data.datasets import RAW
from mnistpipe.files.artifacts import write_json
from mnistpipe.files.environment import count_cores
from mnistpipe.files.errors import UserError
from mnistpipe.files.slots import N_SLOTS, POLL_S, Turn
from mnistpipe.study import load_params
from tests.conftest import PARAMS_FILE
from tests.forks import TIMEOUT_S, wait_until
from tools import repro
from tools.schedule import Cost, last_end, simulate


@pytest.mark.parametrize("jobs", ["0", "-1", "two", "1.5"])
def test_jobs_are_counted_from_one(jobs: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"from 1, not '{jobs}'"):
        repro.at_least_one(jobs)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--jobs", "0"), "should be a whole number from 1, not '0'"),
        (("--jobs", "2", "train-net"), "--jobs is for the whole study"),
    ],
)
def test_the_command_says_what_is_wrong_with_it(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    reason: str,
) -> None:
    monkeypatch.setattr("sys.argv", ["repro", *words])
    with pytest.raises(SystemExit, match=r"^2$"):
        repro.main()
    assert reason in capsys.readouterr().err


class Dvc:
    """In the place of DVC: notes what is started, and ends stages and their trainings when told."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.shares: list[dict[str, str]] = []
        self._ends: dict[str, Future[int]] = {}
        self._lock = threading.Lock()

    def __call__(self, words: list[str], share: dict[str, str]) -> int:
        *options, stage = words
        assert options == ["repro", "--single-item"]
        with self._lock:
            ended = self._ends.setdefault(stage, Future())
            self.shares.append(share)
            self.started.append(stage)
        return ended.result(TIMEOUT_S)

    def end(self, stage: str, status: int = 0) -> None:
        self._ends[stage].set_result(status)

    def starts(self, *stages: str) -> bool:
        """Whether these are started next, by and by and in this order, and no more of them."""
        wait_until(lambda: len(self.started) >= len(stages))
        time.sleep(3 * POLL_S)
        started, self.started = self.started, []
        return started == [*stages]


@pytest.fixture
def dvc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dvc:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    stand_in = Dvc()
    monkeypatch.setattr(repro, "_dvc", stand_in)
    return stand_in


def train(stage: str, seed: int) -> None:
    """What a training leaves."""
    with Turn(100, stage, seed).taken(lambda: None):
        pass


def test_a_stage_is_started_when_those_before_leave_a_slot(dvc: Dvc) -> None:
    costs = [Cost("a", 3, 9.0), Cost("b", 3, 8.0), Cost("c", 1, 7.0), Cost("d", 1, 6.0)]
    train("a", 1)  # in an earlier run, which counts no more
    with ThreadPoolExecutor(1) as pool:
        status = pool.submit(repro._side_by_side, costs, 2, [])
        assert dvc.starts("a")
        train("a", 1)
        assert dvc.starts()  # its other two take the slots
        train("a", 2)
        assert dvc.starts("b")
        train("a", 3)
        train("b", 1)
        assert dvc.starts()
        dvc.end("a")
        assert dvc.starts()
        dvc.end("b")  # or was up to date
        assert dvc.starts("c", "d")
        dvc.end("d")
        dvc.end("c")
        assert status.result(TIMEOUT_S) == 0
    share = max(1, count_cores() // 2)
    assert dvc.shares == [{"OMP_NUM_THREADS": f"{share}", N_SLOTS: "2"}] * 4


@pytest.mark.parametrize(("wish", "given"), [("1", "1"), ("3", "3"), ("100", "8")])
def test_whoever_sets_the_number_of_threads_gets_no_more(
    dvc: Dvc, monkeypatch: pytest.MonkeyPatch, wish: str, given: str
) -> None:
    monkeypatch.setattr(repro, "count_cores", lambda: 16)
    monkeypatch.setenv("OMP_NUM_THREADS", wish)
    with ThreadPoolExecutor(1) as pool:
        status = pool.submit(repro._side_by_side, [Cost("a", 1, 1.0)], 2, [])
        assert dvc.starts("a")
        dvc.end("a")
        assert status.result(TIMEOUT_S) == 0
    assert dvc.shares == [{"OMP_NUM_THREADS": given, N_SLOTS: "2"}]


def test_each_training_that_ends_says_how_long_all_others_take(
    dvc: Dvc, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    now_s = [1000.0]
    monkeypatch.setattr(repro, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    costs = [Cost("up-to-date", 1, 500.0), Cost("a", 2, 100.0), Cost("b", 1, 50.0)]
    for cost in costs:
        train(cost.stage, 1)  # in an earlier run
    with ThreadPoolExecutor(1) as pool:
        status = pool.submit(repro._side_by_side, costs, 1, [])
        assert dvc.starts("up-to-date")
        dvc.end("up-to-date")
        assert dvc.starts("a")
        now_s[0] += 200.0  # twice as long as planned, and 150 are left by the plan
        train("a", 1)
        time.sleep(3 * POLL_S)
        now_s[0] += 200.0
        train("a", 2)
        dvc.end("a")
        assert dvc.starts("b")
        train("b", 1)
        dvc.end("b")
        assert status.result(TIMEOUT_S) == 0
    assert capfd.readouterr().out.splitlines() == [
        "1 of 3 trainings done, 300 s left",
        "2 of 3 trainings done, 100 s left",
    ]


def test_after_a_stage_that_fails_none_is_started_and_the_others_end(dvc: Dvc) -> None:
    costs = [Cost("a", 1, 9.0), Cost("b", 1, 8.0), Cost("c", 1, 7.0)]
    with ThreadPoolExecutor(1) as pool:
        status = pool.submit(repro._side_by_side, costs, 2, [])
        assert dvc.starts("a", "b")
        dvc.end("b", status=3)
        assert dvc.starts()
        assert not status.done()
        dvc.end("a")
        assert status.result(TIMEOUT_S) == 3


def test_after_a_stop_no_stage_is_started(dvc: Dvc) -> None:
    costs = [Cost("a", 1, 9.0), Cost("b", 1, 8.0), Cost("c", 1, 7.0)]
    stopped_by: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        status = pool.submit(repro._side_by_side, costs, 1, stopped_by)
        assert dvc.starts("a")
        stopped_by.append(signal.SIGINT)
        dvc.end("a")
        assert status.result(TIMEOUT_S) == 0
    assert dvc.starts()


@pytest.mark.parametrize("n_slots", [2, 3])
def test_trainings_go_on_as_the_plan_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_slots: int
) -> None:
    """In real slots, each as long as its stage's cost says."""
    monkeypatch.chdir(tmp_path)
    costs = [Cost("a", 3, 0.7), Cost("b", 1, 0.6), Cost("c", 2, 0.6), Cost("d", 3, 0.4)]
    by_stage = {cost.stage: cost for cost in costs}
    begun: list[str] = []
    counts: list[tuple[int, int]] = []  # of trainings that go on, and of those that might
    training = set[tuple[str, int]]()
    present = set[tuple[str, int]]()
    lock = threading.Lock()

    def train_or_wait(stage: str, seed: int) -> None:
        with lock:
            present.add((stage, seed))
        with Turn(n_slots, stage, seed).taken(lambda: None):
            with lock:
                begun.append(stage)
                training.add((stage, seed))
                counts.append((len(training), len(present)))
            time.sleep(by_stage[stage].seconds)
            with lock:
                training.discard((stage, seed))
                present.discard((stage, seed))

    def run(words: list[str], _: dict[str, str]) -> int:
        stage = words[-1]
        seeds = range(by_stage[stage].n_trainings)
        with ThreadPoolExecutor(min(len(seeds), n_slots)) as pool:
            list(pool.map(train_or_wait, [stage] * len(seeds), seeds))
        return 0

    monkeypatch.setattr(repro, "_dvc", run)
    start_s = time.monotonic()
    assert repro._side_by_side(costs, n_slots, []) == 0
    wall_s = time.monotonic() - start_s
    assert max(at_once for at_once, _ in counts) == n_slots
    assert max(together for _, together in counts) <= n_slots - 1 + 3  # the most seeds of a stage
    spans = simulate(costs, n_slots)
    assert sorted(begun) == sorted(span.stage for span in spans)
    assert begun[:3] == ["a"] * 3
    assert last_end(spans) <= wall_s < last_end(spans) + 3


def test_a_fallback_is_seen_by_what_the_raw_folder_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert not repro._holds_a_fallback("mnist")
    for name, fallback in (("mnist", False), ("kmnist", False), ("digits", True)):
        write_json(RAW / "source.json", {"dataset": name})
        assert repro._holds_a_fallback("mnist") == fallback
    assert not repro._holds_a_fallback("digits")  # they were asked for
    (RAW / "source.json").write_text("{")
    assert repro._holds_a_fallback("mnist")  # damaged: asking again mends it


def test_images_of_ones_own_are_looked_for_before_dvc_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DVC asks for the folder even where it is not used, and says only that data are missing."""
    monkeypatch.chdir(tmp_path)
    data = load_params(PARAMS_FILE).data
    outside = tmp_path / "not in here, für später"
    for dataset, sentence in (
        ("folder", f"data.folder: {outside} is missing; name the one that holds train/."),
        ("mnist", f"data.folder: {outside} is missing, and DVC looks for it though no image"),
    ):
        with pytest.raises(UserError, match=re.escape(sentence)):
            repro.check_images(data.model_copy(update={"dataset": dataset, "folder": str(outside)}))
    outside.mkdir()
    repro.check_images(data.model_copy(update={"dataset": "mnist", "folder": str(outside)}))
    own = data.model_copy(update={"dataset": "folder", "folder": str(outside)})
    for name, sentence in (
        ("train", "holds no folder train/; put the images of each class into train/CLASS/"),
        ("train/a", "train holds the folders of 0 classes (none), and a study needs 2 to 100"),
        ("train/b", "train holds the folders of 1 classes (a), and a study needs 2 to 100"),
    ):
        with pytest.raises(UserError, match=re.escape(sentence)):
            repro.check_images(own)
        (outside / name).mkdir()
    repro.check_images(own)


def test_mnist_is_asked_for_again_where_a_fallback_is_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    commands: list[list[str]] = []

    def note(words: list[str]) -> int:
        commands.append(words)
        return 0

    monkeypatch.setattr(repro, "_dvc", note)
    params = load_params(PARAMS_FILE)
    ask_again = ["repro", "--force", "fetch-data"]
    for name, expected in (("mnist", []), ("digits", [ask_again])):
        write_json(RAW / "source.json", {"dataset": name})
        commands.clear()
        assert repro._reproduce(params, 1, ["train-net"], []) == 0
        assert commands == [*expected, ["repro", "train-net"]]
