import pytest

from mnistpipe.report.writeup import REPORTED, REPORTED_CONVERGENCE, REPORTED_SPIKE_EPOCH, Reported
from mnistpipe.study import load_params
from mnistpipe.training.plan import TRAIN_STAGES
from tests.conftest import PARAMS_FILE

WRITE_UP = [
    ("train-convnet", "97.66%", 0.0793, "97.98%", 0.0607),
    ("train-augmented", "97.70%", 0.0804, "97.90%", 0.0608),
    ("train-net", "98.26%", 0.0570, "98.39%", 0.0454),
    ("train-net-augmented", "98.93%", 0.0340, "98.84%", 0.0322),
    ("partial-data@half", "96.74%", 0.1050, "96.37%", 0.1006),
    ("partial-data@quarter", "95.60%", 0.1426, "95.31%", 0.1351),
    ("partial-data@eighth", "89.02%", 0.4559, "88.27%", 0.4020),
    ("partial-data@sixteenth", "65.86%", 1.1196, "65.25%", 0.9592),
]


@pytest.mark.parametrize(("reported", "expected"), [*zip(REPORTED.items(), WRITE_UP, strict=True)])
def test_the_write_ups_numbers_are_its_tables(
    reported: tuple[str, Reported], expected: tuple[str, str, float, str, float]
) -> None:
    stage, numbers = reported
    assert (
        stage,
        f"{numbers.accuracy:.2%}",
        numbers.loss,
        f"{numbers.train_accuracy:.2%}",
        numbers.train_loss,
    ) == expected
    assert numbers.errors == 10_000 - numbers.correct


def test_the_write_ups_runs_are_stages_of_ours() -> None:
    sweep = load_params(PARAMS_FILE).partial_data
    assert list(REPORTED) == [*TRAIN_STAGES, *sweep.stages.values()]
    assert set(REPORTED_CONVERGENCE) <= set(REPORTED)
    assert REPORTED_SPIKE_EPOCH == 3
