"""The report's figures, as self-contained SVG text."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

mpl.use("svg")

import matplotlib.dates as mdates
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter, MaxNLocator

from streams.profiles.segments import GRID_SEGMENTS, UNSCORED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from zoneinfo import ZoneInfo

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from streams.demo.report.series import ClusterPoints, RevenueSeries, SegmentSeries

INK, SOFT, LINE = "#1f2933", "#6b7785", "#e3e8ee"
BLUE, RED, ORANGE = "#2f6fb0", "#c8412f", "#dd8a1d"
# from customers who buy now to lost ones
SEGMENT_COLOURS = dict(
    zip(
        GRID_SEGMENTS,
        (
            "#14532d",
            "#2f855a",
            "#68b684",
            "#2b6cb0",
            "#7fb2e5",
            "#e8c547",
            "#f0a04b",
            "#d9622b",
            "#9b2c2c",
            "#a3aab5",
            "#5f6773",
        ),
        strict=True,
    )
) | {UNSCORED: "#d8dde3"}
CLUSTER_COLOURS = ("#2b6cb0", "#d9622b", "#2f855a", "#8e5bb5", "#c9a227", "#3aa6a6", "#b83280", "#6b7785")
# the wider one has no legend beside it, so that both end up equally wide
_WIDE, _WIDER, _HALF = (10.8, 3.3), (12.6, 3.3), (5.3, 3.4)
_POINTS_MAX = 1500
_THOUSAND, _MILLION = 1_000, 1_000_000
_LOG_RANGE_MIN = 20
_BAND_SHARE_MIN = 0.003
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "legend.frameon": False,
    "svg.hashsalt": "touchstream",
}


def segments_figure(series: SegmentSeries, zone: ZoneInfo) -> str | None:
    """Draw customers with an order by segment over time, stacked; None without any."""
    if not series.times_ms:
        return None
    names = [name for name in (*GRID_SEGMENTS, UNSCORED) if name in series.counts]
    names += sorted(set(series.counts) - set(names))
    with plt.rc_context(_STYLE):
        figure, axes = plt.subplots(figsize=_WIDE)
        colours = [SEGMENT_COLOURS.get(name, SOFT) for name in names]
        values = [series.counts[name] for name in names]
        axes.stackplot(_dates(series.times_ms, zone), values, labels=names, colors=colours, edgecolor="white", lw=0.25)
        _over_time(axes, zone)
        axes.set_ylabel("customers")
        axes.yaxis.set_major_formatter(FuncFormatter(_short))
        handles, labels = axes.get_legend_handles_labels()
        axes.legend(handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1.005, 0.5), fontsize=8.5)
        return _svg(figure)


def revenue_figure(series: RevenueSeries, currency: str, zone: ZoneInfo) -> str | None:
    """Draw revenue by hour or day with the anomalies shaded; None without any."""
    if not series.times_ms:
        return None
    with plt.rc_context(_STYLE):
        figure, axes = plt.subplots(figsize=_WIDER)
        dates = _dates(series.times_ms, zone)
        if len(dates) <= 72:  # noqa: PLR2004 - few enough to see each window
            width = 0.85 / (24 if series.grain == "hour" else 1)
            axes.bar(dates, series.values, width=width, align="edge", color=BLUE)
        else:
            axes.fill_between(dates, series.values, color=BLUE, alpha=0.14, lw=0)
            axes.plot(dates, series.values, color=BLUE, lw=1.1)
        _shade(axes, series, zone)
        _over_time(axes, zone)
        axes.set_ylim(bottom=0)
        axes.set_ylabel(f"{currency} by {series.grain}")
        axes.yaxis.set_major_formatter(FuncFormatter(_short))
        return _svg(figure)


def _shade(axes: Axes, series: RevenueSeries, zone: ZoneInfo) -> None:
    """Draw anomalies as bands that are wide enough to see."""
    least_ms = (series.times_ms[-1] - series.times_ms[0]) * _BAND_SHARE_MIN
    labels = {"low": "less than expected", "high": "more than expected"}
    for start, end, direction in series.anomalies:
        first, last = _dates([start, max(end, start + int(least_ms))], zone)
        colour = RED if direction == "low" else ORANGE
        axes.axvspan(first, last, color=colour, alpha=0.3, lw=0, label=labels.pop(direction, None))
    if series.anomalies:
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncol=2, fontsize=8.5)


def clusters_figure(points: Sequence[ClusterPoints]) -> str | None:
    """Draw recency and frequency of customers, area by spend, coloured by cluster; None without clusters."""
    points = [each for each in points if each.orders]
    if not points:
        return None
    spread = np.random.default_rng(
        7
    )  # orders are whole numbers: points are moved apart a little, so that all are visible
    with plt.rc_context(_STYLE):
        figure, axes = plt.subplots(figsize=_HALF)
        greatest = max(max(each.spend) for each in points) or 1.0
        share = min(1.0, _POINTS_MAX / sum(len(each.orders) for each in points))
        for each in points:
            chosen = spread.permutation(len(each.orders))[: max(1, int(share * len(each.orders)))]
            orders = np.array(each.orders)[chosen] * np.exp(spread.uniform(-0.09, 0.09, len(chosen)))
            area = 8 + 90 * np.clip(np.array(each.spend)[chosen], 0, None) / greatest
            axes.scatter(
                np.array(each.recency_days)[chosen],
                orders,
                s=area,
                color=cluster_colour(each.number),
                alpha=0.55,
                lw=0.3,
                edgecolor="white",
                label=str(each.number),
                rasterized=True,
            )
        most = max(max(each.orders) for each in points)
        if most > _LOG_RANGE_MIN:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(FuncFormatter(_short))
            axes.yaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
        else:
            axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("days since the last order")
        axes.set_ylabel("orders")
        return _svg(figure)


def bars_figure(groups: Mapping[str, Mapping[str, float]], colours: Sequence[str], unit: str) -> str | None:
    """Draw horizontal bars, one for each name and group; None if there is nothing to show."""
    names = list(dict.fromkeys(name for counts in groups.values() for name in counts))
    if not names:
        return None
    with plt.rc_context({**_STYLE, "axes.grid.axis": "x"}):
        figure, axes = plt.subplots(figsize=(_HALF[0], max(1.3, 0.7 + 0.3 * len(names) * max(1, 0.75 * len(groups)))))
        height = 0.76 / len(groups)
        at = np.arange(len(names))
        for index, ((label, counts), colour) in enumerate(zip(groups.items(), colours, strict=False)):
            values = [counts.get(name, 0.0) for name in names]
            offset = (index - (len(groups) - 1) / 2) * height
            bars = axes.barh(at + offset, values, height * 0.92, color=colour, label=label)
            axes.bar_label(bars, [_short(value) for value in values], padding=3, fontsize=8, color=SOFT)
        axes.set_yticks(at, names)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.invert_yaxis()
        axes.xaxis.set_major_formatter(FuncFormatter(_short))
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.margins(x=0.14)
        axes.set_xlabel(unit)
        if len(groups) > 1:
            axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncol=len(groups), fontsize=8.5)
        return _svg(figure)


def cluster_colour(number: int) -> str:
    """Return the colour of a cluster, the same in figure and legend."""
    return CLUSTER_COLOURS[(number - 1) % len(CLUSTER_COLOURS)]


def _dates(times_ms: Sequence[int], zone: ZoneInfo) -> Any:  # noqa: ANN401 - matplotlib's types know only numbers
    return [datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(zone) for time_ms in times_ms]


def _over_time(axes: Axes, zone: ZoneInfo) -> None:
    locator = mdates.AutoDateLocator(minticks=4, maxticks=11, tz=zone)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator, tz=zone))  # type: ignore[no-untyped-call]
    axes.margins(x=0)


def _short(value: float, _at: int | None = None) -> str:
    size = abs(value)
    if size >= _MILLION:
        return f"{value / _MILLION:.3g}m"
    if size >= 10 * _THOUSAND:
        return f"{value / _THOUSAND:.3g}k"
    return f"{value:,.0f}" if value == int(value) or size >= 10 else f"{value:.2g}"  # noqa: PLR2004 - readable digits


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", bbox_inches="tight", dpi=150, metadata={"Date": None})
    plt.close(figure)
    return text.getvalue()
