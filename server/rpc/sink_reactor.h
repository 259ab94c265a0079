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

#include "server/api/call.h"
#include "server/rpc/to_grpc_status.h"

namespace tokensim {

template <typename Message>
class SinkReactor final : public grpc::ServerWriteReactor<Message>, public StreamSink<Message> {
 public:
  template <typename Request>
  static SinkReactor* Serve(const StreamMethod<Request, Message>& method,
                            grpc::CallbackServerContext* context, const Request& request) {
    auto reactor = std::shared_ptr<SinkReactor>(new SinkReactor(method, context));
    reactor->self_ = reactor;  // lives until OnDone
    auto opened = OpenPlaced<Request, Message>(method, request, reactor);
    if (!opened.ok()) {
      reactor->End(opened.status());
      return reactor.get();
    }
    reactor->place_ = std::move(opened->place);
    reactor->stream_ = opened->stream;
    opened->stream->Start();
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
  SinkReactor(const MethodInfo& method, grpc::CallbackServerContext* context)
      : guard_(method.metrics, method.environment.clock), context_(context) {}

  // ServerWriteReactor, called by gRPC.
  void OnWriteDone(bool ok) override {
    if (ok) guard_.OnMessageSent();
    stream_->OnWriteDone(ok);
  }
  void OnCancel() override {
    if (stream_ == nullptr) return;
    stream_->Abort(CallCancelled());
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
