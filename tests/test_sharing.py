"""What others get from a DVC remote: a folder, and a bucket on an S3 server of this machine."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
import yaml

from tests.forks import Forks, let_stand_in
from tests.test_end_to_end import (
    NO_NETWORK,
    bring_compiled,
    change_params,
    commit,
    copy_of_the_working_tree,
    run,
    stages_run,
)

pytestmark = pytest.mark.long

STAGE = "train-net-augmented"  # whose network is the best model
MODEL = f"models/{STAGE}.safetensors"
SETTINGS = NO_NETWORK | {"no_proxy": "127.0.0.1", "GIT_CONFIG_GLOBAL": os.devnull}
ACCOUNT = {
    "AWS_ACCESS_KEY_ID": "any",
    "AWS_SECRET_ACCESS_KEY": "any",
    "AWS_CONFIG_FILE": "/nonexistent",
    "AWS_MAX_ATTEMPTS": "1",
}


def do(folder: Path, *words: str, status: int = 0) -> str:
    return run(folder, *words, environment=SETTINGS, status=status)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Path:
    """A repository in which the stages up to the best model have run; dvc.yaml has no others."""
    folder = copy_of_the_working_tree(tmp_path_factory.mktemp("study"))
    let_stand_in(folder)
    bring_compiled(folder)
    pipeline = yaml.safe_load((folder / "dvc.yaml").read_text(encoding="utf-8"))
    stages = ("code", "fetch-data", "prepare-split", STAGE)
    pipeline["stages"] = {stage: pipeline["stages"][stage] for stage in stages}
    (folder / "dvc.yaml").write_text(yaml.safe_dump(pipeline, sort_keys=False), encoding="utf-8")
    short = {"epochs": 1, "batch_size": 64, "min_steps": 0, "seeds": [1]}
    small = {"data.dataset": "digits", "prepare-split.validation_fraction": 0.8}
    change_params(folder, small | {f"{STAGE}.{key}": value for key, value in short.items()})
    (folder / "dvc.lock").unlink()
    run(folder, "dvc", "repro", environment=SETTINGS | forks.stand_in([STAGE]))
    commit(folder, "ran")
    do(folder, "git", "tag", "--annotate", "best-model@v1.0.0", "--message", "the first")
    return folder


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the user's own."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in ACCOUNT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def clone(study: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    do(tmp_path, "git", "clone", "--quiet", str(study), str(folder))
    return folder


@pytest.fixture
def s3() -> Iterator[str]:
    """The address of a server with an empty bucket, `team`."""
    with subprocess.Popen(
        [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stderr is not None
        try:
            lines = iter(server.stderr.readline, "")
            host = next(found[1] for line in lines if (found := re.search(r"http://(\S+)", line)))
            connection = HTTPConnection(host)
            connection.request("PUT", "/team")
            assert connection.getresponse().status == 200
            connection.close()
            yield f"http://{host}"
        finally:
            server.terminate()
            server.communicate()


def add_remote(folder: Path, url: str, endpoint: str | None = None) -> None:
    do(folder, "dvc", "remote", "add", "--default", "--local", "--force", "shared", url)
    if endpoint:
        do(folder, "dvc", "remote", "modify", "--local", "shared", "endpointurl", endpoint)


def assert_trains_nothing(study: Path, clone: Path) -> None:
    do(clone, "dvc", "pull")
    printed = do(clone, "dvc", "repro")
    assert stages_run(printed) == []
    assert "up to date" in printed
    assert (clone / MODEL).read_bytes() == (study / MODEL).read_bytes()
    assert do(clone, "git", "status", "--porcelain") == ""


def test_a_clone_trains_nothing_with_a_folder(study: Path, clone: Path, tmp_path: Path) -> None:
    for place in (study, clone):
        add_remote(place, str(tmp_path / "remote"))
    do(study, "dvc", "push")
    assert_trains_nothing(study, clone)


def test_a_clone_trains_nothing_with_a_bucket(study: Path, clone: Path, s3: str) -> None:
    for place in (study, clone):
        add_remote(place, "s3://team/mnistpipe", s3)
    do(study, "dvc", "push")
    assert_trains_nothing(study, clone)


def test_a_copy_of_the_cache_brings_runs_that_no_commit_has(
    study: Path, clone: Path, tmp_path: Path
) -> None:
    """Curves and predictions, too, which `dvc push` leaves to git."""
    (clone / "dvc.lock").unlink()
    shutil.copytree(study / ".dvc" / "cache", tmp_path / "remote")
    add_remote(clone, str(tmp_path / "remote"))
    printed = do(clone, "dvc", "repro", "--pull", STAGE)
    assert stages_run(printed) == ["code", "fetch-data"]
    assert do(clone, "git", "status", "--porcelain") == ""


def test_another_project_takes_the_best_model(study: Path, tmp_path: Path) -> None:
    add_remote(study, str(tmp_path / "remote"))
    do(study, "dvc", "push")
    app = tmp_path / "app"
    app.mkdir()
    do(app, "git", "init", "--quiet")
    do(app, "dvc", "init", "--quiet")
    url = study.as_uri()
    remote = ("--remote", "shared", "--remote-config", f"url={tmp_path / 'remote'}")
    do(app, "dvc", "get", url, MODEL, *remote, "--out", "got")
    do(app, "dvc", "artifacts", "get", url, "best-model", *remote, "--out", "release")
    do(app, "dvc", "import", url, MODEL, *remote, "--out", "imported")
    for name in ("got", "release", "imported"):
        assert (app / name).read_bytes() == (study / MODEL).read_bytes()
    assert "rev_lock" in (app / "imported.dvc").read_text(encoding="utf-8")


@pytest.mark.faults
def test_what_a_remote_lacks_is_named_and_nothing_trained(clone: Path, tmp_path: Path) -> None:
    add_remote(clone, str(tmp_path / "empty"))
    printed = do(clone, "dvc", "pull", status=1)
    assert "Checkout failed for following targets" in printed
    assert {MODEL, "data/split.npz", "data/raw"} <= set(printed.splitlines())
    change_params(clone, {f"{STAGE}.dropout": 0.3})
    printed = do(clone, "dvc", "repro", "--pull", "--allow-missing", status=255)
    assert "data/split.npz" in printed
    assert stages_run(printed) == []


@pytest.mark.faults
def test_a_remote_that_cannot_be_reached_is_named(clone: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        add_remote(clone, "s3://team/mnistpipe", address)
        printed = do(clone, "dvc", "pull", status=1)
    assert f'Could not connect to the endpoint URL: "{address}/team' in printed
    assert not (clone / MODEL).exists()
