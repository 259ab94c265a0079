// A gRPC server stream as a StreamSink: the thin shell around an OpenStream.
//
// It decides nothing. gRPC calls it (OnWriteDone, OnCancel, OnDone) on its own threads; it passes
// that on and returns. It lives until gRPC's OnDone, kept by itself, and by the stream that writes
// to it for as long as that needs.
#pragma once

#include <grpc/grpc.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <mutex>
#include <utility>

#include "server/base/error.h"
#include "server/base/stream.h"
#include "server/rpc/call_guard.h"
#include "server/rpc/stream_registry.h"
#include "server/rpc/to_grpc_status.h"

namespace tokensim {

template <typename Message>
class SinkReactor final : public grpc::ServerWriteReactor<Message>, public StreamSink<Message> {
 public:
  // Makes the stream that writes to `sink`; starts nothing.
  //   std::shared_ptr<Stream> make(std::shared_ptr<StreamSink<Message>> sink)
  // The stream has a method Start.
  template <typename MakeStream>
  static SinkReactor* Serve(StreamRegistry& registry, const MethodMetrics& metrics,
                            const Clock& clock, grpc::CallbackServerContext* context,
                            MakeStream make) {
    const std::shared_ptr<SinkReactor> reactor = Make(metrics, clock, context);
    auto place = registry.Enter();
    if (!place.ok()) {
      reactor->End(place.status());
      return reactor.get();
    }
    auto stream = make(reactor);
    reactor->place_ = *std::move(place);
    reactor->stream_ = stream;
    registry.Attach(*reactor->place_, stream);
    stream->Start();
    return reactor.get();
  }

  // A stream that ends with `status` at once.
  static SinkReactor* Refuse(const MethodMetrics& metrics, const Clock& clock,
                             grpc::CallbackServerContext* context, const absl::Status& status) {
    const std::shared_ptr<SinkReactor> reactor = Make(metrics, clock, context);
    reactor->End(status);
    return reactor.get();
  }

  // StreamSink, called by the stream.
  void Write(const Message& message) override { this->StartWrite(&message); }
  void End(const absl::Status& status) override {
    guard_.Finish(status.code());
    this->Finish(ToGrpcStatus(status));
  }
  void BreakWrite(const absl::Status& status) override {
    const std::lock_guard lock(mutex_);
    if (done_) return;  // the context is gone
    // Finish would wait behind the write, for ever. This sends the status past it.
    const std::string message(status.message());
    grpc_call_cancel_with_status(context_->c_call(), static_cast<grpc_status_code>(status.code()),
                                 message.c_str(), nullptr);
  }

 private:
  SinkReactor(const MethodMetrics& metrics, const Clock& clock,
              grpc::CallbackServerContext* context)
      : guard_(metrics, clock), context_(context) {}

  // Lives until OnDone.
  static std::shared_ptr<SinkReactor> Make(const MethodMetrics& metrics, const Clock& clock,
                                           grpc::CallbackServerContext* context) {
    auto reactor = std::shared_ptr<SinkReactor>(new SinkReactor(metrics, clock, context));
    reactor->self_ = reactor;
    return reactor;
  }

  // ServerWriteReactor, called by gRPC.
  void OnWriteDone(bool ok) override {
    if (ok) guard_.OnMessageSent();
    stream_->OnWriteDone(ok);
  }
  void OnCancel() override {
    if (stream_ == nullptr) return;
    stream_->Abort(MakeError(absl::StatusCode::kCancelled, reason::kCancelled, "cancelled"));
  }
  void OnDone() override {
    {
      const std::lock_guard lock(mutex_);
      done_ = true;
    }
    place_.reset();
    stream_.reset();
    const auto self = std::move(self_);  // may be the last reference
  }

  CallGuard guard_;
  grpc::CallbackServerContext* const context_;
  std::shared_ptr<SinkReactor> self_;
  std::shared_ptr<OpenStream> stream_;  // null when refused
  std::unique_ptr<StreamRegistry::Place> place_;
  std::mutex mutex_;
  bool done_ = false;  // guarded by mutex_
};

}  // namespace tokensim
