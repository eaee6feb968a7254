import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from mnistpipe.files.errors import UserError
from mnistpipe.images.read import grey_levels, read_image

LEVELS = np.kron(np.array([[0, 255, 200], [60, 120, 30]], np.uint8), np.ones((8, 8), np.uint8))


@pytest.mark.parametrize(
    ("file", "options", "tolerance"),
    [
        ("a.png", {}, 0),
        ("a.bmp", {}, 0),
        ("a.gif", {}, 0),
        ("a.tif", {}, 0),
        ("a.pgm", {}, 0),
        ("a.webp", {"lossless": True}, 1),
        ("a.jpg", {"quality": 100}, 3),
    ],
)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_each_kind_of_file_is_read(
    file: str, options: dict[str, Any], tolerance: int, mode: str, tmp_path: Path
) -> None:
    if file == "a.pgm" and mode == "RGB":
        file = "a.ppm"
    Image.fromarray(LEVELS).convert(mode).save(tmp_path / file, **options)
    read = read_image(tmp_path / file)
    assert read.dtype == np.uint8
    assert np.abs(read.astype(int) - LEVELS).max() <= tolerance
    assert np.array_equal(read_image(io.BytesIO((tmp_path / file).read_bytes())), read)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "PA", "CMYK", "YCbCr", "HSV", "RGBX"])
def test_each_way_to_write_colours_is_seen_alike(mode: str) -> None:
    image = Image.fromarray(LEVELS)
    via = {"PA": "LA", "CMYK": "RGB", "YCbCr": "RGB", "HSV": "RGB", "RGBX": "RGB"}
    if mode in via:
        image = image.convert(via[mode])
    assert np.abs(grey_levels(image.convert(mode)).astype(int) - LEVELS).max() <= 2


def test_one_bit_is_black_and_white() -> None:
    image = Image.fromarray(LEVELS > 100)
    assert image.mode == "1"
    assert np.array_equal(grey_levels(image), np.where(LEVELS > 100, 255, 0))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_are_scaled_to_eight(suffix: str, tmp_path: Path) -> None:
    Image.fromarray(LEVELS.astype(np.uint16) * 257).save(tmp_path / f"a.{suffix}")
    assert np.array_equal(read_image(tmp_path / f"a.{suffix}"), LEVELS)


@pytest.mark.parametrize("scale", [0.001, 1.0, 1000.0])
def test_floats_and_long_integers_are_stretched_from_black_to_white(scale: float) -> None:
    assert np.array_equal(grey_levels(Image.fromarray(LEVELS.astype(np.float32) * scale)), LEVELS)
    assert np.array_equal(grey_levels(Image.fromarray(LEVELS.astype(np.int32) * 7)), LEVELS)
    unknown = np.where(LEVELS == 120, np.nan, LEVELS).astype(np.float32)
    assert grey_levels(Image.fromarray(unknown)).max() == 255
    assert not grey_levels(Image.fromarray(np.full((4, 4), 7.0, np.float32))).any()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_turned_as_its_camera_was(orientation: int, tmp_path: Path) -> None:
    image = Image.fromarray(LEVELS)
    back = {5: 5, 6: 8, 7: 7, 8: 6}.get(orientation, orientation)
    exif = Image.Exif()
    exif[0x0112] = back
    stored = ImageOps.exif_transpose(_with(image, exif))
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.jpg", quality=100, exif=exif)
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - LEVELS).max() <= 3


def _with(image: Image.Image, exif: Image.Exif) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "png", exif=exif)
    return Image.open(file)


def transparent(ink: int, paper: int | None = None) -> Image.Image:
    """A bar of ink on nothing, or on opaque paper with corners of nothing."""
    levels = np.full((40, 40), 0 if paper is None else paper, np.uint8)
    opacity = np.full((40, 40), 0 if paper is None else 255, np.uint8)
    levels[8:32, 18:22] = ink
    opacity[8:32, 18:22] = 255
    opacity[:4, :4] = 0
    return Image.merge("LA", [Image.fromarray(levels), Image.fromarray(opacity)])


@pytest.mark.parametrize(
    ("image", "ground"),
    [
        (transparent(0), 255),
        (transparent(100), 255),
        (transparent(255), 0),
        (transparent(200), 0),
        (transparent(0, paper=255), 255),
        (transparent(255, paper=20), 0),
    ],
)
def test_what_is_transparent_lets_the_drawing_be_seen(image: Image.Image, ground: int) -> None:
    seen = grey_levels(image)
    assert seen[0, 0] == ground
    assert seen[20, 20] == np.asarray(image)[20, 20, 0]


def test_without_anything_opaque_it_is_white() -> None:
    assert (grey_levels(Image.new("RGBA", (5, 5))) == 255).all()


def test_a_transparent_colour_of_a_palette_is_transparent(tmp_path: Path) -> None:
    image = Image.fromarray(np.where(LEVELS > 100, 0, 1).astype(np.uint8), "P")
    image.putpalette([0, 0, 0, 255, 255, 255])
    image.save(tmp_path / "a.png", transparency=0)
    assert np.array_equal(read_image(tmp_path / "a.png"), np.where(LEVELS > 100, 0, 255))


def test_the_first_of_several_pictures_is_read(tmp_path: Path) -> None:
    first, second = Image.fromarray(LEVELS), Image.fromarray(255 - LEVELS)
    for file in ("a.gif", "a.tif", "a.png"):
        first.save(tmp_path / file, save_all=True, append_images=[second])
        assert np.array_equal(read_image(tmp_path / file), LEVELS)


def saved(suffix: str) -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file, suffix)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"?", "is no image of a kind that can be read: PNG, JPEG"),
        (b"digits\n", "is no image of a kind"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is no image of a kind"),
        (saved("png")[:900], "is damaged or cut short"),
        (saved("jpeg")[:900], "is damaged or cut short"),
        (saved("bmp")[:900], "is damaged or cut short"),
        (saved("tiff")[:900], "is "),
        (saved("webp")[:900], "is "),
        (saved("png")[:60] + bytes(3000), "is damaged or cut short"),
    ],
)
def test_what_is_no_whole_image_is_one_sentence(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "a file.png"
    path.write_bytes(content)
    with pytest.raises(UserError, match="a file.png " + said) as caught:
        read_image(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="the image is"):
        read_image(io.BytesIO(content))


def test_bytes_changed_at_random_are_read_or_refused(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    refused = 0
    for suffix in ("png", "jpeg", "gif", "bmp", "tiff", "webp"):
        whole = np.frombuffer(saved(suffix), np.uint8)
        for _ in range(30):
            content = whole.copy()
            places = generator.integers(0, min(len(content), 400), 5)
            content[places] = generator.integers(0, 256, 5)
            (tmp_path / "a").write_bytes(content.tobytes())
            try:
                assert read_image(tmp_path / "a").ndim == 2
            except UserError:
                refused += 1
    assert refused > 30


def test_a_small_file_of_a_huge_image_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("1", (300, 300)).save(tmp_path / "a.png")
    for limit in (50_000, 20_000):  # Pillow warns of the first, and refuses the second
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(UserError, match=f"a.png has more than {limit:,} pixels; make it"):
            read_image(tmp_path / "a.png")


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none.png is missing; name an image"):
        read_image(tmp_path / "none.png")
    with pytest.raises(UserError, match=f"{tmp_path.name} cannot be read: Is a directory"):
        read_image(tmp_path)
