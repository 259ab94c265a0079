#include "clients/cpp/simulation_watch.h"

#include <utility>

namespace tokensim::client {

namespace {

bool Terminal(v1::Simulation::State state) {
  return state == v1::Simulation::SUCCEEDED || state == v1::Simulation::FAILED ||
         state == v1::Simulation::CANCELLED;
}

// The server ended a watch without an error and without a terminal state.
Error EndedEarly() {
  Error error;
  error.code = absl::StatusCode::kUnavailable;
  error.message = "the server ended the watch before the simulation ended";
  return error;
}

}  // namespace

ResumingWatch::ResumingWatch(Connection& connection, std::string name)
    : connection_(connection), name_(std::move(name)), backoff_(connection.NewBackoff()) {}

ResumingWatch::~ResumingWatch() {
  if (reader_ == nullptr) return;
  context_->get()->TryCancel();
  (void)reader_->Finish();
}

void ResumingWatch::Open() {
  v1::WatchSimulationRequest request;
  request.set_name(name_);
  context_ = std::make_unique<Connection::Context>(connection_);
  reader_ = connection_.simulations().WatchSimulation(context_->get(), request);
}

bool ResumingWatch::Next(v1::Simulation* simulation) {
  while (!ended_) {
    if (reader_ == nullptr) Open();
    if (reader_->Read(simulation)) {
      backoff_.Reset();
      ended_ = Terminal(simulation->state());
      return true;
    }
    const grpc::Status status = reader_->Finish();
    reader_ = nullptr;
    error_ = connection_.WaitToRetry(backoff_, status.ok() ? EndedEarly() : ToError(status));
    ended_ = error_.has_value();
  }
  return false;
}

}  // namespace tokensim::client
