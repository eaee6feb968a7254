import re
from itertools import pairwise

import pytest

from mnistpipe.page.vega import DIAMOND, Spec, draw, log_axis, log_ticks, spread

SPEC: Spec = {
    "data": {"values": [{"x": 1, "y": 2}, {"x": 3, "y": 4}]},
    "mark": DIAMOND,
    "encoding": {
        "x": {"field": "x", "type": "quantitative"},
        "y": {"field": "y", "type": "quantitative", "title": "error"},
    },
}


def test_a_chart_takes_colours_and_type_from_the_page() -> None:
    svg = draw(SPEC, 300, 200)
    assert svg.startswith("<svg ")
    assert 'stroke="var(--ink)"' in svg
    assert ">error<" in svg
    assert "font-family" not in svg
    assert not re.findall(r'(?:fill|stroke)="(#\w+|white|black|gray)"', svg)


def test_it_is_as_large_as_it_is_meant_to_be_and_the_same_each_time() -> None:
    svg = draw(SPEC, 300, 200)
    assert 'width="300" height="200"' in svg
    assert draw(SPEC, 300, 200) == svg


def test_a_logarithmic_axis_holds_all_values_and_has_round_ticks() -> None:
    axis = log_axis([0.012, 0.34])
    low, high = axis["scale"]["domain"]
    assert low < 0.012
    assert high > 0.34
    assert axis["axis"]["values"] == [0.01, 0.02, 0.05, 0.1, 0.2]
    short = log_axis([0.52, 0.79])["axis"]["values"]
    assert short == [0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert log_ticks(2.05, 2.6) == [2.5]
    assert log_ticks(0.004, 3.0) == [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2]


def test_labels_keep_their_order_and_their_distance() -> None:
    values = {"a": 0.90, "b": 0.91, "c": 0.5, "d": 0.905}
    places = spread(values, 0.1)
    assert sorted(places, key=places.__getitem__) == ["c", "a", "d", "b"]
    ordered = sorted(places.values())
    gaps = [after - before for before, after in pairwise(ordered)]
    assert min(gaps) == pytest.approx(0.1)
    assert sum(places.values()) == pytest.approx(sum(values.values()))
