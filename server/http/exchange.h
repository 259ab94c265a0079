// One request and the way to answer it.
//
// An answer is whole (Answer) or comes in parts (Begin, Write ..., End); of a second answer nothing
// is sent. Methods may be called from any thread and never block. An exchange whose client has gone
// stays usable: what is written to it is lost, and OnWritten(false) says so.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "server/http/message.h"

namespace tokensim::http {

// Told about an answer in parts, on the I/O thread: must not block.
class PartListener {
 public:
  virtual ~PartListener() = default;
  // After each Write: the part was handed to the network, or the client is gone.
  virtual void OnWritten(bool ok) = 0;
  // The client closed the connection. At most once; OnWritten of a part under way still follows.
  virtual void OnGone() = 0;
};

class Exchange {
 public:
  virtual ~Exchange() = default;

  [[nodiscard]] virtual const Request& request() const = 0;
  // Nobody waits for the answer any more.
  [[nodiscard]] virtual bool gone() const = 0;

  // Adds a header to the answer, whatever it will be. Before the answer, by who got the request.
  virtual void AlwaysSend(std::string name, std::string value) = 0;
  // Calls `expired` on the I/O thread after this time unless the answer has ended. Once.
  virtual void SetTimer(std::chrono::milliseconds delay, std::function<void()> expired) = 0;

  virtual void Answer(Response response) = 0;

  // The body of `head` is left out. The listener is kept until End.
  virtual void Begin(Response head, std::shared_ptr<PartListener> listener) = 0;
  // One at a time: the next after OnWritten.
  virtual void Write(std::string part) = 0;
  // `part` may be empty. Nothing is told to the listener after it.
  virtual void End(std::string part) = 0;
  // Cuts the connection, in whatever state it is: the client sees a broken answer.
  virtual void Break() = 0;
};

// Called on the I/O thread: must not block.
using Handler = std::function<void(std::shared_ptr<Exchange>)>;

}  // namespace tokensim::http
