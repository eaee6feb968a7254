"""Figures as files: for the screen, and for papers."""

import io
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from mnistpipe.files.artifacts import write_bytes
from mnistpipe.files.figure_style import in_style

# Nothing that changes from run to run, or with Matplotlib's version.
_FORMATS = {
    "plots/{}.png": {"Software": None},
    "figures/{}.svg": {"Date": None, "Creator": None},
    "figures/{}.pdf": {"Creator": None, "Producer": None, "CreationDate": None},
}
_DPI = {"png": 200, "svg": 400, "pdf": 400}  # in the latter, of what is pixels within them


@in_style  # which says how wide texts are, here as where they were measured
def write_figure(name: str, figure: Figure) -> None:
    """plots/NAME.png, figures/NAME.svg and figures/NAME.pdf; equal figures give equal bytes.

    In SVG and PDF a text is a text, which can be searched and edited.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # as it is laid out now, in all three
    for path, metadata in _FORMATS.items():
        buffer = io.BytesIO()
        kind = path.rpartition(".")[2]
        # The salt goes into the names by which parts of an SVG refer to each other: those of two
        # figures on one page are different ones.
        with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "pdf.fonttype": 42}):
            figure.savefig(buffer, format=kind, dpi=_DPI[kind], metadata=metadata)
        write_bytes(Path(path.format(name)), buffer.getvalue())
