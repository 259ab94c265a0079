#include "server/http/connect.h"

#include <memory>
#include <optional>
#include <utility>

#include "google/protobuf/descriptor.pb.h"
#include "server/http/codec.h"
#include "server/http/connect_call.h"
#include "server/http/connect_error.h"
#include "server/http/envelope.h"
#include "server/http/stream_answer.h"

namespace tokensim::http {
namespace {

constexpr std::string_view kPrefix = "/tokensim.v1.";

std::string PathOf(const MethodName& name) { return "/" + name.service + "/" + name.method; }

bool HasNoSideEffects(const MethodName& name) {
  const auto* method = google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(
      name.service + "." + name.method);
  return method != nullptr &&
         method->options().idempotency_level() == google::protobuf::MethodOptions::NO_SIDE_EFFECTS;
}

Response UnaryAnswer(const ConnectCall& call, const absl::Status& status,
                     const google::protobuf::Message& message) {
  if (!status.ok()) return ErrorResponse(status);
  try {
    Response out;
    out.headers = {{"Content-Type", ContentTypeOf(call.type)}, {"Cache-Control", "no-store"}};
    const absl::Status failed = Encode(call.type.codec, message, &out.body);
    return failed.ok() ? out : ErrorResponse(failed);
  } catch (...) {
    return ErrorResponse(CaughtError());
  }
}

template <typename Request, typename Response>
void ServeUnary(const UnaryMethod<Request, Response>& method, std::shared_ptr<ConnectCall> call) {
  struct Messages {
    Request request;
    Response response;
  };
  const auto messages = std::make_shared<Messages>();
  if (call->timeout) {
    // The first answer counts: what comes after it is not sent.
    call->exchange->SetTimer(*call->timeout, [call] { call->Refuse(DeadlinePassed()); });
  }
  ServeCall(
      method, &messages->request, &messages->response,
      [call, messages] {
        const absl::Status unwanted = call->Wanted();
        if (!unwanted.ok()) return unwanted;
        return Decode(call->type.codec, call->message, &messages->request);
      },
      [call, messages](const absl::Status& status) {
        call->exchange->Answer(UnaryAnswer(*call, status, messages->response));
      });
}

// Messages in envelopes; the last one tells how it ended.
template <typename Message>
class EnvelopeFormat final : public StreamFormat<Message> {
 public:
  explicit EnvelopeFormat(BodyType type) : type_(type) {}

  [[nodiscard]] Response Head() const override {
    Response out;
    out.headers = {{"Content-Type", ContentTypeOf(type_)}, {"Cache-Control", "no-store"}};
    return out;
  }
  [[nodiscard]] bool begins_at_once() const override { return true; }
  absl::Status Encode(const Message& message, std::string* part) override {
    part->assign(kEnvelopeHeadBytes, '\0');
    const absl::Status status = http::Encode(type_.codec, message, part);
    SealEnvelope(0, part);
    return status;
  }
  std::optional<std::string> Last(const absl::Status& status) override {
    return MakeEnvelope(kEndStreamFlag, EndStreamJson(status));
  }

 private:
  const BodyType type_;
};

template <typename Request, typename Message>
void ServeStream(const StreamMethod<Request, Message>& method, std::shared_ptr<ConnectCall> call) {
  using Stream = StreamAnswer<Message>;
  const std::shared_ptr<Stream> stream = Stream::template Serve<Request>(
      method, call->exchange,
      [call](Request* request) {
        const absl::Status unwanted = call->Wanted();
        return unwanted.ok() ? Decode(call->type.codec, call->message, request) : unwanted;
      },
      std::make_unique<EnvelopeFormat<Message>>(call->type));
  if (!call->timeout) return;
  call->exchange->SetTimer(*call->timeout, [weak = std::weak_ptr<Stream>(stream)] {
    if (const auto running = weak.lock()) running->Abort(DeadlinePassed());
  });
}

Response MethodNotAllowed(bool get) {
  Response out = TextResponse(405, get ? "use POST or GET" : "use POST");
  out.headers.emplace_back("Allow", get ? "GET, POST" : "POST");
  return out;
}

Response UnsupportedType(bool stream) {
  const std::string types = std::string(ContentTypeOf({Codec::kJson, stream})) + ", " +
                            ContentTypeOf({Codec::kProto, stream});
  Response out = TextResponse(415, "the Content-Type must be one of " + types);
  out.headers.emplace_back("Accept-Post", types);
  return out;
}

}  // namespace

ConnectService::ConnectService(const Api& api) {
  api.ForEachMethod([this](const auto& method) { Add(method); });
}

template <typename Request, typename Response>
void ConnectService::Add(const UnaryMethod<Request, Response>& method) {
  methods_[PathOf(method.name)] = {
      false, HasNoSideEffects(method.name),
      [&method](std::shared_ptr<ConnectCall> call) { ServeUnary(method, std::move(call)); }};
}

template <typename Request, typename Response>
void ConnectService::Add(const StreamMethod<Request, Response>& method) {
  methods_[PathOf(method.name)] = {true, false, [&method](std::shared_ptr<ConnectCall> call) {
                                     ServeStream(method, std::move(call));
                                   }};
}

bool ConnectService::Owns(std::string_view path) { return path.starts_with(kPrefix); }

std::vector<std::string> ConnectService::Paths() const {
  std::vector<std::string> out;
  for (const auto& [path, entry] : methods_) out.push_back(path);
  return out;
}

void ConnectService::Serve(const std::shared_ptr<Exchange>& exchange) const {
  const Request& request = exchange->request();
  const auto found = methods_.find(request.target.path);
  if (found == methods_.end()) {
    return exchange->Answer(
        ErrorResponse(404, MakeError(absl::StatusCode::kUnimplemented, reason::kRequestInvalid,
                                     "there is no method " + request.target.path.substr(1, 200))));
  }
  const Entry& method = found->second;
  auto call = std::make_shared<ConnectCall>();
  call->exchange = exchange;
  absl::Status bad;
  if (request.method == "POST") {
    const auto type = ParseContentType(request.Header("content-type"));
    if (!type || type->stream != method.stream) {
      return exchange->Answer(UnsupportedType(method.stream));
    }
    call->type = *type;
    bad = ReadPost(call.get());
  } else if (request.method == "GET" && method.no_side_effects) {
    bad = ReadGet(call.get());
  } else {
    return exchange->Answer(MethodNotAllowed(method.no_side_effects));
  }
  if (!bad.ok()) return call->Refuse(bad);
  method.serve(std::move(call));
}

}  // namespace tokensim::http
