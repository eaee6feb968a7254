"""What code does, in short: a digest of each module that a script reaches by its imports.

Comments, docstrings and blank lines are left out, so that a digest changes when a statement does,
and only then. A template beside a module counts as it is. The versions of Python and of packages
are no part of it.

Training imports this module, for the names of its checkpoints, so that an edit of it trains every
network again. What is said and done with digests in `code/` stands in `code_files`, therefore.
"""

import hashlib
import tokenize
from functools import cache
from pathlib import Path

import grimp
from grimp.exceptions import SourceSyntaxError

from mnistpipe.files.errors import UserError
from mnistpipe.files.strip_prose import strip_prose

ROOT = Path(__file__).parents[2]  # of the checkout
PACKAGES = ("mnistpipe", "stages")  # whose imports are followed
DATA_SUFFIXES = (
    ".j2",
    ".js",
    ".css",
)  # of files that modules read; what else lies beside them does not count
_DIGITS = 16  # hexadecimal; more would tell no more


def digest_code(module: str) -> dict[str, str]:
    """The digest of each file behind a module of ours, itself included, by its path below ROOT.

    Imports count wherever they stand, in functions, too. A package or module in which nothing is
    done has no digest.

    Raises UserError if a module is no valid Python or no UTF-8 text.
    """
    digests = {}
    for path in sorted(_reached_files(module)):
        is_data = path.suffix in DATA_SUFFIXES
        content = path.read_bytes() if is_data else strip_prose(_read_source(path)).encode()
        if content:
            name = path.relative_to(ROOT).as_posix()
            digests[name] = hashlib.sha256(content).hexdigest()[:_DIGITS]
    return digests


@cache
def import_graph(*, with_others: bool = False) -> grimp.ImportGraph:
    """What our modules import of each other and, `with_others`, of all other packages.

    Read once in a process, which runs the code that it found when it started.

    Raises UserError if a module is no valid Python, or cannot be read as text.
    """
    try:
        return grimp.build_graph(*PACKAGES, include_external_packages=with_others, cache_dir=None)
    except SourceSyntaxError as error:
        path = Path(error.filename).relative_to(ROOT)
        raise UserError(f"{path}, line {error.lineno}, is no valid Python; mend it.") from error
    except UnicodeError as error:
        raise UserError(f"A module is not UTF-8 text ({error}); save it as that.") from error


def _reached_files(module: str) -> set[Path]:
    """What Python runs to import a module: it, what it imports, and the packages of them all."""
    graph, reached, found = import_graph(), set[str](), {module}
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
