"""Several seeds on a cluster: a scheduler and two workers, all processes of this machine."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from mnistpipe.artifacts import SPLIT_FILE, write_split
from mnistpipe.split import Split
from tests.conftest import ROOT
from tests.test_stages import assert_one_sentence, contents, run_stage, write_params

TIMEOUT_S = 120
EPOCHS = 10
SCHEDULER = "DASK_SCHEDULER_ADDRESS"
SEEDS = [1, 2, 3]


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@dataclass(frozen=True)
class Node:
    """A process of the cluster, and the file that it prints to."""

    process: subprocess.Popen[bytes]
    log: Path

    def says(self, text: str) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return text in self.log.read_text()


@dataclass(frozen=True)
class Cluster:
    address: str
    workers: list[Node]


def start_node(folder: Path, name: str, module: str, *words: str) -> Node:
    log = folder / f"{name}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{module}", *words],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    return Node(process, log)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Of two workers, each with one thread; the system chooses the ports."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    contact = folder / "scheduler.json"
    local = ("--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(contact))
    with ExitStack() as stack:

        def start(*words: str) -> Node:
            node = start_node(folder, *words)
            stack.callback(node.process.wait)
            stack.callback(node.process.kill)
            return node

        scheduler = start("scheduler", "dask_scheduler", "--port", "0", *local)
        wait_for(lambda: scheduler.process.poll() is not None or contact.exists())
        workers = [
            start(f"worker-{number}", "dask_worker", "--nthreads", "1", "--no-nanny", *local)
            for number in (1, 2)
        ]
        for worker in workers:
            wait_for(partial(worker.says, "Registered to"))
        yield Cluster(json.loads(contact.read_text())["address"], workers)


def prepare(folder: Path, split: Split) -> Path:
    folder.mkdir()
    write_params(folder, epochs=EPOCHS, seeds=SEEDS)
    write_split(folder / SPLIT_FILE, split)
    return folder


def test_a_cluster_gives_what_this_machine_gives(
    cluster: Cluster, tmp_path: Path, split: Split
) -> None:
    here, there = (prepare(tmp_path / name, split) for name in ("here", "there"))
    with pytest.MonkeyPatch.context() as context:
        context.setenv(SCHEDULER, cluster.address)
        ended = run_stage(there, "stages.train", "train-convnet")
    assert (ended.status, ended.stderr) == (0, "")
    assert ended.stdout == ""  # progress is what the workers print
    logs = "".join(worker.log.read_text() for worker in cluster.workers)
    for seed in SEEDS:
        assert f"train-convnet, seed {seed}: epoch {EPOCHS}/{EPOCHS}, " in logs
    ended = run_stage(here, "stages.train", "train-convnet")
    assert (ended.status, ended.stderr) == (0, "")
    files = contents(there)
    assert len(files) == 6
    assert files == contents(here)
    scores = json.loads(files["metrics/train-convnet.json"])["test"]["by_seed"]
    assert list(scores) == [f"seed-{seed}" for seed in SEEDS]


def test_a_scheduler_that_does_not_answer_is_named(
    tmp_path: Path, split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = prepare(tmp_path / "here", split)
    before = contents(folder)
    with socket.socket() as bound:  # a port that is taken, but that nobody listens on
        bound.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{bound.getsockname()[1]}"
        monkeypatch.setenv(SCHEDULER, address)
        ended = run_stage(folder, "stages.train", "train-convnet")
    assert_one_sentence(ended, f"No Dask scheduler answers at {address}", f"{SCHEDULER} names")
    assert contents(folder) == before
