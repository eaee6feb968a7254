"""The command `mnistpipe predict IMAGE ...`: the class of each image, a line each."""

import argparse
import io
import json
import sys
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from glob import glob, has_magic
from itertools import islice
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8
from numpy import ndarray
from PIL import Image

from mnistpipe.classifier import PRETRAINED, Answer, ImageClassifier, load
from mnistpipe.files.artifacts import write_bytes
from mnistpipe.files.environment import count_cores
from mnistpipe.files.errors import UserError
from mnistpipe.images.read import SUFFIXES, read_image

STDIN = "-"
AT_ONCE = 100  # images between which answers are printed
# More would wait for each other: half of the work is Python's, which one thread at a time does.
MOST_THREADS = 4


def run(arguments: argparse.Namespace) -> int:
    """Print an answer for each image, and a line on standard error for each that is none.

    Returns the exit status, 1 if there was such an error.

    Raises UserError if the network cannot be read, or `--show` not be written.
    """
    classifier = load(arguments.model or PRETRAINED, arguments.prepare)
    shown = Shown(arguments.show, arguments.images) if arguments.show else None
    describe = as_json if arguments.json else as_text
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # of file names
    status = 0
    images = find_images(arguments.images)
    prepare = partial(_prepare, classifier)
    n_threads = min(MOST_THREADS, count_cores())
    # A process has one set of filters for warnings, which `read_image` sets and puts back: threads
    # that do so at the same time need to find them alike.
    with warnings.catch_warnings(action="ignore"), ThreadPoolExecutor(n_threads) as pool:
        while chunk := list(islice(images, AT_ONCE)):
            names, prepared, drawn = [], [], []
            for name, made in zip(chunk, pool.map(prepare, chunk), strict=True):
                if isinstance(made, UserError):
                    sys.stderr.write(f"ERROR: {made}\n")
                    status = 1
                    continue
                seen, ink = made
                names.append(str(name))
                prepared.append(seen)
                drawn.append(ink)
                if shown is not None:
                    shown.write(str(name), seen[0])
            if names:
                answers = classifier.answers(np.concatenate(prepared), np.concatenate(drawn))
                lines = [describe(*each) for each in zip(names, answers, strict=True)]
                print("\n".join(lines), flush=True)
    return status


def as_text(name: str, answer: Answer) -> str:
    """For people."""
    if answer.label is None:
        return f"{name}: empty"
    first, second = (
        f"{label} ({answer.probabilities[label]:.1%})"
        for label in (answer.label, answer.runner_up or "")
    )
    said = f"{first}, then {second}" if answer.sure else f"not sure, {first} or {second}"
    return f"{name}: {said}"


def as_json(name: str, answer: Answer) -> str:
    """For programs; an empty image has no class and no probability."""
    empty = answer.label is None
    return json.dumps(
        {
            "image": name,
            "class": answer.label,
            "probability": None if empty else round(answer.probability, 6),
            "runner_up": answer.runner_up,
            "sure": answer.sure,
        }
    )


def find_images(words: Sequence[str]) -> Iterator[str | UserError]:
    """Files by their names, in order; what stands for none is an error in their place."""
    for word in words:
        path = Path(word)
        if word == STDIN or path.is_file() or not (path.is_dir() or has_magic(word)):
            yield word  # a file that is missing is found out when it is read
        elif path.is_dir():
            yield from _images_below(path) or _mistake(f"{word} is a folder without images.")
        else:
            matches = sorted(Path(match) for match in glob(word, recursive=True))  # noqa: PTH207 (absolute, too)
            files = [str(match) for match in matches if match.is_file()]
            files += [
                image for match in matches if match.is_dir() for image in _images_below(match)
            ]
            yield from dict.fromkeys(files) or _mistake(f"No image matches {word}.")


def _mistake(sentence: str) -> list[UserError]:
    return [UserError(sentence)]


def _images_below(folder: Path) -> list[str]:
    return sorted(
        str(path)
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")
    )


def _prepare(
    classifier: ImageClassifier, found: str | UserError
) -> tuple[UInt8[ndarray, "1 28 28"], Bool[ndarray, " 1"]] | UserError:
    """What the network gets to see of an image and whether anything is there, or why it is none."""
    try:
        return found if isinstance(found, UserError) else classifier.prepare(_read(found))
    except UserError as error:
        return error


def _read(name: str) -> UInt8[ndarray, "h w"]:
    if name == STDIN:
        return read_image(io.BytesIO(sys.stdin.buffer.read()), "standard input")
    return read_image(Path(name))


class Shown:
    """Writes what the network got to see, under the images' names, and over none of them."""

    def __init__(self, folder: Path, words: Sequence[str]) -> None:
        """`words` name the images."""
        self._folder = folder
        self._taken = {Path(name).resolve() for name in find_images(words) if isinstance(name, str)}

    def write(self, name: str, image: UInt8[ndarray, "28 28"]) -> None:
        """As stem.png, or stem-2.png and so on where that is taken.

        Raises UserError if the disk does not take it.
        """
        stem = "standard-input" if name == STDIN else Path(name).stem
        path, number = self._folder / f"{stem}.png", 1
        while path.resolve() in self._taken:
            number += 1
            path = self._folder / f"{stem}-{number}.png"
        self._taken.add(path.resolve())
        file = io.BytesIO()
        Image.fromarray(image).save(file, "png")
        write_bytes(path, file.getvalue())
