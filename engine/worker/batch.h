// One iteration of a worker: what runs in it, and what comes out of it.
//
// A batch is formed by a local scheduler (BatchBuilder), started, advanced and retired by the
// worker. To advance a batch is to take note of its outcome: prompts that end in it, last tokens. A
// worker that forms batches ahead advances one when it starts, since the next is formed on that
// outcome; it retires, giving back slots and blocks, when it ends.
#pragma once

#include <cstdint>

#include "engine/base/flat_list.h"
#include "engine/compute/compute_model.h"
#include "engine/worker/live_request.h"

namespace tokensim {

// A stay of a request in the running set: the token of its prefill, if any, then one for each
// decode iteration since decode_start.
struct Stay {
  SimTime prefill_token = kUnset;
  int64_t decode_start = -1;  // -1: it did not decode
  int32_t tokens_before = 0;  // generated when it began to decode
};

// A request that lost its place in the running set while a batch was formed.
struct Preemption {
  RequestHandle request = kNoRequest;
  Stay stay;
  int32_t generated = 0;       // in all
  int64_t swapped_blocks = 0;  // to host memory; 0: its KV cache was dropped
};

struct Departure {
  RequestHandle request = kNoRequest;
  Stay stay;
};

// The beginning of a request's KV cache that comes from the memory pool.
struct PoolFetch {
  RequestHandle request = kNoRequest;
  int32_t tokens = 0;
};

struct Batch {
  int32_t decodes = 0;
  int32_t padding = 0;
  int32_t completed_prefills = 0;
  int64_t context = 0;
  int64_t longest = 0;  // context of a decode; 0: not tracked
  int64_t prefill_tokens = 0;
  FlatList<PrefillChunk> chunks;
  FlatList<RequestHandle> chunk_requests;
  FlatList<WindowContext> windows;  // of the decodes, that the compute model asks for

  FlatList<RequestHandle> admitted;    // entered the running set
  FlatList<Preemption> preempted;      // left it when the batch was formed
  FlatList<int32_t> changes;           // their order: i is admitted[i], ~i is preempted[i]
  FlatList<RequestHandle> swapped_in;  // of the admitted, from host memory, before it starts
  FlatList<PoolFetch> fetches;         // of the admitted, before it starts
  int64_t swapped_blocks = 0;          // moved over the host link before it starts, both ways

  // Set when it is advanced.
  FlatList<RequestHandle> first_tokens;        // of the request's life
  FlatList<Departure> finishing_decodes;       // get their last token
  FlatList<RequestHandle> finishing_prefills;  // their first token is their last
  FlatList<RequestHandle> prefilled;           // leave for another worker

  // While it runs.
  int32_t running = 0;
  int32_t waiting = 0;
  int64_t blocks = 0;

  [[nodiscard]] bool empty() const { return decodes == 0 && chunks.empty(); }
  // Valid until the batch changes.
  [[nodiscard]] IterationShape shape() const {
    return {.decode_count = decodes,
            .decode_context = context,
            .max_decode_context = longest,
            .padding_count = padding,
            .sampled_count = decodes + padding + completed_prefills,
            .prefill_tokens = prefill_tokens,
            .prefill = chunks,
            .windows = windows};
  }

  void Clear() {
    decodes = padding = completed_prefills = 0;
    context = longest = prefill_tokens = swapped_blocks = 0;
    chunks.clear();
    chunk_requests.clear();
    windows.clear();
    admitted.clear();
    preempted.clear();
    changes.clear();
    swapped_in.clear();
    fetches.clear();
    first_tokens.clear();
    finishing_decodes.clear();
    finishing_prefills.clear();
    prefilled.clear();
  }
};

}  // namespace tokensim
