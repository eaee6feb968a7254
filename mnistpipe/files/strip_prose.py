"""Python's source as text, without what does nothing."""

import io
import tokenize

_SPACE = (tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT)


def strip_prose(source: str) -> str:
    """Python's source without comments, docstrings and blank lines, the same in each version.

    It is the text itself with these cut out: what `ast` writes differs between versions. Other
    statements that are nothing but a string do nothing either, and go with the docstrings.
    """
    lines = [*source.split("\n"), ""]
    in_strings: set[int] = set()  # rows that end within a string, and are kept as they are
    f_strings: list[int] = []  # rows where those begin that have not ended yet
    statement: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        row, end_row, kind = token.start[0], token.end[0], tokenize.tok_name[token.type]
        if token.type == tokenize.COMMENT:
            lines[row - 1] = lines[row - 1][: token.start[1]]
        elif kind == "STRING":
            in_strings.update(range(row, end_row))
        elif kind.endswith("STRING_START"):  # from Python 3.12 on
            f_strings.append(row)
        elif kind.endswith("STRING_END"):
            in_strings.update(range(f_strings.pop(), end_row))
        if token.type == tokenize.NEWLINE:
            if statement and all(map(_is_plain_string, statement)):
                rows = range(statement[0].start[0], row + 1)
                in_strings.difference_update(rows)
                lines[rows[0] - 1 : row] = [""] * len(rows)
            statement = []
        elif token.type not in _SPACE:
            statement.append(token)
    kept = (
        line if row in in_strings else line.rstrip()
        for row, line in enumerate(lines, start=1)
        # After a backslash an empty line ends the statement.
        if row in in_strings or line.strip() or lines[row - 2].endswith("\\")
    )
    return "".join(f"{line}\n" for line in kept)


def _is_plain_string(token: tokenize.TokenInfo) -> bool:
    """Whether it is a string that is not computed, as an f-string is."""
    prefix = token.string[: token.string.find(token.string[-1])].lower()
    return token.type == tokenize.STRING and "f" not in prefix
