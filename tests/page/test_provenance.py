import yaml

from mnistpipe.files.sections import read_section
from mnistpipe.page.provenance import AnySection, find_origins
from tests.conftest import PARAMS_FILE
from tests.page.example import PARAMS, PIPELINE


def test_every_file_of_the_pipeline_has_its_stage() -> None:
    origins = find_origins(PIPELINE, PARAMS)
    analyze = origins["plots/analyze/t-sne.png"]
    assert (analyze.stage, analyze.command) == ("analyze", "python -m stages analyze")
    assert yaml.safe_load(analyze.params) == {
        name: PARAMS[name] for name in ("analyze", "train-net-augmented")
    }
    assert origins["REPORT.md"].stage == "report"
    assert origins["code/train.txt"].params == ""


def test_stages_for_each_item_have_their_own_parameters() -> None:
    origins = find_origins(PIPELINE, PARAMS)
    half = origins["plots/loss/partial-data@half.csv"]
    assert half.stage == "partial-data@half"
    assert half.command == "python -m stages partial-data@half"
    assert yaml.safe_load(half.params)["partial-data.fractions.half"] == 0.5
    item = origins["metrics/partial-data-steps@sixteenth.json"]
    assert item.stage == "partial-data-steps@sixteenth"
    assert "partial-data.fractions.sixteenth: 0.0625" in item.params


def test_a_stage_with_parameters_that_are_not_there_is_left_out() -> None:
    known = {key: PARAMS[key] for key in ("robustness", "partial-data")}
    origins = find_origins(PIPELINE, known)
    assert {origin.stage.partition("@")[0] for origin in origins.values()} == {
        "code",
        "robustness",
        "partial-data",
        "partial-data-steps",
    }


def test_a_section_is_taken_as_it_stands() -> None:
    section = read_section("train-net", AnySection, PARAMS_FILE)
    assert section.model_dump() == PARAMS["train-net"]
