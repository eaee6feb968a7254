from mnistpipe.report.names import network_name
from mnistpipe.report.summary import MNIST
from mnistpipe.study import load_params
from mnistpipe.training.plan import train_stages
from tests.conftest import PARAMS_FILE
from tests.report.example import DIGITS, NO_SPIKE, report_of


def test_every_network_has_a_name_of_its_own() -> None:
    stages = train_stages(load_params(PARAMS_FILE).partial_data)
    names = [network_name(stage) for stage in stages]
    assert len({*names}) == len(names)
    assert not {*names} & {*stages}
    assert (
        network_name("partial-data-steps@eighth")
        == "Net + augmentation, 1/8 of the data, other updates"
    )
    assert network_name("partial-data@a-third") == "Net + augmentation, a-third of the data"


def test_a_stages_name_stands_where_its_network_is_introduced_and_nowhere_else() -> None:
    for dataset in (MNIST, DIGITS):
        before, _, after = report_of(dataset, NO_SPIKE).partition("<!-- widget: results -->")
        results, *others = after.split("\n## ")
        for stage in ("train-net-augmented", "partial-data@half", "partial-data-steps@sixteenth"):
            assert results.count(f"`{stage}`") == 1
            assert stage not in before + "".join(others)
