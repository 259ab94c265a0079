// Any bytes, as the parts of HTTP requests that are read by code of ours: the first line as a target,
// the second as a header, the rest as a body. What is accepted is safe, and survives going round.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "server/http/codec.h"
#include "server/http/envelope.h"
#include "server/http/event_query.h"
#include "server/http/message.h"
#include "server/http/site.h"
#include "server/http/target.h"

namespace {

using namespace tokensim::http;

void Require(bool condition) {
  if (!condition) std::abort();
}

std::string_view TakeLine(std::string_view* text) {
  const std::string_view line = text->substr(0, text->find('\n'));
  text->remove_prefix(std::min(line.size() + 1, text->size()));
  return line;
}

// A path that can be joined to a folder, and leads nowhere else.
void CheckPath(std::string_view path) {
  Require(path.starts_with('/') && IsUtf8(path));
  path.remove_prefix(1);
  while (!path.empty()) {
    const std::string_view segment = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(segment.size() + 1, path.size()));
    Require(!segment.empty() && segment != "." && segment != "..");
    for (const char c : segment) {
      Require(static_cast<unsigned char>(c) >= 0x20 && c != '\\' && c != 0x7F);
    }
  }
}

void CheckTarget(std::string_view text) {
  const auto target = ParseTarget(text);
  if (!target.ok()) return;
  CheckPath(target->path);
  for (const auto& [name, value] : target->query) {
    Require(target->Query(name) != nullptr && IsUtf8(name) && IsUtf8(value));
  }
  tokensim::v1::StreamEventsRequest request;
  (void)ReadEventQuery(*target, &request);
}

void CheckHeader(std::string_view value) {
  if (const auto type = ParseContentType(value)) {
    Require(ParseContentType(ContentTypeOf(*type))->stream == type->stream);
  }
  (void)ListContains(value, "gzip");
  (void)IsLocalHost(value);
}

void CheckBody(std::string_view body) {
  const auto payload = OpenOnlyEnvelope(body);
  if (payload.ok()) Require(MakeEnvelope(0, *payload) == body);
  Require(*OpenOnlyEnvelope(MakeEnvelope(0, body)) == body);

  tokensim::v1::CreateSimulationRequest request;
  if (!Decode(Codec::kJson, body, &request).ok()) return;
  std::string json;
  Require(Encode(Codec::kJson, request, &json).ok());
  tokensim::v1::CreateSimulationRequest again;
  Require(Decode(Codec::kJson, json, &again).ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  CheckTarget(TakeLine(&rest));
  CheckHeader(TakeLine(&rest));
  CheckBody(rest);
  return 0;
}
