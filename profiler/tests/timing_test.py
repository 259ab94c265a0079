"""Timers with clocks and a GPU of our own, and what a machine is called."""

import types
import unittest

import support  # noqa: F401
from tokensim_profiler import machine
from tokensim_profiler.timing import CpuTimer, CudaTimer, Repeats


class Cpu(unittest.TestCase):
    def test_median_after_warm_up(self):
        durations = iter([9, 9, 3, 1, 2, 8, 2])  # two to warm up, then five
        clock = {"now": 0.0}

        def call():
            clock["now"] += next(durations)

        timer = CpuTimer(Repeats(warm_up=2, measured=5), now=lambda: clock["now"])
        self.assertEqual(timer.measure(call), 2e6)


class FakeGpu:
    """A stream that notes what is queued; events read a clock that kernels move on."""

    def __init__(self):
        self.log = []
        self.milliseconds = 0.0
        gpu = self

        class Event:
            def __init__(self, enable_timing):
                assert enable_timing

            def record(self):
                gpu.log.append("record")
                self.at = gpu.milliseconds

            def elapsed_time(self, end):
                assert gpu.log[-1] == "synchronize"
                return end.at - self.at

        self.cuda = types.SimpleNamespace(Event=Event, _sleep=self.spin,
                                          synchronize=lambda: self.log.append("synchronize"))
        self.uint8 = "uint8"

    def spin(self, cycles):
        self.log.append("spin")
        self.cycles = cycles
        self.milliseconds += 100

    def empty(self, size, dtype, device):
        return types.SimpleNamespace(zero_=lambda: self.log.append("flush"))


class Cuda(unittest.TestCase):
    def test_the_host_is_hidden_and_the_cache_is_cold(self):
        gpu, host = FakeGpu(), {"now": 0.0}
        durations = iter([0.5, 0.5, 0.030, 0.020, 0.040])

        def call():
            gpu.log.append("kernel")
            host["now"] += 1e-3  # one millisecond to queue
            gpu.milliseconds += next(durations)

        timer = CudaTimer(gpu, Repeats(warm_up=2, measured=3), True, now=lambda: host["now"])
        self.assertAlmostEqual(timer.measure(call), 30.0)
        self.assertEqual(gpu.log, ["kernel", "synchronize"] * 2 +
                         ["flush", "spin", "record", "kernel", "record"] * 3 + ["synchronize"])
        self.assertAlmostEqual(gpu.cycles, 4e6, delta=1)  # 2 ms at 2 GHz

    def test_the_cache_can_be_kept(self):
        gpu = FakeGpu()
        CudaTimer(gpu, Repeats(1, 1), False).measure(lambda: None)
        self.assertNotIn("flush", gpu.log)


class Machine(unittest.TestCase):
    def test_short_names(self):
        self.assertEqual(machine.short_name("NVIDIA GeForce RTX 4090"), "RTX4090")
        self.assertEqual(machine.short_name("NVIDIA H100 80GB HBM3"), "H10080GBHBM3")
        self.assertEqual(machine.short_name("CPU (AMD EPYC)"), "CPU")

    def test_contexts_that_fit(self):
        self.assertIsNone(machine.max_kv_tokens(10**9, 4096, 90000))
        self.assertEqual(machine.max_kv_tokens(10**9, 4096, 10**6), 65536)  # of 97656


if __name__ == "__main__":
    unittest.main()
