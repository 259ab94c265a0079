#include "engine/io/plan/features/trace.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>

#include "absl/strings/str_cat.h"
#include "engine/io/plan/features/limits.h"
#include "engine/io/plan/files.h"
#include "engine/io/trace/trace_reader.h"

namespace tokensim {
namespace {

constexpr int64_t kMaxHashBlock = 1'000'000;
constexpr SimTime kMaxTraceSpan = 4'000'000'000 * kNanosPerSecond;

std::vector<std::string> FormatNames() {
  std::vector<std::string> names;
  for (const TraceFormat& format : TraceFormats()) names.emplace_back(format.name);
  return names;
}

v1::TraceRows ToRows(const TraceTable& table) {
  v1::TraceRows rows;
  SimTime previous = 0;
  for (const SimTime arrival : table.arrival) {
    rows.add_arrival_delta_ns(arrival - previous);
    previous = arrival;
  }
  rows.mutable_input_tokens()->Assign(table.input_tokens.begin(), table.input_tokens.end());
  rows.mutable_output_tokens()->Assign(table.output_tokens.begin(), table.output_tokens.end());
  rows.mutable_conversation()->Assign(table.conversation.begin(), table.conversation.end());
  if (table.hash_ids.empty()) return rows;
  rows.mutable_hash_ids()->Assign(table.hash_ids.begin(), table.hash_ids.end());
  for (size_t i = 0; i + 1 < table.hash_begin.size(); ++i) {
    rows.add_hash_counts(static_cast<int32_t>(table.hash_begin[i + 1] - table.hash_begin[i]));
  }
  rows.set_hash_block_tokens(table.hash_block_tokens);
  return rows;
}

void ReadRows(const TracePolicy& policy, TraceSlice slice, const Checker& check, v1::Trace* trace) {
  const TraceFormat* format = FindTraceFormat(trace->format());
  if (format == nullptr && !trace->format().empty()) {
    check.NotFound("format", "trace format", trace->format(), FormatNames());
    return;
  }
  const auto path = LocateFile(policy, trace->path(), "trace file");
  if (!path.ok()) {
    check.Error("path", std::string(path.status().message()));
    return;
  }
  const auto table = ReadTraceFile(path->string(), format, slice);
  if (!table.ok()) {
    check.Error("path", ReadError(policy, *path, trace->path(), table.status()));
    return;
  }
  *trace->mutable_rows() = ToRows(*table);
}

template <typename Column>
void SliceColumn(int begin, int end, Column* column) {
  if (column->empty()) return;
  column->Truncate(end);
  column->erase(column->begin(), column->begin() + begin);
}

void SliceRows(TraceSlice slice, v1::TraceRows* rows) {
  const int64_t size = rows->input_tokens_size();
  const int64_t begin = std::min(slice.offset, size);
  const int64_t end = begin + std::min(slice.limit, size - begin);
  if (begin == 0 && end == size) return;
  const bool timed = rows->arrival_delta_ns_size() > 0;
  if (rows->hash_ids_size() > 0) {
    const auto counts = rows->hash_counts().begin();
    const int first = std::accumulate(counts, counts + begin, 0);
    SliceColumn(first, std::accumulate(counts + begin, counts + end, first),
                rows->mutable_hash_ids());
  }
  SliceColumn(static_cast<int>(begin), static_cast<int>(end), rows->mutable_hash_counts());
  SliceColumn(static_cast<int>(begin), static_cast<int>(end), rows->mutable_conversation());
  SliceColumn(static_cast<int>(begin), static_cast<int>(end), rows->mutable_arrival_delta_ns());
  SliceColumn(static_cast<int>(begin), static_cast<int>(end), rows->mutable_input_tokens());
  SliceColumn(static_cast<int>(begin), static_cast<int>(end), rows->mutable_output_tokens());
  if (timed && begin > 0 && begin < end) rows->set_arrival_delta_ns(0, 0);
}

// Hash ids: as many as hash_counts say, no more for a row than its prompt has blocks.
bool CheckHashIds(const Checker& check, const v1::TraceRows& rows) {
  if (!check.Required("rows.hash_block_tokens", rows.has_hash_block_tokens(),
                      "tokens of one hash id") ||
      !check.Range("rows.hash_block_tokens", rows.hash_block_tokens(), 1, kMaxHashBlock)) {
    return false;
  }
  int64_t sum = 0;
  for (int i = 0; i < rows.hash_counts_size(); ++i) {
    const int64_t block = rows.hash_block_tokens();
    const int64_t blocks = (std::max(0, rows.input_tokens(i)) + block - 1) / block;
    if (!check.Range(absl::StrCat("rows.hash_counts[", i, "]"), rows.hash_counts(i), 0, blocks)) {
      return false;
    }
    sum += rows.hash_counts(i);
  }
  if (sum == rows.hash_ids_size()) return true;
  check.Error("rows.hash_ids", absl::StrCat("has ", rows.hash_ids_size(),
                                            " entries; the sum of hash_counts is ", sum));
  return false;
}

bool CheckColumns(const Checker& check, v1::TraceRows* rows) {
  const int size = rows->input_tokens_size();
  const auto fits = [size](int column) { return column == 0 || column == size; };
  if (rows->output_tokens_size() != size || !fits(rows->arrival_delta_ns_size()) ||
      !fits(rows->hash_counts_size()) || !fits(rows->conversation_size())) {
    const auto shown = [](const char* name, int column) {
      return column == 0 ? "" : absl::StrCat(", ", name, " ", column);
    };
    check.Error("rows", absl::StrCat("columns differ in length: arrival_delta_ns ",
                                     rows->arrival_delta_ns_size(), ", input_tokens ", size,
                                     ", output_tokens ", rows->output_tokens_size(),
                                     shown("hash_counts", rows->hash_counts_size()),
                                     shown("conversation", rows->conversation_size())));
    return false;
  }
  for (int i = 0; i < rows->conversation_size(); ++i) {
    if (rows->conversation(i) >= -1) continue;
    check.Error(
        absl::StrCat("rows.conversation[", i, "]"),
        absl::StrCat("is ", rows->conversation(i), "; allowed are -1, for none, and above"));
    return false;
  }
  if (rows->hash_ids_size() == 0 &&
      std::all_of(rows->hash_counts().begin(), rows->hash_counts().end(),
                  [](int32_t count) { return count == 0; })) {
    rows->clear_hash_counts();
    rows->clear_hash_block_tokens();
    return true;
  }
  if (rows->conversation_size() > 0) {
    check.Error("rows",
                "have hash_ids and conversation; give one of them: the text of a conversation "
                "follows from its turns");
    return false;
  }
  return CheckHashIds(check, *rows);
}

bool CheckRows(const Checker& check, const v1::TraceRows& rows) {
  if (rows.input_tokens_size() == 0) {
    check.Error("rows", "is empty: no request is left");
    return false;
  }
  SimTime time = 0;
  for (int i = 0; i < rows.input_tokens_size(); ++i) {
    const auto field = [i](const char* name) { return absl::StrCat("rows.", name, "[", i, "]"); };
    if (rows.input_tokens(i) < 1 || rows.input_tokens(i) > kMaxLength) {
      check.Range(field("input_tokens"), rows.input_tokens(i), 1, kMaxLength);
      return false;
    }
    if (rows.output_tokens(i) < 1 || rows.output_tokens(i) > kMaxLength) {
      check.Range(field("output_tokens"), rows.output_tokens(i), 1, kMaxLength);
      return false;
    }
    if (rows.arrival_delta_ns().empty()) continue;
    const int64_t delta = rows.arrival_delta_ns(i);
    if (delta < 0 || delta > kMaxTraceSpan - time) {
      check.Error(field("arrival_delta_ns"),
                  delta < 0 ? absl::StrCat("is ", delta, "; rows must be in order of time")
                            : std::string("puts the row beyond 126 years"));
      return false;
    }
    time += delta;
  }
  return true;
}

}  // namespace

void ResolveTrace(const TracePolicy& policy, v1::Trace* trace, Findings* findings) {
  const Checker check(findings, "workload.trace");
  TraceSlice slice;
  if (trace->has_offset()) slice.offset = trace->offset();
  if (trace->has_limit()) slice.limit = trace->limit();
  const int64_t max = std::numeric_limits<int64_t>::max();
  const bool offset = check.Range("offset", slice.offset, 0, max);
  const bool limit = check.Range("limit", slice.limit, 1, max);
  if (!offset || !limit || check.Broken("rows")) return trace->clear_rows();
  if (trace->has_rows()) {
    if (!CheckColumns(check, trace->mutable_rows())) return trace->clear_rows();
    SliceRows(slice, trace->mutable_rows());
  } else if (trace->path().empty()) {
    check.Missing("", "is empty: give path or rows");
    return;
  } else {
    ReadRows(policy, slice, check, trace);
    if (!trace->has_rows()) return;
    if (!CheckColumns(check, trace->mutable_rows())) return trace->clear_rows();
  }
  if (!CheckRows(check, trace->rows())) return trace->clear_rows();
  trace->clear_path();
  trace->clear_format();
  trace->clear_offset();
  trace->clear_limit();
}

std::shared_ptr<const TraceTable> ToTraceTable(const v1::TraceRows& rows) {
  auto table = std::make_shared<TraceTable>();
  SimTime time = 0;
  table->arrival.reserve(static_cast<size_t>(rows.arrival_delta_ns_size()));
  for (const int64_t delta : rows.arrival_delta_ns()) table->arrival.push_back(time += delta);
  table->input_tokens.assign(rows.input_tokens().begin(), rows.input_tokens().end());
  table->output_tokens.assign(rows.output_tokens().begin(), rows.output_tokens().end());
  if (rows.hash_ids_size() > 0) {
    table->hash_ids.assign(rows.hash_ids().begin(), rows.hash_ids().end());
    table->hash_begin = {0};
    for (const int32_t count : rows.hash_counts()) {
      table->hash_begin.push_back(table->hash_begin.back() + count);
    }
    table->hash_block_tokens = rows.hash_block_tokens();
  }
  table->conversation.assign(rows.conversation().begin(), rows.conversation().end());
  return table;
}

}  // namespace tokensim
