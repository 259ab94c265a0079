// The state of a request while it is in the system, and the slab that holds them.
//
// Requests are named by 32-bit handles into one slab per simulation; a finished request's slot is
// reused. While a request decodes, its progress is implied by the worker's iteration count
// (DecodeSet), so an iteration does not touch it: RunningSet::ProgressOf says how far it is.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include "engine/base/huge_page.h"
#include "engine/base/time.h"
#include "engine/memory/block_hash.h"
#include "engine/memory/prefix_cache.h"

namespace tokensim {

using RequestHandle = uint32_t;
inline constexpr RequestHandle kNoRequest = 0xffffffffU;

// Index of a KV cache on its way.
inline constexpr uint32_t kNoMove = 0xffffffffU;

// Where a request's KV cache is, when it is not on the worker that shall go on with it.
enum class KvSource : uint8_t {
  kNone,
  kHost,    // swapped out, in the host memory of the same worker
  kPool,    // earlier turns of its conversation, in the memory pool
  kWorker,  // on the worker that ran it before
};

class GroupCache;

// A findable block that a request gives up when its window has moved on.
struct WindowBlock {
  BlockId id = kNoBlock;
  int32_t leaves = 0;  // with so many tokens in the cache
};

// What a request has only if prompts have text that others share, if it changes workers, or if its
// scheduler asks how long requests wait.
struct RequestExtras {
  PromptText text;               // for prefix caches
  std::vector<BlockId> shared;   // findable blocks it holds, in order
  std::vector<WindowBlock> windowed;  // ... of layers with windows
  // As a decode that has some: the worker's, and a number there.
  const GroupCache* window_owner = nullptr;
  int64_t window_stay = 0;
  SimTime kv_transfer = kUnset;  // time the KV cache took to move after the prefill
  SimTime handed_on = kUnset;    // while awaits_decode: since when
  SimTime decode_queueing = kUnset;
  SimTime waits_since = kUnset;  // in a WaitList; kUnset: in none
  RequestHandle wait_prev = kNoRequest;
  RequestHandle wait_next = kNoRequest;
};

// Three cache lines: a run with many workers is as fast as these are found. The first has what
// changes while it runs, the second its stamps, the third what few ask for.
struct alignas(64) LiveRequest {
  int32_t input_tokens = 0;
  int32_t output_tokens = 0;   // true length: for the engine's bookkeeping, never for a policy
  int32_t generated = 0;       // tokens produced; while decoding: when it began to decode
  int32_t computed = 0;        // tokens in the KV cache; while decoding: when it began to decode
  int64_t decode_start = 0;    // first iteration in which it decodes (while decoding)
  uint32_t running_place = 0;  // in AdmissionOrder
  RequestHandle calendar_prev = kNoRequest;
  RequestHandle calendar_next = kNoRequest;
  int32_t phase = 0;  // slot in DecodeSet's block ring
  int32_t client_class = 0;
  bool decoding = false;
  // Its first token gap of this stay is not that of the others: it is in max_itl by itself.
  bool first_gap_apart = false;
  bool last_turn = true;
  KvSource kv_source = KvSource::kNone;
  bool ran_here = false;       // it has been in the running set of its worker since it came
  bool awaits_decode = false;  // handed on, and nobody has taken it yet
  int32_t kv_tokens = 0;       // tokens at kv_source
  int32_t sent_kv_tokens = 0;  // of WorkerSignals::outstanding_kv_tokens at its worker

  int64_t id = 0;
  SimTime arrival = 0;
  SimTime queued = kUnset;     // taken in by its first worker
  SimTime scheduled = kUnset;  // first entry into a running set
  SimTime first_token = kUnset;
  SimTime last_token = kUnset;  // of the last stay in a running set that produced one
  SimTime max_itl = kUnset;     // over the stays that ended
  SimTime stay_token =
      kUnset;  // of the prefill that began this stay; kUnset: a loaded KV cache did

  int32_t worker = -1;
  int32_t prefill_worker = -1;
  int32_t preemptions = 0;
  int32_t cached_tokens = 0;      // of the prompt, not computed when it was first scheduled
  int32_t registered_tokens = 0;  // whose full blocks were offered to the prefix cache
  uint32_t move = kNoMove;        // of its KV cache between workers, in Cluster
  int32_t turn = 0;
  int32_t priority = 0;       // of its class
  SimTime deadline = kNever;  // for its first token
  int64_t conversation = -1;
  int64_t source_tag = -1;
  RequestExtras* extras = nullptr;  // the slab's; null: none (RequestSlab::Extras)

