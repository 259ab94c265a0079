#include "clients/cli/talk.h"

#include <iostream>

#include "clients/cli/printable.h"

namespace tokensim::cli {

namespace {

std::string ViolationText(const client::FieldViolation& violation) {
  return violation.field.empty() ? violation.description
                                 : violation.field + ": " + violation.description;
}

// Whether the message is made of the first violation, perhaps cut, as the server's are.
bool RepeatsFirst(const client::Error& error) {
  return error.message.starts_with(error.violations.front().field + ": ");
}

}  // namespace

void PrintError(const std::string& message) {
  std::cerr << "tokensim: " << PrintableLines(message) << '\n';
}

std::string ServerErrorText(const client::Error& error, const std::string& server) {
  client::Error told = error;
  if (!error.violations.empty() && RepeatsFirst(error)) {
    if (error.violations.size() == 1 && error.message == ViolationText(error.violations[0])) {
      told.violations.clear();
    } else {
      told.message.clear();
    }
  }
  std::string text = "tokensim: " + told.ToString();
  if (told.message.empty()) text.erase(text.find_last_not_of(": ") + 1);
  text += '\n';
  for (const client::FieldViolation& violation : told.violations) {
    text += "  " + ViolationText(violation) + '\n';
  }
  if (error.code == absl::StatusCode::kUnavailable && error.reason.empty()) {
    text += "  Is tokensimd running at " + server +
            "? --server or TOKENSIM_SERVER name another; run --local needs none.\n";
  }
  if (error.code == absl::StatusCode::kDeadlineExceeded) {
    text += "  " + server + " did not answer in time.\n";
  }
  return PrintableLines(text);
}

ExitCode PrintServerError(const client::Error& error, const std::string& server) {
  std::cerr << ServerErrorText(error, server);
  return ExitCodeOf(error);
}

}  // namespace tokensim::cli
