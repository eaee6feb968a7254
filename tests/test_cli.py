"""How the commands start and end, in processes of their own."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.images.drawings import draw

COMMAND = [sys.executable, "-m", "mnistpipe.cli"]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    Image.fromarray(draw(6)).save(tmp_path / "six.png")
    return tmp_path / "six.png"


def test_predicting_imports_nothing_that_it_does_not_need(image: Path) -> None:
    code = (
        "import sys; from mnistpipe.cli import main; main();"
        "slow = ('pandas', 'sklearn', 'matplotlib', 'scipy.stats', 'dvc', 'pydantic');"
        "print([name for name in slow if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "predict", str(image)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    line, imported = done.stdout.splitlines()
    assert line.startswith(f"{image}: 6 (")
    assert imported == "['pydantic']"


def test_a_reader_that_has_seen_enough_is_no_error(image: Path) -> None:
    """More lines than the pipe holds, of which one is read."""
    with subprocess.Popen(
        [*COMMAND, "predict", *[str(image)] * 300],
        pipesize=4096,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(str(image).encode())
        process.stdout.close()
        assert process.wait() == 128 + signal.SIGPIPE
        assert process.stderr.read() == b""


def test_ctrl_c_is_one_line(image: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "predict", str(image), "-"],
        stdin=subprocess.PIPE,  # which it waits for
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        bufsize=0,
    ) as process:
        assert process.stderr is not None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=4)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        assert process.stderr.read() == b"Stopped.\n"


def test_help_names_the_commands() -> None:
    done = subprocess.run(
        [*COMMAND, "--help"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert all(command in done.stdout for command in ("predict", "compare", "export"))
