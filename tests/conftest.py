"""Shared by all tests: shapes are enforced, data sets are tiny, engines are small."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from jaxtyping import config, install_import_hook

from mnistpipe.files.environment import settle

settle()  # before PyTorch is imported: nor do tests depend on other programs' variables

# Tests that run side by side share the cores; threads that outnumber these wait for each other at
# every operation, which takes up to fifty times as long. PyTorch reads this when it is imported.
N_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
N_THREADS = str(max(1, (os.cpu_count() or 1) // N_WORKERS))
if N_WORKERS > 1:  # the process that starts the workers sets its own number, which they inherit
    os.environ["OMP_NUM_THREADS"] = N_THREADS
else:
    os.environ.setdefault("OMP_NUM_THREADS", N_THREADS)

# First: Numba cannot compile what is checked.
from mnistpipe.networks import compiled, planes, pooling, sparse_gradient, winograd  # noqa: E402, F401

# Before the rest of the library is imported: annotations such as Float[Tensor, "n 1 28 28"] are
# checked at every call that the tests make.
install_import_hook("mnistpipe", "beartype.beartype")

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402

from mnistpipe.data.split import Labelled, Split, split_dataset  # noqa: E402
from mnistpipe.scoring.scores import Examples  # noqa: E402
from mnistpipe.study import load_params  # noqa: E402
from mnistpipe.training.engine import Engine  # noqa: E402
from mnistpipe.training.recipe import Recipe  # noqa: E402
from tests.forks import Forks  # noqa: E402

# A shell lets its background jobs ignore Ctrl-C, and they their children, whom the tests send it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parent.parent
TEN = tuple("0123456789")  # the names of MNIST's classes
PARAMS_FILE = ROOT / "tests" / "params.yaml"  # the write-up's study, whatever a branch changes


# Files that take longest: what is begun at the end should be short.
FIRST = (
    "test_end_to_end",
    "test_faults",
    "test_stages",
    "test_sharing",
    "test_extending",
    "test_dask",
    "test_stopping",
    "test_loop",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


def tracked_files() -> list[str]:
    """The files of the working tree that git tracks or would add, as paths below ROOT."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [file for file in listed.stdout.splitlines() if (ROOT / file).exists()]


@pytest.fixture
def unchecked_shapes() -> Iterator[None]:
    """The library as its users import it: a compiler does not follow the checks."""
    config.update("jaxtyping_disable", True)  # noqa: FBT003 (as it takes it)
    yield
    config.update("jaxtyping_disable", False)  # noqa: FBT003 (likewise)


@pytest.fixture
def recipe() -> Recipe:
    """ConvNet's recipe, cut down to two epochs."""
    return load_params(PARAMS_FILE).train_convnet.model_copy(
        update={"epochs": 2, "batch_size": 8, "min_steps": 0, "precision": "fp32"}
    )


@pytest.fixture
def engine() -> Engine:
    """The processor in single precision."""
    return Engine(torch.device("cpu"), "fp32")


@pytest.fixture
def examples() -> Examples:
    """Forty random images, four of each class."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (40, 28, 28), generator=generator, dtype=torch.uint8)
    return Examples(images, torch.arange(40) % 10)


@pytest.fixture
def split() -> Split:
    """A split of 200 random images, with 50 more to test on."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (250, 28, 28), dtype=np.uint8)
    labels = np.arange(250) % 10
    return split_dataset(
        "random",
        TEN,
        Labelled(images[:200], labels[:200]),
        Labelled(images[200:], labels[200:]),
        validation_fraction=0.15,
        seed=0,
    )


@pytest.fixture(scope="session")
def mnist_mirror() -> Path:
    """The folder of the real files; where there is none, the test is skipped, saying why."""
    for folder in (os.environ.get("MNISTPIPE_MIRROR", ""), ROOT / "data" / "raw"):
        if folder and (Path(folder) / "train-images-idx3-ubyte.gz").exists():
            return Path(folder).absolute()
    pytest.skip("needs the real MNIST files: set MNISTPIPE_MIRROR to their folder")


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Runs stages without waiting for their imports."""
    with Forks() as started:
        yield started
