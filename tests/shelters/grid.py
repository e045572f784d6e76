"""A made-up town: streets in rows and columns, a node at each crossing."""

from __future__ import annotations

import numpy as np

from portal.shelters.roads.graph import Graph, make

#: Degrees between two crossings: about 100 m.
STEP_LON, STEP_LAT = 0.000974, 0.000903
LON0, LAT0 = 114.34, 22.68


def grid(n: int, m: int, lon0: float = LON0, lat0: float = LAT0) -> Graph:
    """`n` columns and `m` rows; the node of column x and row y has the number `y * n + x`. Rows are named 横一路 1st Row Road,
    columns 纵一路 1st Column Road, and so on."""
    x, y = np.meshgrid(np.arange(n), np.arange(m))
    number = (y * n + x).astype(np.int32)
    names = [("", ""), *((f"横{i + 1}路", f"Row {i + 1} Road") for i in range(m)),
             *((f"纵{i + 1}路", f"Column {i + 1} Road") for i in range(n))]
    a = np.concatenate([number[:, :-1].ravel(), number[:-1, :].ravel()])
    b = np.concatenate([number[:, 1:].ravel(), number[1:, :].ravel()])
    name = np.concatenate([1 + y[:, :-1].ravel(), 1 + m + x[:-1, :].ravel()])
    return make(lon0 + x.ravel() * STEP_LON, lat0 + y.ravel() * STEP_LAT, a, b, name=name, names=names)


def node(graph: Graph, number: int) -> tuple[float, float]:
    """Longitude and latitude of a node."""
    return float(graph.lon[number]), float(graph.lat[number])
