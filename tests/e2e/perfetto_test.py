"""`tokensim trace`: the files of Perfetto's viewer. What is in them: engine/io/perfetto."""

import unittest

from harness import ServerTestCase


def varint(data, at):
    value, shift = 0, 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def fields(data):
    """(number, value) of every field of a message, in order."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = varint(data, at)
        elif kind == 2:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
            assert len(value) == size, "cut short"
        else:
            size = {1: 8, 5: 4}[kind]
            value, at = data[at:at + size], at + size
        yield number, value


class Trace(ServerTestCase):
    def packets(self, name):
        data = (self.dir / name).read_bytes()
        packets = []
        for number, packet in fields(data):
            self.assertEqual(number, 1)  # Trace.packet
            packets.append(dict(fields(packet)))
        return data, packets

    def test_a_trace_of_the_server_is_that_of_a_local_run(self):
        self.run_cli("trace", self.small, "-o", "local.pftrace", "-q")
        self.remote("run", self.small, "--id", "small", "-q")
        self.remote("trace", "small", "-o", "remote.pftrace", "-q")
        local, packets = self.packets("local.pftrace")
        self.assertEqual(local, (self.dir / "remote.pftrace").read_bytes())
        events = [dict(fields(p[11])) for p in packets if 11 in p]
        begins = sum(e[9] == 1 for e in events)
        self.assertGreater(begins, 1000)
        self.assertEqual(begins, sum(e[9] == 2 for e in events))
        self.assertTrue(all(p[10] == 1 for p in packets))

    def test_a_part_of_a_run(self):
        self.run_cli("trace", self.small, "-o", "all.pftrace")
        self.run_cli("trace", self.small, "--from", "5", "--to", "6", "-o", "second.pftrace")
        self.run_cli("trace", self.small, "--requests", "3,4", "-o", "two.pftrace")
        whole, _ = self.packets("all.pftrace")
        second, packets = self.packets("second.pftrace")
        self.assertLess(len(second), len(whole) / 5)
        ends = [p[8] for p in packets if 11 in p and dict(fields(p[11]))[9] == 2]
        self.assertTrue(5_000_000_000 <= max(ends) < 6_000_000_000)
        _, packets = self.packets("two.pftrace")
        names = {dict(fields(p[11])).get(23) for p in packets if 11 in p}
        self.assertEqual({n for n in names if n}, {b"request 3", b"request 4"})

    def test_misuse(self):
        self.run_cli("trace", self.small, code=2)
        done = self.run_cli("trace", self.small, "-o", "t", "--from", "2", "--to", "1", code=2)
        self.assertIn("--to must be later than --from", done.stderr)
        done = self.remote("trace", "nobody", "-o", "t", "--set", "seed=1", code=2)
        self.assertIn("there is no file nobody", done.stderr)
        done = self.remote("trace", "nobody", "-o", "t", code=2)
        self.assertIn("nobody", done.stderr)
        self.assertEqual(list(self.dir.glob("t*")), [])


if __name__ == "__main__":
    unittest.main()
