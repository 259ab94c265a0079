#include "engine/report/export.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace tokensim {
namespace {

constexpr size_t kFlushBytes = 1 << 16;

// Collects text and hands it to a stream in large pieces.
class Buffer {
 public:
  explicit Buffer(std::ostream& out) : out_(out) { text_.reserve(kFlushBytes + 1024); }

  void Text(std::string_view text) { text_.append(text); }

  void Integer(int64_t value) {
    std::array<char, 24> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    text_.append(digits.data(), end);
  }

  // A non-negative time as seconds with nine decimals.
  void Seconds(SimTime time) {
    Integer(time / kNanosPerSecond);
    std::array<char, 10> fraction;
    int64_t rest = time % kNanosPerSecond;
    for (size_t i = fraction.size() - 1; i > 0; --i, rest /= 10) {
      fraction[i] = static_cast<char>('0' + rest % 10);
    }
    fraction[0] = '.';
    text_.append(fraction.data(), fraction.size());
  }

  void EndRow() {
    text_.push_back('\n');
    if (text_.size() >= kFlushBytes) Flush();
  }

  void Flush() {
    out_.write(text_.data(), static_cast<std::streamsize>(text_.size()));
    text_.clear();
  }

 private:
  std::ostream& out_;
  std::string text_;
};

constexpr std::array<std::string_view, 22> kColumns = {"request_id",    "arrival_s",
                                                       "queued_s",      "scheduled_s",
                                                       "first_token_s", "finish_s",
                                                       "input_tokens",  "output_tokens",
                                                       "cached_tokens", "preemptions",
                                                       "worker",        "ttft_s",
                                                       "tpot_s",        "e2e_s",
                                                       "max_itl_s",     "reject_reason",
                                                       "class",         "conversation",
                                                       "turn",          "prefill_worker",
                                                       "kv_transfer_s", "decode_queueing_s"};

// Durations of one request; kUnset where it has none.
struct Derived {
  explicit Derived(const RequestRecord& r) {
    if (r.reject_reason != RejectReason::kNone) return;
    ttft = r.first_token - r.arrival;
    e2e = r.finish - r.arrival;
    if (r.output_tokens < 2) return;
    const int64_t gaps = r.output_tokens - 1;
    tpot = (r.finish - r.first_token + gaps / 2) / gaps;  // to the nearest nanosecond
  }

  SimTime ttft = kUnset;
  SimTime tpot = kUnset;
  SimTime e2e = kUnset;
};

// Writes the cells of a row in the order of kColumns through Format::Time, ::Integer, ::Text and
// ::Nothing; Format::EndRow ends it.
template <typename Format>
void WriteRow(const RequestRecord& r, std::span<const std::string> classes, Format& format) {
  const Derived derived(r);
  const auto integer_if = [&format](bool applies, int64_t value) {
    applies ? format.Integer(value) : format.Nothing();
  };
  format.Integer(r.request_id);
  for (const SimTime time : {r.arrival, r.queued, r.scheduled, r.first_token, r.finish}) {
    format.Time(time);
  }
  for (const int32_t count :
       {r.input_tokens, r.output_tokens, r.cached_tokens, r.preemptions, r.worker}) {
    format.Integer(count);
  }
  for (const SimTime time : {derived.ttft, derived.tpot, derived.e2e, r.max_itl}) {
    format.Time(time);
  }
  format.Text(RejectReasonName(r.reject_reason));
  const auto client = static_cast<size_t>(r.client_class);
  if (client < classes.size()) {
    format.Text(classes[client]);
  } else {
    integer_if(!classes.empty(), r.client_class);
  }
  integer_if(r.conversation >= 0, r.conversation);
  integer_if(r.conversation >= 0, r.turn);
  integer_if(r.prefill_worker >= 0, r.prefill_worker);
  format.Time(r.kv_transfer);
  format.Time(r.decode_queueing);
  format.EndRow();
}

class CsvFormat {
 public:
  explicit CsvFormat(std::ostream& out) : buffer_(out) {
    for (const std::string_view column : kColumns) Text(column);
    EndRow();
  }

  void Integer(int64_t value) {
    Separate();
    buffer_.Integer(value);
  }
  void Time(SimTime time) {
    Separate();
    if (time != kUnset) buffer_.Seconds(time);
  }
  void Text(std::string_view text) {
    Separate();
    buffer_.Text(CsvCell(text));
  }
  void Nothing() { Separate(); }
  void EndRow() {
    buffer_.EndRow();
    first_ = true;
  }
  void Finish() { buffer_.Flush(); }

 private:
  void Separate() {
    if (!first_) buffer_.Text(",");
    first_ = false;
  }

  Buffer buffer_;
  bool first_ = true;
};

class JsonlFormat {
 public:
  explicit JsonlFormat(std::ostream& out) : buffer_(out) {
    for (size_t i = 0; i < kColumns.size(); ++i) {
      keys_[i] = std::string(i == 0 ? "{\"" : ",\"").append(kColumns[i]).append("\":");
    }
  }

  void Integer(int64_t value) {
    Key();
    buffer_.Integer(value);
  }
  void Time(SimTime time) {
    if (time == kUnset) return Nothing();
    Key();
    buffer_.Seconds(time);
  }
  void Text(std::string_view text) {
    if (text.empty()) return Nothing();
    Key();
    buffer_.Text("\"");
    for (const char c : text) {
      if (c == '"' || c == '\\') buffer_.Text("\\");
      if (static_cast<unsigned char>(c) < 0x20) {
        buffer_.Text(c < 0x10 ? "\\u000" : "\\u001");
        buffer_.Text(std::string_view("0123456789abcdef").substr(c & 0xf, 1));
      } else {
        buffer_.Text(std::string_view(&c, 1));
      }
    }
    buffer_.Text("\"");
  }
  void Nothing() {
    Key();
    buffer_.Text("null");
  }
  void EndRow() {
    buffer_.Text("}");
    buffer_.EndRow();
    column_ = 0;
  }
  void Finish() { buffer_.Flush(); }

 private:
  void Key() { buffer_.Text(keys_[column_++]); }

  Buffer buffer_;
  std::array<std::string, kColumns.size()> keys_;
  size_t column_ = 0;
};

template <typename Format>
void WriteRequests(const RequestTable& records, std::span<const std::string> classes,
                   std::ostream& out) {
  std::vector<size_t> order(records.size());  // rows by request id
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&records](size_t a, size_t b) {
    return records.row(a).request_id() < records.row(b).request_id();
  });
  Format format(out);
  for (const size_t row : order) WriteRow(records[row], classes, format);
  format.Finish();
}

}  // namespace

void WriteRequestsCsv(const RequestTable& records, std::span<const std::string> classes,
                      std::ostream& out) {
  WriteRequests<CsvFormat>(records, classes, out);
}

void WriteRequestsJsonl(const RequestTable& records, std::span<const std::string> classes,
                        std::ostream& out) {
  WriteRequests<JsonlFormat>(records, classes, out);
}

std::string CsvCell(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string cell = "\"";
  for (const char c : text) cell.append(c == '"' ? 2 : 1, c);
  return cell + '"';
}

const char* RejectReasonName(RejectReason reason) {
  switch (reason) {
    case RejectReason::kNone:
      return "";
    case RejectReason::kMaxModelLen:
      return "max_model_len";
    case RejectReason::kKvCapacity:
      return "kv_capacity";
    case RejectReason::kNoWorker:
      return "no_worker";
  }
  return "";
}

}  // namespace tokensim
