// Runs a fuzz target without libFuzzer: every seed as it is, then mutations of the seeds, the same
// at every run.
//
//   trace_fuzz --mutations 5000 tests/fuzz/corpus/trace_fuzz   (folders, or files to reproduce one)
//
// An input that crashes the target is left in the working directory as fuzz-crash-<target>.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "engine/base/rng.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

namespace fs = std::filesystem;
using tokensim::RngStream;

constexpr size_t kMaxInput = 1 << 16;

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> ReadSeeds(const std::vector<fs::path>& paths) {
  std::vector<fs::path> files;
  for (const fs::path& path : paths) {
    if (fs::is_directory(path)) {
      for (const auto& entry : fs::recursive_directory_iterator(path)) {
        if (entry.is_regular_file()) files.push_back(entry.path());
      }
    } else {
      files.push_back(path);
    }
  }
  std::sort(files.begin(), files.end());  // the order of a folder is the file system's
  std::vector<std::string> seeds;
  for (const fs::path& file : files) seeds.push_back(ReadFile(file));
  return seeds;
}

// One random edit: overwrite, insert, erase, repeat, or splice a part of another seed.
void Mutate(RngStream& rng, const std::vector<std::string>& seeds, std::string* input) {
  static constexpr char kTokens[][8] = {"0", "-1", "1e999", ",",    "\"",  "{", "[",  "]",  "}",
                                        ":", "\n", "\r\n",  "null", "nan", ".", "- ", "\t", "\xff"};
  const size_t at = rng.Below(input->size() + 1);
  const size_t length = std::min<size_t>(rng.Below(16), input->size() - at);
  switch (rng.Below(5)) {
    case 0:
      if (at < input->size()) (*input)[at] = static_cast<char>(rng.Below(256));
      break;
    case 1:
      input->insert(at, kTokens[rng.Below(std::size(kTokens))]);
      break;
    case 2:
      input->erase(at, length);
      break;
    case 3: {
      const std::string part = input->substr(at, length);
      for (uint64_t n = rng.Below(64); n > 0; --n) input->insert(at, part);
      break;
    }
    default: {
      const std::string& other = seeds[rng.Below(seeds.size())];
      input->insert(at, other.substr(rng.Below(other.size() + 1), rng.Below(64)));
    }
  }
  if (input->size() > kMaxInput) input->resize(kMaxInput);
}

// The input is left on disk while it runs, so that a crash can be reproduced.
void Run(const std::string& input, const fs::path& crash_file) {
  std::ofstream(crash_file, std::ios::binary) << input;
  // A copy of its own size: sanitizers then see reads past the end.
  const std::vector<uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
  long mutations = 0;
  std::vector<fs::path> paths;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--mutations") == 0 && i + 1 < argc) {
      mutations = std::strtol(argv[++i], nullptr, 10);
    } else {
      paths.emplace_back(argv[i]);
    }
  }
  const std::vector<std::string> seeds = ReadSeeds(paths);
  if (seeds.empty()) {
    std::fprintf(stderr, "usage: %s [--mutations N] FOLDER|FILE...  (no seeds found)\n", argv[0]);
    return 2;
  }
  const fs::path crash_file =
      fs::path("fuzz-crash-" + fs::path(argv[0]).filename().string());  // removed on success
  for (const std::string& seed : seeds) Run(seed, crash_file);
  RngStream rng(1, "mutations");
  for (long n = 0; n < mutations; ++n) {
    std::string input = seeds[rng.Below(seeds.size())];
    for (uint64_t edits = 1 + rng.Below(4); edits > 0; --edits) Mutate(rng, seeds, &input);
    Run(input, crash_file);
  }
  fs::remove(crash_file);
  std::printf("%zu seeds, %ld mutations: no crash\n", seeds.size(), mutations);
  return 0;
}
