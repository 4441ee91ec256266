"""Draw results.json: bars for the engines at the largest scale, and how they grow up to it.

    bench/.venvs/chart/bin/python bench/chart.py RESULTS_JSON OUT_SVG

run.py calls it with the environment that has matplotlib.
"""

import json
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

MEASURES = {"cpu": "CPU seconds", "wall": "Wall seconds", "peak_gb": "Peak memory, GB"}
OURS, FLOOR, PEER = "#0f766e", "#94a3b8", "#cbd5e1"
GREYS = ("#334155", "#b45309", "#7c3aed", "#be185d", "#2563eb")
plt.rcParams |= {
    "font.size": 10, "legend.frameon": False, "axes.spines.top": False, "axes.spines.right": False,
    "svg.hashsalt": "dropoff", "svg.fonttype": "none", "font.family": "sans-serif",
}  # fmt: skip


def colour(engine: str, peer: str) -> str:
    """Ours stands out, the floor recedes."""
    return {"dropoff": OURS, "dropoff_sql": OURS, "floor": FLOOR}.get(engine, peer)


def draw_bars(axes: plt.Axes, lines: list[dict], measure: str) -> None:
    """One bar for each engine that has a figure, the first on top."""
    lines = [line for line in lines if line[measure] is not None][::-1]
    bars = axes.barh(
        [line["label"] for line in lines],
        [line[measure] for line in lines],
        color=[colour(line["engine"], PEER) for line in lines],
    )
    axes.bar_label(bars, fmt="%.2f" if measure == "peak_gb" else "%.1f", padding=3)
    axes.margins(x=0.15)
    axes.set_title(MEASURES[measure], loc="left")


def draw_growth(axes: plt.Axes, lines: list[dict], measure: str) -> None:
    """One line for each engine over the numbers of rows, both axes logarithmic."""
    engines = list(dict.fromkeys(line["engine"] for line in lines))
    peers = [name for name in engines if not name.startswith(("dropoff", "floor"))]
    for name in engines:
        points = [line for line in lines if line["engine"] == name and line[measure] is not None]
        if points:
            axes.plot(
                [point["count_rows"] for point in points],
                [point[measure] for point in points],
                marker="o",
                linestyle="--" if name == "dropoff" else "-",
                linewidth=2.5 if name.startswith("dropoff") else 1.5,
                color=colour(name, GREYS[peers.index(name) % len(GREYS)] if name in peers else ""),
                label=points[0]["label"],
            )
    counts = sorted({line["count_rows"] for line in lines})
    axes.set(xscale="log", yscale="log")
    axes.set_xticks(counts, [f"{count / 1e6:.1f} M rows" for count in counts])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(visible=True, which="major", color="#e2e8f0")
    axes.set_title(f"{MEASURES[measure]}, by rows", loc="left")


def main() -> None:
    """Draw and write."""
    source, target = sys.argv[1:]
    with open(source, encoding="utf-8") as file:
        results = json.load(file)
    lines = results["lines"]
    counts = sorted({line["count_rows"] for line in lines})
    grows = len(counts) > 1
    figure, grid = plt.subplots(
        1 + grows, 3, figsize=(15, 4 + 4 * grows), squeeze=False, layout="constrained"
    )
    for column, measure in enumerate(MEASURES):
        draw_bars(grid[0][column], [x for x in lines if x["count_rows"] == counts[-1]], measure)
        if column:
            grid[0][column].set_yticklabels([])
        if grows:
            draw_growth(grid[1][column], lines, measure)
    if grows:
        figure.legend(*grid[1][0].get_legend_handles_labels(), loc="outside lower left", ncols=8)
    title = f"The same work on {counts[-1]:,} rows ({results['machine']})"
    figure.suptitle(title, x=0.01, ha="left")
    figure.savefig(target, metadata={"Date": None})


if __name__ == "__main__":
    main()
