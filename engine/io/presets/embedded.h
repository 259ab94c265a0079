// The preset files of configs/, as CMake found them when it built (cmake/EmbedFiles.cmake).
// Internal to engine/io.
#pragma once

#include <span>
#include <string_view>

namespace tokensim {

struct EmbeddedFile {
  std::string_view folder;  // models, hardware, links, workloads
  std::string_view name;    // without .yaml
  std::string_view text;
};

// Sorted by folder and name.
[[nodiscard]] std::span<const EmbeddedFile> EmbeddedFiles();

}  // namespace tokensim
