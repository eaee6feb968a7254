"""The one training loop."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (PyTorch's own convention)

from mnistpipe.augment import make_views
from mnistpipe.engine import Engine, flatten_parameters
from mnistpipe.errors import UserError
from mnistpipe.evaluation import Examples, normalise, predict, score, to_pixels
from mnistpipe.models import Classifier, build_network
from mnistpipe.params import Recipe


@dataclass(frozen=True)
class Epoch:
    """What is recorded of each epoch: one row of a loss curve.

    Attributes:
        epoch: counted from 1.
        lr: the learning rate in force.
        training_loss: mean per image over all views while training, dropout included.
        validation_loss: mean per image after the epoch.
        validation_accuracy: share of the validation images classified correctly.

    """

    epoch: int
    lr: float
    training_loss: float
    validation_loss: float
    validation_accuracy: float


def new_network(recipe: Recipe, engine: Engine) -> Classifier:
    """The untrained network of a recipe, its weights drawn with the recipe's seed."""
    torch.manual_seed(recipe.seed)
    network = build_network(recipe.network, recipe.dropout)
    return network.to(engine.device).to(memory_format=torch.channels_last)


def fit(
    network: Classifier,
    training: Examples,
    validation: Examples,
    recipe: Recipe,
    engine: Engine,
    on_batch: Callable[[int], None] = lambda _: None,
) -> Iterator[Epoch]:
    """Train in place, yielding a record after each epoch.

    The loss is the negative log-likelihood of the networks' log-probabilities, which is what
    both NLL on log-probabilities and cross entropy on logits compute. Each epoch draws its
    random numbers from its own number and the recipe's seed.

    Args:
        network: from `new_network`.
        training: at least two examples, on the engine's device.
        validation: scored after each epoch, never trained on.
        recipe: how to train.
        engine: where and in which precision.
        on_batch: called with the number of images, views included, after each step.

    Raises:
        UserError: if a loss is no longer a finite number, or if there are fewer than two examples.

    """
    optimizer = _build_optimizer(network, recipe)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, recipe.step_epochs, recipe.gamma)
    validation_pixels = to_pixels(validation.images)
    for epoch in range(1, recipe.epochs + 1):
        lr = schedule.get_last_lr()[0]
        training_loss = _train_epoch(network, training, recipe, engine, optimizer, epoch, on_batch)
        predictions = predict(network, validation_pixels, recipe.test_batch_size)
        result = score(predictions.logits, validation.labels)
        if not math.isfinite(result.loss):
            raise UserError(
                f"The validation loss became {result.loss} after epoch {epoch}: "
                "lr is probably too large for this optimizer."
            )
        schedule.step()
        yield Epoch(epoch, float(lr), training_loss, result.loss, result.accuracy)


def _train_epoch(
    network: Classifier,
    training: Examples,
    recipe: Recipe,
    engine: Engine,
    optimizer: torch.optim.Optimizer,
    epoch: int,
    on_batch: Callable[[int], None],
) -> float:
    """Train on each batch of an epoch once; returns the mean loss per image seen."""
    network.train()
    generator = torch.Generator().manual_seed(_epoch_seed(recipe.seed, epoch))
    # Dropout knows only PyTorch's global generator.
    torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
    losses, counts = [], []
    for chosen, draws in _draw_batches(len(training), recipe, engine, generator):
        pixels = to_pixels(training.images[chosen])
        views = make_views(pixels, recipe.views, recipe.rotation_degrees, draws)
        images = normalise(views).contiguous(memory_format=torch.channels_last)
        labels = training.labels[chosen].repeat(len(recipe.views))
        optimizer.zero_grad(set_to_none=False)
        with engine.autocast():
            logprobs = network(images)
        loss = F.nll_loss(logprobs, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.detach())  # read after the epoch: reading waits for the device
        counts.append(len(labels))
        on_batch(len(labels))
    return _mean_loss(torch.stack(losses).double().cpu(), torch.tensor(counts), epoch)


def count_passes(n_examples: int, recipe: Recipe) -> int:
    """How often an epoch passes over the examples: once, or to reach the recipe's `min_steps`."""
    steps_per_pass = len(split_batches(torch.arange(n_examples), recipe.batch_size))
    return max(1, math.ceil(recipe.min_steps / (recipe.epochs * steps_per_pass)))


def _draw_batches(
    n_examples: int, recipe: Recipe, engine: Engine, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Each batch of an epoch: which examples, and a random number for each one's views."""
    for _ in range(count_passes(n_examples, recipe)):
        # Drawn for all examples at once: a batch's size changes nobody's number.
        order = torch.randperm(n_examples, generator=generator).to(engine.device)
        draws = torch.rand(n_examples, generator=generator).to(engine.device)
        for chosen in split_batches(order, recipe.batch_size):
            yield chosen, draws[chosen]


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


def _build_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The optimizers with PyTorch's defaults."""
    weights = [flatten_parameters(network)]
    match recipe.optimizer:
        case "adadelta":
            return torch.optim.Adadelta(weights, lr=recipe.lr)
        case "rmsprop":
            return torch.optim.RMSprop(weights, lr=recipe.lr)


def _epoch_seed(seed: int, epoch: int) -> int:
    """Different for each epoch and seed: 10,000 is the largest number of epochs allowed."""
    return seed * 10_001 + epoch


def convergence_epoch(validation_losses: Sequence[float]) -> int:
    """The first epoch, counted from 1, whose loss is at most 1 % above the lowest of all."""
    limit = 1.01 * min(validation_losses)
    return 1 + next(i for i, loss in enumerate(validation_losses) if loss <= limit)
