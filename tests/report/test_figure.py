from functools import cache

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from mnistpipe.report.figure import draw_losses
from tests.figures import LONG_TITLE, assert_is_fit_for_print, laid_out, lines_seen

STAGES = ("train-convnet", "train-net", *(f"partial-data-steps@part{n}" for n in range(4)))


def losses() -> dict[str, pd.DataFrame]:
    """Six runs of six epochs; on validation each is best at the epoch of its number."""
    epochs = np.arange(1, 7)
    return {
        stage: pd.DataFrame(
            {
                "epoch": epochs,
                "training_loss": 1 / epochs,
                "validation_loss": 0.1 + abs(epochs - best) / 10,
            }
        )
        for best, stage in enumerate(STAGES, start=1)
    }


@cache
def losses_figure() -> Figure:
    return laid_out(draw_losses(losses(), LONG_TITLE))


def test_each_run_has_a_panel_with_both_its_losses_and_a_ring_at_the_lowest() -> None:
    panels = [axes for axes in losses_figure().axes if axes.lines]
    assert [axes.get_title() for axes in panels] == [*STAGES]
    for best, (axes, table) in enumerate(zip(panels, losses().values(), strict=True), start=1):
        assert axes.get_yscale() == "log"
        assert axes.get_ylim() == panels[0].get_ylim()
        training, validation, ring = (np.asarray(line.get_xydata()) for line in axes.lines)
        assert training[:, 1] == pytest.approx(table["training_loss"])
        assert validation[:, 1] == pytest.approx(table["validation_loss"])
        assert ring == pytest.approx(np.array([[best, 0.1]]))


def test_the_losses_are_labelled_and_fit_for_print() -> None:
    seen = lines_seen(losses_figure())
    assert {LONG_TITLE, "epoch", "cross-entropy (nats)", "0.1", "0.3", "1"} <= set(seen)
    assert [seen.count(name) for name in ("training", "validation")] == [1, 1]
    assert_is_fit_for_print(losses_figure())


def test_a_single_epoch_is_seen_and_long_names_stay_apart() -> None:
    names = ["a-run-with-a-long-name-that-goes-on-and-on", "a-run-with-a-long-name-by-another"]
    figure = draw_losses({name: losses()["train-net"][:1] for name in names}, LONG_TITLE)
    assert_is_fit_for_print(figure)
    panels = [axes for axes in figure.axes if axes.lines]
    assert [axes.get_title() for axes in panels] == [
        "a-run-with-a-lo…goes-on-and-on",
        "a-run-with-a-lo…ame-by-another",
    ]
    for axes in panels:
        assert [line.get_marker() for line in axes.lines] == [".", ".", "o"]
        assert {tick for tick in axes.get_xticks() if tick <= axes.get_xlim()[1]} == {0, 1}
