"""Feeds requests at their arrival times, runs step after step, stamps what happens.

    serve(requests, scheduler, executor, WallClock())
    write_stamps(path, requests)

`executor.execute(chunks)` computes one step and returns a token for each chunk.
"""

import collections
import csv
import time

COLUMNS = ("id", "trace_arrival_s", "arrival_s", "queued_s", "scheduled_s", "first_token_s",
           "last_token_s", "input_toks", "output_toks", "prompt_block16_ids")
_STAMP_BLOCK = 16  # tokens that one of prompt_block16_ids names, whatever the cache's block size


class WallClock:
    """Seconds since its construction."""

    def __init__(self):
        self._start = time.perf_counter()

    def now(self):
        return time.perf_counter() - self._start

    def sleep_until(self, seconds):
        time.sleep(max(0.0, seconds - self.now()))


def serve(requests, scheduler, executor, clock):
    """Runs all requests to their end; returns the number of steps."""
    for request in requests:
        scheduler.check(request)
    pending = collections.deque(sorted(requests, key=lambda request: request.arrival_s))
    steps = 0
    while pending or scheduler.has_work():
        now = clock.now()
        while pending and pending[0].arrival_s <= now:
            pending[0].queued_s = now
            scheduler.add(pending.popleft())
        if not scheduler.has_work():
            clock.sleep_until(pending[0].arrival_s)
            continue
        chunks = scheduler.schedule()
        now = clock.now()
        for chunk in chunks:
            if chunk.request.scheduled_s is None:
                chunk.request.scheduled_s = now
        tokens = executor.execute(chunks)
        now = clock.now()
        for request in scheduler.complete(chunks, tokens):
            if request.first_token_s is None:
                request.first_token_s = now
            request.last_token_s = now
        steps += 1
    return steps


def write_stamps(path, requests):
    """Seconds from the first queued stamp. No prompts share a prefix: all block ids differ."""
    origin = min(request.queued_s for request in requests)
    next_block = 0
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for request in sorted(requests, key=lambda request: request.id):
            blocks = request.input_toks // _STAMP_BLOCK
            stamps = [stamp - origin for stamp in
                      (request.arrival_s, request.queued_s, request.scheduled_s,
                       request.first_token_s, request.last_token_s)]
            writer.writerow([request.id, f"{request.arrival_s:.6f}"] +
                            [f"{stamp:.6f}" for stamp in stamps] +
                            [request.input_toks, request.output_toks,
                             " ".join(map(str, range(next_block, next_block + blocks)))])
            next_block += blocks
