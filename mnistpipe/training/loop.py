"""The one training loop."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (PyTorch's own convention)

from mnistpipe.files.errors import UserError
from mnistpipe.networks.models import build_network
from mnistpipe.scoring.scores import Examples, normalise, predict, score, to_pixels
from mnistpipe.training.cuda_graphs import CapturedFunction
from mnistpipe.training.engine import Engine, flatten_parameters
from mnistpipe.training.optimizers import Optimizer
from mnistpipe.training.recipe import Recipe
from mnistpipe.training.schedules import learning_rate
from mnistpipe.training.views import count_draws, make_views

PREPARED_AT_ONCE = 512  # examples whose views are made in one go; a larger batch is one alone


@dataclass(frozen=True)
class Epoch:
    """What is recorded of each epoch: one row of a loss curve.

    Attributes:
        epoch: counted from 1.
        lr: the learning rate at its start.
        training_loss: mean per image over all views while training, with dropout and label
            smoothing, if any.
        validation_loss: mean per image after the epoch.
        validation_accuracy: share of the validation images classified correctly.

    """

    epoch: int
    lr: float
    training_loss: float
    validation_loss: float
    validation_accuracy: float


class Training:
    """A training run that can be left after any epoch and taken up again.

    Attributes:
        network: what is trained; the weights of a new one are drawn with the seed.
        curve: a record of each finished epoch.

    """

    def __init__(self, recipe: Recipe, seed: int, engine: Engine, n_classes: int) -> None:
        """A new run: no epoch is finished yet."""
        torch.manual_seed(seed)
        network = build_network(recipe.network, recipe.dropout, n_classes)
        self.recipe, self.seed, self.engine = recipe, seed, engine
        self.network = network.to(engine.device).to(memory_format=torch.channels_last)
        self.curve: list[Epoch] = []
        self._weights = flatten_parameters(self.network)
        self._optimizer = Optimizer(
            recipe.optimizer.name, self._weights, recipe.optimizer.weight_decay
        )
        self._differentiate: Callable[[Tensor, Tensor], Tensor] = self._loss_and_gradient
        if engine.device.type == "cuda":
            buffers = self.network.buffers  # of batch normalisation
            self._differentiate = CapturedFunction(self._loss_and_gradient, lambda: [*buffers()])

    def step(
        self, images: Float[Tensor, "n 1 28 28"], labels: Int[Tensor, " n"], lr: float
    ) -> Float[Tensor, ""]:
        """Update the weights once, by a batch; returns its loss before the update."""
        gradient = self._weights.grad
        assert gradient is not None  # noqa: S101 (for the type checker)
        loss = self._differentiate(images, labels)
        self._optimizer.step(gradient, lr)
        return loss

    def is_finite(self) -> bool:
        """Whether all weights are numbers."""
        return bool(self._weights.isfinite().all())

    def _loss_and_gradient(self, images: Tensor, labels: Tensor) -> Tensor:
        """Fill in the weights' gradient, and return the loss."""
        assert self._weights.grad is not None  # noqa: S101 (for the type checker)
        self._weights.grad.zero_()  # not dropped: each weight's is a view of it
        with self.engine.autocast():
            logprobs = self.network(images)
        loss = smoothed_nll_loss(logprobs, labels, self.recipe.label_smoothing)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def state_dict(self) -> dict[str, Tensor]:
        """All that the next epoch depends on, besides the curve's length.

        Random numbers are drawn anew in each epoch, and the learning rate follows from the
        epoch, so that neither is part of it.
        """
        state = {f"network.{key}": value for key, value in self.network.state_dict().items()}
        return state | {f"optimizer.{key}": value for key, value in self._optimizer.state.items()}

    def load_state_dict(self, state: Mapping[str, Tensor], curve: Sequence[Epoch]) -> None:
        """Take up a run of the same recipe, seed and engine where it was left.

        Raises KeyError or RuntimeError if the state is another network's.
        """
        parts: dict[str, dict[str, Tensor]] = {"network": {}, "optimizer": {}}
        for key, value in state.items():
            part, _, name = key.partition(".")
            parts[part][name] = value
        self.network.load_state_dict(parts["network"])
        self._optimizer.load_state(parts["optimizer"])
        self.curve = list(curve)


def fit(
    training: Training,
    examples: Examples,
    validation: Examples,
    on_batch: Callable[[int], None] = lambda _: None,
) -> Iterator[Epoch]:
    """Train in place for the epochs that are not finished yet, yielding a record after each.

    The loss is the negative log-likelihood of the networks' log-probabilities, which is what
    both NLL on log-probabilities and cross entropy on logits compute. Each epoch draws its
    random numbers from its own number and the seed.

    Args:
        training: the run, which says how to train.
        examples: at least two, on the engine's device.
        validation: scored after each epoch, never trained on.
        on_batch: called with the number of images, views included, after each step.

    Raises:
        UserError: if a loss or a weight is no longer a finite number, or if there are fewer than
            two examples.

    """
    recipe = training.recipe
    for epoch in range(len(training.curve) + 1, recipe.epochs + 1):
        training_loss = _train_epoch(training, examples, epoch, on_batch)
        if not training.is_finite():  # the compiled loops' ReLU turns NaN to zero
            raise UserError(
                f"Weights are no longer finite numbers after epoch {epoch}: "
                "lr is probably too large for this optimizer."
            )
        predictions = predict(training.network, validation.images)
        result = score(predictions.logits, validation.labels)
        if not math.isfinite(result.loss):
            raise UserError(
                f"The validation loss became {result.loss} after epoch {epoch}: "
                "lr is probably too large for this optimizer."
            )
        lr = learning_rate(recipe, epoch, 0.0)
        record = Epoch(epoch, lr, training_loss, result.loss, result.accuracy)
        training.curve.append(record)
        yield record


