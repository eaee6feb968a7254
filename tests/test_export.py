"""Exported networks, as their own runtimes see them."""

import dataclasses
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from numpy import ndarray

from mnistpipe.classifier import PRETRAINED, load
from mnistpipe.cli import main
from mnistpipe.data.catalogue import TITLE_ENDS
from mnistpipe.data.split import Split
from mnistpipe.data.split_file import SPLIT_FILE, write_split
from mnistpipe.export import FORMATS
from mnistpipe.images.prepare import Preparation
from mnistpipe.networks.model_files import ModelCard, write_model
from mnistpipe.networks.models import build_network
from tests.conftest import ROOT

# PyTorch's exporter and the libraries below it use each other's deprecated functions.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.torch.jit"),
    pytest.mark.usefixtures("unchecked_shapes"),
]

Run = Callable[[ndarray], ndarray]
IMAGES = np.random.default_rng(1).integers(0, 256, (300, 28, 28), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty, but for a ConvNet of three classes."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    card = ModelCard("convnet", 0.5, "letters", ("a", "b", "ä"), 0.1307, 0.3081)
    write_model(Path("letters.safetensors"), build_network("convnet", 0.5, n_classes=3), card)
    return tmp_path


def export(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr("sys.argv", ["mnistpipe", "export", "--format", *words])
    main()


def read_onnx(path: Path) -> tuple[Run, dict[str, str]]:
    """What runs it, and its metadata."""
    session = onnxruntime.InferenceSession(path)

    def run(images: ndarray) -> ndarray:
        probabilities: ndarray = session.run(None, {"images": images})[0]
        return probabilities

    return run, session.get_modelmeta().custom_metadata_map


def read_torchscript(path: Path) -> tuple[Run, dict[str, str]]:
    """Likewise."""
    extra: dict[str, Any] = dict.fromkeys(("classes", "dataset", "network", "images"), "")
    module = torch.jit.load(path, _extra_files=extra)  # type: ignore[no-untyped-call]
    metadata = {key: value.decode() for key, value in extra.items()}
    return lambda images: module(torch.tensor(images)).detach().numpy(), metadata


PAGE = ROOT / "docs" / "export.md"
READERS = {"onnx": read_onnx, "torchscript": read_torchscript}


@pytest.mark.parametrize("model", [PRETRAINED, Path("letters.safetensors")], ids=lambda m: m.stem)
@pytest.mark.parametrize("kind", READERS)
@pytest.mark.usefixtures("folder")
def test_a_file_says_what_the_classifier_says(
    kind: str, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of any number of images, with the temperature; and its metadata say how to use it."""
    export(monkeypatch, kind, "--model", str(model))
    path = Path(model.stem + FORMATS[kind].suffix)
    printed = capsys.readouterr().out
    assert printed.startswith(f"{path} takes images: uint8, (n, 28, 28), grey levels 0..255")
    assert "1,000 made-up images, as there is no data/split.npz" in printed
    run, metadata = READERS[kind](path)
    classifier = load(model, "resize")
    assert json.loads(metadata["classes"]) == list(classifier.card.classes)
    assert metadata["dataset"] == classifier.card.dataset
    assert metadata["images"] in printed
    expected = np.array(
        [[*answer.probabilities.values()] for answer in classifier.classify(IMAGES)]
    )
    for n in (0, 1, 7, len(IMAGES)):
        given = run(IMAGES[:n])
        assert given.dtype == np.float32
        assert given.shape == (n, len(classifier.card.classes))
        np.testing.assert_allclose(given, expected[:n], rtol=0, atol=1e-5)
    if model == PRETRAINED:
        examples = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
        (example,) = [each for each in examples if str(path) in each]
        exec(compile(example, PAGE, "exec"), {})  # noqa: S102 (our own)
        assert re.fullmatch(r"\['\d'(, '\d'){4}\]\n", capsys.readouterr().out)
    for wrong in (IMAGES[:2] / np.float32(255), np.zeros((2, 29, 29), np.uint8), IMAGES[0]):
        with pytest.raises(Exception, match=r"(?i)invalid|not implemented|size"):
            run(wrong)


@pytest.mark.parametrize(
    ("preparation", "said"),
    [("mnist", "light on dark like MNIST's"), ("resize", "each a whole picture as one sees it")],
)
@pytest.mark.usefixtures("folder")
def test_a_file_says_how_its_own_images_are_prepared(
    preparation: Preparation,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Pictures that were taken as they are need not be light on dark."""
    title = f"pets {TITLE_ENDS[preparation]}"
    card = ModelCard("convnet", 0.5, title, ("cat", "dog", "bird"), 0.5, 0.3)
    write_model(Path("pets.safetensors"), build_network("convnet", 0.5, n_classes=3), card)
    export(monkeypatch, "torchscript", "--model", "pets.safetensors")
    _, metadata = read_torchscript(Path("pets.pt"))
    assert metadata["images"].endswith(said)
    assert f"takes images: {metadata['images']}; and gives" in capsys.readouterr().out


@pytest.mark.usefixtures("folder")
def test_the_test_set_is_compared_where_it_is_there(
    split: Split, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_split(SPLIT_FILE, split)
    export(monkeypatch, "torchscript", "below/own.pt")
    assert Path("below/own.pt").exists()
    assert "agree on all 50 test images of random:" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [0.0, np.nan])
@pytest.mark.usefixtures("folder")
def test_a_file_that_says_something_else_is_not_written(
    wrong: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("letters.pt").write_text("before")
    other = dataclasses.replace(
        FORMATS["torchscript"],
        read=lambda _: lambda images: np.full((len(images), 3), wrong, np.float32),
    )
    monkeypatch.setitem(FORMATS, "torchscript", other)
    with pytest.raises(SystemExit, match=r"ERROR: letters.pt is not written: on 1,000 made-up"):
        export(monkeypatch, "torchscript", "--model", "letters.safetensors")
    assert Path("letters.pt").read_text() == "before"
    assert len(list(Path().iterdir())) == 2


@pytest.mark.usefixtures("folder")
def test_mistakes_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match=r"ERROR: own.safetensors should end in .onnx, as"):
        export(monkeypatch, "onnx", "own.safetensors")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(SystemExit, match=r"run: pip install .* -e '\.\[onnx\]'$"):
        export(monkeypatch, "onnx")
    assert [path.name for path in Path().iterdir()] == ["letters.safetensors"]
