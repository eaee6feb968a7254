"""Read params.yaml strictly, a section at a time: what is wrong becomes one clear sentence.

The sections themselves are models beside the code that reads them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from mnistpipe.files.errors import UserError

PARAMS_FILE = Path("params.yaml")
# All but the first are PyYAML's, too: for broken dates and numbers, tags, sets, very deep nesting.
_YAML_ERRORS = (
    yaml.YAMLError,
    ValueError,
    TypeError,
    ArithmeticError,
    LookupError,
    AttributeError,
    RecursionError,
)

Seed = Annotated[int, Field(ge=0, lt=2**32)]
Fraction = Annotated[float, Field(gt=0, lt=1)]


class Section(BaseModel):
    """A section of params.yaml: no unknown key, no conversion of types, no change afterwards."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, validate_by_alias=True
    )


Model = TypeVar("Model", bound=Section)


def read_section(key: str, model: type[Model], path: Path = PARAMS_FILE) -> Model:
    """One section of the file, whatever stands in the others.

    Raises UserError with a sentence for each thing that is wrong, naming the key.
    """
    content = _read_yaml(path)
    if key not in content:
        raise UserError(f"{path}: {key} is missing.")
    return _validate(model, content[key], path, (key,))


def read_sections(model: type[Model], path: Path = PARAMS_FILE) -> Model:
    """The whole file, whose sections are the model's fields, by their aliases; errors likewise."""
    return _validate(model, _read_yaml(path), path, ())


def _validate(model: type[Model], content: object, path: Path, above: tuple[str, ...]) -> Model:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        places = [
            (details, _follow(model, details["loc"], above))
            for details in error.errors()
            # A list whose items are all wrong counts as too short to pydantic, but is not empty.
            if not (details["type"] == "too_short" and details["input"])
        ]
        sentences = [f"{path}: {_sentence(details, place)}" for details, place in places]
        raise UserError("\n".join(sentences)) from error


def _read_yaml(path: Path) -> dict[Any, Any]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)  # noqa: S506 (a SafeLoader)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text.") from error
    except _YAML_ERRORS as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} is not valid YAML: {reason}.") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} should hold sections such as 'data:', not {show(content)}.")
    return content


class _UniqueKeyLoader(yaml.SafeLoader):
    """PyYAML keeps the last of two equal keys in silence; here the second one is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 (PyYAML's signature)
        seen = set()
        for key_node, _ in node.value:
            key = str(key_node.value)
            if key in seen:
                line = key_node.start_mark.line + 1
                raise yaml.constructor.ConstructorError(
                    problem=f"the key '{key}' stands twice, the second time in line {line}"
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


@dataclass(frozen=True)
class _Place:
    """A place in the file.

    Attributes:
        name: as its reader finds it: `train-net.views.2.degrees`; empty for the whole file.
        parent: name of what it stands in.
        kind: the annotation of what may stand there; None where nothing may.
        parent_kind: likewise of what it stands in.

    """

    name: str
    parent: str
    kind: Any
    parent_kind: Any


def _follow(model: type[Section], loc: tuple[int | str, ...], above: tuple[str, ...]) -> _Place:
    """Pydantic's location of an error in the model, which also names the member of a union."""
    names, kinds = list(above), [model]
    for part in loc:
        if part == "[key]":  # what is wrong is the key before it
            continue
        (first, *others), last = list(_alternatives(kinds[-1])), str(part)
        if others and last in _tags(kinds[-1]):
            kinds[-1] = next(kind for kind in (first, *others) if last in _tags(kind))
            continue
        names.append(last)
        kinds.append(_inside(first, last))
    parent_kind = kinds[-2] if len(kinds) > 1 else None
    name, parent = (_printable(".".join(part)) for part in (names, names[:-1]))
    return _Place(name, parent, kinds[-1], parent_kind)


