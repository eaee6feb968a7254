"""What other programs' variables mean here. `test_end_to_end` runs the study among hostile ones."""

import math
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mnistpipe.files import environment
from tests.conftest import ROOT

DRAW = """
import hashlib, io
from mnistpipe.files.environment import settle
settle()
from matplotlib import pyplot
figure, axes = pyplot.subplots()
axes.set_title("a title")
figure.savefig(buffer := io.BytesIO(), format="png", metadata={"Software": None})
print(hashlib.sha256(buffer.getvalue()).hexdigest())
"""


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process's own variables, to be changed and brought back."""
    monkeypatch.setattr(environment, "_ignored", {})
    environment.settle()  # so that only what a test sets is left to be settled
    environment._ignored.clear()
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PYTHONPATH", "/opt/ros/lib/python3/dist-packages"),
        ("PYTHONSAFEPATH", "1"),
        ("OMP_PROC_BIND", "true"),
        ("KMP_AFFINITY", "compact"),
        ("GOMP_CPU_AFFINITY", "0"),
        ("ONEDNN_DEFAULT_FPMATH_MODE", "BF16"),
        ("ATEN_CPU_CAPABILITY", "default"),
        ("NUMBA_DISABLE_JIT", "1"),
        ("GIT_DIR", "/elsewhere/.git"),
        ("OMP_NUM_THREADS", "many"),
        ("OMP_NUM_THREADS", "0"),
        ("OMP_NUM_THREADS", "4,2"),
    ],
)
def test_a_variable_that_would_change_the_study_is_removed_and_named(name: str, value: str) -> None:
    os.environ[name] = value
    (sentence,) = environment.settle()
    assert sentence.startswith(f"{name} is not used: ")
    assert name not in os.environ


@pytest.mark.parametrize("name", sorted(environment.SET))
def test_some_variables_have_one_value_here(name: str) -> None:
    os.environ[name] = "module://elsewhere"
    environment.settle()
    assert os.environ[name] == environment.SET[name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OMP_NUM_THREADS", "3"),
        ("MKL_NUM_THREADS", "1"),
        ("CUDA_VISIBLE_DEVICES", ""),
        ("NUMBA_CACHE_DIR", "/scratch"),
        ("PYTHONUNBUFFERED", "1"),
        ("https_proxy", "http://proxy:3128"),
        ("REQUESTS_CA_BUNDLE", "/etc/company.pem"),
        ("TMPDIR", "/scratch"),
        ("GIT_SSH_COMMAND", "ssh -i key"),
        ("DVC_GLOBAL_CONFIG_DIR", "/etc/dvc"),
    ],
)
def test_what_is_meant_for_this_program_too_is_kept(name: str, value: str) -> None:
    os.environ[name] = value
    assert environment.settle() == []
    assert os.environ[name] == value


def test_what_was_removed_is_still_known_when_asked_again() -> None:
    os.environ["OMP_PLACES"] = "cores"
    assert environment.settle() == environment.settle() != []


def test_stages_find_the_python_of_this_environment_first() -> None:
    os.environ["PATH"] = "/opt/conda/bin:/usr/bin"
    environment.settle()
    assert os.environ["PATH"] == f"{sys.prefix}/bin:/opt/conda/bin:/usr/bin"


def test_figures_do_not_depend_on_the_users_settings(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("axes.titlesize: 40\nfont.family: serif\n")
    hostile = {
        "MATPLOTLIBRC": str(tmp_path),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MPLCONFIGDIR": str(tmp_path),
    }
    draw = [sys.executable, "-c", DRAW]
    plain, changed = (
        subprocess.run(draw, cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout
        for env in ({**os.environ}, {**os.environ, **hostile})
    )
    assert re.fullmatch(r"[0-9a-f]{64}\n", plain)
    assert plain == changed


def test_an_account_without_a_name_gets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME", "HOME"):
        os.environ.pop(name, None)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    environment.settle()
    assert os.environ["LOGNAME"] == f"user-{os.getuid()}"
    assert Path(os.environ["HOME"]).is_dir()


def test_dvcs_databases_go_where_one_can_write(tmp_path: Path) -> None:
    os.environ["DVC_SITE_CACHE_DIR"] = str(tmp_path / "free")
    environment.settle()
    assert os.environ["DVC_SITE_CACHE_DIR"] == str(tmp_path / "free")
    (tmp_path / "file").touch()
    os.environ["DVC_SITE_CACHE_DIR"] = str(tmp_path / "file")
    environment.settle()
    assert os.environ["DVC_SITE_CACHE_DIR"] == f"{tempfile.gettempdir()}/dvc-{os.getuid()}"


@pytest.mark.parametrize(
    ("group", "files", "cores"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, math.inf),
        ("0::/a/b\n", {"a/cpu.max": "200000 100000\n", "a/b/cpu.max": "max 100000\n"}, 2),
        ("0::/gone/from/here\n", {"cpu.max": "50000 100000\n"}, 0.5),
        (
            "3:cpu,cpuacct:/docker/x\n1:name=systemd:/\n",
            {"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"},
            3,
        ),
        (
            "2:cpu:/\n0::/\n",
            {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"},
            math.inf,
        ),
        ("nonsense\n", {}, math.inf),
    ],
)
def test_a_quota_of_the_processor_is_read_from_control_groups(
    tmp_path: Path, group: str, files: dict[str, str], cores: float
) -> None:
    (tmp_path / "self").write_text(group)
    for name, text in files.items():
        (tmp_path / "mount" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mount" / name).write_text(text)
    assert environment._quota(tmp_path / "self", tmp_path / "mount") == cores


def test_a_quota_counts_as_cores_and_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_count_allowed", lambda: 16)
    monkeypatch.setattr(environment, "_quota", lambda: 1.5)
    os.environ.pop("OMP_NUM_THREADS", None)
    assert environment.count_cores() == 2
    environment.settle()
    assert os.environ["OMP_NUM_THREADS"] == "2"
    os.environ["OMP_NUM_THREADS"] = "1"  # its owner's wish comes first
    environment.settle()
    assert os.environ["OMP_NUM_THREADS"] == "1"


def test_a_checkout_of_another_user_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["git", "init", "--quiet", str(tmp_path)]
    subprocess.run(words, check=True)
    (tmp_path / "plots").mkdir()
    assert environment.distrust(tmp_path / "plots") is None
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert environment.distrust(tmp_path / "plots") is None  # git trusts it all the same
    os.environ["GIT_TEST_ASSUME_DIFFERENT_OWNER"] = "1"
    os.environ["HOME"] = str(tmp_path)  # where no folder is called safe
    sentence = environment.distrust(tmp_path / "plots")
    assert sentence is not None
    assert sentence.endswith(f"git config --global --add safe.directory '{tmp_path}'")
