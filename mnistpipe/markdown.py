"""Text as Markdown."""

from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, n_text_columns: int) -> str:
    """A table whose first columns are texts; the numbers after them stand to the right."""
    rule = ["---"] * n_text_columns + ["---:"] * (len(header) - n_text_columns)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, rule, *rows])
