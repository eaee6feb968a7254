import pandas as pd

from mnistpipe.page.loss_chart import loss_chart

LOSSES = pd.DataFrame(
    {"epoch": [1, 2, 3], "training_loss": [2.0, 1.0, 0.5], "validation_loss": [1.0, 0.25, 0.125]}
)


def test_each_run_has_a_chart_and_a_few_words() -> None:
    chart = loss_chart({"Net": LOSSES, "ConvNet": LOSSES}, {"Net": 2, "ConvNet": 3})
    assert [name in svg for name, svg in zip((">Net<", ">ConvNet<"), chart.svg, strict=True)] == [
        True,
        True,
    ]
    assert "Net from 1.000 to 0.125, settled at epoch 2" in chart.alt


def test_all_have_the_same_axes() -> None:
    low = LOSSES.assign(validation_loss=LOSSES["validation_loss"] / 10)
    both = loss_chart({"a": LOSSES, "b": low}, {"a": 1, "b": 1}).svg
    assert [svg.count(">0.02<") for svg in both] == [1, 1]
