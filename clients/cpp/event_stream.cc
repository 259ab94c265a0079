#include "clients/cpp/event_stream.h"

#include <utility>

namespace tokensim::client {

ResumingEventStream::ResumingEventStream(Connection& connection, v1::StreamEventsRequest request)
    : connection_(connection), request_(std::move(request)), backoff_(connection.NewBackoff()) {}

ResumingEventStream::~ResumingEventStream() {
  if (reader_ == nullptr) return;
  context_->get()->TryCancel();
  (void)reader_->Finish();
}

void ResumingEventStream::Open() {
  progressed_ = false;
  context_ = std::make_unique<Connection::Context>(connection_);
  reader_ = connection_.simulations().StreamEvents(context_->get(), request_);
}

void ResumingEventStream::Advance(const v1::EventBatch& batch) {
  if (batch.covered_through() > request_.after_sequence()) {
    progressed_ = true;
    backoff_.Reset();
    request_.set_after_sequence(batch.covered_through());
  }
  const bool last_event =
      !batch.events().empty() && batch.events().rbegin()->has_simulation_ended();
  const bool last_wanted =
      request_.until_sequence() > 0 && request_.after_sequence() >= request_.until_sequence();
  ended_ = last_event || last_wanted;
}

void ResumingEventStream::EndOfReader() {
  const grpc::Status status = reader_->Finish();
  reader_ = nullptr;
  if (status.ok()) {
    // With nothing behind the cursor the server just ends the stream; otherwise there is more.
    ended_ = !progressed_;
    return;
  }
  error_ = connection_.WaitToRetry(backoff_, ToError(status));
  ended_ = error_.has_value();
}

bool ResumingEventStream::Next(v1::EventBatch* batch) {
  while (!ended_) {
    if (reader_ == nullptr) Open();
    if (reader_->Read(batch)) {
      Advance(*batch);
      return true;
    }
    EndOfReader();
  }
  return false;
}

}  // namespace tokensim::client