def _inside(kind: Any, key: str) -> Any:  # noqa: ANN401 (annotations have no common type)
    """The annotation below a key of a section, or of an item of a list or mapping."""
    if get_origin(kind) in (tuple, dict):
        return next(arg for arg in reversed(get_args(kind)) if arg is not Ellipsis)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {field.alias or name: field for name, field in kind.model_fields.items()}.get(key)
    return None


def _alternatives(kind: Any) -> Iterator[Any]:  # noqa: ANN401 (likewise)
    """What an annotation allows, without the None that says that it may be empty."""
    kind = getattr(kind, "annotation", kind)  # of a field of a section
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (Union, UnionType):
        yield from (part for part in get_args(kind) if part is not NoneType)
    else:
        yield kind


def _tags(kind: Any) -> list[str]:  # noqa: ANN401 (likewise)
    """The names by which sections are told apart that may stand in one place."""
    models = [each for each in _alternatives(kind) if hasattr(each, "model_fields")]
    fields = [model.model_fields["name"] for model in models if "name" in model.model_fields]
    return [tag for field in fields for tag in get_args(field.annotation)]


def _may_be_null(kind: Any) -> bool:  # noqa: ANN401 (likewise)
    return NoneType in get_args(getattr(kind, "annotation", kind))


def _sentence(details: ErrorDetails, place: _Place) -> str:
    """One sentence for one of pydantic's findings."""
    match details["type"]:
        case "missing":
            says = " is missing"
        case "extra_forbidden":
            (model,) = _alternatives(place.parent_kind)
            known = [field.alias or name for name, field in model.model_fields.items()]
            says = f" is not a parameter; {place.parent or 'the file'} knows: {', '.join(known)}"
        case "value_error":
            # Raised by our own checks; those of the whole file name their keys themselves.
            says = f": {details['ctx']['error']}"
            if not place.name:
                return f"{details['ctx']['error']}."
        case "string_pattern_mismatch":
            says = " should be a name of lower-case letters, digits and hyphens"
        case _ if "[key]" in details["loc"]:
            says = " should be a name, not a number or the like"
        case "too_short":
            says = " should not be empty"
        case kind if kind.startswith(("model_", "union_tag_")):
            says = _section_wanted(details, place)
        case _:
            says = _allowed(details, place)
    return f"{place.name or 'the file'}{says}."


def _section_wanted(details: ErrorDetails, place: _Place) -> str:
    """Something else stands where a section should, or one of those that a name tells apart."""
    names = _one_of(_tags(place.kind))
    match details["type"]:
        case "union_tag_invalid":
            return f".name should be {names}, not {show(details['input']['name'])}"
        case "union_tag_not_found":
            return f".name is missing, which should be {names}"
        case _:
            keys = f"a name, {names}" if names else "keys of its own"
            null = ", or null" if _may_be_null(place.kind) else ""
            return f" should be a section with {keys}{null}, not {show(details['input'])}"


def _allowed(details: ErrorDetails, place: _Place) -> str:
    """Pydantic's own words for what a value should be, and what it is."""
    allowed = details["msg"].removeprefix("Input ")
    if _may_be_null(place.kind):
        allowed += " or null"
    hint = ""
    if isinstance(details["input"], str) and _is_number(details["input"]):
        hint = " (YAML reads it as text: write it out, without quotes or exponent, like 0.001)"
    return f" {allowed}, not {show(details['input'])}{hint}"


def _one_of(names: list[str]) -> str:
    *others, last = [f"'{name}'" for name in names] or [""]
    return f"{', '.join(others)} or {last}" if others else last


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def show(value: object) -> str:
    """A value from the file in a sentence, shortened where it is long."""
    if value is None:
        return "empty"
    try:
        text = repr(value)
    except ValueError:  # Python does not write out whole numbers of thousands of digits
        return "a very large number"
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004


def _printable(text: str) -> str:
    """In one line, whatever the key in the file is made of."""
    return text if text.isprintable() else repr(text)
