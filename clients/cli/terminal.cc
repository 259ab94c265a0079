#include "clients/cli/terminal.h"

#include <unistd.h>

#include <cstdlib>
#include <string>

namespace tokensim::cli {

namespace {

std::string Env(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool IsTerminal(int fd) { return isatty(fd) == 1 && Env("TERM") != "dumb"; }

}  // namespace

bool StderrIsTerminal() { return IsTerminal(STDERR_FILENO); }

bool StdoutHasColor() { return IsTerminal(STDOUT_FILENO) && Env("NO_COLOR").empty(); }

bool StdoutHasUtf8() {
  if (!IsTerminal(STDOUT_FILENO)) return false;
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string value = Env(name);
    if (!value.empty()) {
      return value.find("UTF-8") != std::string::npos || value.find("utf8") != std::string::npos;
    }
  }
  return false;
}

}  // namespace tokensim::cli
