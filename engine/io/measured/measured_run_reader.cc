#include "engine/io/measured/measured_run_reader.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/io/measured/run_builder.h"
#include "engine/io/trace/trace_row.h"
#include "engine/io/trace/trace_values.h"

namespace tokensim::accuracy {

namespace {

constexpr double kMaxSeconds = 4e9;  // of either sign: differences still fit SimTime

// A column of the file: its name there, and where it stands.
struct Column {
  const char* name = "";
  size_t index = 0;
};

struct Columns {
  std::optional<Column> id, arrival, intended, queued, scheduled, first_token, last_token, input,
      output, prompt_blocks;
  size_t count = 0;
};

// Finds the first of `names` that the header has.
absl::Status Find(const std::vector<std::string>& header, std::initializer_list<const char*> names,
                  bool required, std::optional<Column>* column) {
  for (const char* name : names) {
    const auto at = std::find(header.begin(), header.end(), name);
    if (at == header.end()) continue;
    if (std::find(at + 1, header.end(), name) != header.end()) {
      return absl::InvalidArgumentError(absl::StrCat("column ", name, " appears twice"));
    }
    *column = Column{name, static_cast<size_t>(at - header.begin())};
    return absl::OkStatus();
  }
  if (!required) return absl::OkStatus();
  std::string wanted;
  for (const char* name : names) absl::StrAppend(&wanted, wanted.empty() ? "" : " or ", name);
  return absl::InvalidArgumentError(absl::StrCat("no column ", wanted, " in the header"));
}

absl::StatusOr<Columns> ReadHeader(std::string_view line) {
  std::vector<std::string> header;
  absl::Status status = SplitCsv(line, &header);
  Columns columns;
  columns.count = header.size();
  const auto find = [&](std::initializer_list<const char*> names, bool required,
                        std::optional<Column>* column) {
    if (status.ok()) status = Find(header, names, required, column);
  };
  find({"id", "request_id"}, false, &columns.id);
  find({"arrival_s"}, true, &columns.arrival);
  find({"intended_s"}, false, &columns.intended);
  find({"queued_s"}, false, &columns.queued);
  find({"scheduled_s"}, false, &columns.scheduled);
  find({"first_token_s"}, false, &columns.first_token);
  find({"last_token_s", "finish_s"}, !columns.first_token, &columns.last_token);
  find({"input_toks", "input_tokens"}, true, &columns.input);
  find({"output_toks", "output_tokens"}, true, &columns.output);
  find({"prompt_block16_ids"}, false, &columns.prompt_blocks);
  if (!status.ok()) return status;
  return columns;
}

// Reads the fields of one row; remembers the first error.
class RowReader {
 public:
  RowReader(const Columns& columns, const std::vector<std::string>& fields)
      : columns_(columns), fields_(fields) {}

  absl::Status Read(MeasuredRequest* request) {
    if (columns_.id) request->id = fields_[columns_.id->index];
    request->arrival = Time(*columns_.arrival);
    if (columns_.intended) request->intended = Time(*columns_.intended);
    if (columns_.queued) request->queued = Time(*columns_.queued);
    if (columns_.scheduled) request->scheduled = Time(*columns_.scheduled);
    if (columns_.first_token) request->first_token = Time(*columns_.first_token);
    if (columns_.last_token) request->last_token = Time(*columns_.last_token);
    request->input_tokens = Tokens(*columns_.input);
    request->output_tokens = Tokens(*columns_.output);
    if (columns_.prompt_blocks) Blocks(*columns_.prompt_blocks, request);
    CheckOrder(*request);
    return status_;
  }

 private:
  void Fail(std::string message) {
    if (status_.ok()) status_ = absl::InvalidArgumentError(std::move(message));
  }

  TraceNumber Number(const Column& column) {
    const auto number = ParseNumber(column.name, fields_[column.index]);
    if (number.ok()) return *number;
    Fail(std::string(number.status().message()));
    return int64_t{1};
  }

