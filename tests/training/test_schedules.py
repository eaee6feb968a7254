import pytest

from mnistpipe.training.recipe import OneCycle, Recipe, Schedule, Step
from mnistpipe.training.schedules import learning_rate


def rates(recipe: Recipe, schedule: Schedule, shares: tuple[float, ...]) -> list[float]:
    """Of each epoch of four, at these shares of the way through it."""
    recipe = recipe.model_copy(update={"schedule": schedule, "epochs": 4, "lr": 2.0})
    return [learning_rate(recipe, epoch, share) for epoch in (1, 2, 3, 4) for share in shares]


@pytest.mark.parametrize(
    ("step_epochs", "gamma", "expected"),
    [
        (1, 0.5, [2, 1, 0.5, 0.25]),
        (2, 0.7, [2, 2, 1.4, 1.4]),
        (3, 0.1, [2, 2, 2, 0.2]),
        (1, 1.0, [2, 2, 2, 2]),
        (4, 0.1, [2, 2, 2, 2]),
    ],
)
def test_step_falls_after_every_so_many_epochs_and_not_within_them(
    recipe: Recipe, step_epochs: int, gamma: float, expected: list[float]
) -> None:
    schedule = Step(name="step", step_epochs=step_epochs, gamma=gamma)
    for share in (0.0, 0.5, 0.999):
        assert rates(recipe, schedule, (share,)) == pytest.approx(expected)


def test_one_cycle_rises_to_lr_and_falls_to_zero(recipe: Recipe) -> None:
    schedule = OneCycle(name="one-cycle", warmup_fraction=0.25)
    found = rates(recipe, schedule, (0.0, 0.5))
    assert found == pytest.approx([0, 1, 2, 5 / 3, 4 / 3, 1, 2 / 3, 1 / 3])
    assert rates(recipe, schedule, (1.0,))[-1] == 0


def test_one_cycle_may_turn_in_the_middle_of_an_epoch(recipe: Recipe) -> None:
    schedule = OneCycle(name="one-cycle", warmup_fraction=0.625)
    found = rates(recipe, schedule, (0.0, 0.5))
    assert found == pytest.approx([0, 0.4, 0.8, 1.2, 1.6, 2, 4 / 3, 2 / 3])
    assert max(found) == 2
