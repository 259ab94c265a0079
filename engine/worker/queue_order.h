// Who is next in a worker's waiting queue: the interface of queue orders.
//
// Most orders are a key, computed when a request joins the queue: the least goes first, equal keys
// in order of arrival. Two kinds need none, and have queues of their own (waiting_queue.h). The
// policies are in engine/policy/order, one file each. docs/schedulers.md.
#pragma once

#include <cstdint>

#include "engine/base/registry.h"
#include "engine/base/time.h"

namespace tokensim {

// What an order sees of a request.
struct QueuedRequest {
  int32_t tokens = 0;    // to have in the cache before its next token: prompt and output so far
  int32_t priority = 0;  // of its class; lower goes first
  SimTime arrival = 0;
  SimTime deadline = kNever;  // for its first token
  int32_t client_class = 0;
  int32_t output_tokens = 0;  // true length, which no real scheduler knows
};

class QueueOrder {
 public:
  virtual ~QueueOrder() = default;
  // Only of orders whose queue is kKeyed.
  [[nodiscard]] virtual int64_t Key(const QueuedRequest& /*request*/) const { return 0; }
};

enum class QueueKind : uint8_t {
  kArrival,  // in order of arrival
  kKeyed,    // by QueueOrder::Key
  kFair,     // by the service that the client classes got: virtual token counters
};

struct QueueOrderTraits {
  QueueKind queue = QueueKind::kKeyed;
  // The victim of a preemption that goes with it, when none is named; "": the usual one.
  std::string_view default_victim = "";
};

// Of a queue. Nothing so far.
struct QueueOrderContext {};

class QueueOrderFactory : public PolicyFactory<QueueOrder, QueueOrderTraits, QueueOrderContext> {
 public:
  using PolicyFactory::PolicyFactory;
};
using QueueOrderEntry = PolicyEntry<QueueOrderFactory>;
using QueueOrderRegistry = PolicyRegistry<QueueOrderFactory>;

}  // namespace tokensim
