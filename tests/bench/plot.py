"""Draws the cost of an event against what is stored and what is open."""

import json
import sys

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

source, target = sys.argv[1:]
with open(source) as file:
    points = json.load(file)
figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.2), sharey=True)
for axes, name, label in [
    (left, "stored", "events stored"),
    (right, "open", "open incidents"),
]:
    sizes, costs = zip(*points[name])
    axes.plot(sizes, costs, marker="o")
    axes.set_xscale("log")
    axes.set_xlabel(label)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
left.set_ylabel("CPU per event, µs")
figure.tight_layout()
figure.savefig(target, dpi=120)
