"""Give `dvc plots show` a page that carries its scripts: python -m tools plots_page.

DVC's own page loads Vega from the network and stays blank without it. The page is made on
each machine, from the scripts that vl-convert brings along, and set in .dvc/config.local.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import vl_convert

PAGE = Path(".dvc/plots-page.html")
STYLE = """
body { font-family: sans-serif; margin: 2em; display: flex; flex-wrap: wrap; gap: 2em; }
body > div { max-width: 100%; }
img { max-width: min(100%, 720px); }
"""
# DVC fills in the words in braces; its own {scripts} are the ones that we bring.
TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
{refresh_tag}
<title>mnistpipe: plots</title>
<style>%s</style>
<script>%s</script>
</head>
<body>
{plot_divs}
</body>
</html>
"""


def main() -> None:
    """Write the page and tell DVC about it, on this machine alone."""
    argparse.ArgumentParser(description="Write the page of dvc plots show.").parse_args()
    bundle = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # the stub is wrong
    if "</script" in bundle:
        raise ValueError("the bundle of scripts cannot stand inside a page")
    PAGE.write_text(TEMPLATE % (STYLE, bundle), encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "dvc", "config", "--local", "plots.html_template", PAGE.name],
        check=True,
    )
