import pytest
import torch

from mnistpipe.robustness.params import Perturbation
from mnistpipe.robustness.perturb import perturb
from mnistpipe.training.views import blur, rotate


def images(n: int = 40) -> torch.Tensor:
    return torch.rand(n, 1, 28, 28, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("perturbation", ["blur", "rotation"])
def test_without_strength_images_stay_as_they_are(perturbation: Perturbation) -> None:
    assert torch.equal(perturb(images(), perturbation, 0, seed=0), images())


@pytest.mark.parametrize("perturbation", ["blur", "rotation"])
def test_the_images_that_are_given_are_not_changed(perturbation: Perturbation) -> None:
    given = images()
    perturbed = perturb(given, perturbation, 2, seed=0)
    assert torch.equal(given, images())
    assert not torch.equal(perturbed, given)


def test_each_pass_blurs_once_more_and_adds_a_squared_pixel_of_variance() -> None:
    assert torch.equal(perturb(images(), "blur", 2, seed=0), blur(blur(images())))
    impulse = torch.zeros(1, 1, 28, 28)
    impulse[..., 14, 14] = 1
    distances = (torch.arange(28) - 14.0) ** 2
    for passes in (1, 2, 3):
        row = perturb(impulse, "blur", passes, seed=0)[0, 0].sum(dim=0)
        assert float((row * distances).sum()) == pytest.approx(passes)


def test_each_image_is_turned_by_the_angle_to_one_side_or_the_other() -> None:
    turned = perturb(images(), "rotation", 30, seed=0)
    left, right = (rotate(images(), torch.full((40,), degrees)) for degrees in (30.0, -30.0))
    to_left = [torch.allclose(*pair, atol=1e-6) for pair in zip(turned, left, strict=True)]
    to_right = [torch.allclose(*pair, atol=1e-6) for pair in zip(turned, right, strict=True)]
    assert all(one != other for one, other in zip(to_left, to_right, strict=True))
    assert 10 < sum(to_left) < 30


def test_the_sides_follow_from_the_seed_and_are_the_same_at_every_angle() -> None:
    def sides(degrees: int, seed: int) -> list[bool]:
        turned = perturb(images(), "rotation", degrees, seed)
        left = rotate(images(), torch.full((40,), float(degrees)))
        return [torch.allclose(*pair, atol=1e-6) for pair in zip(turned, left, strict=True)]

    assert sides(15, seed=0) == sides(45, seed=0)
    assert sides(15, seed=0) != sides(15, seed=1)


def test_pytorchs_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    perturb(images(), "rotation", 30, seed=0)
    assert torch.equal(torch.get_rng_state(), before)
