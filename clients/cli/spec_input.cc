#include "clients/cli/spec_input.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "clients/cli/printable.h"
#include "clients/cli/talk.h"

namespace tokensim::cli {

namespace {

bool ReadText(const std::string& file, std::string* text) {
  if (file == "-") {
    text->assign(std::istreambuf_iterator<char>(std::cin), {});
    return true;
  }
  std::error_code ignored;
  if (std::filesystem::is_directory(file, ignored)) {
    PrintError(file + ": is a directory");
    return false;
  }
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    PrintError(file + ": " + std::strerror(errno));
    return false;
  }
  text->assign(std::istreambuf_iterator<char>(in), {});
  return true;
}

// `inner` is `outer` or lies in it.
bool Within(const std::string& inner, const std::string& outer) {
  return inner.starts_with(outer) &&
         (inner.size() == outer.size() || inner[outer.size()] == '.' || inner[outer.size()] == '[');
}

// The line of the field, or of the nearest message around it. 0: none.
int LineOf(const FieldLines& lines, const std::string& field) {
  size_t longest = 0;
  int line = 0;
  for (const auto& [path, at] : lines) {
    if (path.empty() || path.size() < longest || !Within(field, path)) continue;
    longest = path.size();
    line = at;
  }
  return line;
}

constexpr char kSet[] = "--set ";  // what errors of --set have as their file

void ApplyOverrides(const SpecOptions& options, SpecInput* input) {
  for (const std::string& set : options.sets) {
    const size_t equals = set.find('=');
    const std::string path = set.substr(0, equals);
    const std::string value = set.substr(equals + 1);
    std::string field;
    absl::Status status = SetField(path, value, &input->spec, nullptr, &field);
    if (absl::IsFailedPrecondition(status)) {
      // Relative to what a preset or a default says.
      const PreparedSpec prepared = PrepareSpec(input->spec, TracePolicy::AnyPath(input->base_dir));
      status = SetField(path, value, &input->spec, &prepared.resolved, &field);
    }
    if (status.ok()) {
      input->set_paths.push_back(field);
    } else {
      const std::string message(status.message());
      input->errors.push_back({kSet + set, 0, "", message, {path}});
    }
  }
  if (options.seed) {
    input->spec.set_seed(*options.seed);
    input->set_paths.push_back("seed");
  }
}

}  // namespace

std::string FindingText(const SpecInput& input, const v1::Finding& finding) {
  std::string place = input.file;
  bool from_set = false;
  for (const std::string& path : input.set_paths) from_set |= Within(finding.field(), path);
  if (from_set) {
    place = "--set";
  } else if (const int line = LineOf(input.lines, finding.field()); line > 0) {
    place += ":" + std::to_string(line);
  }
  std::string text = place + ": ";
  if (!finding.field().empty()) text += finding.field() + ": ";
  if (finding.severity() == v1::Finding::WARNING) text += "warning: ";
  return PrintableLines(text + finding.message());
}

ExitCode ReadSpec(const SpecOptions& options, SpecInput* input) {
  const bool standard_input = options.file == "-";
  input->file = standard_input ? "<stdin>" : options.file;
  std::string text;
  if (!ReadText(options.file, &text)) return ExitCode::kUsage;
  const std::filesystem::path path(standard_input ? "stdin" : options.file);
  input->base_dir = path.has_parent_path() ? path.parent_path().string() : ".";
  input->errors = ParseYaml(text, input->file, &input->spec, &input->lines);
  ApplyOverrides(options, input);
  if (input->spec.name().empty()) input->spec.set_name(path.stem().string());
  return ExitCode::kOk;
}

ExitCode TellErrors(const SpecInput& input) {
  ExitCode code = ExitCode::kOk;
  for (const YamlError& error : input.errors) {
    const bool from_set = error.file.starts_with(kSet);
    if (from_set || code == ExitCode::kOk) {
      code = from_set ? ExitCode::kUsage : ExitCode::kSpecInvalid;
    }
    std::cerr << (from_set ? "tokensim: " : "") << PrintableLines(error.ToString()) << '\n';
  }
  return code;
}

ExitCode CheckSpec(bool quiet, SpecInput* input) {
  std::vector<std::string> unread;
  std::vector<v1::Finding> errors;
  for (const YamlError& error : input->errors) {
    unread.insert(unread.end(), error.unread.begin(), error.unread.end());
    v1::Finding& finding = errors.emplace_back();
    finding.set_severity(v1::Finding::ERROR);
    finding.set_field(error.field);
    finding.set_message(error.message);
    finding.set_reason("SPEC_INVALID");
  }
  const ExitCode read = TellErrors(*input);
  input->prepared = PrepareSpec(input->spec, TracePolicy::AnyPath(input->base_dir), unread);
  for (const v1::Finding& finding : input->prepared.findings) {
    if (quiet && finding.severity() == v1::Finding::WARNING) continue;
    std::cerr << FindingText(*input, finding) << '\n';
  }
  std::vector<v1::Finding>& findings = input->prepared.findings;
  findings.insert(findings.begin(), errors.begin(), errors.end());
  if (read != ExitCode::kOk) {
    input->prepared.plan = nullptr;
    return read;
  }
  return input->prepared.ok() ? ExitCode::kOk : ExitCode::kSpecInvalid;
}

ExitCode LoadSpec(const SpecOptions& options, bool quiet, SpecInput* input) {
  const ExitCode code = ReadSpec(options, input);
  return code == ExitCode::kOk ? CheckSpec(quiet, input) : code;
}

}  // namespace tokensim::cli
