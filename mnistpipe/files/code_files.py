"""The files code/NAME.txt: what the code of a script of `stages` does, written down and compared.

DVC runs a stage again when its script's file has changed. No script but `code` imports this module,
so that an edit of it runs no other stage.
"""

from pathlib import Path

from mnistpipe.files.artifacts import read_text, write_bytes
from mnistpipe.files.code_digest import PACKAGES, ROOT, digest_code, import_graph
from mnistpipe.files.errors import UserError

CODE = Path("code")  # where each script has a file with the digests of what it reaches


def script_names() -> list[str]:
    """All scripts of `stages`, in order, as dvc.yaml would write them: `fetch-data`."""
    return sorted(path.stem.replace("_", "-") for path in (ROOT / "stages").glob("[!_]*.py"))


def script_module(script: str) -> str:
    """The name by which Python imports a script: `stages.fetch_data`."""
    return f"stages.{script.replace('-', '_')}"


def write_code_file(script: str) -> None:
    """Write a line for each file behind a script of `stages`: its path and its digest.

    Raises UserError if a module is no valid Python or no UTF-8 text.
    """
    lines = (f"{path} {digest}\n" for path, digest in digest_code(script_module(script)).items())
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
    found = digest_code(script_module(script))
    changed = sorted({name for name, _ in known.items() ^ found.items()})
    if changed:
        raise UserError(f"{', '.join(changed)} changed after {path} was written; run: dvc repro")


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
    graph = import_graph(with_others=True)
    for other in sorted(graph.modules):
        name = other.partition(".")[0]
        if name not in PACKAGES and _is_ours(name):
            importer = min(graph.find_modules_that_directly_import(other))
            raise UserError(
                f"{importer} imports {name}, which lies outside of {' and '.join(PACKAGES)}, so "
                "that its changes would go unnoticed; move it there."
            )


def _is_ours(name: str) -> bool:
    """Whether a module or a folder of modules of that name lies in the checkout."""
    return (ROOT / f"{name}.py").exists() or any(ROOT.glob(f"{name}/*.py"))


def _code_file(script: str) -> Path:
    return CODE / f"{script}.txt"