def _train_epoch(
    training: Training, examples: Examples, epoch: int, on_batch: Callable[[int], None]
) -> float:
    """Train on each batch of an epoch once; returns the mean loss per image seen."""
    recipe, engine = training.recipe, training.engine
    training.network.train()
    generator = torch.Generator().manual_seed(_epoch_seed(training.seed, epoch))
    # Dropout knows only PyTorch's global generator.
    torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
    n_batches = _steps_per_epoch(len(examples), recipe)
    losses, counts = [], []
    for batch, (images, labels) in enumerate(_batches(examples, recipe, engine, generator)):
        lr = learning_rate(recipe, epoch, batch / n_batches)
        losses.append(training.step(images, labels, lr))  # read later: reading waits for the device
        counts.append(len(labels))
        on_batch(len(labels))
    return _mean_loss(torch.stack(losses).double().cpu(), torch.tensor(counts), epoch)


def smoothed_nll_loss(
    logprobs: Float[Tensor, "n k"], labels: Int[Tensor, " n"], smoothing: float
) -> Float[Tensor, ""]:
    """Mean negative log-likelihood; a share of each label is spread evenly over all classes."""
    loss = F.nll_loss(logprobs, labels)
    if smoothing == 0:
        return loss
    return (1 - smoothing) * loss - smoothing * logprobs.mean()


def count_steps(n_examples: int, recipe: Recipe) -> int:
    """The number of updates of a whole run."""
    return recipe.epochs * _steps_per_epoch(n_examples, recipe)


def count_passes(n_examples: int, recipe: Recipe) -> int:
    """How often an epoch passes over the examples: once, or to reach the recipe's `min_steps`."""
    steps = recipe.epochs * _steps_per_pass(n_examples, recipe)
    return max(1, math.ceil(recipe.min_steps / steps))


def _steps_per_epoch(n_examples: int, recipe: Recipe) -> int:
    return count_passes(n_examples, recipe) * _steps_per_pass(n_examples, recipe)


def _steps_per_pass(n_examples: int, recipe: Recipe) -> int:
    return len(split_batches(torch.arange(n_examples), recipe.batch_size))


def _batches(
    examples: Examples, recipe: Recipe, engine: Engine, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Each batch of an epoch as the network takes it: images in all views, and their labels.

    Many batches are prepared at once: that takes no more calls than one.
    """
    rows = examples.images.flatten(1)  # rows of one matrix are gathered faster than images
    n_views, n_draws = len(recipe.views), count_draws(recipe.views)
    for _ in range(count_passes(len(examples), recipe)):
        # Drawn for all examples at once: a batch's size changes nobody's numbers.
        order = torch.randperm(len(examples), generator=generator).to(engine.device)
        draws = torch.rand(len(examples), n_draws, generator=generator).to(engine.device)
        for chosen in _equal_batches(split_batches(order, recipe.batch_size)):
            flat = chosen.flatten()
            pixels = to_pixels(rows.index_select(0, flat).view(-1, *examples.images.shape[1:]))
            views = normalise(make_views(pixels, recipe.views, draws[flat]))
            # From (view, batch, image) to (batch, view, image).
            of_batches = views.view(n_views, *chosen.shape, -1).transpose(0, 1).flatten(1, 2)
            images = of_batches.view(len(chosen), -1, *pixels.shape[1:])
            labels = examples.labels.index_select(0, flat).view(chosen.shape).repeat(1, n_views)
            yield from zip(images, labels, strict=True)


def _equal_batches(batches: Sequence[Tensor]) -> Iterator[Int[Tensor, "k b"]]:
    """Batches of one size, in order and stacked, as many as are prepared at once."""
    n_at_once = max(1, PREPARED_AT_ONCE // len(batches[0]))
    for _, same in groupby(batches, key=len):
        equal = list(same)
        for start in range(0, len(equal), n_at_once):
            yield torch.stack(equal[start : start + n_at_once])


def split_batches(order: Int[Tensor, " n"], batch_size: int) -> list[Int[Tensor, " b"]]:
    """Cut an order of examples into batches; a last single one joins the batch before it.

    One image alone has no batch statistics, and leaving it out would bias the epoch.

    Raises UserError if there is only one example in all.
    """
    if len(order) < 2:  # noqa: PLR2004
        raise UserError("Training needs at least two examples; take a larger fraction.")
    batches = list(torch.split(order, batch_size))
    if len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def _mean_loss(losses: Tensor, counts: Tensor, epoch: int) -> float:
    bad = torch.nonzero(~losses.isfinite())
    if len(bad) > 0:
        raise UserError(
            f"The training loss became {losses[bad[0, 0]].item()} in epoch {epoch}, batch "
            f"{bad[0, 0].item() + 1} of {len(losses)}: lr is probably too large for this optimizer."
        )
    return float((losses * counts).sum() / counts.sum())


def _epoch_seed(seed: int, epoch: int) -> int:
    """Different for each epoch and seed: 10,000 is the largest number of epochs allowed."""
    return seed * 10_001 + epoch


def convergence_epoch(validation_losses: Sequence[float]) -> int:
    """The first epoch, counted from 1, whose loss is at most 1 % above the lowest of all."""
    limit = 1.01 * min(validation_losses)
    return 1 + next(i for i, loss in enumerate(validation_losses) if loss <= limit)
