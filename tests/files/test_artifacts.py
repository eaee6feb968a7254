import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mnistpipe.files.artifacts import read_json, write_bytes, write_json, write_npz
from mnistpipe.files.errors import UserError
from tests.conftest import ROOT

# The limit on a file's size stands for a full disk: the system takes a part and then refuses.
WRITE_ON_A_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from mnistpipe.files.artifacts import write_bytes
from mnistpipe.files.errors import UserError

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_bytes(Path(sys.argv[1]), bytes(2000))
except UserError as error:
    print(error)
"""
WRITE_ARRAYS = """
import sys
from pathlib import Path
import numpy as np
from mnistpipe.files.artifacts import write_npz

write_npz(Path(sys.argv[1]), {"b": np.arange(1000.0), "a": np.array("title")})
"""


def python(program: str, *arguments: Path, hash_seed: str = "0") -> str:
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        check=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


def test_folders_are_made_and_only_the_file_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.bin"
    write_bytes(path, b"first")
    write_bytes(path, b"second")
    assert path.read_bytes() == b"second"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.faults
def test_what_a_killed_write_left_is_gone_with_the_next_one(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from mnistpipe.files import artifacts\n"
        "artifacts.os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "artifacts.write_bytes(Path(sys.argv[1]), b'half')"
    )
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(subprocess.CalledProcessError, match="SIGKILL"):
        python(program, path)
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 2
    write_bytes(path, b"new")
    assert list(tmp_path.iterdir()) == [path]


def test_who_reads_meanwhile_reads_the_whole_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    write_bytes(path, b"first")
    with path.open("rb") as reader:
        write_bytes(path, b"second")
        assert reader.read() == b"first"


@pytest.mark.faults
def test_a_full_disk_leaves_the_old_file_and_no_half_one(tmp_path: Path) -> None:
    old, new = tmp_path / "old.bin", tmp_path / "new.bin"
    old.write_bytes(b"old")
    for path in (old, new):
        assert python(WRITE_ON_A_FULL_DISK, path) == (
            f"{path} cannot be written (File too large); what was there before is untouched: "
            "mend that and run the same command again.\n"
        )
    assert old.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [old]


@pytest.mark.faults
def test_a_file_is_not_written_over_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    path.mkdir()
    with pytest.raises(UserError, match=r"metrics\.json cannot be written \(Is a directory\)"):
        write_json(path, {"a": 1})
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.faults
def test_a_folder_that_is_a_file_is_an_error_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "metrics").write_text("")
    with pytest.raises(UserError, match=r"a\.json cannot be written"):
        write_json(tmp_path / "metrics" / "a.json", {"a": 1})
    with pytest.raises(UserError, match=r"a\.json cannot be read: Not a directory\."):
        read_json(tmp_path / "metrics" / "a.json")


@pytest.mark.faults
def test_metrics_that_lack_a_key_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    assert read_json(path, ["a"]) == {"a": 1}
    with pytest.raises(UserError, match=r"a\.json lacks 'b'; delete it and run: dvc repro"):
        read_json(path, ["a", "b"])


def test_json_is_indented_and_keeps_its_order(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"b": 0.1, "a": [1, None, True], "c": {"d": "x"}})
    assert path.read_bytes() == (
        b'{\n  "b": 0.1,\n  "a": [\n    1,\n    null,\n    true\n  ],\n'
        b'  "c": {\n    "d": "x"\n  }\n}\n'
    )
    assert read_json(path) == {"b": 0.1, "a": [1, None, True], "c": {"d": "x"}}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_takes_no_number_that_json_does_not_have(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"loss": value})
    assert list(tmp_path.iterdir()) == []


def test_equal_arrays_give_equal_bytes_in_every_process(tmp_path: Path) -> None:
    first, second = tmp_path / "1.npz", tmp_path / "2.npz"
    for path, hash_seed in ((first, "1"), (second, "2")):
        python(WRITE_ARRAYS, path, hash_seed=hash_seed)
    assert first.read_bytes().startswith(b"PK")
    assert first.read_bytes() == second.read_bytes()


def test_arrays_give_the_bytes_that_other_versions_of_python_gave(tmp_path: Path) -> None:
    """Else a hash in dvc.lock, and with it every stage, would depend on the version."""
    path = tmp_path / "a.npz"
    write_npz(path, {"title": np.array("MNIST"), "n": np.arange(3), "x": np.zeros((2, 2), "u1")})
    assert (
        hashlib.sha256(path.read_bytes()).hexdigest()
        == "cb7495730065467808afa1d3886ccd3ac848aafe3dbd037b850d95f0da8cb004"
    )
    with np.load(path, allow_pickle=False) as arrays:
        assert arrays["title"][()] == "MNIST"
        assert arrays["n"].tolist() == [0, 1, 2]


@pytest.mark.faults
def test_a_missing_json_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"/a\.json is missing; run: dvc repro$"):
        read_json(tmp_path / "a.json")


@pytest.mark.faults
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is not valid JSON"),
        (b'{"a": 1', "is not valid JSON"),
        (b'{"a": "\xff"}', "is not valid JSON"),
        (b"[1, 2]", "is not a JSON object"),
        (b"null", "is not a JSON object"),
    ],
)
def test_a_damaged_json_file_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_json(path)
    assert str(caught.value) == f"{path} {sentence}; delete it and run: dvc repro"
