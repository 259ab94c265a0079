"""Chooses what each step computes. Knows no clock and no tensors.

    scheduler = Scheduler(num_blocks=1000, block_size=16, token_budget=2048, max_num_seqs=256)
    scheduler.add(request)
    chunks = scheduler.schedule()
    scheduler.complete(chunks, tokens)     # one sampled token for each chunk
"""

import collections
import dataclasses

from tokensim_profiler.errors import UserError


@dataclasses.dataclass(eq=False)
class Request:
    """Tokens are the prompt and what was generated; `computed` of them have keys and values."""

    id: int
    arrival_s: float
    tokens: list
    input_toks: int
    output_toks: int
    computed: int = 0
    blocks: list = dataclasses.field(default_factory=list)
    queued_s: float = None
    scheduled_s: float = None
    first_token_s: float = None
    last_token_s: float = None
    preemptions: int = 0

    def generated(self):
        return len(self.tokens) - self.input_toks

    def finished(self):
        return self.generated() == self.output_toks


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Tokens start .. start + count of a request, in one step."""

    request: Request
    start: int
    count: int

    def samples(self):
        """The step computes the last known token: it yields the next one."""
        return self.start + self.count == len(self.request.tokens)


class Scheduler:
    def __init__(self, num_blocks, block_size, token_budget, max_num_seqs):
        self.block_size = block_size
        self._num_blocks = num_blocks
        self._free = collections.deque(range(num_blocks))
        self._token_budget = token_budget
        self._max_num_seqs = max_num_seqs
        self._waiting = collections.deque()
        self._running = []

    def check(self, request):
        """Refuses what could never run. The last token that is generated is never fed back."""
        if self._blocks_for(request.input_toks + request.output_toks - 1) > self._num_blocks:
            raise UserError(f"request {request.id} needs more KV than the {self._num_blocks} "
                            "blocks")

    def add(self, request):
        self._waiting.append(request)

    def has_work(self):
        return bool(self._waiting or self._running)

    def free_blocks(self):
        return len(self._free)

    def schedule(self):
        """Chunks of the next step: running requests first, then new ones as far as they fit."""
        chunks, preempted = self._continue_running()
        if not preempted:
            self._admit(chunks)
        return chunks

    def complete(self, chunks, tokens):
        """Takes in the step's tokens; returns the requests that got one."""
        advanced = []
        for chunk, token in zip(chunks, tokens):
            request = chunk.request
            sampled = chunk.samples()
            request.computed += chunk.count
            if not sampled:
                continue
            request.tokens.append(token)
            advanced.append(request)
            if request.finished():
                self._running.remove(request)
                self._release(request)
        return advanced

    def _continue_running(self):
        chunks, preempted = [], False
        budget = self._token_budget
        index = 0
        while index < len(self._running) and budget > 0:
            request = self._running[index]
            count = min(len(request.tokens) - request.computed, budget)
            while not self._grow(request, request.computed + count):
                preempted = True
                victim = self._running.pop()
                self._preempt(victim)
                if victim is request:
                    return chunks, preempted
            chunks.append(Chunk(request, request.computed, count))
            budget -= count
            index += 1
        return chunks, preempted

    def _admit(self, chunks):
        budget = self._token_budget - sum(chunk.count for chunk in chunks)
        while self._waiting and budget > 0 and len(self._running) < self._max_num_seqs:
            request = self._waiting[0]
            count = min(len(request.tokens), budget)
            if not self._grow(request, count):
                return
            self._running.append(self._waiting.popleft())
            chunks.append(Chunk(request, 0, count))
            budget -= count

    def _grow(self, request, tokens):
        """Blocks for so many tokens, all or none."""
        lacking = self._blocks_for(tokens) - len(request.blocks)
        if lacking > len(self._free):
            return False
        request.blocks += [self._free.popleft() for _ in range(lacking)]
        return True

    def _preempt(self, request):
        """Its keys and values are dropped and computed again later, before newer requests."""
        self._release(request)
        request.computed = 0
        request.preemptions += 1
        self._waiting.appendleft(request)

    def _release(self, request):
        self._free.extend(request.blocks)
        request.blocks = []

    def _blocks_for(self, tokens):
        return -(-tokens // self.block_size)
