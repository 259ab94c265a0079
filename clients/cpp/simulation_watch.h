// A watch that opens itself again after a lost connection. Internal to clients/cpp.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "clients/cpp/connection.h"

namespace tokensim::client {

class ResumingWatch : public SimulationWatch {
 public:
  ResumingWatch(Connection& connection, std::string name);
  ~ResumingWatch() override;

  [[nodiscard]] bool Next(v1::Simulation* simulation) override;
  [[nodiscard]] const std::optional<Error>& error() const override { return error_; }

 private:
  void Open();

  Connection& connection_;
  const std::string name_;
  Backoff backoff_;
  bool ended_ = false;
  std::optional<Error> error_;
  std::unique_ptr<Connection::Context> context_;  // outlives reader_
  std::unique_ptr<grpc::ClientReader<v1::Simulation>> reader_;
};

}  // namespace tokensim::client
