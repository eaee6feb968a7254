"""Schedules: what becomes of the learning rate in the course of a run."""

import math
from typing import assert_never

from mnistpipe.training.recipe import OneCycle, Recipe, Step


def learning_rate(recipe: Recipe, epoch: int, share: float) -> float:
    """The rate of one update, `share` of the way through an epoch that is counted from 1.

    One-cycle is the triangle of Smith and Topin (2018), without its last, still smaller phase.
    """
    match recipe.schedule:
        case Step(step_epochs=step_epochs, gamma=gamma):
            return math.prod([gamma] * ((epoch - 1) // step_epochs), start=recipe.lr)
        case OneCycle(warmup_fraction=warmup):
            done = (epoch - 1 + share) / recipe.epochs
            return recipe.lr * min(done / warmup, (1 - done) / (1 - warmup))
        case schedule:
            assert_never(schedule)
