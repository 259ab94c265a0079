// A stream of the API as an answer in envelopes: the thin shell around an OpenStream, as
// server/rpc/sink_reactor.h is over gRPC.
//
// It decides nothing. The exchange tells it on the I/O thread what became of a part; it passes that
// on and returns. The exchange keeps it until End, the stream that writes to it for as long as that
// needs.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "server/api/call.h"
#include "server/http/codec.h"
#include "server/http/connect_call.h"
#include "server/http/connect_error.h"
#include "server/http/envelope.h"

namespace tokensim::http {

template <typename Message>
class ConnectStream final : public StreamSink<Message>,
                            public PartListener,
                            public std::enable_shared_from_this<ConnectStream<Message>> {
 public:
  template <typename Request>
  static void Serve(const StreamMethod<Request, Message>& method,
                    std::shared_ptr<ConnectCall> call) {
    auto sink = std::make_shared<ConnectStream>(method, std::move(call));
    sink->Begin();
    // Reading the request takes a while when it names many requests.
    const bool posted =
        method.environment.executor.TryPost([&method, sink] { sink->Open(method); });
    if (!posted) {
      sink->End(
          Overloaded("too many calls are waiting", {{"limit", "calls"}, {"scope", "server"}}));
    }
  }

  ConnectStream(const MethodInfo& method, std::shared_ptr<ConnectCall> call)
      : guard_(method.metrics, method.environment.clock), call_(std::move(call)) {}

  // StreamSink, called by the stream.
  void Write(const Message& message) override {
    std::string part(kEnvelopeHeadBytes, '\0');
    if (!EncodeMessage(message, &part)) exchange().Break();  // OnWritten(false) follows the Write
    SealEnvelope(0, &part);
    exchange().Write(std::move(part));
  }
  void End(const absl::Status& status) override {
    guard_.Finish(status.code());
    PlacedStream ended;
    {
      const std::lock_guard lock(mutex_);
      ended = std::move(placed_);
    }
    exchange().End(MakeEnvelope(kEndStreamFlag, EndStreamJson(status)));
  }
  void BreakWrite(const absl::Status&) override { exchange().Break(); }

  // PartListener, called by the exchange.
  void OnWritten(bool ok) override {
    if (ok) guard_.OnMessageSent();
    if (const auto stream = OpenedStream()) stream->OnWriteDone(ok);
  }
  void OnGone() override { Abort(CallCancelled()); }

 private:
  Exchange& exchange() { return *call_->exchange; }

  void Begin() {
    Response head;
    head.headers = {{"Content-Type", ContentTypeOf(call_->type)}, {"Cache-Control", "no-store"}};
    exchange().Begin(std::move(head), this->shared_from_this());
    if (!call_->timeout) return;
    exchange().SetTimer(*call_->timeout, [weak = this->weak_from_this()] {
      if (const auto self = weak.lock()) self->Abort(DeadlinePassed());
    });
  }

  template <typename Request>
  void Open(const StreamMethod<Request, Message>& method) {
    try {
      Request request;
      absl::Status bad = call_->Wanted();
      if (bad.ok()) bad = Decode(call_->type.codec, call_->message, &request);
      if (!bad.ok()) return End(bad);
      auto opened = OpenPlaced<Request, Message>(method, request, this->shared_from_this());
      if (!opened.ok()) return End(opened.status());
      Start(*std::move(opened));
    } catch (...) {
      End(CaughtError());
    }
  }

  void Start(PlacedStream opened) {
    const std::shared_ptr<OpenStream> stream = opened.stream;
    std::optional<absl::Status> note;
    {
      const std::lock_guard lock(mutex_);
      placed_ = std::move(opened);
      note = note_;
    }
    if (note) stream->Abort(*note);
    stream->Start();
  }

  void Abort(const absl::Status& status) {
    {
      const std::lock_guard lock(mutex_);
      if (!note_) note_ = status;
    }
    if (const auto stream = OpenedStream()) stream->Abort(status);
  }

  std::shared_ptr<OpenStream> OpenedStream() {
    const std::lock_guard lock(mutex_);
    return placed_.stream;
  }

  bool EncodeMessage(const Message& message, std::string* part) {
    try {
      return Encode(call_->type.codec, message, part).ok();
    } catch (...) {
      part->resize(kEnvelopeHeadBytes);
      return false;
    }
  }

  CallGuard guard_;
  const std::shared_ptr<ConnectCall> call_;
  std::mutex mutex_;
  PlacedStream placed_;               // empty before Start and after End; guarded by mutex_
  std::optional<absl::Status> note_;  // of an Abort; guarded by mutex_
};

}  // namespace tokensim::http
