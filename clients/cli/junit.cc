#include "clients/cli/junit.h"

#include <algorithm>
#include <ostream>

#include "clients/cli/units.h"

namespace tokensim::cli {

namespace {

// Text for an attribute. XML 1.0 has no way to write most control characters.
std::string Escape(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return out;
}

void WriteCase(const std::string& suite, const std::string& name, const std::string& tag,
               const std::string& message, std::ostream& out) {
  out << "    <testcase classname=\"" << Escape(suite) << "\" name=\"" << Escape(name) << "\"";
  if (tag.empty()) {
    out << "/>\n";
  } else {
    out << ">\n      <" << tag << " message=\"" << Escape(message) << "\"/>\n    </testcase>\n";
  }
}

}  // namespace

void WriteJunit(const JunitRun& run, std::ostream& out) {
  const auto missed = std::count_if(run.assertions.begin(), run.assertions.end(),
                                    [](const AssertionResult& a) { return !a.holds; });
  out << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\""
      << Escape(run.suite) << "\" tests=\"" << run.assertions.size() + 1 << "\" failures=\""
      << missed << "\" errors=\"" << (run.run_error.empty() ? 0 : 1) << "\" time=\""
      << FormatExact(run.wall_seconds) << "\">\n";
  WriteCase(run.suite, "run", run.run_error.empty() ? "" : "error", run.run_error, out);
  for (const AssertionResult& assertion : run.assertions) {
    WriteCase(run.suite, assertion.text, assertion.holds ? "" : "failure", assertion.measured, out);
  }
  out << "  </testsuite>\n</testsuites>\n";
}

}  // namespace tokensim::cli
