"""Draw the library's wings and what they import: python -m tools architecture.

The rows are the layers to which pyproject.toml holds the imports; the arrows are read off the code.
"""

import argparse
import io
import json
import textwrap
import tomllib
from pathlib import Path
from typing import Any

import grimp
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.typing import ColorType

from mnistpipe.files.artifacts import write_bytes
from mnistpipe.files.figure_style import OTHER_COLOUR, TRAINING_COLOUR

LIBRARY, PROGRAMS = "mnistpipe", ("stages", "tools")
PICTURE = Path("docs/architecture.png")
ARROWS_KEY = "Description"  # the PNG's text that names the arrows, for a test to read
CENTRES = {  # of the boxes of a row
    1: (0.5,),
    2: (0.12, 0.88),
    3: (0.12, 0.5, 0.88),
    4: (0.12, 0.373, 0.627, 0.88),
}
WIDTH, HEIGHT = 0.235, 0.66  # of a box, in figure widths and in rows

Arrows = dict[str, list[str]]


def main() -> None:
    """Write the picture."""
    argparse.ArgumentParser(description="Draw the library's imports.").parse_args()
    modules, arrows = read_imports()
    figure = draw(read_layers(), modules, without_detours(arrows))
    buffer = io.BytesIO()
    figure.savefig(
        buffer,
        format="png",
        dpi=110,
        metadata={"Software": None, ARROWS_KEY: json.dumps(arrows)},
    )
    write_bytes(PICTURE, buffer.getvalue())
    print(f"{PICTURE} written")


def read_layers() -> list[list[str]]:
    """The wings of each layer, the uppermost first, as the imports' contract names them."""
    settings = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = settings["tool"]["importlinter"]["contracts"]
    return [[_wing(name.strip()) for name in row.split("|")] for row in contract["layers"]]


def read_imports() -> tuple[dict[str, list[str]], Arrows]:
    """The modules of each wing, and the wings that it imports from; both in order of their names.

    A module that stands in no wing is one by itself.
    """
    graph = grimp.build_graph(LIBRARY, *PROGRAMS, cache_dir=None)
    modules: dict[str, list[str]] = {}
    imported: dict[str, set[str]] = {}
    for module in sorted(graph.modules - {LIBRARY, *PROGRAMS}):
        wing, _, name = module.removeprefix(f"{LIBRARY}.").partition(".")
        modules.setdefault(wing, []).extend([name] if name else [])
        targets = {_wing(other) for other in graph.find_modules_directly_imported_by(module)}
        imported.setdefault(wing, set()).update(targets - {wing})
    return modules, {wing: sorted(targets) for wing, targets in sorted(imported.items())}


def without_detours(arrows: Arrows) -> Arrows:
    """Only the arrows that do not follow from two or more others (the transitive reduction)."""

    def reached(wing: str) -> set[str]:
        return {far for near in arrows[wing] for far in (near, *reached(near))}

    return {
        wing: [to for to in targets if not any(to in reached(near) for near in targets)]
        for wing, targets in arrows.items()
    }


def draw(layers: list[list[str]], modules: dict[str, list[str]], arrows: Arrows) -> Figure:
    """A box for each wing with its modules in it, the layers from top to bottom."""
    figure = Figure(figsize=(11, 1.3 * len(layers) + 0.5), layout="constrained")
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(len(layers) - 0.45, -0.75))
    axes.set_title("An arrow points to what is imported; one that follows from others is left out")
    places = {
        wing: (x, row)
        for row, wings in enumerate(layers)
        for wing, x in zip(wings, CENTRES[len(wings)], strict=True)
    }
    for wing, (x, row) in places.items():
        above = wing in PROGRAMS
        names = ", ".join(name for name in modules[wing] if not name.startswith("_"))
        centred: dict[str, Any] = {"ha": "center", "va": "center", "zorder": 3}
        if names:
            axes.text(x, row - 0.2, wing, weight="bold", **centred)
            axes.text(x, row + 0.08, textwrap.fill(names, 52), fontsize=6.6, **centred)
        else:
            axes.text(x, row, f"{wing}.py", weight="bold", **centred)
        axes.add_patch(_box(x, row, OTHER_COLOUR if above else TRAINING_COLOUR))
        for target in arrows[wing]:
            to_x, to_row = places[target]
            aside = max(-0.1, min(0.1, (to_x - x) / 5))  # where it leaves the box, and arrives
            axes.annotate(
                "",
                xy=(to_x - aside, to_row - HEIGHT / 2),
                xytext=(x + aside, row + HEIGHT / 2),
                arrowprops={"arrowstyle": "-|>", "color": "dimgrey", "shrinkA": 0, "shrinkB": 1},
                zorder=1,
            )
    return figure


def _box(x: float, row: float, colour: ColorType) -> FancyBboxPatch:
    """Opaque, so that an arrow that passes is seen to pass behind it."""
    style = "round,pad=0,rounding_size=0.02"
    return FancyBboxPatch(
        (x - WIDTH / 2, row - HEIGHT / 2),
        WIDTH,
        HEIGHT,
        boxstyle=style,
        mutation_aspect=5,
        facecolor="white",
        edgecolor=colour,
        linewidth=1.5,
        zorder=2,
    )


def _wing(module: str) -> str:
    """The first part of a module's name below the library's; of the programs, their own."""
    return module.removeprefix(f"{LIBRARY}.").partition(".")[0]
