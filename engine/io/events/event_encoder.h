// Numbers the events of a run and encodes those that are wanted.
//
// An event that the cursor or the filter skips costs a comparison or two; nothing is made for it. How
// each kind is filtered and written is in the source file only.
// Events go to the current batch until it is full; the rest of the engine step that filled it goes
// to an overflow, which begins the next batch.
#pragma once

#include <vector>

#include "engine/io/events/event_filter.h"
#include "engine/io/events/replay_reader.h"
#include "engine/run/observer.h"
#include "engine/run/plan.h"

namespace tokensim {

class EventEncoder final : public Observer {
 public:
  EventEncoder(const ReplayOptions& options, const Plan& plan);

  // Directs events to `batch`, beginning with the overflow. Until Detach.
  void Attach(v1::EventBatch* batch, bool clear);
  // Sets covered_through.
  void Detach();

  [[nodiscard]] bool full() const { return bytes_ >= max_bytes_; }
  [[nodiscard]] bool has_overflow() const { return overflow_next_ < overflow_.events_size(); }
  // Nothing that comes later is wanted.
  [[nodiscard]] bool reached_until() const { return sequence_ >= until_; }
  [[nodiscard]] int64_t sequence() const { return sequence_; }
  [[nodiscard]] bool encoded_end() const { return encoded_end_; }

  void OnEvent(SimTime now, const Event& event) override;

 private:
  v1::Event* Begin(SimTime now);
  void End(const v1::Event& event);
  void Count(const v1::Event& event);

  const CompiledEventFilter filter_;
  const int64_t after_;
  const int64_t until_;
  const int64_t max_bytes_;
  std::vector<int64_t> kv_bytes_per_block_;  // by worker
  int64_t sequence_ = 0;
  bool encoded_end_ = false;

  v1::EventBatch* batch_ = nullptr;
  int64_t bytes_ = 0;  // of the events in batch_
  v1::EventBatch overflow_;
  int overflow_next_ = 0;
};

}  // namespace tokensim
