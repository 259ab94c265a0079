#include "server/http/event_query.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "server/base/error.h"

namespace tokensim::http {
namespace {

constexpr double kMaxSeconds = 1e9;

std::vector<std::string> Split(std::string_view list) {
  std::vector<std::string> out;
  while (!list.empty()) {
    const std::string_view item = list.substr(0, list.find(','));
    list.remove_prefix(std::min(item.size() + 1, list.size()));
    out.emplace_back(item);
  }
  return out;
}

template <typename Integer>
std::optional<Integer> ParseInteger(std::string_view text) {
  Integer out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size() || out < 0) return std::nullopt;
  return out;
}

std::optional<double> ParseReal(const std::string& text, double max) {
  double out = 0;
  if (!absl::SimpleAtod(text, &out) || !(out >= 0 && out <= max)) return std::nullopt;
  return out;
}

// Each reads one parameter into the request; what is wrong with it, or null.
using Request = v1::StreamEventsRequest;

const char* ReadKinds(const std::string& value, Request* request) {
  for (const std::string& name : Split(value)) {
    v1::EventKind kind{};
    if (!v1::EventKind_Parse("EVENT_KIND_" + absl::AsciiStrToUpper(name), &kind)) {
      return "must be kinds of events, as first_token,iteration";
    }
    request->mutable_filter()->add_kinds(kind);
  }
  return nullptr;
}

const char* ReadWorkers(const std::string& value, Request* request) {
  for (const std::string& item : Split(value)) {
    const auto worker = ParseInteger<int32_t>(item);
    if (!worker) return "must be numbers of workers";
    request->mutable_filter()->add_workers(*worker);
  }
  return nullptr;
}

const char* ReadRequests(const std::string& value, Request* request) {
  for (const std::string& item : Split(value)) {
    const auto id = ParseInteger<int64_t>(item);
    if (!id) return "must be numbers of requests";
    request->mutable_filter()->mutable_requests()->add_ids(*id);
  }
  return nullptr;
}

const char* ReadParameter(const std::string& name, const std::string& value, Request* request) {
  if (name == "kinds") return ReadKinds(value, request);
  if (name == "workers") return ReadWorkers(value, request);
  if (name == "requests") return ReadRequests(value, request);
  if (name == "after" || name == "until") {
    const auto number = ParseInteger<int64_t>(value);
    if (!number) return "must be a whole number";
    name == "after" ? request->set_after_sequence(*number) : request->set_until_sequence(*number);
    return nullptr;
  }
  if (name == "from" || name == "to") {
    const auto seconds = ParseReal(value, kMaxSeconds);
    if (!seconds) return "must be seconds from 0 to 1e9";
    const auto time = static_cast<int64_t>(*seconds * 1e9);
    v1::EventFilter* filter = request->mutable_filter();
    name == "from" ? filter->set_start_time_ns(time) : filter->set_end_time_ns(time);
    return nullptr;
  }
  if (name == "sample") {
    const auto share = ParseReal(value, 1);
    if (!share) return "must be from 0 to 1";
    request->mutable_filter()->mutable_requests()->set_sample_fraction(*share);
    return nullptr;
  }
  return "is not a parameter: after, until, kinds, workers, requests, sample, from and to are";
}

}  // namespace

absl::Status ReadEventQuery(const Target& target, v1::StreamEventsRequest* request) {
  for (const auto& [name, value] : target.query) {
    if (const char* wrong = ReadParameter(name, value, request)) return InvalidField(name, wrong);
  }
  return absl::OkStatus();
}

}  // namespace tokensim::http
