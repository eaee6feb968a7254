"""How numbers are written: the filters of the templates, under their own names."""

from collections.abc import Iterable

from mnistpipe.report.names import network_name

_SMALLEST_P = 0.0001  # smaller ones are not told apart in a sentence


def percent(share: float, places: int = 2) -> str:
    """0.9893 as 98.93%."""
    return f"{share:.{places}%}"


def points(share: float) -> str:
    """0.0034 as 0.34 percentage points."""
    return f"{100 * share:.2f}"


def decimals(number: float, places: int) -> str:
    """0.07934 as 0.0793, with four places."""
    return f"{number:.{places}f}"


def digits(number: float, count: int) -> str:
    """0.0004371 as 0.00044, with two significant digits; 0.00007851 as 7.9e-05."""
    return f"{number:.{count}g}"


def thousands(number: int) -> str:
    """51000 as 51,000."""
    return f"{number:,}"


def rounded(number: int) -> str:
    """142075 as 142,000, with three significant digits."""
    return f"{float(f'{number:.3g}'):,.0f}"


def images(number: float) -> str:
    """A mean number of images: 1234.5 as 1,234.5, and 12.0 as 12."""
    return f"{number:,.1f}".removesuffix(".0")


def signed(number: str) -> str:
    """0.34 as +0.34; what has a minus keeps it."""
    return number if number.startswith("-") else f"+{number}"


def p_value(chance: float) -> str:
    """0.01251 as p = 0.013, and what is small as p < 0.0001."""
    return f"p < {_SMALLEST_P}" if chance < _SMALLEST_P else f"p = {chance:.2g}"


def listed(values: Iterable[object]) -> str:
    """Three values as 1, 2 and 3."""
    *others, last = (f"{value}" for value in values)
    return f"{', '.join(others)} and {last}" if others else last


def in_cell(text: str) -> str:
    """A name as the cell of a table takes it."""
    return text.replace("|", r"\|")


def one_line(text: str) -> str:
    """A paragraph or an item of a list as one line, wherever the template breaks it."""
    return " ".join(text.split()) + "\n"


FILTERS = {
    each.__name__: each
    for each in (
        percent,
        points,
        decimals,
        digits,
        thousands,
        rounded,
        images,
        signed,
        p_value,
        listed,
        in_cell,
        one_line,
        network_name,
    )
}