  // Tokens to have in the cache before the next token comes: the prompt and, after a preemption,
  // what was generated. Not while decoding.
  [[nodiscard]] int32_t prefill_target() const { return input_tokens + generated; }
  // Its whole KV cache is elsewhere: it decodes as soon as it is here.
  [[nodiscard]] bool resumes() const {
    return kv_source == KvSource::kHost || kv_source == KvSource::kWorker;
  }
  [[nodiscard]] PromptText text() const { return extras == nullptr ? PromptText{} : extras->text; }
  // A worker that decodes it has taken it.
  void EndDecodeWait(SimTime now) {
    if (!awaits_decode) return;
    awaits_decode = false;
    extras->decode_queueing =
        std::max<SimTime>(extras->decode_queueing, 0) + (now - extras->handed_on);
  }
};
static_assert(sizeof(LiveRequest) == 3 * 64 && std::is_trivially_destructible_v<LiveRequest>);

// In chunks: growing neither copies nor touches memory that is not needed yet. The first chunks are
// small blocks; when thousands of requests wait, further ones are cut from huge pages.
class RequestSlab {
 public:
  RequestSlab() = default;
  RequestSlab(const RequestSlab&) = delete;
  RequestSlab& operator=(const RequestSlab&) = delete;
  RequestHandle Allocate() {
    if (!free_.empty()) {
      const RequestHandle handle = free_.back();
      free_.pop_back();
      (*this)[handle] = LiveRequest{};
      return handle;
    }
    if (size_ % kChunk == 0) AddChunk();
    std::construct_at(&(*this)[size_]);
    return size_++;
  }
  void Free(RequestHandle handle) {
    if (RequestExtras* const extras = (*this)[handle].extras; extras != nullptr) {
      free_extras_.push_back(extras);
    }
    free_.push_back(handle);
  }
  // Those of the request, which has them from now on.
  RequestExtras& Extras(RequestHandle handle) {
    LiveRequest& r = (*this)[handle];
    if (r.extras == nullptr) r.extras = NewExtras();
    return *r.extras;
  }
  // It waits from now on for a worker that decodes it; that one takes it.
  void AwaitDecode(RequestHandle handle, SimTime now) {
    Extras(handle).handed_on = now;
    (*this)[handle].awaits_decode = true;
  }

  LiveRequest& operator[](RequestHandle handle) {
    return chunks_[handle / kChunk][handle % kChunk];
  }
  const LiveRequest& operator[](RequestHandle handle) const {
    return chunks_[handle / kChunk][handle % kChunk];
  }
  [[nodiscard]] int64_t live() const { return int64_t{size_} - static_cast<int64_t>(free_.size()); }

 private:
  static constexpr uint32_t kChunk = 512;
  static constexpr size_t kChunkBytes = kChunk * sizeof(LiveRequest);
  static constexpr size_t kSmallChunks = 16;
  static constexpr size_t kChunksPerPage = kHugePageBytes / kChunkBytes;
  static_assert(kChunksPerPage > 0);

  struct Deleter {
    void operator()(std::byte* memory) const {
      ::operator delete (memory, std::align_val_t{alignof(LiveRequest)});
    }
  };

  void AddChunk() {
    std::byte* memory = nullptr;
    if (chunks_.size() < kSmallChunks) {
      memory = static_cast<std::byte*>(
          ::operator new (kChunkBytes, std::align_val_t{alignof(LiveRequest)}));
      // Owned before the list grows, which may run out of memory, too.
      std::unique_ptr<std::byte[], Deleter> owned(memory);
      small_.push_back(std::move(owned));
    } else {
      const size_t chunk = (chunks_.size() - kSmallChunks) % kChunksPerPage;
      if (chunk == 0) pages_.push_back(AllocateHugePage());
      memory = pages_.back().get() + chunk * kChunkBytes;
    }
    chunks_.push_back(reinterpret_cast<LiveRequest*>(memory));
  }

  RequestExtras* NewExtras() {
    if (free_extras_.empty()) return &extras_.emplace_back();
    RequestExtras* const extras = free_extras_.back();
    free_extras_.pop_back();
    extras->shared.clear();  // keeps its memory
    *extras = {.shared = std::move(extras->shared)};
    return extras;
  }

  std::vector<LiveRequest*> chunks_;  // of raw memory; the first size_ requests are constructed
  std::vector<std::unique_ptr<std::byte[], Deleter>> small_;
  std::vector<HugePage> pages_;
  uint32_t size_ = 0;
  std::vector<RequestHandle> free_;
  std::deque<RequestExtras> extras_;  // a deque: they do not move
  std::vector<RequestExtras*> free_extras_;
};

}  // namespace tokensim
