#include "engine/io/events/replay_reader.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/cluster/simulation.h"
#include "engine/io/events/event_encoder.h"

namespace tokensim {
namespace {

// Engine events between two looks at the batch: what they emit beyond a full batch is copied.
constexpr int64_t kStep = 8;

constexpr int64_t kMaxSelectors = 100'000;

using Problem = std::optional<ReplayProblem>;

Problem CheckFilter(const v1::EventFilter& filter) {
  for (const int kind : filter.kinds()) {
    if (kind == v1::EVENT_KIND_UNSPECIFIED || !v1::EventKind_IsValid(kind)) {
      return Problem({"filter.kinds", "unknown event kind " + std::to_string(kind)});
    }
  }
  for (const int32_t worker : filter.workers()) {
    if (worker < 0) return Problem({"filter.workers", "must be >= 0"});
  }
  for (const int64_t id : filter.requests().ids()) {
    if (id < 0) return Problem({"filter.requests.ids", "must be >= 0"});
  }
  if (filter.workers_size() > kMaxSelectors) {
    return Problem({"filter.workers", "at most 100,000 entries"});
  }
  if (filter.requests().ids_size() > kMaxSelectors) {
    return Problem({"filter.requests.ids", "at most 100,000 entries"});
  }
  const double fraction = filter.requests().sample_fraction();
  if (!(fraction >= 0 && fraction <= 1)) {
    return Problem({"filter.requests.sample_fraction", "must be in (0, 1]; 0 means 1"});
  }
  if (filter.start_time_ns() < 0) return Problem({"filter.start_time_ns", "must be >= 0"});
  if (filter.end_time_ns() != 0 && filter.end_time_ns() <= filter.start_time_ns()) {
    return Problem({"filter.end_time_ns", "must be after start_time_ns; 0: no end"});
  }
  return std::nullopt;
}

}  // namespace

std::optional<ReplayProblem> CheckReplayOptions(const ReplayOptions& options) {
  if (options.after_sequence < 0) return Problem({"after_sequence", "must be >= 0"});
  if (options.until_sequence < 0 ||
      (options.until_sequence > 0 && options.until_sequence < options.after_sequence)) {
    return Problem({"until_sequence", "must not be before after_sequence; 0: to the end"});
  }
  if (options.max_batch_bytes < 1024 || options.max_batch_bytes > 1024 * 1024) {
    return Problem({"delivery.max_batch_bytes", "must be in 1024 .. 1048576; 0: 65536"});
  }
  return CheckFilter(options.filter);
}

class ReplayReader::Impl {
 public:
  Impl(std::shared_ptr<const Plan> plan, const ReplayOptions& options)
      : after_(options.after_sequence),
        encoder_(options, *plan),
        simulation_(std::move(plan), &encoder_, /*sink=*/nullptr) {}

  Outcome Read(int64_t max_engine_events, v1::EventBatch* batch, bool clear) {
    encoder_.Attach(batch, clear);
    const Outcome outcome = Fill(max_engine_events);
    encoder_.Detach();
    return outcome;
  }

  [[nodiscard]] const absl::Status& status() const { return status_; }
  [[nodiscard]] int64_t last_sequence() const { return encoder_.sequence(); }
  [[nodiscard]] bool ended() const { return encoder_.encoded_end() && !encoder_.has_overflow(); }

 private:
  Outcome Fill(int64_t max_engine_events) {
    for (int64_t left = max_engine_events;; left -= kStep) {
      if (encoder_.has_overflow()) return Outcome::kBatch;
      if (!status_.ok()) return Outcome::kFailed;
      if (encoder_.reached_until()) return Outcome::kEnd;
      if (simulation_.done()) return End();
      if (encoder_.full()) return Outcome::kBatch;
      if (left <= 0) return Outcome::kYield;
      status_ = simulation_.Advance(std::min(kStep, left));
    }
  }

  Outcome End() {
    if (encoder_.sequence() >= after_) return Outcome::kEnd;
    status_ = absl::OutOfRangeError("after_sequence is past the last event, " +
                                    std::to_string(encoder_.sequence()));
    return Outcome::kFailed;
  }

  const int64_t after_;
  EventEncoder encoder_;
  Simulation simulation_;
  absl::Status status_;
};

ReplayReader::ReplayReader(std::shared_ptr<const Plan> plan, ReplayOptions options)
    : impl_(std::make_unique<Impl>(std::move(plan), options)) {}
ReplayReader::~ReplayReader() = default;

ReplayReader::Outcome ReplayReader::Read(int64_t max_engine_events, v1::EventBatch* batch) {
  return impl_->Read(max_engine_events, batch, true);
}

ReplayReader::Outcome ReplayReader::ReadMore(int64_t max_engine_events, v1::EventBatch* batch) {
  return impl_->Read(max_engine_events, batch, false);
}

const absl::Status& ReplayReader::status() const { return impl_->status(); }
int64_t ReplayReader::last_sequence() const { return impl_->last_sequence(); }
bool ReplayReader::ended() const { return impl_->ended(); }

}  // namespace tokensim
