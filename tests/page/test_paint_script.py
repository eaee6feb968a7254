from pathlib import Path

from tests.page.javascript import run_javascript

# A label is 10 pixels wide for each letter, and 10 more.
FITTING = """
fitting({ measureText: (text) => ({ width: 10 * text.length }) },
  given.map(([name, x, y]) => ({ name, x, y })), (x, y) => [x, y], 10, 300, 300)
  .map(({ name, x, half }) => [name, x - half, x + half])
"""


def test_a_name_at_the_edge_of_the_map_is_whole_and_one_beyond_is_left_out(tmp_path: Path) -> None:
    labels = [["cup", 150, 20], ["lamp", 5, 100], ["house", 299, 200], ["tree", -30, 250]]
    found = run_javascript(tmp_path, ["paint"], FITTING, labels)
    assert found == [["cup", 130, 170], ["lamp", 2, 52], ["house", 238, 298]]
