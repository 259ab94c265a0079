#include "engine/io/measured/run_builder.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tokensim::accuracy {

namespace {

constexpr double kMaxSeconds = 4e9;  // of either sign: differences still fit SimTime
constexpr double kMaxTokens = 1e7;

absl::Status CheckTime(const char* name, const std::optional<double>& seconds) {
  if (!seconds || std::abs(*seconds) <= kMaxSeconds) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name, " is ", *seconds, "; at most ", kMaxSeconds, " seconds"));
}

absl::Status CheckTokens(const char* name, double tokens) {
  if (tokens >= 1 && tokens <= kMaxTokens && tokens == std::floor(tokens)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name, " are ", tokens, "; allowed are whole numbers from 1 to ", kMaxTokens));
}

absl::Status Check(const RunRow& row) {
  const std::pair<const char*, std::optional<double>> times[] = {
      {"the arrival", row.arrival},
      {"the first token", row.first_token},
      {"the last token", row.last_token}};
  const char* before = "";
  std::optional<double> latest;
  for (const auto& [name, time] : times) {
    if (const absl::Status status = CheckTime(name, time); !status.ok()) return status;
    if (!time) continue;
    if (latest && *time < *latest) {
      return absl::InvalidArgumentError(absl::StrCat(name, " is before ", before));
    }
    before = name;
    latest = time;
  }
  if (const absl::Status status = CheckTime("the intended time", row.intended); !status.ok()) {
    return status;
  }
  if (const absl::Status status = CheckTokens("input tokens", row.input_tokens); !status.ok()) {
    return status;
  }
  return CheckTokens("output tokens", row.output_tokens);
}

SimTime TimeOf(const std::optional<double>& seconds) {
  return seconds ? FromSeconds(*seconds) : kUnset;
}

}  // namespace

absl::Status RunBuilder::Add(const RunRow& row) {
  if (absl::Status status = Check(row); !status.ok()) return status;
  MeasuredRequest& request = run_.requests.emplace_back();
  request.id = row.id.empty() ? absl::StrCat(run_.requests.size() - 1) : row.id;
  request.arrival = FromSeconds(row.arrival);
  request.intended = TimeOf(row.intended);
  request.first_token = TimeOf(row.first_token);
  request.last_token = TimeOf(row.last_token);
  request.input_tokens = static_cast<int32_t>(row.input_tokens);
  request.output_tokens = static_cast<int32_t>(row.output_tokens);
  all_intended_ &= row.intended.has_value();
  all_first_ &= row.first_token.has_value();
  all_last_ &= row.last_token.has_value();
  return absl::OkStatus();
}

absl::StatusOr<MeasuredRun> RunBuilder::Take() {
  const auto failed = [this](const char* what) {
    return absl::InvalidArgumentError(absl::StrCat(run_.name, ": ", what));
  };
  if (run_.requests.empty()) return failed("no request succeeded");
  if (!all_first_ && !all_last_) return failed("requests without the time of a token");
  run_.has_intended = all_intended_;
  run_.has_first_token = all_first_;
  run_.has_last_token = all_last_;
  OrderFromFirstArrival(&run_);
  return std::move(run_);
}

void OrderFromFirstArrival(MeasuredRun* run) {
  std::stable_sort(
      run->requests.begin(), run->requests.end(),
      [](const MeasuredRequest& a, const MeasuredRequest& b) { return a.arrival < b.arrival; });
  const SimTime start = run->requests.front().arrival;
  for (MeasuredRequest& request : run->requests) {
    request.arrival -= start;
    if (run->has_intended) request.intended -= start;
    if (run->has_queued) request.queued -= start;
    if (run->has_scheduled) request.scheduled -= start;
    if (run->has_first_token) request.first_token -= start;
    if (run->has_last_token) request.last_token -= start;
  }
}

}  // namespace tokensim::accuracy
