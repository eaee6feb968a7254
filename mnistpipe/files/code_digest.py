"""What code does, in short: a digest of each module that a script reaches by its imports.

Comments, docstrings and blank lines are left out, so that a digest changes when a statement does,
and only then. A template beside a module counts as it is. The versions of Python and of packages
are no part of it.
"""

import hashlib
import tokenize
from functools import cache
from pathlib import Path

import grimp
from grimp.exceptions import SourceSyntaxError

from mnistpipe.files.artifacts import read_text, write_bytes
from mnistpipe.files.errors import UserError
from mnistpipe.files.strip_prose import strip_prose

ROOT = Path(__file__).parents[2]  # of the checkout
PACKAGES = ("mnistpipe", "stages")  # whose imports are followed
DATA_SUFFIXES = (".j2",)  # of files that modules read; what else lies beside them does not count
CODE = Path("code")  # where each script has a file with the digests of what it reaches
_DIGITS = 16  # hexadecimal; more would tell no more


def write_code_file(script: str) -> None:
    """Write a line for each file behind a script of `stages`: its path and its digest."""
    lines = (f"{path} {digest}\n" for path, digest in digest_code(_module_of(script)).items())
    write_bytes(_code_file(script), "".join(lines).encode())


def check_code_file(script: str) -> None:
    """Raises UserError, naming what changed, if the script's code is not what was written down.

    DVC would else take what the new code makes for the old one's. By hand a stage may be run
    without that file.
    """
    path = _code_file(script)
    if not path.exists():
        return
    known = dict(line.rsplit(" ", 1) for line in read_text(path).splitlines())
    changed = sorted({name for name, _ in known.items() ^ digest_code(_module_of(script)).items()})
    if changed:
        raise UserError(f"{', '.join(changed)} changed after {path} was written; run: dvc repro")


def digest_code(module: str) -> dict[str, str]:
    """The digest of each file behind a module of ours, itself included, by its path below ROOT.

    Imports count wherever they stand, in functions, too. A package or module in which nothing is
    done has no digest.

    Raises UserError if a module is no valid Python.
    """
    digests = {}
    for path in sorted(_reached_files(module)):
        is_data = path.suffix in DATA_SUFFIXES
        content = path.read_bytes() if is_data else strip_prose(_read_source(path)).encode()
        if content:
            name = path.relative_to(ROOT).as_posix()
            digests[name] = hashlib.sha256(content).hexdigest()[:_DIGITS]
    return digests


def check_imports() -> None:
    """Raises UserError if ours has imports that could not be followed, and so would not count.

    These are all in a folder without `__init__.py`, and those of our own modules that lie outside
    of `PACKAGES`.
    """
    for package in PACKAGES:
        for folder in {path.parent for path in (ROOT / package).rglob("*.py")}:
            if not (folder / "__init__.py").exists():
                raise UserError(
                    f"{folder.relative_to(ROOT)} has no __init__.py, without which its imports are "
                    "not followed; add one that is empty."
                )
    graph = _import_graph(with_others=True)
    for other in sorted(graph.modules):
        name = other.partition(".")[0]
        if name in PACKAGES or not (
            (ROOT / f"{name}.py").exists() or any(ROOT.glob(f"{name}/*.py"))
        ):
            continue
        importer, inside = (
            min(graph.find_modules_that_directly_import(other)),
            " and ".join(PACKAGES),
        )
        raise UserError(
            f"{importer} imports {name}, which lies outside of {inside}, so that its changes would "
            "go unnoticed; move it there."
        )


def _reached_files(module: str) -> set[Path]:
    """What Python runs to import a module: it, what it imports, and the packages of them all."""
    graph, reached, found = _import_graph(), set[str](), {module}
    while found:
        name = found.pop()
        reached.add(name)
        package = name.rpartition(".")[0]
        imported = graph.find_modules_directly_imported_by(name)
        found |= (imported | ({package} if package else set())) - reached
    files = {_file_of(name) for name in reached}
    beside = (path for folder in {file.parent for file in files} for path in folder.iterdir())
    return files | {path for path in beside if path.suffix in DATA_SUFFIXES}


def _file_of(module: str) -> Path:
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _read_source(path: Path) -> str:
    with path.open("rb") as file:
        try:
            encoding, _ = tokenize.detect_encoding(file.readline)
            if encoding == "utf-8":
                return path.read_text(encoding)
        except (SyntaxError, UnicodeDecodeError):
            pass
    raise UserError(f"{path.relative_to(ROOT)} should be UTF-8 text, as all of our code is.")


@cache
def _import_graph(*, with_others: bool = False) -> grimp.ImportGraph:
    try:
        return grimp.build_graph(*PACKAGES, include_external_packages=with_others, cache_dir=None)
    except SourceSyntaxError as error:
        path = Path(error.filename).relative_to(ROOT)
        raise UserError(f"{path}, line {error.lineno}, is no valid Python; mend it.") from error


def _module_of(script: str) -> str:
    return f"stages.{script.replace('-', '_')}"


def _code_file(script: str) -> Path:
    return CODE / f"{script}.txt"
