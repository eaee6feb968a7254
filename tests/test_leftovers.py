"""What a crash leaves of DVC's own files: each is damaged, DVC stumbles, and then does not."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from dvc.exceptions import ReproductionError
from dvc.repo import Repo

from mnistpipe.files.errors import UserError
from tests.forks import wait_until
from tools.leftovers import TMP, clear

pytestmark = [pytest.mark.faults, pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")]

PIPELINE = """
stages:
  first:
    cmd: cp source first
    deps: [source]
    outs: [first]
  second:
    cmd: mkdir second; cp first second/a
    deps: [first]
    outs: [second]
  wait:
    cmd: sleep 600
    deps: [source]
"""
SOURCE = b"0123456789" * 1000
RWLOCK = TMP / "rwlock"


def empty(_: bytes) -> bytes:
    return b""


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def garbage(content: bytes) -> bytes:
    return bytes(byte ^ 0xA5 for byte in content)


Damage = Callable[[bytes], bytes]
any_damage = pytest.mark.parametrize("damage", [empty, half, garbage])


def spoil(path: Path, damage: Damage) -> None:
    """As a power cut does: neither name nor mode tell."""
    mode, content = path.stat().st_mode, path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(damage(content))
    path.chmod(mode)


def reproduce(stage: str = "second") -> list[str]:
    """The stages that DVC ran or took from its cache; the products are what they should be."""
    with Repo() as repo:
        done = [each.name for each in repo.reproduce(stage)]
    assert Path("first").read_bytes() == SOURCE
    assert Path("second/a").read_bytes() == SOURCE
    return done


def git(*words: str) -> None:
    settings = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    subprocess.run(["git", *settings, *words], check=True)  # noqa: S607


def cleared() -> list[str]:
    lines: list[str] = []
    clear(lines.append)
    return lines


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline of two stages, up to date and committed."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path_factory.mktemp("site")))
        git("init", "--quiet")
        Repo.init().close()
        Path("source").write_bytes(SOURCE)
        Path("dvc.yaml").write_text(PIPELINE, encoding="utf-8")
        assert reproduce() == ["first", "second"]
        git("add", "--all")
        git("commit", "--quiet", "--message", "ran")
        assert cleared() == []
    return folder


@pytest.fixture(autouse=True)
def checkout(tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    monkeypatch.chdir(shutil.copytree(made, tmp_path / "checkout"))


@any_damage
def test_a_damaged_list_of_who_reads_and_writes_is_removed(damage: Damage) -> None:
    RWLOCK.write_bytes(damage(b'{"read": {}, "write": {}}'))
    with pytest.raises(ReproductionError):
        reproduce()
    assert cleared() == [".dvc/tmp/rwlock was cut short: removed."]
    assert reproduce() == []


def test_that_of_experiments_too() -> None:
    (TMP / "exps").mkdir()
    (TMP / "exps/rwlock").touch()
    assert cleared() == [".dvc/tmp/exps/rwlock was cut short: removed."]


def test_a_dead_dvc_whose_number_another_process_has_blocks_nothing() -> None:
    entry = {"pid": os.getpid(), "cmd": "dvc repro second"}
    RWLOCK.write_text(json.dumps({"write": {str(Path("first").absolute()): entry}}))
    with pytest.raises(ReproductionError):
        reproduce()
    line = f".dvc/tmp/rwlock named a DVC that is gone (process {os.getpid()}): removed."
    assert cleared() == [line]
    assert reproduce() == []


def test_a_living_dvc_is_named_until_it_is_killed() -> None:
    dvc = [sys.executable, "-m", "dvc", "repro", "--quiet", "wait"]
    with subprocess.Popen(dvc, start_new_session=True) as process:
        try:
            wait_until(lambda: RWLOCK.exists() and str(process.pid) in RWLOCK.read_text())
            sentence = f"as process {process.pid}; wait for it, or stop it: kill {process.pid}$"
            with pytest.raises(UserError, match=sentence):
                cleared()
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    assert cleared() == [
        f".dvc/tmp/rwlock named a DVC that is gone (process {process.pid}): removed."
    ]
    assert reproduce() == []


def test_whoever_holds_the_lock_of_dvc_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dvc.lock.DEFAULT_TIMEOUT", 0.06)
    with Repo() as repo, repo.lock, pytest.raises(UserError, match=f"as process {os.getpid()};"):
        cleared()
    assert cleared() == []


@pytest.mark.parametrize("name", ["hashes/local", "links"])
@pytest.mark.parametrize("damage", [half, garbage])
def test_a_damaged_database_is_removed(tmp_path: Path, name: str, damage: Damage) -> None:
    assert reproduce() == []
    (database,) = (tmp_path / "site").glob(f"repo/*/{name}/cache.db")
    spoil(database, damage)
    with pytest.raises(Exception, match=r"malformed|not a database"):
        reproduce()
    assert cleared() == [
        "DVC's databases of hashes: removed, so that it takes all files' hashes once more."
    ]
    assert reproduce() == []


@any_damage
def test_the_commits_lock_takes_the_place_of_a_damaged_one(damage: Damage) -> None:
    before = Path("dvc.lock").read_bytes()
    spoil(Path("dvc.lock"), damage)
    assert cleared() == ["dvc.lock was cut short: the commit's is in its place."]
    assert Path("dvc.lock").read_bytes() == before
    assert reproduce() == []


def test_without_a_commit_of_it_a_damaged_lock_is_removed_and_dvc_knows_the_runs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    git("rm", "--quiet", "--cached", "dvc.lock")
    git("commit", "--quiet", "--message", "no lock")
    before = Path("dvc.lock").read_bytes()
    spoil(Path("dvc.lock"), empty)
    assert cleared() == ["dvc.lock was cut short: removed."]
    caplog.clear()
    reproduce()
    assert caplog.text.count("is cached - skipping run") == 2
    assert Path("dvc.lock").read_bytes() == before


def test_a_merges_conflict_is_left_to_the_user() -> None:
    spoil(Path("dvc.lock"), lambda content: b"<<<<<<< HEAD\n" + content)
    assert cleared() == []


@any_damage
def test_a_damaged_product_in_the_cache_is_made_again(damage: Damage) -> None:
    """DVC itself would hand it out: it does not look into what is read-only."""
    for path in Path(".dvc/cache/files/md5").glob("??/*"):
        spoil(path, damage)
    Path("first").unlink()
    shutil.rmtree("second")
    *lines, last = cleared()
    assert len(lines) == 2
    assert all(line.endswith(" was cut short: removed.") for line in lines)
    assert last.startswith("DVC's databases of hashes: removed")
    assert cleared() == []
    assert reproduce() == ["first", "second"]


@any_damage
def test_a_damaged_product_comes_from_the_cache(damage: Damage) -> None:
    """DVC sees to it by itself."""
    for name in ("first", "second/a"):
        spoil(Path(name), damage)
    assert cleared() == []
    assert reproduce() == ["first", "second"]


@any_damage
def test_what_is_known_of_a_run_is_removed_if_it_is_damaged(damage: Damage) -> None:
    for path in Path(".dvc/cache/runs").glob("??/*/*"):
        spoil(path, damage)
    Path("dvc.lock").unlink()
    Path("first").unlink()
    assert len(cleared()) == 3
    assert reproduce() == ["first", "second"]


@pytest.mark.parametrize("begun", ["a folder", "a file"])
def test_a_run_that_was_being_noted_does_not_hinder_the_next(begun: str) -> None:
    """DVC takes the newest file of the folder, and stumbles over a beginning or none."""
    for path in Path(".dvc/cache/runs").glob("??/*/*"):
        if begun == "a folder":
            path.unlink()
        else:
            path.with_name(".abc.tmp").write_bytes(path.read_bytes().partition(b"outs:")[0])
    Path("dvc.lock").unlink()
    Path("first").unlink()
    with pytest.raises(ReproductionError):
        reproduce()
    cleared()
    reproduce()
