#include "server/api/stream_registry.h"

#include "server/base/error.h"

namespace tokensim {

StreamRegistry::Place::~Place() {
  const std::lock_guard lock(registry_.mutex_);
  registry_.streams_.erase(at_);
}

absl::StatusOr<std::unique_ptr<StreamRegistry::Place>> StreamRegistry::Enter() {
  const std::lock_guard lock(mutex_);
  if (closed_) return Draining();
  if (static_cast<int64_t>(streams_.size()) >= limit_) {
    return Overloaded(
        "too many open streams",
        {{"limit", limit_name_}, {"value", std::to_string(limit_)}, {"scope", "server"}});
  }
  streams_.emplace_front();
  return std::make_unique<Place>(*this, streams_.begin());
}

void StreamRegistry::Attach(const Place& place, const std::shared_ptr<OpenStream>& stream) {
  {
    const std::lock_guard lock(mutex_);
    *place.at_ = stream;
    if (!closed_) return;
  }
  stream->Abort(Draining());
}

void StreamRegistry::Close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  for (const auto& stream : Open()) stream->Abort(Draining());
}

int StreamRegistry::AbortStalled(SteadyTime before) {
  int stalled = 0;
  for (const auto& stream : Open()) stalled += stream->AbortIfStalled(before) ? 1 : 0;
  return stalled;
}

int64_t StreamRegistry::size() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int64_t>(streams_.size());
}

std::vector<std::shared_ptr<OpenStream>> StreamRegistry::Open() const {
  std::vector<std::shared_ptr<OpenStream>> out;
  const std::lock_guard lock(mutex_);
  for (const auto& stream : streams_) {
    if (auto open = stream.lock()) out.push_back(std::move(open));
  }
  return out;
}

}  // namespace tokensim
