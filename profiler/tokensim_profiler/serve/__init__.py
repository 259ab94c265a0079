"""A small real serving loop, to check a simulation end to end against this machine.

Continuous batching with a token budget, chunked prefill, paged KV, greedy decoding, random
weights; per-request stamps as CSV. Scheduling follows vLLM V1 (running requests first, then the
queue in order of arrival; the newest running request is preempted and recomputed when blocks run
out), without prefix caching and without async scheduling: a step is scheduled when the one before
has ended.
"""
