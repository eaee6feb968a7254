"""Strict reading, of sections that are made up for it."""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, StringConstraints, model_validator

from mnistpipe.files.errors import UserError
from mnistpipe.files.sections import Fraction, Section, Seed, read_section, read_sections
from tests.mistakes import edited, problems, written

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]


class Round(Section):
    """A shape."""

    name: Literal["round"]
    radius: Annotated[float, Field(gt=0)]


class Square(Section):
    """Another one."""

    name: Literal["square"]
    side: Annotated[float, Field(gt=0, le=10)]


Shape = Annotated[Round | Square, Field(discriminator="name")]


class Paint(Section):
    """What may be left out."""

    colour: Literal["red", "blue"]


class Toy(Section):
    """Something of each kind."""

    pieces: Annotated[int, Field(ge=2, le=100)]
    price: Annotated[float, Field(gt=0, lt=1_000)]
    wood: bool
    seed: Seed
    size: Literal["small", "large"]
    label: Literal["wide"] | None
    limit: Fraction | None = None
    paint: Paint | None = None
    body: Shape
    shapes: Annotated[tuple[Shape, ...], Field(strict=False, min_length=1)]
    parts: Annotated[dict[Name, Fraction], Field(min_length=1)]

    @model_validator(mode="after")
    def _fits(self) -> "Toy":
        if self.size == "small" and self.pieces > 50:
            raise ValueError("pieces should be at most 50 where size is small")
        return self


class Shop(Section):
    """A whole file."""

    toy: Toy
    opening_hours: Paint = Field(alias="opening-hours")

    @model_validator(mode="after")
    def _is_open(self) -> "Shop":
        if self.toy.price > 500:
            raise ValueError("toy.price should be at most 500, whatever the opening-hours")
        return self


TEXT = """\
toy:
  pieces: 20
  price: 1.5  # each
  wood: true
  seed: 0
  size: small
  label: null
  body: {name: round, radius: 1.0}
  shapes:
  - name: square
    side: 2.5
  - name: round
    radius: 0.5
  parts:
    half: 0.5
    third: 0.3333
opening-hours:
  colour: red
"""

read_toy = partial(read_section, "toy", Toy)
read_shop = partial(read_sections, Shop)


def test_a_section_is_read_with_its_kinds_and_what_is_left_out(tmp_path: Path) -> None:
    toy = read_toy(written(tmp_path, TEXT))
    assert toy == Toy(
        pieces=20,
        price=1.5,
        wood=True,
        seed=0,
        size="small",
        label=None,
        limit=None,
        paint=None,
        body=Round(name="round", radius=1.0),
        shapes=(Square(name="square", side=2.5), Round(name="round", radius=0.5)),
        parts={"half": 0.5, "third": 0.3333},
    )
    assert read_shop(tmp_path / "params.yaml").toy == toy


def test_what_may_be_null_may_be_given_too(tmp_path: Path) -> None:
    text = edited("  label: null\n", "  label: wide\n  limit: 0.2\n  paint: {colour: blue}\n", TEXT)
    toy = read_toy(written(tmp_path, text))
    assert (toy.label, toy.limit, toy.paint) == ("wide", 0.2, Paint(colour="blue"))
    text = edited("  label: null\n", "  label:\n  limit:\n  paint: null\n", TEXT)
    toy = read_toy(written(tmp_path, text))
    assert (toy.label, toy.limit, toy.paint) == (None, None, None)


def test_nothing_read_can_be_changed_afterwards(tmp_path: Path) -> None:
    toy = read_toy(written(tmp_path, TEXT))
    with pytest.raises(ValueError, match="frozen"):
        toy.pieces = 1
    with pytest.raises(ValueError, match="frozen"):
        toy.body.name = "round"


def test_a_number_may_be_written_without_a_point_but_is_read_as_its_kind(tmp_path: Path) -> None:
    toy = read_toy(written(tmp_path, edited("price: 1.5", "price: 2", TEXT)))
    assert repr(toy.price) == "2.0"


