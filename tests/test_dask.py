"""Several seeds on a cluster: a scheduler and two workers, all processes of this machine."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from mnistpipe.data.split import Split
from mnistpipe.data.split_file import SPLIT_FILE, write_split
from mnistpipe.training.workers import SCHEDULER
from tests.forks import ENVIRONMENT, Forks, wait_until
from tests.test_stages import assert_one_sentence, contents, write_params

pytestmark = pytest.mark.slow

EPOCHS = 20
SEEDS = [1, 2, 3]


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
            env=ENVIRONMENT,
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
        wait_until(lambda: scheduler.process.poll() is not None or contact.exists())
        workers = [
            start(f"worker-{n}", "dask_worker", "--nthreads", str(own), "--no-nanny", *local)
            for n, own in enumerate(threads)
        ]
        for worker in workers:
            wait_until(lambda worker=worker: worker.says("Registered to"))  # type: ignore[misc]
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


def test_a_cluster_that_loses_a_worker_gives_what_this_machine_gives(
    cluster: Cluster, forks: Forks, tmp_path: Path, split: Split
) -> None:
    here, there = (prepare(tmp_path / name, split) for name in ("here", "there"))
    process = forks.start(there, "train-convnet", environment={SCHEDULER: cluster.address})
    first, second = cluster.workers
    wait_until(lambda: process.has_ended() or first.says(": epoch 1/"))
    assert not process.has_ended()
    first.process.kill()  # in the midst of its first network
    ended = process.end()
    assert ended.status == 0, ended.stderr
    assert ended.stdout == ""  # progress is what the workers print
    assert f": epoch {EPOCHS}/" not in first.log.read_text()
    for seed in SEEDS:
        assert second.says(f"train-convnet, seed {seed}: epoch {EPOCHS}/{EPOCHS}, ")
    ended = forks.run(here, "train-convnet")
    assert ended.status == 0, ended.stderr
    files = contents(there)
    assert len(files) == 6
    assert files == contents(here)
    scores = json.loads(files["metrics/train-convnet.json"])["test"]["by_seed"]
    assert list(scores) == [f"seed-{seed}" for seed in SEEDS]


@pytest.mark.parametrize("threads", [(), (1, 2)], ids=["no worker", "two threads"])
def test_workers_that_would_share_random_numbers_are_refused(
    threads: tuple[int, ...], forks: Forks, tmp_path: Path, split: Split
) -> None:
    folder = prepare(tmp_path / "here", split)
    before = contents(folder)
    with started(tmp_path / "cluster", *threads) as nodes:
        ended = forks.run(folder, "train-convnet", environment={SCHEDULER: nodes.address})
    assert_one_sentence(ended, "should have workers of one thread each", "--nthreads 1")
    assert contents(folder) == before


def test_a_scheduler_that_does_not_answer_is_named(
    forks: Forks, tmp_path: Path, split: Split
) -> None:
    """Here it is waited for one second, not twenty."""
    folder = prepare(tmp_path / "here", split)
    before = contents(folder)
    with socket.socket() as bound:  # a port that is taken, but that nobody listens on
        bound.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{bound.getsockname()[1]}"
        ended = forks.run(
            folder,
            "train-convnet",
            environment={SCHEDULER: address},
            values={"mnistpipe.training.workers:ANSWERS_WITHIN": "1s"},
        )
    assert_one_sentence(ended, f"No Dask scheduler answers at {address}", f"{SCHEDULER} names")
    assert contents(folder) == before
