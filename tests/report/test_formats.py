from mnistpipe.report.formats import (
    decimals,
    digits,
    listed,
    one_line,
    p_value,
    percent,
    points,
    rounded,
    signed,
    thousands,
)


def test_numbers_are_written_with_as_many_places_as_the_report_has() -> None:
    assert percent(0.9893) == "98.93%"
    assert percent(0.793, 0) == "79%"
    assert points(0.00141) == "0.14"
    assert decimals(0.07934, 4) == "0.0793"
    assert digits(0.0004371, 2) == "0.00044"
    assert digits(4299.8, 3) == "4.3e+03"
    assert thousands(51_000) == "51,000"
    assert [rounded(number) for number in (142_075, 999_600, 87)] == ["142,000", "1,000,000", "87"]


def test_a_sign_is_always_there() -> None:
    assert [signed(text) for text in ("0.34", "-0.10", "0.00")] == ["+0.34", "-0.10", "+0.00"]


def test_small_p_values_are_not_told_apart() -> None:
    assert p_value(0.01251) == "p = 0.013"
    assert p_value(0.0001) == "p = 0.0001"
    assert p_value(0.0000999) == p_value(0.0) == "p < 0.0001"


def test_the_last_of_a_list_follows_an_and() -> None:
    assert listed(["one"]) == "one"
    assert listed(iter([2, 3, 4])) == "2, 3 and 4"


def test_a_broken_paragraph_becomes_one_line() -> None:
    assert one_line("- What\n  stands  here,\n\nis one.\n") == "- What stands here, is one.\n"