  SimTime Time(const Column& column) {
    const double seconds =
        std::visit([](auto value) { return static_cast<double>(value); }, Number(column));
    if (std::abs(seconds) > kMaxSeconds) {
      Fail(absl::StrCat(column.name, " is ", seconds, "; at most ", kMaxSeconds, " seconds"));
      return 0;
    }
    return FromSeconds(seconds);
  }

  int32_t Tokens(const Column& column) {
    const auto tokens = ToLength(column.name, Number(column), 1);
    if (tokens.ok()) return *tokens;
    Fail(std::string(tokens.status().message()));
    return 1;
  }

  // At most one id for each block the prompt begins.
  void Blocks(const Column& column, MeasuredRequest* request) {
    std::string_view rest = fields_[column.index];
    while (!rest.empty()) {
      const size_t blank = std::min(rest.find(' '), rest.size());
      const std::string_view text = rest.substr(0, blank);
      rest.remove_prefix(std::min(blank + 1, rest.size()));
      if (text.empty()) continue;
      const auto number = ParseNumber(column.name, text);
      const int64_t* id = number.ok() ? std::get_if<int64_t>(&*number) : nullptr;
      if (id == nullptr) return Fail(absl::StrCat(column.name, " has ", Quoted(text)));
      request->prompt_block_ids.push_back(*id);
    }
    const int64_t blocks =
        (int64_t{request->input_tokens} + kPromptBlockTokens - 1) / kPromptBlockTokens;
    if (static_cast<int64_t>(request->prompt_block_ids.size()) > blocks) {
      Fail(absl::StrCat(column.name, " has ", request->prompt_block_ids.size(), " ids; ",
                        columns_.input->name, " ", request->input_tokens, " are ", blocks,
                        " blocks"));
    }
  }

  void CheckOrder(const MeasuredRequest& request) {
    Column before = *columns_.arrival;
    SimTime time = request.arrival;
    const auto next = [&](const std::optional<Column>& column, SimTime stamp) {
      if (!column) return;
      if (stamp < time) {
        Fail(absl::StrCat(column->name, " ", fields_[column->index], " is before ", before.name,
                          " ", fields_[before.index]));
      }
      before = *column;
      time = stamp;
    };
    next(columns_.queued, request.queued);
    next(columns_.scheduled, request.scheduled);
    next(columns_.first_token, request.first_token);
    next(columns_.last_token, request.last_token);
  }

  const Columns& columns_;
  const std::vector<std::string>& fields_;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<MeasuredRun> ParseMeasuredRun(std::string_view contents, const std::string& name) {
  MeasuredRun run;
  run.name = name;
  std::optional<Columns> columns;
  std::vector<std::string> fields;
  int64_t line_number = 0;
  const auto failed = [&](const absl::Status& status) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ":", line_number, ": ", std::string(status.message())));
  };
  while (!contents.empty()) {
    const size_t end = std::min(contents.find('\n'), contents.size());
    std::string_view line = contents.substr(0, end);
    contents.remove_prefix(std::min(end + 1, contents.size()));
    ++line_number;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
    if (!columns) {
      if (line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
      auto header = ReadHeader(line);
      if (!header.ok()) return failed(header.status());
      columns = *header;
      continue;
    }
    if (auto status = SplitCsv(line, &fields); !status.ok()) return failed(status);
    if (fields.size() != columns->count) {
      return failed(absl::InvalidArgumentError(
          absl::StrCat(fields.size(), " fields where the header has ", columns->count)));
    }
    MeasuredRequest& request = run.requests.emplace_back();
    request.id = absl::StrCat(run.requests.size() - 1);
    if (auto status = RowReader(*columns, fields).Read(&request); !status.ok()) {
      return failed(status);
    }
  }
  if (run.requests.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": no rows below a header"));
  }
  run.has_intended = columns->intended.has_value();
  run.has_first_token = columns->first_token.has_value();
  run.has_last_token = columns->last_token.has_value();
  run.has_queued = columns->queued.has_value();
  run.has_scheduled = columns->scheduled.has_value();
  run.has_prompt_block_ids = columns->prompt_blocks.has_value();
  OrderFromFirstArrival(&run);
  return run;
}

}  // namespace tokensim::accuracy
