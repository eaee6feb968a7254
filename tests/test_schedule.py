"""The order of trainings side by side, their costs, and what `python -m tools plan` says of it."""

import random
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import get_args

import pytest

from mnistpipe.data.params import Data
from mnistpipe.files.artifacts import write_bytes
from mnistpipe.study import Params, load_params
from mnistpipe.training.loop import count_steps
from mnistpipe.training.plan import BEST_STAGE
from mnistpipe.training.trials import images_per_epoch
from tests.conftest import PARAMS_FILE, ROOT
from tests.forks import end, start
from tools import plan
from tools.schedule import (
    ANALYSES,
    IMAGES_PER_S,
    STAGE_S,
    Cost,
    dense_cost,
    last_end,
    longest_first,
    simulate,
    training_cost,
)

TUNED = ROOT / "recipes" / "tuned" / "params.yaml"
CURVE = ROOT / "recipes" / "curve" / "params.yaml"
SMOKE = ROOT / "recipes" / "smoke" / "params.yaml"


@pytest.fixture
def params() -> Params:
    return load_params(PARAMS_FILE)


@pytest.mark.parametrize("path", [PARAMS_FILE, TUNED, SMOKE])
def test_a_cost_is_that_of_the_images_that_training_passes_over(path: Path) -> None:
    """As the training loop itself counts them, here for MNIST and for the small digits."""
    params = load_params(path)
    n_images = 51_000 if params.data.dataset == "mnist" else 1_221
    for stage in params.train_stages:
        wanted = params.training_run(stage)
        recipe, n_examples = wanted.recipe, round(wanted.fraction * n_images)
        if wanted.steps_of is not None:
            n_steps = count_steps(round(wanted.steps_of * n_images), recipe)
            recipe = recipe.model_copy(update={"min_steps": n_steps})
        n_trained_on = recipe.epochs * images_per_epoch(n_examples, recipe)
        images_per_s = IMAGES_PER_S[recipe.network][len(recipe.views) > 1]
        cost = training_cost(params, stage)
        assert (cost.stage, cost.n_trainings) == (stage, len(wanted.seeds))
        assert cost.seconds == pytest.approx(STAGE_S + n_trained_on / images_per_s, rel=0.02)


