import subprocess
import sys
from collections.abc import Callable
from typing import get_args

import pytest
import torch
from torch import nn

from mnistpipe.training.optimizers import Optimizer
from mnistpipe.training.recipe import OptimizerName
from tests.conftest import ROOT

CLASSES: dict[OptimizerName, Callable[..., torch.optim.Optimizer]] = {
    "adadelta": torch.optim.Adadelta,
    "rmsprop": torch.optim.RMSprop,
    "adamw": lambda weights, **rest: torch.optim.AdamW(weights, fused=True, **rest),
}
RATES = [0.5, 0.01, 0.3, 0.02, 0.1]


def vector(seed: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(1000, generator=torch.Generator().manual_seed(seed)))


def gradient(step: int) -> torch.Tensor:
    return vector(100 + step).detach()


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("name", get_args(OptimizerName))
def test_the_numbers_are_those_of_pytorchs_class(name: OptimizerName, weight_decay: float) -> None:
    ours, theirs = vector(0), vector(0)
    optimizer = Optimizer(name, ours, weight_decay)
    reference = CLASSES[name]([theirs], lr=1.0, weight_decay=weight_decay)
    for step, lr in enumerate(RATES):
        optimizer.step(gradient(step), lr)
        theirs.grad = gradient(step)
        reference.param_groups[0]["lr"] = lr
        reference.step()
        assert torch.equal(ours, theirs)
    (moments,) = reference.state_dict()["state"].values()
    assert set(moments) == set(optimizer.state)
    assert all(torch.equal(optimizer.state[key], value) for key, value in moments.items())


@pytest.mark.parametrize("name", get_args(OptimizerName))
def test_one_goes_on_where_another_was(name: OptimizerName) -> None:
    weights = vector(0)
    optimizer = Optimizer(name, weights, 0.0)
    optimizer.step(gradient(0), 0.1)
    other_weights = nn.Parameter(weights.detach().clone())
    other = Optimizer(name, other_weights, 0.0)
    other.load_state(optimizer.state)
    for each in (optimizer, other):
        each.step(gradient(1), 0.1)
    assert torch.equal(weights, other_weights)
    assert optimizer.state["step"] == other.state["step"] == 2


def test_the_state_of_another_optimizer_is_refused() -> None:
    adadelta = Optimizer("adadelta", vector(0), 0.0)
    with pytest.raises(KeyError, match="exp_avg"):
        Optimizer("adamw", vector(0), 0.0).load_state(adadelta.state)


def test_training_does_not_import_the_compiler() -> None:
    code = """
import sys
import torch
from torch import nn
from mnistpipe.training.optimizers import Optimizer
for name in ("adadelta", "rmsprop", "adamw"):
    Optimizer(name, nn.Parameter(torch.ones(9)), 0.1).step(torch.ones(9), 0.1)
sys.exit("torch._dynamo" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert done.returncode == 0
