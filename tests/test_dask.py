"""Several seeds on a cluster: a scheduler and two workers, all processes of this machine."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from mnistpipe.artifacts import SPLIT_FILE, write_split
from mnistpipe.split import Split
from tests.conftest import ROOT
from tests.test_stages import assert_one_sentence, contents, run_stage, write_params

TIMEOUT_S = 120
EPOCHS = 60
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


@contextmanager
def started(folder: Path, *threads: int) -> Iterator[Cluster]:
    """A cluster with a worker for each number of threads; the system chooses the ports."""
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
            start(f"worker-{n}", "dask_worker", "--nthreads", str(own), "--no-nanny", *local)
            for n, own in enumerate(threads)
        ]
        for worker in workers:
            wait_for(lambda worker=worker: worker.says("Registered to"))  # type: ignore[misc]
        yield Cluster(json.loads(contact.read_text())["address"], workers)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Of two workers, each with one thread."""
    with started(tmp_path / "cluster", 1, 1) as nodes:
        yield nodes


def prepare(folder: Path, split: Split) -> Path:
    folder.mkdir()
    write_params(folder, epochs=EPOCHS, seeds=SEEDS)
    write_split(folder / SPLIT_FILE, split)
    return folder


def train(folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "stages.train", "train-convnet"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_cluster_that_loses_a_worker_gives_what_this_machine_gives(
    cluster: Cluster, tmp_path: Path, split: Split
) -> None:
    here, there = (prepare(tmp_path / name, split) for name in ("here", "there"))
    with train(there, {SCHEDULER: cluster.address}) as process:
        try:
            first, second = cluster.workers
            wait_for(lambda: process.poll() is not None or first.says(": epoch 1/"))
            assert process.poll() is None
            first.process.kill()  # in the midst of its first network
            stdout, stderr = process.communicate(timeout=TIMEOUT_S)
        finally:
            process.kill()
    assert process.returncode == 0, stderr
    assert stdout == ""  # progress is what the workers print
    assert f": epoch {EPOCHS}/" not in first.log.read_text()
    for seed in SEEDS:
        assert second.says(f"train-convnet, seed {seed}: epoch {EPOCHS}/{EPOCHS}, ")
    ended = run_stage(here, "stages.train", "train-convnet")
    assert ended.status == 0, ended.stderr
    files = contents(there)
    assert len(files) == 6
    assert files == contents(here)
    scores = json.loads(files["metrics/train-convnet.json"])["test"]["by_seed"]
    assert list(scores) == [f"seed-{seed}" for seed in SEEDS]


@pytest.mark.parametrize("threads", [(), (1, 2)], ids=["no worker", "two threads"])
def test_workers_that_would_share_random_numbers_are_refused(
    threads: tuple[int, ...], tmp_path: Path, split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = prepare(tmp_path / "here", split)
    before = contents(folder)
    with started(tmp_path / "cluster", *threads) as nodes:
        monkeypatch.setenv(SCHEDULER, nodes.address)
        ended = run_stage(folder, "stages.train", "train-convnet")
    assert_one_sentence(ended, "should have workers of one thread each", "--nthreads 1")
    assert contents(folder) == before


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
