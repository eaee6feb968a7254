import pandas as pd

from mnistpipe.page.robustness_chart import robustness_chart

ERRORS = {"train-net": (0.02, 0.5), "train-net-augmented": (0.01, 0.04), "other": (0.1, 0.2)}
SCORES = pd.DataFrame(
    [
        {"stage": stage, "perturbation": key, "strength": strength, "test_error": error}
        for key, last in {"blur": 3, "rotation": 45}.items()
        for stage, errors in ERRORS.items()
        for strength, error in zip((0, last), errors, strict=True)
    ]
)


def test_it_says_what_the_strongest_perturbation_does_to_each_named_run() -> None:
    chart = robustness_chart(SCORES, {"train-net": "Net", "train-net-augmented": "Net + views"})
    falls = "Net from 98.00% to 50.00% and Net + views from 99.00% to 96.00%"
    assert f"with 3 passes of the blur kernel: {falls}" in chart.alt
    assert f"with 45 degrees turned: {falls}" in chart.alt
    blur, rotation = chart.svg
    assert ">passes of the blur kernel<" in blur
    assert ">degrees turned<" in rotation
    for svg in chart.svg:
        assert ">Net<" in svg
        assert ">Net + views<" in svg
        assert ">other<" not in svg
