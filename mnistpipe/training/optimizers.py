"""PyTorch's optimizers in their functional form, for a network whose weights are one vector.

Same numbers as from the classes. What those do around the functions is a noticeable part of a
small network's step, and imports PyTorch's compiler, two seconds of processor time in each process.
"""

import torch
from torch import Tensor, nn
from torch.optim.adadelta import adadelta
from torch.optim.adamw import adamw
from torch.optim.rmsprop import rmsprop

from mnistpipe.training.recipe import OptimizerName

_MOMENTS: dict[OptimizerName, tuple[str, ...]] = {
    "adadelta": ("square_avg", "acc_delta"),
    "rmsprop": ("square_avg",),
    "adamw": ("exp_avg", "exp_avg_sq"),
}


class Optimizer:
    """Updates a vector of weights by its gradient, with PyTorch's defaults but for two numbers.

    Attributes:
        state: by PyTorch's own names, what the next update depends on.

    """

    def __init__(self, name: OptimizerName, weights: nn.Parameter, weight_decay: float) -> None:
        """A new one, which has not seen a gradient yet."""
        self._name, self._weights, self._weight_decay = name, weights, weight_decay
        # The fused update wants its counter beside the weights, the others on the processor.
        counter = torch.zeros((), device=weights.device if name == "adamw" else "cpu")
        moments = {moment: torch.zeros_like(weights.detach()) for moment in _MOMENTS[name]}
        self.state: dict[str, Tensor] = {"step": counter, **moments}

    @torch.no_grad()
    def step(self, gradient: Tensor, lr: float) -> None:
        """Update the weights once."""
        # One-element lists: the functions are for many tensors.
        weights: list[Tensor] = [self._weights]
        gradients, decay = [gradient], self._weight_decay
        state = {key: [value] for key, value in self.state.items()}
        match self._name:
            case "adadelta":
                adadelta(
                    weights,
                    gradients,
                    state["square_avg"],
                    state["acc_delta"],
                    state["step"],
                    foreach=False,
                    lr=lr,
                    rho=0.9,
                    eps=1e-6,
                    weight_decay=decay,
                    maximize=False,
                )
            case "rmsprop":
                rmsprop(
                    weights,
                    gradients,
                    state["square_avg"],
                    [],  # for its centred form
                    [],  # for momentum
                    state["step"],
                    foreach=False,
                    lr=lr,
                    alpha=0.99,
                    eps=1e-8,
                    weight_decay=decay,
                    momentum=0.0,
                    centered=False,
                )
            case "adamw":
                adamw(
                    weights,
                    gradients,
                    state["exp_avg"],
                    state["exp_avg_sq"],
                    [],  # for its AMSGrad form
                    state["step"],
                    fused=True,
                    amsgrad=False,
                    beta1=0.9,
                    beta2=0.999,
                    lr=lr,
                    weight_decay=decay,
                    eps=1e-8,
                    maximize=False,
                )

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Go on where another one of this name was. Raises KeyError if it had another name."""
        for key, value in self.state.items():
            value.copy_(state[key])
