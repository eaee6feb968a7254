"""How long the study will take on how many cores: python -m tools plan.

Nothing is run: the order is that of `make repro JOBS=N`, with a core for each of the N, and the
times are measured ones (`tools.schedule`). Prints Markdown.
"""

import argparse
from itertools import groupby

from mnistpipe.study import Params, load_params
from tools.schedule import ANALYSES, Span, last_end, longest_first, simulate

CORES = (1, 2, 4, 8, 16, 32, 64)
SHOWN_CORES = 2  # whose order is printed
# What nothing else goes on beside, by the same run as the costs.
BEFORE_S = 7.0  # code, fetch-data, prepare-split
REPORT_S = 4.0


def main() -> None:
    """For params.yaml as it is."""
    argparse.ArgumentParser(description="How long the study takes on how many cores.").parse_args()
    params = load_params()
    print("\n".join([*table(params), "", *order(params, SHOWN_CORES)]))


def table(params: Params) -> list[str]:
    """The lines of a table with a row for each number of cores."""
    costs = longest_first(params)
    longest_s = max(cost.seconds for cost in costs)
    work_s = BEFORE_S + REPORT_S
    work_s += sum(cost.n_trainings * cost.seconds for cost in [*costs, *ANALYSES])
    lines = [
        "| cores | wall time | speed-up | busy share of the cores | longest single training |",
        "| ---: | ---: | ---: | ---: | ---: |",
    ]
    for cores in CORES:
        trained_s, analysed_s = (last_end(simulate(each, cores)) for each in (costs, ANALYSES))
        wall_s = BEFORE_S + trained_s + analysed_s + REPORT_S
        lines.append(
            f"| {cores} | {_clock(wall_s)} | {work_s / wall_s:.2f} "
            f"| {work_s / (cores * wall_s):.0%} | {_clock(longest_s)} |"
        )
    return lines


def order(params: Params, cores: int) -> list[str]:
    """The lines of a table with a row for each stage: from its first training to its last."""
    lines = [
        f"| on {cores} cores | trainings | start | end |",
        "| --- | ---: | ---: | ---: |",
    ]
    spans = simulate(longest_first(params), cores)
    for stage, each in groupby(spans, lambda span: span.stage):
        of_stage: list[Span] = list(each)
        start_s = BEFORE_S + of_stage[0].start_s
        end_s = BEFORE_S + last_end(of_stage)
        lines.append(f"| `{stage}` | {len(of_stage)} | {_clock(start_s)} | {_clock(end_s)} |")
    return lines


def _clock(seconds: float) -> str:
    """Minutes and seconds: 12:05."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"
