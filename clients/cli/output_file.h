// A file that a command writes: it appears under its name when it is complete.
//
//   OutputFile file;
//   if (!file.Open("events.jsonl")) return ExitCode::kUsage;
//   file.stream << ...;
//   if (!file.Close()) return ExitCode::kRunFailed;
#pragma once

#include <fstream>
#include <string>
#include <vector>

namespace tokensim::cli {

// Written as FILE.part, which replaces FILE when it is complete: a run that fails leaves the older
// file alone. What is no plain file, as /dev/stdout, is written in place.
struct OutputFile {
  std::string path;
  std::string target;        // what the part replaces
  std::string part;          // empty: written in place
  std::vector<char> buffer;  // outlives stream
  std::ofstream stream;

  OutputFile() = default;
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  // Removes the part of a file that was not closed.
  ~OutputFile();

  // No name: nothing to open. False: stderr says why.
  [[nodiscard]] bool Open(const std::string& name);
  [[nodiscard]] bool Close();
};

}  // namespace tokensim::cli
