from mnistpipe.markdown import table


def test_numbers_stand_to_the_right() -> None:
    assert table(["run", "n"], [["a", "1"], ["b", "22"]], n_text_columns=1).splitlines() == [
        "| run | n |",
        "| --- | ---: |",
        "| a | 1 |",
        "| b | 22 |",
    ]
