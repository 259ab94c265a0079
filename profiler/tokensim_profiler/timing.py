"""Times one operator in microseconds: warm up, repeat, take the median.

    timer = make_timer("cuda", Repeats(warm_up=3, measured=10), flush_l2=True)
    microseconds = timer.measure(lambda: x @ w)

The median, because a run has rare outliers upwards (clock changes, interrupts) and none downwards.
"""

import dataclasses
import statistics
import time

_FLUSH_BYTES = 256 << 20     # more than the L2 of any GPU so far (H100: 50 MB)
_SPIN_HERTZ = 2e9            # upper bound of the clock that torch.cuda._sleep counts in
_SPIN_SECONDS = (50e-6, 0.1)  # least and most time given to the host


@dataclasses.dataclass(frozen=True)
class Repeats:
    warm_up: int = 3
    measured: int = 10


def make_timer(device, repeats, flush_l2):
    if device == "cuda":
        import torch  # only here: the other timer needs no PyTorch
        return CudaTimer(torch, repeats, flush_l2)
    return CpuTimer(repeats)


class CpuTimer:
    """Wall time of the call."""

    def __init__(self, repeats, now=time.perf_counter):
        self._repeats = repeats
        self._now = now

    def measure(self, call):
        for _ in range(self._repeats.warm_up):
            call()
        times = []
        for _ in range(self._repeats.measured):
            start = self._now()
            call()
            times.append(self._now() - start)
        return statistics.median(times) * 1e6


class CudaTimer:
    """Time on the GPU between two events, without the host's.

    Eager PyTorch may launch kernels more slowly than the GPU runs them. So the GPU spins until the
    host has queued the whole call (twice the time that this took while warming up); then the events
    see the kernels back to back, as in an engine that captures CUDA graphs. The caller must not
    synchronise. With `flush_l2` the caches are overwritten before each call: weights and KV come
    from memory, as they do in a model of many layers.
    """

    def __init__(self, torch, repeats, flush_l2, now=time.perf_counter):
        self._cuda = torch.cuda
        self._repeats = repeats
        self._now = now
        self._flush = (torch.empty(_FLUSH_BYTES, dtype=torch.uint8, device="cuda")
                       if flush_l2 else None)

    def measure(self, call):
        cycles = self._spin_cycles(call)
        events = []
        for _ in range(self._repeats.measured):
            if self._flush is not None:
                self._flush.zero_()
            start, end = (self._cuda.Event(enable_timing=True) for _ in range(2))
            self._cuda._sleep(cycles)
            start.record()
            call()
            end.record()
            events.append((start, end))
        self._cuda.synchronize()
        return statistics.median(start.elapsed_time(end) for start, end in events) * 1e3

    def _spin_cycles(self, call):
        queueing = 0.0
        for _ in range(max(1, self._repeats.warm_up)):
            start = self._now()
            call()
            queueing = self._now() - start  # of the last: the first ones load and tune kernels
            self._cuda.synchronize()
        shortest, longest = _SPIN_SECONDS
        return int(min(max(2 * queueing, shortest), longest) * _SPIN_HERTZ)
