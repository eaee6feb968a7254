"""The command `mnistpipe export`: a trained network as a file that other programs run."""

import argparse
import io
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor, nn

from mnistpipe.classifier import PRETRAINED, ImageClassifier, load
from mnistpipe.data.split import SIDE
from mnistpipe.data.split_file import SPLIT_FILE, read_split
from mnistpipe.files.artifacts import write_bytes
from mnistpipe.files.errors import UserError
from mnistpipe.scoring.scores import BATCH_SIZE, normalise, to_pixels

INPUT, OUTPUT = "images", "probabilities"
FORM = f"uint8, (n, {SIDE}, {SIDE}), grey levels 0..255"  # of the input
PREPARED = {  # by the classifier's preparation
    "mnist": "light on dark like MNIST's",
    "resize": "each a whole picture as one sees it",
}
TOLERANCE = 1e-4  # of a probability: runtimes add the same numbers in other orders
MADE_UP = 1000  # images, where there are none to test on

Run: TypeAlias = Callable[[UInt8[ndarray, "n 28 28"]], Float[ndarray, "n c"]]


class FromGreyLevels(nn.Module):
    """A network with all that stands between images like MNIST's and its answer."""

    def __init__(self, classifier: ImageClassifier) -> None:
        """In evaluation mode, like the classifier's network."""
        super().__init__()
        self.network = classifier.network
        self.temperature = classifier.settings.temperature
        self.eval()

    def forward(self, images: UInt8[Tensor, "n 28 28"]) -> Float[Tensor, "n c"]:
        """Probabilities of the classes, as `mnistpipe predict` gives them."""
        logprobs = self.network(normalise(to_pixels(images)))
        return torch.softmax(logprobs / self.temperature, dim=1)


class Checked(FromGreyLevels):
    """The same for TorchScript, which by itself takes whatever can be computed with."""

    def forward(self, images: UInt8[Tensor, "n 28 28"]) -> Float[Tensor, "n c"]:
        """Refuses fractions, which have no bits, and other sizes, which do not expand."""
        return super().forward((images & 255).expand(-1, SIDE, SIDE))


def to_torchscript(classifier: ImageClassifier) -> bytes:
    """The metadata are the file's extra files."""
    file = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.filterwarnings("ignore", r".torch\.jit", FutureWarning)
        trace = torch.jit.trace(Checked(classifier), _example())  # type: ignore[no-untyped-call]
        torch.jit.save(trace, file, _extra_files=_metadata(classifier))
    return file.getvalue()


def run_torchscript(content: bytes) -> Run:
    """What runs the network in such a file."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r".torch\.jit", FutureWarning)
        module = torch.jit.load(io.BytesIO(content))  # type: ignore[no-untyped-call]

    def run(images: UInt8[ndarray, "n 28 28"]) -> Float[ndarray, "n c"]:
        with torch.inference_mode():
            probabilities: ndarray = module(torch.tensor(images)).numpy()
        return probabilities

    return run


def to_onnx(classifier: ImageClassifier) -> bytes:
    """Raises UserError if the optional packages are missing."""
    try:
        import onnxruntime  # noqa: F401, PLC0415 (an optional extra; so that it is missed at once)
        import onnxscript  # noqa: F401, PLC0415 (likewise; PyTorch asks for it)
    except ImportError as error:
        raise UserError(
            "ONNX needs packages that are not installed; run: "
            "pip install -c constraints.txt -e '.[onnx]'"
        ) from error
    program = torch.onnx.export(
        FromGreyLevels(classifier),
        (_example(),),
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes=({0: "n"},),
        dynamo=True,
        verbose=False,
    )
    assert program is not None  # noqa: S101 (what it says of `dynamo`)
    program.model.metadata_props.update(_metadata(classifier))
    content: bytes = program.model_proto.SerializeToString()
    return content


def run_onnx(content: bytes) -> Run:
    """What runs the network in such a file."""
    import onnxruntime  # noqa: PLC0415 (an optional extra)

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])

    def run(images: UInt8[ndarray, "n 28 28"]) -> Float[ndarray, "n c"]:
        probabilities: ndarray = session.run([OUTPUT], {INPUT: images})[0]
        return probabilities

    return run


def _example() -> Tensor:
    """Of more images than one, which would be taken for a constant."""
    return torch.zeros(2, SIDE, SIDE, dtype=torch.uint8)


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes:
        suffix: how its files' names end.
        runtime: what runs them, in words.
        write: the content of a file.
        read: what runs the network in that content.

    """

    suffix: str
    runtime: str
    write: Callable[[ImageClassifier], bytes]
    read: Callable[[bytes], Run]


FORMATS = {
    "onnx": Format(".onnx", "ONNX Runtime", to_onnx, run_onnx),
    "torchscript": Format(".pt", "TorchScript", to_torchscript, run_torchscript),
}


def run(arguments: argparse.Namespace) -> int:
    """Write the file, once its own runtime agrees with PyTorch, and say what goes in and out.

    Returns the exit status.

    Raises UserError if the network cannot be read or the file not be written, or if the two differ.
    """
    model: Path = arguments.model or PRETRAINED
    wanted = FORMATS[arguments.format]
    path: Path = arguments.out or Path(model.with_suffix(wanted.suffix).name)
    if path.suffix != wanted.suffix:
        raise UserError(f"{path} should end in {wanted.suffix}, as {wanted.runtime}'s files do.")
    classifier = load(model)
    images, described = _test_images()
    content = wanted.write(classifier)
    difference = largest_difference(classifier, wanted.read(content), images)
    if not difference <= TOLERANCE:  # nor NaN
        raise UserError(
            f"{path} is not written: on {described} {wanted.runtime}'s probabilities differ from "
            f"PyTorch's by up to {difference:.2g}; try the versions in constraints.txt."
        )
    write_bytes(path, content)
    print(
        f"{path} takes {INPUT}: {_form(classifier)}; and gives\n"
        f"{OUTPUT}: float32, (n, {len(classifier.card.classes)}), of the classes in its metadata.\n"
        f"{wanted.runtime} and PyTorch agree on {described}: "
        f"the largest difference of a probability is {difference:.2g}."
    )
    return 0


def largest_difference(
    classifier: ImageClassifier, run: Run, images: UInt8[ndarray, "n 28 28"]
) -> float:
    """Between a probability of the classifier's and that of the file's runtime."""
    largest = []
    for start in range(0, len(images), BATCH_SIZE):
        batch = images[start : start + BATCH_SIZE]
        answers = classifier.answers(batch, np.full(len(batch), fill_value=True))
        expected = np.array([list(answer.probabilities.values()) for answer in answers])
        largest.append(np.abs(run(batch) - expected).max())
    return float(np.max(largest))


def _metadata(classifier: ImageClassifier) -> dict[str, str]:
    card = classifier.card
    return {
        "classes": json.dumps(card.classes),
        "dataset": card.dataset,
        "network": card.network,
        INPUT: _form(classifier),
    }


def _form(classifier: ImageClassifier) -> str:
    """Of the input, prepared like what the network was trained on."""
    return f"{FORM}, {PREPARED[classifier.preparation]}"


def _test_images() -> tuple[UInt8[ndarray, "n 28 28"], str]:
    """All of the test set, or others where there is none; and in words which."""
    if SPLIT_FILE.exists():
        split = read_split()
        return split.test.images, f"all {len(split.test.images):,} test images of {split.title}"
    made_up = np.random.default_rng(0).integers(0, 256, (MADE_UP, SIDE, SIDE), dtype=np.uint8)
    return made_up, f"{MADE_UP:,} made-up images, as there is no {SPLIT_FILE} here"
