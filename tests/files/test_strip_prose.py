"""Text without what does nothing: what of a source counts, and what does not."""

import ast
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnistpipe.files.strip_prose import strip_prose
from tests.conftest import ROOT, tracked_files

PLAIN = """\
import os

LIMIT = 3


def double(number, factor=2):
    if number > LIMIT:
        raise ValueError(f"{number} is too large")
    return factor * number


class Box:
    size = "small"

    @property
    def sides(self):
        return 6
"""
# The same with all that does nothing.
ADORNED = '''\
#!/usr/bin/env python
# -*- coding: utf-8 -*-
"""A module.

It has a docstring of several lines,

   with   trailing spaces   \n"""
import os   # noqa


LIMIT = 3\t# "not a string"
"""What follows a constant is a string, too."""



def double(number, factor=2):  # type: ignore
    r"""Twice\\ # as much."""

    if number > LIMIT:   \n        # within a block, and here dedented:
# to the margin
        "a string that is nobody's docstring"; \n
        raise ValueError(f"{number} is too large")  # why
    return factor * number
    # at the end of the function


class Box:
    \'\'\'A box.\'\'\'
    size = "small"
    b"bytes"  # and another
    "one" \'two\' """three
four"""

    @property

    # between a decorator and what it decorates
    def sides(self):
        u"""Of a cube."""
        return 6

# at the end, without a new line'''.replace("; \n", "\n")
# What is easily taken for something else, in the syntax of Python 3.11.
TRICKY = '''\
"""A docstring""" ; x = 1
text = "# no comment"  # é: a comment behind a string
é = 'ü # none'         # and one behind letters of two bytes
lines = """a  \n
\t
# no comment
   b"""   # a comment behind the end of a string
f_lines = f"""{x}  \n
{x!r:#>10} # no comment

{  {"a": 1}["a"]  :{x}}"""
nested = f"{f'{x}'}" f'{"#"}' "plain # none" rb"\\x"
f"{x}"
f"""
{x}
"""
joined = "one\\
two  # none"
total = 1 + \\
    2
call = dict(a=1,  # the first

            # nothing

            b="""
  two
""")
def only(): "a docstring in the line of its function"
def below():
    """A docstring and nothing else."""
class Empty(Exception):

    """No less."""

    # not even a statement
if x: "text"
else:
    "text"
    b"bytes"
    x = 2; "text"
async def wait(*, a: "str" = "# none", **b) -> "int":
    """Wait."""
    await x  \n
match x:
    case {"a": [1, *_]} if x:
        """Nothing."""
        pass
\x0c
lambda_ = lambda: (yield)
'''


def test_what_does_nothing_is_cut_out() -> None:
    assert strip_prose(PLAIN) == PLAIN.replace("\n\n", "\n").replace("\n\n", "\n")
    assert strip_prose(ADORNED) == strip_prose(PLAIN)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("import os", "import sys"),
        ("LIMIT = 3", "LIMIT = 4"),
        ("LIMIT = 3", "LIMIT = 3\nLIMIT += 1"),
        ("LIMIT = 3", "LIMIT = '3'"),
        ("factor=2", "factor=3"),
        ("number > LIMIT", "number >= LIMIT"),
        ("is too large", "is too small"),
        ('f"{number}', '"{number}'),
        ("{number}", "{factor}"),
        ("{number}", "{number!r}"),
        ("{number}", "{number:d}"),
        ('"small"', '"small "'),
        ('"small"', 'f"small"'),
        ("    @property\n", ""),
        ("    @property\n", "    @property\n    @final\n"),
        ("        return 6\n", "        pass\n        return 6\n"),
        ("        return 6\n", "        f'{self}'\n        return 6\n"),
        ("        return 6\n", "        'a string'.strip()\n        return 6\n"),
        ("        raise", "    raise"),
    ],
)
def test_what_does_something_is_kept(old: str, new: str) -> None:
    assert old in PLAIN
    changed = PLAIN.replace(old, new)
    assert strip_prose(changed) != strip_prose(PLAIN)
    assert strip_prose(ADORNED.replace(old, new, 1)) == strip_prose(changed)