@pytest.mark.faults
@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        # keys
        ("  seed: 0\n", "", ".seed is missing"),
        (
            "  seed: 0\n",
            "  seed: 0\n  seeds: 0\n",
            ".seeds is not a parameter; toy knows: pieces, price, wood, seed, size, label, limit,"
            " paint, body, shapes, parts",
        ),
        # types
        ("pieces: 20", "pieces: twenty", ".pieces should be a valid integer, not 'twenty'"),
        ("pieces: 20", "pieces: 20.0", ".pieces should be a valid integer, not 20.0"),
        ("pieces: 20", "pieces: yes", ".pieces should be a valid integer, not True"),
        ("pieces: 20", "pieces:", ".pieces should be a valid integer, not empty"),
        ("price: 1.5", "price: yes", ".price should be a valid number, not True"),
        ("price: 1.5", "price: [1.5]", ".price should be a valid number, not [1.5]"),
        (
            "price: 1.5",
            "price: 1e-3",
            ".price should be a valid number, not '1e-3' (YAML reads it as text: write it out, "
            "without quotes or exponent, like 0.001)",
        ),
        (
            "price: 1.5",
            "price: '1'",
            ".price should be a valid number, not '1' (YAML reads it as text: write it out, "
            "without quotes or exponent, like 0.001)",
        ),
        ("price: 1.5", "price: .nan", ".price should be a finite number, not nan"),
        ("price: 1.5", "price: .inf", ".price should be a finite number, not inf"),
        ("price: 1.5", "price: -.inf", ".price should be a finite number, not -inf"),
        ("wood: true", "wood: 1", ".wood should be a valid boolean, not 1"),
        ("label: null", "limit: on\n  label: null", ".limit should be a valid number or null, not"),
        # ranges
        ("pieces: 20", "pieces: 1", ".pieces should be greater than or equal to 2, not 1"),
        ("pieces: 20", "pieces: 101", ".pieces should be less than or equal to 100, not 101"),
        ("price: 1.5", "price: 0", ".price should be greater than 0, not 0"),
        ("price: 1.5", "price: 1000", ".price should be less than 1000, not 1000"),
        ("seed: 0", "seed: -1", ".seed should be greater than or equal to 0, not -1"),
        ("seed: 0", "seed: 4294967296", ".seed should be less than 4294967296, not 4294967296"),
        ("half: 0.5", "half: 0", ".parts.half should be greater than 0, not 0"),
        ("half: 0.5", "half: 1.0", ".parts.half should be less than 1, not 1.0"),
        ("half: 0.5", "half: .nan", ".parts.half should be a finite number, not nan"),
        # words
        ("size: small", "size: tiny", ".size should be 'small' or 'large', not 'tiny'"),
        ("label: null", "label: long", ".label should be 'wide' or null, not 'long'"),
        # names of keys
        ("half:", "Half:", ".parts.Half should be a name of lower-case letters, digits and hyp"),
        ("half:", "a/b:", ".parts.a/b should be a name of lower-case letters, digits and hyphens"),
        ("half:", "1:", ".parts.1 should be a name, not a number or the like"),
        # sections
        ("{name: round, radius: 1.0}", "{}", ".body.name is missing, which should be 'round' or"),
        ("label: null", "label: null\n  paint: red", ".paint should be a section with keys of its"),
        # checks of its own
        ("pieces: 20", "pieces: 51", ": pieces should be at most 50 where size is small"),
    ],
)
def test_a_mistake_is_named_with_its_key_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, line: str
) -> None:
    text = edited(old, new, TEXT)
    (alone,) = problems(read_toy, tmp_path, text)
    assert alone.startswith(f"toy{line}")
    assert problems(read_shop, tmp_path, text) == [alone]


@pytest.mark.faults
@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        # one of several sections, by its name
        ("name: round, r", "name: oval, r", "body.name should be 'round' or 'square', not 'oval'"),
        ("name: round, r", "name: [round], r", "body.name should be 'round' or 'square', not ['r"),
        ("name: round, r", "name:, r", "body.name should be 'round' or 'square', not empty"),
        ("name: round, r", "r", "body.name is missing, which should be 'round' or 'square'"),
        (
            "{name: round, radius: 1.0}",
            "round",
            "body should be a section with a name, 'round' or 'square', not 'round'",
        ),
        (
            "{name: round, radius: 1.0}",
            "",
            "body should be a section with a name, 'round' or 'square', not empty",
        ),
        ("radius: 1.0", "radius: 0.0", "body.radius should be greater than 0, not 0.0"),
        ("radius: 1.0", "radius: 1e1", "body.radius should be a valid number, not '1e1' (YAML"),
        (", radius: 1.0", "", "body.radius is missing"),
        ("radius: 1.0", "radius: 1.0, side: 2.0", "body.side is not a parameter; toy.body knows:"),
        ("radius: 1.0", "radius: 1.0, round: 1", "body.round is not a parameter; toy.body knows:"),
        # the same as an item of a list
        ("name: square", "name: oval", "shapes.0.name should be 'round' or 'square', not 'oval'"),
        ("- name: square\n    side", "- side", "shapes.0.name is missing, which should be 'round'"),
        ("side: 2.5", "side: 11", "shapes.0.side should be less than or equal to 10, not 11"),
        ("radius: 0.5", "radius: no", "shapes.1.radius should be a valid number, not False"),
        ("    radius: 0.5\n", "", "shapes.1.radius is missing"),
        (
            "    side: 2.5\n",
            "    side: 2.5\n    radius: 0.5\n",
            "shapes.0.radius is not a parameter; toy.shapes.0 knows: name, side",
        ),
        (
            "- name: square\n    side: 2.5",
            "- square",
            "shapes.0 should be a section with a name, 'round' or 'square', not 'square'",
        ),
    ],
)
def test_a_mistake_in_one_of_several_sections_is_named_by_its_key_without_its_kind(
    tmp_path: Path, old: str, new: str, line: str
) -> None:
    text = edited(old, new, TEXT)
    (alone,) = problems(read_toy, tmp_path, text)
    assert alone.startswith(f"toy.{line}")
    assert problems(read_shop, tmp_path, text) == [alone]


