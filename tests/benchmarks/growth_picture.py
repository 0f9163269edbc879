"""
The picture of how cost grows: a small panel for each kind of work, both axes logarithmic.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from tests.benchmarks.curve import Curve

_COLUMNS = 3


def draw(curves: Sequence[Curve], setting: str, path: Path) -> None:
    """Write the picture of C{curves} to C{path}; its ending says in which format."""
    # The same points give the same file.
    pyplot.rcParams.update({"svg.hashsalt": "growth", "font.size": 8, "svg.fonttype": "none"})
    rows = -(-len(curves) // _COLUMNS)
    figure, axes = pyplot.subplots(rows, _COLUMNS, figsize=(9.5, 2.9 * rows), squeeze=False)
    for panel in axes.flat[len(curves) :]:
        panel.set_axis_off()
    for panel, curve in zip(axes.flat, curves, strict=False):
        _panel(panel, curve)
    figure.suptitle(f"Processor time; dashed: linear from the first point.  {setting}", fontsize=7)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _panel(panel: Any, curve: Curve) -> None:
    xs, ys = zip(*curve.points, strict=True)
    panel.plot(xs, [ys[0] * x / xs[0] for x in xs], "--", color="0.6", linewidth=1)
    panel.plot(xs, ys, "o-", color="tab:blue", markersize=3.5, linewidth=1)
    panel.set_xscale("log")
    panel.set_yscale("log")
    for axis, values in ((panel.xaxis, xs), (panel.yaxis, ys)):
        # Numbers as people write them, and more of them where there are few powers of ten.
        subs = (1, 2, 5) if max(values) < 30 * min(values) else (1,)
        axis.set_major_locator(LogLocator(subs=subs))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        axis.set_minor_formatter(NullFormatter())
    panel.set_title(f"{curve.title}: exponent {curve.exponent:.2f}")
    panel.set_xlabel(curve.axis)
    panel.set_ylabel(curve.unit)
    panel.grid(True, which="major", linewidth=0.3)
