// Sends each arriving request to a worker.
//
// A global scheduler sees what a real router would: the outstanding requests of each worker, the
// request's prompt length, never its output length. GlobalSchedulers() lists the policies.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace tokensim {

enum class GlobalPolicy : uint8_t { kRoundRobin, kLeastRequests };

struct GlobalSchedulerConfig {
  GlobalPolicy policy = GlobalPolicy::kRoundRobin;
};

struct GlobalPolicyInfo {
  GlobalPolicy policy;
  std::string_view name;         // as in specs
  std::string_view description;  // one line, for the catalog
};
[[nodiscard]] const std::vector<GlobalPolicyInfo>& GlobalSchedulers();

// What the router knows when a request arrives.
struct DispatchView {
  std::span<const int32_t> outstanding;  // per worker: requests sent there and not finished
  int32_t input_tokens = 0;              // of the arriving request
};

class GlobalScheduler {
 public:
  virtual ~GlobalScheduler() = default;
  // Index of the worker. least_requests breaks ties by the lowest index.
  virtual int32_t Dispatch(const DispatchView& view) = 0;
};

[[nodiscard]] std::unique_ptr<GlobalScheduler> MakeGlobalScheduler(
    const GlobalSchedulerConfig& config);

}  // namespace tokensim
