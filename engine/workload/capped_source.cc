#include "engine/workload/capped_source.h"

#include <algorithm>
#include <utility>

#include "engine/base/invariant.h"

namespace tokensim {

CappedSource::CappedSource(std::unique_ptr<RequestSource> intended, int64_t places, SimTime last)
    : intended_(std::move(intended)), unused_(places), last_(last) {
  TOKENSIM_INVARIANT(places >= 1 && !intended_->reactive(), "a client without places");
  Show();
}

void CappedSource::Pop() {
  if (!has_next_) return;
  sent_ = next_.arrival;
  if (unused_ > 0) {
    --unused_;
  } else {
    freed_.pop();
  }
  intended_->Pop();
  Show();
}

void CappedSource::OnEnded(int64_t /*source_tag*/, SimTime now) {
  freed_.push(now);
  Show();
}

void CappedSource::Show() {
  const RequestInput* first = intended_->Peek();
  has_next_ = first != nullptr && (unused_ > 0 || !freed_.empty());
  if (!has_next_) return;
  next_ = *first;
  const SimTime free = unused_ > 0 ? 0 : freed_.top();
  next_.arrival = std::max({first->arrival, free, sent_});
  has_next_ = next_.arrival <= last_;
}

}  // namespace tokensim