@pytest.mark.parametrize("dataset", get_args(Data.model_fields["dataset"].annotation))
def test_a_cost_is_known_for_every_data_set(
    params: Params, dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in "abc":
        write_bytes(tmp_path / "data/images/train" / name / "1.png", b"an image")
    data = params.data.model_copy(update={"dataset": dataset})
    params = params.model_copy(update={"data": data})
    assert all(cost.seconds > STAGE_S for cost in longest_first(params))
    if dataset == "folder":
        assert max(cost.seconds for cost in longest_first(params)) < 60


def test_the_longest_training_is_started_first(params: Params) -> None:
    costs = longest_first(params)
    assert sorted(cost.stage for cost in costs) == sorted(params.train_stages)
    assert all(before.seconds >= after.seconds for before, after in pairwise(costs))
    assert costs[0].stage == BEST_STAGE
    seconds = {cost.stage: cost.seconds for cost in costs}
    half, quarter = (seconds[f"partial-data@{name}"] - STAGE_S for name in ("half", "quarter"))
    assert half == pytest.approx(2 * quarter)
    assert half + STAGE_S == pytest.approx(seconds["partial-data-steps@quarter"])  # as many updates


def test_seeds_are_trainings_that_need_not_follow_each_other() -> None:
    costs = longest_first(load_params(TUNED))
    assert {cost.n_trainings for cost in costs} == {3}
    one, two = simulate([Cost("a", 3, 10.0), Cost("b", 1, 10.0)], 2)[2:]
    assert (one.stage, one.start_s, one.end_s) == ("a", 10.0, 20.0)
    assert (two.stage, two.start_s, two.end_s) == ("b", 10.0, 20.0)  # beside a's third


def test_the_dense_curve_is_planned_where_it_has_sizes(params: Params) -> None:
    """By the mean of its trainings, all of which count."""
    assert "dense-curve" not in {cost.stage for cost in longest_first(params)}
    curve = load_params(CURVE)
    cost = dense_cost(curve)
    assert cost in longest_first(curve)
    assert cost.n_trainings == sum(size.seeds for size in curve.dense_curve.sizes)
    recipe, seconds = curve.partial_data.recipe, []
    for size in curve.dense_curve.sizes:
        n_trained_on = recipe.epochs * images_per_epoch(size.images, recipe)
        each = STAGE_S + n_trained_on / IMAGES_PER_S["net"][len(recipe.views) > 1]
        seconds += [each] * size.seeds
    assert cost.seconds == pytest.approx(fmean(seconds), rel=0.02)
    assert "`dense-curve`" in "".join(plan.order(curve, 2))


def most_at_once(costs: Sequence[Cost], n_slots: int) -> int:
    spans = simulate(costs, n_slots)
    return max(
        sum(other.start_s <= span.start_s < other.end_s for other in spans) for span in spans
    )


@pytest.mark.parametrize("n_slots", [1, 2, 3, 8, 64])
def test_no_slot_idles_while_a_training_waits_and_none_is_taken_twice(n_slots: int) -> None:
    generator = random.Random(n_slots)  # noqa: S311 (no secret)
    costs = [Cost(f"{n}", generator.randint(1, 4), generator.uniform(1, 100)) for n in range(20)]
    spans = simulate(costs, n_slots)
    assert len(spans) == sum(cost.n_trainings for cost in costs)
    assert most_at_once(costs, n_slots) == min(n_slots, len(spans))
    assert [span.start_s for span in spans] == sorted(span.start_s for span in spans)
    for span in spans:  # at every start, and just before, all slots are taken
        before = [other for other in spans if other.start_s < span.start_s <= other.end_s]
        assert span.start_s == 0 or len(before) == n_slots


@pytest.mark.parametrize("path", [PARAMS_FILE, TUNED])
@pytest.mark.parametrize("n_slots", [2, 4, 8])
def test_the_longest_first_end_nearly_together(path: Path, n_slots: int) -> None:
    """In no order could they end before the mean of the slots' work, or the longest training."""
    costs = longest_first(load_params(path))
    work_s = sum(cost.n_trainings * cost.seconds for cost in costs)
    at_least_s = max(work_s / n_slots, costs[0].seconds)
    assert last_end(simulate(costs, n_slots)) < 1.1 * at_least_s


def test_nothing_to_do_takes_no_time() -> None:
    assert last_end(simulate([], 2)) == 0


def test_a_plan_has_a_row_for_each_number_of_cores(params: Params) -> None:
    rows = [re.findall(r"[\d:.]+", line) for line in plan.table(params)[2:]]
    assert [int(row[0]) for row in rows] == [1, 2, 4, 8, 16, 32, 64]
    walls = [int(minutes) * 60 + int(s) for minutes, s in (row[1].split(":") for row in rows)]
    alone_s = sum(cost.seconds for cost in [*longest_first(params), *ANALYSES])
    assert walls[0] == pytest.approx(plan.BEFORE_S + alone_s + plan.REPORT_S, abs=1)
    assert walls == sorted(walls, reverse=True)
    for (cores, _, gain, busy, _), wall in zip(rows, walls, strict=True):
        assert float(gain) == pytest.approx(walls[0] / wall, abs=0.02)
        assert int(busy) == pytest.approx(100 * float(gain) / int(cores), abs=1)
    assert rows[0][2:4] == ["1.00", "100"]


def test_a_plan_names_the_stages_in_the_order_in_which_they_are_started(params: Params) -> None:
    rows = [line.split(" | ") for line in plan.order(params, 2)[2:]]
    assert [row[0].strip("| `") for row in rows] == [c.stage for c in longest_first(params)]
    first = f"0:{plan.BEFORE_S:02.0f}"
    assert [row[2] for row in rows[:2]] == [first, first]


def test_the_plan_is_printed_for_the_parameters_at_hand(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes(TUNED.read_bytes())
    ended = end(start(tmp_path, "tools", "plan"))
    tuned = load_params(TUNED)
    expected = [*plan.table(tuned), "", *plan.order(tuned, 2)]
    assert (ended.status, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == expected
