import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mnistpipe.training.recipe import Affine, Blur, Original, Rotation, View
from mnistpipe.training.views import blur, count_draws, deform, make_views, rotate

ORIGINAL, BLUR = Original(name="original"), Blur(name="blur")
ROTATION = Rotation(name="rotation", degrees=15.0)
AFFINE = Affine(name="affine", degrees=12.0, translation=0.1, scale=0.12, shear=0.12)
VIEWS: list[View] = [ORIGINAL, BLUR, ROTATION, AFFINE]


def test_blur_of_an_impulse_is_the_kernel() -> None:
    image = torch.zeros(1, 1, 28, 28)
    image[0, 0, 10, 20] = 1
    row = torch.tensor([1.0, 4, 6, 4, 1]) / 16
    expected = torch.zeros(28, 28)
    expected[8:13, 18:23] = torch.outer(row, row)
    torch.testing.assert_close(blur(image)[0, 0], expected)


def test_blur_is_a_zero_padded_convolution() -> None:
    images = torch.rand(5, 1, 28, 28)
    row = torch.tensor([1.0, 4, 6, 4, 1]) / 16
    kernel = torch.outer(row, row).view(1, 1, 5, 5)
    torch.testing.assert_close(blur(images), torch.nn.functional.conv2d(images, kernel, padding=2))


def test_rotation_by_90_degrees_is_counter_clockwise() -> None:
    images = torch.rand(2, 1, 28, 28)
    turned = rotate(images, torch.tensor([90.0, 0.0]))
    expected = torch.stack([torch.rot90(images[0, 0]), images[1, 0]]).unsqueeze(1)
    torch.testing.assert_close(turned, expected, atol=1e-4, rtol=0)


def test_views_stand_behind_each_other_in_the_order_asked_for() -> None:
    images = torch.rand(3, 1, 28, 28)
    draws = torch.tensor([[0.0], [0.5], [1.0]])
    views = make_views(images, [ORIGINAL, BLUR, ROTATION], draws)
    assert torch.equal(views[:3], images)
    assert torch.equal(views[3:6], blur(images))
    assert torch.equal(views[6:], rotate(images, torch.tensor([-15.0, 0.0, 15.0])))


def test_each_view_takes_its_own_numbers_in_the_order_of_the_views() -> None:
    assert [count_draws([view]) for view in VIEWS] == [0, 0, 1, 5]
    assert count_draws([]) == 0
    images = torch.rand(3, 1, 28, 28)
    turn, rest = torch.rand(3, 1), torch.rand(3, 5)
    cases: list[tuple[list[View], Tensor]] = [
        ([ROTATION, BLUR, AFFINE], torch.cat([turn, rest], dim=1)),
        ([AFFINE, ORIGINAL, ROTATION], torch.cat([rest, turn], dim=1)),
    ]
    for views, draws in cases:
        assert count_draws(views) == 6
        made = dict(zip(views, torch.split(make_views(images, views, draws), 3), strict=True))
        assert torch.equal(made[ROTATION], rotate(images, 15 * (2 * turn[:, 0] - 1)))
        assert torch.equal(made[AFFINE], deform(images, AFFINE, 2 * rest - 1))


def deformed(image: Tensor, draws: list[float], **widths: float) -> Tensor:
    still = {"degrees": 0.0, "translation": 0.0, "scale": 0.0, "shear": 0.0}
    affine = Affine(name="affine", **still | widths)
    return deform(image.view(1, 1, 28, 28), affine, torch.tensor([draws]).float())[0, 0]


def test_an_affine_view_turns_shifts_resizes_and_shears() -> None:
    image = torch.zeros(28, 28)
    image[10:14, 6:9] = torch.rand(4, 3, generator=torch.Generator().manual_seed(0))

    def close(actual: Tensor, expected: Tensor) -> None:
        torch.testing.assert_close(actual, expected, atol=1e-4, rtol=0)

    close(deformed(image, [1, 1, 1, 1, 1]), image)
    close(deformed(image, [0.5, 0, 0, 0, 0], degrees=180.0), torch.rot90(image))
    close(deformed(image, [0, 0, 0, 1, 0], translation=0.25), image.roll(7, dims=1))
    close(deformed(image, [0, 0, 0, 0, 1], translation=0.25), image.roll(7, dims=0))
    larger = deformed(image, [0, 1, 0, 0, 0], scale=0.5)
    assert larger.sum() == pytest.approx(1.5**2 * image.sum().item(), rel=0.1)
    leaning = deformed(torch.eye(28), [0, 0, -1, 0, 0], shear=1.0)
    close(leaning.sum(dim=0)[[13, 14]], torch.tensor([14.0, 14.0]))  # a diagonal set upright


@settings(deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(2, 9), cut=st.integers(1, 8))
def test_an_images_views_do_not_depend_on_its_neighbours(seed: int, n: int, cut: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(n, 1, 28, 28, generator=generator)
    cut = min(cut, n - 1)
    for view in VIEWS:
        draws = torch.rand(n, count_draws([view]), generator=generator)
        whole = make_views(images, [view], draws)
        parts = [
            make_views(images[part], [view], draws[part]) for part in (slice(cut), slice(cut, None))
        ]
        torch.testing.assert_close(whole, torch.cat(parts), atol=1e-6, rtol=0)
        assert whole.shape == images.shape
        assert whole.min() >= 0
        assert whole.max() <= 1 + 1e-6


@settings(deadline=None)
@given(views=st.permutations(VIEWS), n_views=st.integers(1, 4), n=st.integers(1, 5))
def test_row_after_row_every_view_keeps_its_images_place_and_so_its_label(
    views: list[View], n_views: int, n: int
) -> None:
    """Labels are repeated view after view: row `v * n + i` has to be of image `i` alone."""
    generator = torch.Generator().manual_seed(n)
    images = torch.rand(n, 1, 28, 28, generator=generator)
    chosen = views[:n_views]
    draws = torch.rand(n, count_draws(chosen), generator=generator)
    together = make_views(images, chosen, draws)
    assert together.shape == (n_views * n, 1, 28, 28)
    for i in range(n):
        alone = make_views(images[i : i + 1], chosen, draws[i : i + 1])
        torch.testing.assert_close(together[i::n], alone, atol=1e-6, rtol=0)
