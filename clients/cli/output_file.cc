#include "clients/cli/output_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "clients/cli/talk.h"

namespace tokensim::cli {

namespace {
constexpr size_t kBufferBytes = 1 << 20;
}

bool OutputFile::Open(const std::string& name) {
  path = name;
  if (path.empty()) return true;
  buffer.resize(kBufferBytes);
  stream.rdbuf()->pubsetbuf(buffer.data(), static_cast<std::streamsize>(buffer.size()));
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status) || std::filesystem::is_regular_file(status)) {
    // Of a link, the file it leads to is replaced.
    target =
        std::filesystem::exists(status) ? std::filesystem::canonical(path, error).string() : path;
    part = target + ".part";
  }
  stream.open(part.empty() ? path : part, std::ios::binary | std::ios::trunc);
  if (!stream) PrintError((part.empty() ? path : part) + ": " + std::strerror(errno));
  return stream.is_open();
}

OutputFile::~OutputFile() {
  if (!stream.is_open() || part.empty()) return;
  stream.close();
  std::remove(part.c_str());
}

bool OutputFile::Close() {
  if (!stream.is_open()) return true;
  stream.close();
  const bool written = !stream.fail();
  if (!part.empty() && written && std::rename(part.c_str(), target.c_str()) == 0) return true;
  if (part.empty() && written) return true;
  PrintError(path + ": cannot write: " + std::strerror(errno));
  if (!part.empty()) std::remove(part.c_str());
  return false;
}

}  // namespace tokensim::cli
