"""A grid of efficiencies, linear between its points in the logarithm of every size.

The same interpolation as engine/compute/kernels/efficiency_surface.h. It is linear in the
logarithms at the grid points, so that fitting them is a linear least squares problem.
"""

import numpy as np
import scipy.sparse
import scipy.sparse.linalg


class Grid:
    """axes: {name: ascending sizes}."""

    def __init__(self, axes):
        self.axes = {name: np.array(values, float) for name, values in axes.items()}
        self.shape = [len(values) for values in self.axes.values()]
        self.size = int(np.prod(self.shape))

    def weights(self, sizes):
        """Rows: problems, columns: grid points. Sizes beyond the grid count as those at its edge."""
        count = len(next(iter(sizes.values())))
        columns = np.zeros((count, 1), int)
        weights = np.ones((count, 1))
        for name, values in self.axes.items():
            if len(values) == 1:
                continue
            logs = np.log(values)
            at = np.clip(np.log(sizes[name]), logs[0], logs[-1])
            cell = np.clip(np.searchsorted(logs, at, side="right") - 1, 0, len(logs) - 2)
            share = ((at - logs[cell]) / (logs[cell + 1] - logs[cell]))[:, None]
            below = columns * len(logs) + cell[:, None]
            columns = np.concatenate([below, below + 1], axis=1)
            weights = np.concatenate([weights * (1 - share), weights * share], axis=1)
        rows = np.repeat(np.arange(count), columns.shape[1])
        return scipy.sparse.csr_matrix(
            (weights.ravel(), (rows, columns.ravel())), shape=(count, self.size))

    def roughness(self):
        """Sum of squared second differences along every axis, and a little of the first, so that
        points without measurements continue their neighbours."""
        total = scipy.sparse.csr_matrix((self.size, self.size))
        for axis, values in enumerate(self.axes.values()):
            if len(values) == 1:
                continue
            before = scipy.sparse.identity(int(np.prod(self.shape[:axis])))
            after = scipy.sparse.identity(int(np.prod(self.shape[axis + 1:])))
            bends = scipy.sparse.csr_matrix(_differences(np.log(values)))
            along = scipy.sparse.kron(scipy.sparse.kron(before, bends), after)
            total = total + along.T @ along
        return total


def _differences(logs):
    rows = []
    steps = np.diff(logs)
    for i in range(1, len(logs) - 1):
        row = np.zeros(len(logs))
        row[i - 1:i + 2] = 1 / steps[i - 1], -1 / steps[i - 1] - 1 / steps[i], 1 / steps[i]
        rows.append(row)
    for i in range(len(logs) - 1):
        row = np.zeros(len(logs))
        row[i:i + 2] = -0.03, 0.03
        rows.append(row)
    return np.array(rows)


def fit(grid, sizes, efficiency, smoothness=0.01, rounds=3):
    """Logarithms at the grid points, of efficiencies of at most 1.

    Least squares, reweighted towards the least sum of absolute errors: what is reported is a mean
    absolute relative error, and outliers should not bend the surface.
    """
    target = np.log(efficiency)
    basis = grid.weights(sizes)
    roughness = smoothness * grid.roughness() + 1e-9 * scipy.sparse.identity(grid.size)
    weights = np.ones(len(target))
    logs = np.zeros(grid.size)
    for _ in range(rounds):
        normal = basis.T @ scipy.sparse.diags(weights) @ basis + roughness
        logs, failed = scipy.sparse.linalg.cg(
            normal, basis.T @ (weights * target), x0=logs, tol=1e-9, atol=0,
            M=scipy.sparse.diags(1 / normal.diagonal()))
        if failed:
            raise RuntimeError("the normal equations did not converge")
        weights = 0.05 / np.maximum(np.abs(basis @ logs - target), 0.02)
    return np.minimum(logs, 0)


def relative_errors(grid, logs, sizes, efficiency):
    """|predicted time / measured time - 1| of each problem."""
    return np.abs(efficiency / np.exp(grid.weights(sizes) @ logs) - 1)
