"""Efficiency surfaces of GPU kernels, fitted to measured kernel tables (docs/kernels.md)."""
