// Options that the commands of many runs share: which points, how many threads, how the table looks.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "clients/cli/options.h"
#include "clients/cli/result_table.h"
#include "engine/search/space.h"

namespace tokensim::cli {

struct SpaceOptions {
  std::vector<std::string> vary;
  std::vector<std::string> variants;
  std::vector<std::string> where;
};
void AddSpaceOptions(CLI::App* command, SpaceOptions* options);
// The points of the space, at least one. INVALID_ARGUMENT names the option that is wrong.
[[nodiscard]] absl::StatusOr<std::vector<search::Point>> ReadPoints(const SpaceOptions& options,
                                                                    search::Space* space);

// -j; default: a thread for each core.
void AddThreadsOption(CLI::App* command, int* threads);

struct TableOptions {
  TableFormat format = TableFormat::kTable;
  std::string rows;  // of a pivot; empty: the table as it is
  std::string columns;
  std::string value;
};
// -o alone.
void AddTableFormatOption(CLI::App* command, TableOptions* options);
// With the pivot.
void AddTableOptions(CLI::App* command, TableOptions* options);
// Says what is wrong with the names of a pivot.
[[nodiscard]] absl::Status PrintTable(const ResultTable& table, const TableOptions& options,
                                      std::ostream& out);

}  // namespace tokensim::cli
