"""Reads pictures of many kinds as the grey levels that one sees."""

import io
import math
import warnings
from pathlib import Path

import numpy as np
from jaxtyping import Float64, UInt8
from numpy import ndarray
from PIL import Image, ImageOps, UnidentifiedImageError

from mnistpipe.files.errors import UserError

# No others: Pillow would have EPS drawn by Ghostscript, for one.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pbm"}
)
_WITH_OWN_PAPER = 96  # grey levels between the darkest and the lightest of what is not transparent


def read_image(source: Path | io.BytesIO, name: str = "the image") -> UInt8[ndarray, "h w"]:
    """Grey levels 0..255 of a PNG, JPEG, BMP, GIF, TIFF, WebP or PPM file, upright as it is shown.

    Of several pictures in a file it is the first.

    Args:
        source: of the picture.
        name: what errors call a source without a path.

    Raises:
        UserError: if that is no such file, or not a whole one, or one of more than
            `PIL.Image.MAX_IMAGE_PIXELS` pixels.

    """
    if isinstance(source, Path):
        name = str(source)
    try:
        with (
            warnings.catch_warnings(action="ignore"),  # of metadata, which are none of ours
            Image.open(source, formats=FORMATS) as image,
        ):
            _check_size(image)
            return grey_levels(image)
    except FileNotFoundError as error:
        raise UserError(f"{name} is missing; name an image that is there.") from error
    except UnidentifiedImageError as error:
        if _is_empty(source):
            raise UserError(f"{name} is empty (0 bytes); save the image anew.") from error
        raise UserError(
            f"{name} is no image of a kind that can be read: PNG, JPEG, BMP, GIF, TIFF, WebP or "
            "PPM; convert it into one."
        ) from error
    except Image.DecompressionBombError as error:
        raise UserError(
            f"{name} has more than {Image.MAX_IMAGE_PIXELS:,} pixels; make it smaller."
        ) from error
    except Exception as error:  # Pillow raises many kinds for a damaged file
        strerror = getattr(error, "strerror", None)  # of the system's own: a folder, no permission
        reason = f"cannot be read: {strerror}" if strerror else "is damaged or cut short"
        raise UserError(f"{name} {reason}.") from error


def _is_empty(source: Path | io.BytesIO) -> bool:
    return (source.stat().st_size if isinstance(source, Path) else source.getbuffer().nbytes) == 0


def _check_size(image: Image.Image) -> None:
    """Pillow itself warns of so many pixels, and raises this at twice as many."""
    if image.width * image.height > (Image.MAX_IMAGE_PIXELS or math.inf):
        raise Image.DecompressionBombError


def grey_levels(image: Image.Image) -> UInt8[ndarray, "h w"]:
    """A picture's grey levels 0..255 as they are seen, turned as its EXIF data say.

    What is transparent is taken for white, or for black if the drawing would not be seen on white.
    More than eight bits are scaled to eight.
    """
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        scaled: UInt8[ndarray, "h w"] = np.round(np.asarray(image) / 257).astype(np.uint8)
        return scaled
    if image.mode in ("I", "F"):  # no scale is agreed on
        return _stretched(np.asarray(image, dtype=np.float64))
    if image.has_transparency_data:
        return _on_paper(image.convert("RGBA"))
    if image.mode == "P":  # whose colours may be CMYK's
        image = image.convert("RGB")
    return np.array(image.convert("L"))


def _stretched(levels: Float64[ndarray, "h w"]) -> UInt8[ndarray, "h w"]:
    levels = np.nan_to_num(levels, posinf=0.0, neginf=0.0)
    levels -= levels.min()
    levels *= 255 / (levels.max() or 1)
    return np.round(levels).astype(np.uint8)


def _on_paper(image: Image.Image) -> UInt8[ndarray, "h w"]:
    """What is opaque is either ink alone, or a drawing with the paper around it."""
    levels, opacity = np.array(image.convert("L")), np.asarray(image.getchannel("A")) / 255
    if opacity.min() == 1:
        return levels
    seen = levels[opacity > 0.5]  # noqa: PLR2004 (half of it)
    if seen.size == 0:
        return np.full(levels.shape, 255, dtype=np.uint8)
    darkest, middle, lightest = np.percentile(seen, [0.5, 50, 99.5])
    has_paper = lightest - darkest > _WITH_OWN_PAPER
    ground = 255.0 if (middle >= 128) == has_paper else 0.0  # noqa: PLR2004 (likewise)
    laid: UInt8[ndarray, "h w"] = np.round(levels * opacity + ground * (1 - opacity)).astype(
        np.uint8
    )
    return laid
