"""Makes a data set, fits a line to it in three ways, and draws it: `blast run python analyse.py`."""
import tempfile
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # draws into files, needs no display

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import stats
from sklearn.linear_model import LinearRegression

SLOPE, OFFSET = 2.5, 4.0


def make(folder):
    """A table that went through a Parquet file, as data from elsewhere would have."""
    rng = np.random.default_rng(7)
    x = np.linspace(0, 10, 500)
    table = pa.table({"x": x, "y": SLOPE * x + OFFSET + rng.normal(0, 1, x.size)})
    pq.write_table(table, folder / "points.parquet")
    return pd.read_parquet(folder / "points.parquet")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        points = make(folder)
        by_numpy = np.polyfit(points.x, points.y, 1)[0]
        by_scipy = stats.linregress(points.x, points.y).slope
        model = LinearRegression().fit(points[["x"]], points.y)
        assert np.allclose([by_numpy, by_scipy, model.coef_[0]], SLOPE, atol=0.1)

        plt.scatter(points.x, points.y, s=4)
        plt.plot(points.x, model.predict(points[["x"]]), color="black")
        plt.savefig(folder / "fit.png")
        size = (folder / "fit.png").stat().st_size
        print(f"{len(points)} points, slope {by_scipy:.3f} (made with {SLOPE}), figure of {size} bytes")


if __name__ == "__main__":
    main()
