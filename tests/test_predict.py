import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnistpipe.classifier import PRETRAINED
from mnistpipe.cli import main
from tests.images.drawings import draw


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Drawings of 2, 3 and 7, an empty image, and two files that are no images."""
    monkeypatch.chdir(tmp_path)
    for name, digit in (("two.png", 2), ("below/three.JPG", 3), ("below/deep/seven [1].bmp", 7)):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw(digit)).save(name)
    Image.new("L", (50, 50), 255).save("empty.png")
    Path("notes.txt").write_text("no image")
    Path("broken.png").write_bytes(Path("two.png").read_bytes()[:300])
    return tmp_path


def predict(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit status."""
    monkeypatch.setattr("sys.argv", ["mnistpipe", "predict", *words])
    try:
        main()
    except SystemExit as end:
        return int(str(end.code))
    return 0


@pytest.mark.usefixtures("folder")
def test_each_image_has_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(np.minimum(draw(4), draw(5))).save("both.png")
    assert predict(monkeypatch, "two.png", "empty.png", "both.png") == 0
    two, empty, both = capsys.readouterr().out.splitlines()
    assert two.startswith("two.png: 2 (99.")
    assert ", then " in two
    assert empty == "empty.png: empty"
    assert both.startswith("both.png: not sure, ")
    assert " or " in both


@pytest.mark.usefixtures("folder")
def test_folders_patterns_and_names_stand_for_images(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict(monkeypatch, "below", "**/s*.bmp", "be*", "t*.png", "--json") == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    deep = "below/deep/seven [1].bmp"  # its brackets are no pattern: the file is there
    three = "below/three.JPG"
    assert [each["image"] for each in found] == [deep, three, deep, deep, three, "two.png"]
    assert [each["class"] for each in found] == ["7", "3", "7", "7", "3", "2"]
    assert predict(monkeypatch, deep) == 0
    assert set(found[0]) == {"image", "class", "probability", "runner_up", "sure"}
    assert found[0]["sure"] is True
    assert 0.98 < found[0]["probability"] < 1


@pytest.mark.usefixtures("folder")
def test_what_is_no_image_costs_a_line_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("nothing").mkdir()
    Path("hollow.png").touch()
    words = [
        "notes.txt",
        "hollow.png",
        "none.png",
        "broken.png",
        "nothing",
        "x*.png",
        "two.png",
        "--json",
    ]
    assert predict(monkeypatch, *words) == 1
    out, err = capsys.readouterr()
    assert [json.loads(line)["class"] for line in out.splitlines()] == ["2"]
    assert err.splitlines() == [
        "ERROR: notes.txt is no image of a kind that can be read: PNG, JPEG, BMP, GIF, TIFF, WebP "
        "or PPM; convert it into one.",
        "ERROR: hollow.png is empty (0 bytes); save the image anew.",
        "ERROR: none.png is missing; name an image that is there.",
        "ERROR: broken.png is damaged or cut short.",
        "ERROR: nothing is a folder without images.",
        "ERROR: No image matches x*.png.",
    ]


@pytest.mark.usefixtures("folder")
def test_an_empty_image_has_no_class(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict(monkeypatch, "empty.png", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "image": "empty.png",
        "class": None,
        "probability": None,
        "runner_up": None,
        "sure": False,
    }


@pytest.mark.parametrize(("content", "status"), [(Path("two.png"), 0), (b"", 1)])
@pytest.mark.usefixtures("folder")
def test_standard_input_is_an_image(
    content: Path | bytes,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = content.read_bytes() if isinstance(content, Path) else content
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
    assert predict(monkeypatch, "-") == status
    out, err = capsys.readouterr()
    assert (
        out.startswith("-: 2 (")
        if status == 0
        else err.startswith("ERROR: standard input is empty")
    )


@pytest.mark.usefixtures("folder")
def test_what_the_network_saw_is_shown_and_no_input_is_overwritten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = Path("two.png").read_bytes()
    assert predict(monkeypatch, "two.png", "two.png", "below", "--show", ".") == 0
    assert Path("two.png").read_bytes() == before
    shown = [path.name for path in Path().glob("*.png")]
    made = {"seven [1].png", "three.png", "two-2.png", "two-3.png"}
    assert set(shown) == made | {"broken.png", "empty.png", "two.png"}
    with Image.open("two-2.png") as image:
        assert (image.mode, image.size) == ("L", (28, 28))
        assert np.asarray(image)[0].max() == 0
    assert predict(monkeypatch, "two.png", "--show", "seen") == 0
    assert predict(monkeypatch, "two.png", "--show", "seen") == 0
    assert [path.name for path in Path("seen").iterdir()] == ["two.png"]


@pytest.mark.usefixtures("folder")
def test_another_network_and_another_preparation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("own.safetensors").write_bytes(PRETRAINED.read_bytes())
    Image.fromarray(255 - draw(2)).resize((28, 28), Image.Resampling.BOX).save("small.png")
    words = ["small.png", "--model", "own.safetensors", "--prepare", "resize"]
    assert predict(monkeypatch, *words) == 0
    assert capsys.readouterr().out.startswith("small.png: 2 (")
    with pytest.raises(SystemExit, match=r"ERROR: two.png is not a whole safetensors file"):
        _main(monkeypatch, "two.png", "--model", "two.png")


def _main(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr("sys.argv", ["mnistpipe", "predict", *words])
    main()
