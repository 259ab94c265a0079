#include "clients/cli/search_options.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "clients/cli/parallel.h"

namespace tokensim::cli {

namespace {

const std::map<std::string, TableFormat> kFormats = {{"table", TableFormat::kTable},
                                                     {"json", TableFormat::kJson},
                                                     {"csv", TableFormat::kCsv},
                                                     {"markdown", TableFormat::kMarkdown}};

absl::Status In(const char* option, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::InvalidArgumentError(absl::StrCat(option, " ", status.message()));
}

}  // namespace

void AddSpaceOptions(CLI::App* command, SpaceOptions* options) {
  command
      ->add_option("--vary", options->vary,
                   "A field and its values: 'workers.gpu.count=1..8', 'rate=1..64:x2', "
                   "'seed=1,2,3'; fields that change together: 'a=1,2; b=7,6' (repeatable: every "
                   "combination)")
      ->allow_extra_args(false)
      ->option_text("PATH=VALUES");
  command
      ->add_option("--variant", options->variants,
                   "A choice with a name, that sets several fields: "
                   "'device=b200: workers.gpu.hardware=b200' (repeatable)")
      ->allow_extra_args(false)
      ->option_text("NAME=LABEL: PATH=VALUE; ...");
  command
      ->add_option("--where", options->where,
                   "Only the points it holds for: 'prefill.count + decode.count == 8' (repeatable)")
      ->allow_extra_args(false)
      ->option_text("EXPR");
}

absl::StatusOr<std::vector<search::Point>> ReadPoints(const SpaceOptions& options,
                                                      search::Space* space) {
  absl::Status status;
  for (const std::string& text : options.vary) {
    if (status = In("--vary", space->Vary(text)); !status.ok()) return status;
  }
  for (const std::string& text : options.variants) {
    if (status = In("--variant", space->Variant(text)); !status.ok()) return status;
  }
  for (const std::string& text : options.where) {
    if (status = In("--where", space->Where(text)); !status.ok()) return status;
  }
  absl::StatusOr<std::vector<search::Point>> points = space->Points();
  if (points.ok() && points->empty()) {
    return absl::InvalidArgumentError("--where holds for none of the points");
  }
  return points;
}

void AddThreadsOption(CLI::App* command, int* threads) {
  *threads = HardwareThreads();
  command->add_option("-j,--jobs", *threads, "Runs at a time; default: one for each core")
      ->check(CLI::Range(1, 1024))
      ->option_text("N");
}

void AddTableFormatOption(CLI::App* command, TableOptions* options) {
  command
      ->add_option_function<std::string>(
          "-o,--output",
          [options](const std::string& name) { options->format = kFormats.at(name); },
          "Format of stdout; default: the first")
      ->option_text("table|json|csv|markdown")
      ->check(CLI::IsMember({"table", "json", "csv", "markdown"}).description(""));
}

void AddTableOptions(CLI::App* command, TableOptions* options) {
  AddTableFormatOption(command, options);
  CLI::Option* rows =
      command->add_option("--rows", options->rows, "Pivot: a row for each value of this column")
          ->option_text("COLUMN");
  CLI::Option* columns =
      command->add_option("--columns", options->columns, "Pivot: a column for each value of it")
          ->option_text("COLUMN");
  CLI::Option* value = command->add_option("--value", options->value, "Pivot: what its cells have")
                           ->option_text("COLUMN");
  rows->needs(columns)->needs(value);
  columns->needs(rows);
  value->needs(rows);
}

absl::Status PrintTable(const ResultTable& table, const TableOptions& options, std::ostream& out) {
  if (options.rows.empty()) {
    table.Print(options.format, out);
    return absl::OkStatus();
  }
  const absl::StatusOr<ResultTable> pivot =
      table.Pivot(options.rows, options.columns, options.value);
  if (!pivot.ok()) return pivot.status();
  pivot->Print(options.format, out);
  return absl::OkStatus();
}

}  // namespace tokensim::cli