def test_what_is_easily_taken_for_prose_stays_as_it_is() -> None:
    assert (
        strip_prose(TRICKY)
        == '''\
"""A docstring""" ; x = 1
text = "# no comment"
é = 'ü # none'
lines = """a  \n
\t
# no comment
   b"""
f_lines = f"""{x}  \n
{x!r:#>10} # no comment

{  {"a": 1}["a"]  :{x}}"""
nested = f"{f'{x}'}" f'{"#"}' "plain # none" rb"\\x"
f"{x}"
f"""
{x}
"""
joined = "one\\
two  # none"
total = 1 + \\
    2
call = dict(a=1,
            b="""
  two
""")
def only(): "a docstring in the line of its function"
def below():
class Empty(Exception):
if x: "text"
else:
    x = 2; "text"
async def wait(*, a: "str" = "# none", **b) -> "int":
    await x
match x:
    case {"a": [1, *_]} if x:
        pass
lambda_ = lambda: (yield)
'''
    )


def test_a_string_of_several_lines_counts_to_its_last_space() -> None:
    sources = [
        f'text = """a{gap}b"""\n'
        for gap in ("\n", "\n\n", " \n", "\n ", "\n#\n", "\n# \n", "\n \n", "\n\t\n")
    ]
    assert len({strip_prose(source) for source in sources}) == len(sources)
    assert [strip_prose(source) for source in sources] == sources
    assert [strip_prose(f"{source}\n\n# end") for source in sources] == sources


def test_a_statement_behind_a_docstring_in_its_line_is_kept() -> None:
    source = 'def f():\n    """Text."""; x = 1\n    return x\n'
    assert strip_prose(source) == source
    assert strip_prose(source.replace("x = 1", "x = 2")) != source


def test_whatever_is_a_docstring_alone_leaves_the_line_that_it_belongs_to() -> None:
    assert strip_prose('class A:\n    """a"""\nclass B:\n    """b"""\n') == "class A:\nclass B:\n"
    assert strip_prose('"""A package."""\n') == ""
    assert strip_prose("") == ""
    assert strip_prose("\n\n# nothing\n") == ""


@pytest.mark.parametrize("source", [PLAIN, ADORNED, TRICKY], ids=["plain", "adorned", "tricky"])
def test_the_last_line_needs_no_end(source: str) -> None:
    for ending in (
        "",
        "\n",
        "\n\n",
        "\n  \n",
        "\n# end",
        "\n# end\n",
        "\n'end'",
        '\n"""en\nd"""\n',
    ):
        assert strip_prose(source.rstrip() + ending) == strip_prose(source)


def test_the_system_it_was_checked_out_on_makes_no_difference(tmp_path: Path) -> None:
    """Git may end each line as Windows does; what is read as text has lost that."""
    path = tmp_path / "a.py"
    for source in (PLAIN, ADORNED, TRICKY):
        path.write_bytes(source.replace("\n", "\r\n").encode())
        assert strip_prose(path.read_text(encoding="utf-8")) == strip_prose(source)


@cache
def own_sources() -> dict[str, str]:
    """By their paths: what the pipeline consists of."""
    return {
        file: (ROOT / file).read_text(encoding="utf-8")
        for file in tracked_files()
        if file.endswith(".py") and file.startswith(("mnistpipe/", "stages/"))
    }


