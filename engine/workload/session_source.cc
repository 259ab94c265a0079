#include "engine/workload/session_source.h"

#include <algorithm>

#include "engine/base/invariant.h"

namespace tokensim {
namespace {

// For a heap with the first on top.
constexpr auto kLater = [](const auto& a, const auto& b) {
  return a.time != b.time ? a.time > b.time : a.order > b.order;
};

}  // namespace

SessionSource::SessionSource(const Workload& workload, uint64_t seed)
    : requests_left_(workload.most_requests()),
      last_(workload.last_arrival()),
      arrivals_left_(workload.users() > 0 ? workload.users() : workload.most_requests()),
      maker_(MakeSessionMaker(workload, seed)),
      times_(workload, seed, arrivals_left_, maker_->first_rows()),
      sessions_left_(workload.duration == kNever ? maker_->MostSessions(workload.num_requests)
                                                 : workload.most_requests()) {
  if (workload.users() > 0) user_think_.emplace(workload.arrivals.think_time, seed, "user");
  PushNextArrival();
  ShowNext();
}

void SessionSource::Pop() {
  if (!has_next_) return;
  std::pop_heap(heap_.begin(), heap_.end(), kLater);
  const int64_t what = heap_.back().what;
  heap_.pop_back();
  --requests_left_;
  sessions_[static_cast<size_t>(next_.source_tag)].waiting = true;
  if (what < 0) staged_ = -1;
  if (what == kNextArrival) PushNextArrival();
  ShowNext();
}

void SessionSource::OnEnded(int64_t source_tag, SimTime now) {
  Session& session = Ended(source_tag);
  if (session.turn + 1 < session.turns.size()) {
    ++session.turn;
    Push(SaturatingAdd(now, session.turns[session.turn].wait), source_tag);
  } else {
    Close(source_tag, now);
  }
  ShowNext();
}

void SessionSource::OnRejected(int64_t source_tag, SimTime now) {
  Ended(source_tag);
  Close(source_tag, now);
  ShowNext();
}

void SessionSource::Push(SimTime time, int64_t what) {
  heap_.push_back({time, order_++, what});
  std::push_heap(heap_.begin(), heap_.end(), kLater);
}

void SessionSource::PushNextArrival() {
  if (arrivals_left_ == 0 || sessions_left_ == 0) return;
  --arrivals_left_;
  --sessions_left_;
  Push(times_.Next(), kNextArrival);
}

Session& SessionSource::Ended(int64_t source_tag) {
  TOKENSIM_INVARIANT(source_tag >= 0 && source_tag < static_cast<int64_t>(sessions_.size()),
                     "not a tag of this source");
  Session& session = sessions_[static_cast<size_t>(source_tag)];
  TOKENSIM_INVARIANT(session.waiting, "a request ended twice");
  session.waiting = false;
  return session;
}

void SessionSource::Close(int64_t source_tag, SimTime now) {
  free_.push_back(source_tag);
  if (!user_think_ || sessions_left_ == 0) return;
  --sessions_left_;
  Push(SaturatingAdd(now, user_think_->Next()), kNextOfUser);
}

void SessionSource::Stage() {
  if (free_.empty()) {
    staged_ = static_cast<int64_t>(sessions_.size());
    sessions_.emplace_back();
  } else {
    staged_ = free_.back();
    free_.pop_back();
  }
  maker_->Make(&sessions_[static_cast<size_t>(staged_)]);
}

void SessionSource::ShowNext() {
  has_next_ = requests_left_ > 0 && !heap_.empty() && heap_.front().time <= last_;
  if (!has_next_) return;
  const Pending& first = heap_.front();
  if (first.what < 0 && staged_ < 0) Stage();
  next_.source_tag = first.what < 0 ? staged_ : first.what;
  const Session& session = sessions_[static_cast<size_t>(next_.source_tag)];
  const Turn& turn = session.turns[session.turn];
  next_.arrival = first.time;
  next_.input_tokens = turn.input;
  next_.output_tokens = turn.output;
  next_.client_class = session.client_class;
  next_.turn = static_cast<int32_t>(session.turn);
  next_.conversation = session.conversation;
  next_.last_turn = session.turn + 1 == session.turns.size();
  next_.content = session.content;
}

}  // namespace tokensim