@pytest.mark.faults
def test_a_section_that_is_none_is_said_to_need_keys(tmp_path: Path) -> None:
    text = edited("label: null", "label: null\n  paint: red", TEXT)
    assert problems(read_toy, tmp_path, text) == [
        "toy.paint should be a section with keys of its own, or null, not 'red'."
    ]
    text = edited("  colour: red", "  - red", TEXT)
    assert problems(partial(read_section, "opening-hours", Paint), tmp_path, text) == [
        "opening-hours should be a section with keys of its own, not ['red']."
    ]
    (line,) = problems(read_toy, tmp_path, "toy: wooden\n")
    assert line == "toy should be a section with keys of its own, not 'wooden'."


@pytest.mark.faults
@pytest.mark.parametrize(("empty", "full"), [("[]", "[oval]"), ("{}", "{half: 2}")])
def test_a_list_is_called_empty_where_it_is_and_not_where_its_items_are_wrong(
    tmp_path: Path, empty: str, full: str
) -> None:
    key = "shapes" if empty == "[]" else "parts"
    start, _, rest = TEXT.partition(f"  {key}:\n")
    *_, end = rest.partition("  parts:\n" if key == "shapes" else "opening-hours:\n")
    end = f"  parts:\n{end}" if key == "shapes" else f"opening-hours:\n{end}"
    (line,) = problems(read_toy, tmp_path, f"{start}  {key}: {empty}\n{end}")
    assert line == f"toy.{key} should not be empty."
    (line,) = problems(read_toy, tmp_path, f"{start}  {key}: {full}\n{end}")
    assert line.startswith(f"toy.{key}.")


@pytest.mark.faults
def test_several_mistakes_give_a_line_each(tmp_path: Path) -> None:
    text = edited("pieces: 20", "pieces: none", edited("half: 0.5", "half: 5", TEXT))
    text = edited("radius: 0.5", "radius: -1", text)
    assert [line.split()[0] for line in problems(read_toy, tmp_path, text)] == [
        "toy.pieces",
        "toy.shapes.1.radius",
        "toy.parts.half",
    ]


@pytest.mark.faults
def test_a_mistyped_key_is_named_beside_the_one_that_is_missing(tmp_path: Path) -> None:
    missing, unknown = problems(read_toy, tmp_path, edited("pieces:", "peaces:", TEXT))
    assert missing == "toy.pieces is missing."
    assert unknown.startswith("toy.peaces is not a parameter; toy knows: pieces, ")


@pytest.mark.faults
def test_a_section_alone_is_right_whatever_stands_beside_it(tmp_path: Path) -> None:
    text = edited("colour: red", "colour: green\n  pets: 1", TEXT) + "unknown: {a: [1, 2]}\n"
    assert read_toy(written(tmp_path, text)) == read_toy(written(tmp_path, TEXT))
    assert [line.split()[0] for line in problems(read_shop, tmp_path, text)] == [
        "opening-hours.colour",
        "opening-hours.pets",
        "unknown",
    ]
    # What is checked of the whole file is no business of a section alone.
    text = edited("price: 1.5", "price: 501", TEXT)
    assert read_toy(written(tmp_path, text)).price == 501
    (line,) = problems(read_shop, tmp_path, text)
    assert line == "toy.price should be at most 500, whatever the opening-hours."