def without_docstrings(tree: ast.Module) -> ast.Module:
    """And without other strings that stand alone; an empty body is left empty."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [  # type: ignore[attr-defined]
                each
                for each in body
                if not (
                    isinstance(each, ast.Expr)
                    and isinstance(each.value, ast.Constant)
                    and isinstance(each.value.value, str)
                )
            ]
    return tree


def test_of_our_own_sources_the_same_program_is_left() -> None:
    n_compared = 0
    for file, source in own_sources().items():
        stripped = strip_prose(source)
        try:
            left = ast.parse(stripped)
        except IndentationError:  # a class that is its docstring
            continue
        assert ast.dump(left) == ast.dump(without_docstrings(ast.parse(source))), file
        n_compared += 1
    assert n_compared > 0.8 * len(own_sources()) > 40


def test_what_is_left_has_nothing_more_to_lose() -> None:
    for source in (PLAIN, ADORNED, TRICKY, *own_sources().values()):
        stripped = strip_prose(source)
        assert strip_prose(stripped) == stripped


def test_nothing_of_ours_reads_a_docstring() -> None:
    """Else it would do something, and count."""
    for file, source in own_sources().items():
        assert "__doc__" not in source, file
        assert "getdoc" not in source, file


@cache
def places(file: str) -> list[tuple[int, str]]:
    """Rows of a source that a statement begins, and the space before each."""
    lines = own_sources()[file].splitlines()
    found = set()
    for node in ast.walk(ast.parse(own_sources()[file])):
        if isinstance(node, ast.stmt):
            decorators = getattr(node, "decorator_list", [])
            row = min([node.lineno, *(each.lineno for each in decorators)])
            space = lines[row - 1][: len(lines[row - 1]) - len(lines[row - 1].lstrip())]
            if decorators or len(space) == node.col_offset:  # the first of its line
                found.add((row, space))
    return sorted(found)


PROSE = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")) | st.just(" "))


@st.composite
def adorned_sources(draw: st.DrawFn) -> tuple[str, str]:
    """One of our sources, and the same with lines that do nothing before some statements."""
    file = draw(st.sampled_from([file for file in sorted(own_sources()) if places(file)]))
    lines = own_sources()[file].split("\n")
    for row, space in sorted(
        draw(st.sets(st.sampled_from(places(file)), max_size=5)), reverse=True
    ):
        text = draw(PROSE)
        prose = [
            *("", "   ", "\t", "\x0c", f"# {text}", f"{space}  # {text}"),
            *(f"{space}{text!r}", f'{space}"""{text!a}\n\n"""  # a comment'),
        ]
        lines.insert(row - 1, draw(st.sampled_from(prose)))
    return own_sources()[file], "\n".join(lines)


@settings(max_examples=40, deadline=None)
@given(sources=adorned_sources())
def test_prose_between_any_statements_changes_nothing(sources: tuple[str, str]) -> None:
    source, adorned = sources
    assert strip_prose(adorned) == strip_prose(source)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_word_or_number_that_is_no_prose_counts(data: st.DataObject) -> None:
    file = data.draw(st.sampled_from([file for file in sorted(own_sources()) if places(file)]))
    source = own_sources()[file]
    tree = without_docstrings(ast.parse(source))
    named = [node for node in ast.walk(tree) if isinstance(node, ast.Name | ast.Constant)]
    if not named:
        return
    node = data.draw(st.sampled_from(named))
    lines = source.split("\n")
    row = node.lineno - 1
    before = len(lines[row].encode()[: node.col_offset].decode())  # it counts bytes
    lines[row] = f"{lines[row][:before]}not {lines[row][before:]}"
    assert strip_prose("\n".join(lines)) != strip_prose(source)


DIGEST_ALL = """
import hashlib, sys
from pathlib import Path
from mnistpipe.files.strip_prose import strip_prose
for path in sys.stdin.read().splitlines():
    stripped = strip_prose(Path(path).read_text(encoding="utf-8"))
    print(path, hashlib.sha256(stripped.encode()).hexdigest())
"""


def other_pythons() -> list[str]:
    """Those of this machine that start: some are but a name that leads to none."""
    names = [f"python3.{minor}" for minor in (11, 12, 13, 14)]
    found = [shutil.which(name) for name in names]
    # Of pyenv's, its folder knows those that no shim starts.
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found += [str(path) for name in names for path in sorted(pyenv.glob(f"*/bin/{name}"))]
    ask = [sys.executable, "-c", "import sys; print(sys.version_info[:2])"]

    def version(python: str) -> str:
        done = subprocess.run([python, *ask[1:]], capture_output=True, text=True, check=False)
        return done.stdout if done.returncode == 0 else ""

    own = version(sys.executable)
    versions = {version(python): python for python in found if python is not None}
    return [python for told, python in versions.items() if told not in ("", own)]


def test_every_python_cuts_the_same(tmp_path: Path) -> None:
    others = other_pythons()
    if not others:
        pytest.skip("needs another Python, such as python3.12, in the PATH or in pyenv's folder")
    samples = {"plain": PLAIN, "adorned": ADORNED, "tricky": TRICKY}
    for name, source in samples.items():
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
    files = [*sorted(own_sources()), *(str(tmp_path / f"{name}.py") for name in samples)]

    def digests(python: str) -> list[str]:
        return subprocess.run(
            [python, "-B", "-c", DIGEST_ALL],
            cwd=ROOT,
            input="\n".join(files),
            stdout=subprocess.PIPE,
            encoding="utf-8",
            check=True,
        ).stdout.splitlines()

    own = digests(sys.executable)
    assert len(own) == len(files)
    for other in others:
        assert digests(other) == own, other
