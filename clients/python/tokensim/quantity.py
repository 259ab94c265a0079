"""Numbers with units, as specs have them: `80GiB`, `312TFLOPS`, `6.6us` (docs/spec.md, Spelling).

    real("80GiB", "memory_bytes") == 80 * 2**30
"""

import math
import re
import typing

_DECIMAL = {"": 0, "k": 3, "K": 3, "M": 6, "G": 9, "T": 12}
_BINARY = {"Ki": 1024, "Mi": 1024**2, "Gi": 1024**3, "Ti": 1024**4}
# A unit is 10^exponent * factor of the base unit.
_BYTES = {**{p + "B": (e, 1) for p, e in _DECIMAL.items()}, **{p + "B": (0, f) for p, f in _BINARY.items()}}
_SECONDS = {"ns": (-9, 1), "us": (-6, 1), "\u00b5s": (-6, 1), "\u03bcs": (-6, 1), "ms": (-3, 1), "s": (0, 1),
            "min": (0, 60), "h": (0, 3600)}
_UNITS = (
    ("_bytes_per_second", {unit + "/s": size for unit, size in _BYTES.items()}),
    ("_bytes", _BYTES),
    ("_flops", {"FLOPS": (0, 1), "kFLOPS": (3, 1), "MFLOPS": (6, 1), "GFLOPS": (9, 1), "TFLOPS": (12, 1),
                "PFLOPS": (15, 1)}),
    ("_seconds", _SECONDS),
    ("_ns", {unit: (exponent + 9, factor) for unit, (exponent, factor) in _SECONDS.items()}),
)
_NUMBER = re.compile(r"\s*\+?(-?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d{1,6}))?\s*(.*?)\s*$", re.S)
_SPECIAL = {".inf": math.inf, "-.inf": -math.inf, ".nan": math.nan}


def units_of(field: str) -> typing.Dict[str, typing.Tuple[int, int]]:
    """What the end of a field's name says; empty: plain numbers only."""
    for suffix, units in _UNITS:
        if field.endswith(suffix):
            return units
    return {}


def _split(text: str, field: str) -> typing.Tuple[str, int, int, str]:
    match = _NUMBER.match(text)
    if not match:
        raise ValueError(f"expected a number; got '{text}'")
    mantissa, exponent, unit = match[1], int(match[2] or 0), match[3]
    units = units_of(field)
    if unit and unit not in units:
        raise ValueError(f"unknown unit '{unit}': units are {', '.join(units)}" if units else
                         f"takes a number without a unit, got '{unit}'")
    more, factor = units[unit] if unit else (0, 1)
    return mantissa, exponent + more, factor, unit


def real(value: typing.Union[str, int, float], field: str) -> float:
    """ValueError says what is wrong."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    text = str(value)
    if text.lower() in _SPECIAL:
        return _SPECIAL[text.lower()]
    mantissa, exponent, factor, _ = _split(text, field)
    return float(f"{mantissa}e{exponent}") * factor


def whole(value: typing.Union[str, int, float], field: str) -> int:
    """As `real`. With a unit the number is rounded, without one it must be whole."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    mantissa, exponent, factor, unit = _split(repr(value) if isinstance(value, float) else str(value), field)
    if "." not in mantissa and 0 <= exponent <= 18:
        return int(mantissa) * 10**exponent * factor
    number = float(f"{mantissa}e{exponent}") * factor
    if not unit and number != round(number):
        raise ValueError(f"expected a whole number; got '{value}'")
    return round(number)
