// The API over the Connect protocol (https://connectrpc.com/docs/protocol): each method of it is
// POST /SERVICE/METHOD with a body of JSON or protobuf, each stream an answer in envelopes.
//
//   ConnectService connect(api);
//   if (connect.Owns(exchange->request().target.path)) connect.Serve(exchange);
//
// Methods that the schema marks NO_SIDE_EFFECTS also answer GET. Thread-safe; never blocks.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/api/api.h"
#include "server/http/exchange.h"

namespace tokensim::http {

struct ConnectCall;

class ConnectService {
 public:
  explicit ConnectService(const Api& api);  // outlives the calls

  // "/tokensim.v1.SimulationService/..." whether the method exists or not.
  [[nodiscard]] static bool Owns(std::string_view path);
  void Serve(const std::shared_ptr<Exchange>& exchange) const;

  [[nodiscard]] std::vector<std::string> Paths() const;

 private:
  struct Entry {
    bool stream = false;
    bool no_side_effects = false;
    std::function<void(std::shared_ptr<ConnectCall>)> serve;
  };

  template <typename Request, typename Response>
  void Add(const UnaryMethod<Request, Response>& method);
  template <typename Request, typename Response>
  void Add(const StreamMethod<Request, Response>& method);

  std::map<std::string, Entry, std::less<>> methods_;  // by path
};

}  // namespace tokensim::http
