"""The three coefficients of a hardware preset, fitted to the bf16 GEMMs of a device."""

import numpy as np
import scipy.optimize


def gemm_seconds(problems, figures, coefficients):
    """Roofline: max(flops / (peak x share), bytes / (bandwidth x share)) + launch."""
    compute, memory, launch = coefficients
    return np.maximum(
        problems.flops / (figures["peak_flops"] * compute),
        problems.bytes / (figures["memory_bandwidth_bytes_per_second"] * memory)) + launch


def fit_coefficients(problems, figures):
    """(compute_efficiency, memory_efficiency, kernel_launch_seconds) with the least mean |error|."""
    def error(x):
        x = np.array([np.clip(x[0], 0.05, 1), np.clip(x[1], 0.05, 1), max(x[2], 0) * 1e-6])
        return np.abs(gemm_seconds(problems, figures, x) / problems.seconds - 1).mean()

    best = min((scipy.optimize.minimize(error, start, method="Nelder-Mead",
                                        options={"xatol": 1e-3, "fatol": 1e-5})
                for start in ([0.8, 0.8, 4], [0.6, 0.7, 8])), key=lambda found: found.fun)
    x = best.x
    return float(np.clip(x[0], 0.05, 1)), float(np.clip(x[1], 0.05, 1)), max(float(x[2]), 0) * 1e-6


def held_out_error(problems, figures):
    """Mean |relative error| on a fifth of the rows by the coefficients of the others."""
    held = np.random.default_rng(4).random(len(problems)) < 0.2
    coefficients = fit_coefficients(problems.take(~held), figures)
    test = problems.take(held)
    return np.abs(gemm_seconds(test, figures, coefficients) / test.seconds - 1).mean()
