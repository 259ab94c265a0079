// An event stream that goes on after a lost connection where it stopped. Internal to clients/cpp.
#pragma once

#include <memory>
#include <optional>

#include "clients/cpp/connection.h"

namespace tokensim::client {

class ResumingEventStream : public EventStream {
 public:
  ResumingEventStream(Connection& connection, v1::StreamEventsRequest request);
  ~ResumingEventStream() override;

  [[nodiscard]] bool Next(v1::EventBatch* batch) override;
  [[nodiscard]] const std::optional<Error>& error() const override { return error_; }
  [[nodiscard]] int64_t covered_through() const override { return request_.after_sequence(); }

 private:
  void Open();
  void Advance(const v1::EventBatch& batch);
  void EndOfReader();

  Connection& connection_;
  v1::StreamEventsRequest request_;  // after_sequence follows what was delivered
  Backoff backoff_;
  bool ended_ = false;
  bool progressed_ = false;  // since the reader was opened
  std::optional<Error> error_;
  std::unique_ptr<Connection::Context> context_;  // outlives reader_
  std::unique_ptr<grpc::ClientReader<v1::EventBatch>> reader_;
};

}  // namespace tokensim::client