@pytest.mark.faults
def test_a_missing_section_is_named(tmp_path: Path) -> None:
    hours = partial(read_section, "opening-hours", Paint)
    start, _, _ = TEXT.partition("opening-hours:")
    assert problems(hours, tmp_path, start) == ["opening-hours is missing."]
    assert problems(read_shop, tmp_path, start) == ["opening-hours is missing."]
    # The field's own name is not the section's.
    text = TEXT.replace("opening-hours", "opening_hours")
    assert problems(hours, tmp_path, text) == ["opening-hours is missing."]
    missing, unknown = problems(read_shop, tmp_path, text)
    assert missing == "opening-hours is missing."
    assert unknown == "opening_hours is not a parameter; the file knows: toy, opening-hours."


@pytest.mark.faults
def test_strange_values_and_keys_are_still_one_line(tmp_path: Path) -> None:
    huge = "price: 0x" + "f" * 5000
    (line,) = problems(read_toy, tmp_path, edited("price: 1.5", huge, TEXT))
    assert line == "toy.price should be a valid number, not a very large number."
    long = "price: " + "x" * 5000
    (line,) = problems(read_toy, tmp_path, edited("price: 1.5", long, TEXT))
    assert line == f"toy.price should be a valid number, not '{'x' * 56}...."
    (line,) = problems(read_toy, tmp_path, edited("  seed: 0", '  "a\\nb": 1\n  seed: 0', TEXT))
    assert line.startswith("'toy.a\\nb' is not a parameter; toy knows: pieces, ")
    (line,) = problems(read_toy, tmp_path, edited("half: 0.5", '"a\\nb": 0.5', TEXT))
    assert line.startswith("'toy.parts.a\\nb' should be a name of lower-case letters, digits")


@pytest.mark.faults
def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    text = edited("  seed: 0\n", "  seed: 0\n  seed: 1\n", TEXT)
    (line,) = problems(read_toy, tmp_path, text)
    assert "the key 'seed' stands twice, the second time in line 6" in line
    (line,) = problems(read_toy, tmp_path, edited("opening-hours:", "toy:", TEXT))
    assert "the key 'toy' stands twice" in line
    (line,) = problems(read_toy, tmp_path, edited("  colour: red", "  a: 1\n  a: 1", TEXT))
    assert "the key 'a' stands twice" in line  # in a section that nobody asked for
    (line,) = problems(read_toy, tmp_path, edited("radius: 1.0", "radius: 1.0, name: square", TEXT))
    assert "the key 'name' stands twice" in line


@pytest.mark.faults
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "should hold sections such as 'data:', not empty."),
        (b"# nothing but a comment\n", "should hold sections such as 'data:', not empty."),
        (b"- data\n- analyze\n", "should hold sections such as 'data:', not ['data', 'analyze']."),
        (b"mnist", "should hold sections such as 'data:', not 'mnist'."),
        (b"data: [1", "is not valid YAML: while parsing a flow sequence"),
        (b"data: a: b", "is not valid YAML: mapping values are not allowed here"),
        (b"\tdata: 1", "is not valid YAML: "),
        (b"data: \0", "is not valid YAML: unacceptable character"),
        (b"data: 2026-99-99", "is not valid YAML: month must be in 1..12"),
        (b"data: " + b"9" * 5000, "is not valid YAML: "),
        (b"[" * 600, "is not valid YAML: "),
        (b"data: !!python/object/apply:os.getcwd []", "is not valid YAML: could not determine"),
        (b"data: !!bool foo", "is not valid YAML: "),
        (b"data: !!timestamp foo", "is not valid YAML: "),
        (b'data: !!int ""', "is not valid YAML: "),
        (b"data: caf\xe9", "is not UTF-8 text."),
    ],
    ids=lambda value: value[:20] if isinstance(value, bytes) else "",
)
@pytest.mark.parametrize("read", [read_toy, read_shop], ids=["a section", "the file"])
def test_a_file_of_another_kind_is_refused_in_one_line(
    tmp_path: Path, content: bytes, sentence: str, read: partial[object]
) -> None:
    (line,) = problems(read, tmp_path, content)
    assert line.startswith(sentence)


@pytest.mark.faults
@pytest.mark.parametrize("read", [read_toy, read_shop], ids=["a section", "the file"])
def test_a_missing_file_is_named(tmp_path: Path, read: partial[object]) -> None:
    with pytest.raises(UserError, match=r"/params\.yaml cannot be read: No such file"):
        read(tmp_path / "params.yaml")
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        read(tmp_path)


def test_without_a_path_it_is_the_file_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, TEXT)
    monkeypatch.chdir(tmp_path)
    assert read_section("toy", Toy).pieces == 20
    assert read_sections(Shop).toy.pieces == 20
