#include "engine/io/model_config/config_reader.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace tokensim {
namespace {

using nlohmann::json;

constexpr size_t kMaxProblems = 20;
constexpr size_t kMaxList = 10'000;

const json* Member(const json& object, std::string_view name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

const json& TextPart(const json& config) {
  for (const char* name : {"text_config", "llm_config", "language_config"}) {
    const json* part = Member(config, name);
    if (part != nullptr && part->is_object()) return *part;
  }
  return config;
}

}  // namespace

ConfigReader::ConfigReader(const json& config) : top_(&config), text_(&TextPart(config)) {}

const json* ConfigReader::Find(std::string_view name) const {
  const json* found = Member(*text_, name);
  return found != nullptr ? found : Member(*top_, name);
}

std::string ConfigReader::architectures() const {
  std::vector<std::string> names;
  if (const json* list = Member(*top_, "architectures"); list != nullptr && list->is_array()) {
    for (const json& name : *list) {
      if (name.is_string() && names.size() < 8) names.push_back(name.get<std::string>());
    }
  }
  return absl::StrJoin(names, ", ");
}

int32_t ConfigReader::Number(const json& value, std::string_view name) {
  if (value.is_number()) {
    const double number = value.get<double>();
    constexpr double kMost = std::numeric_limits<int32_t>::max();
    if (number >= 0 && number <= kMost &&
        number == static_cast<double>(static_cast<int64_t>(number))) {
      return static_cast<int32_t>(number);
    }
  }
  Problem(absl::StrCat(std::string(name), " is not a whole number of 0 .. 2147483647"));
  return 1;
}

int32_t ConfigReader::Need(std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    const json* value = Find(name);
    if (value == nullptr) continue;
    const int32_t number = Number(*value, name);
    if (number > 0) return number;
    Problem(absl::StrCat(std::string(name), " is 0"));
    return 1;
  }
  std::string others;
  for (const std::string_view name : names) {
    if (name != *names.begin())
      absl::StrAppend(&others, others.empty() ? " (or " : ", ", std::string(name));
  }
  if (!others.empty()) others += ")";
  Problem(absl::StrCat(std::string(*names.begin()), others, " is missing"));
  return 1;
}

int32_t ConfigReader::Get(std::initializer_list<std::string_view> names, int32_t otherwise) {
  for (const std::string_view name : names) {
    if (const json* value = Find(name)) return Number(*value, name);
  }
  return otherwise;
}

bool ConfigReader::Flag(std::string_view name, bool otherwise) {
  const json* value = Find(name);
  if (value == nullptr) return otherwise;
  if (value->is_boolean()) return value->get<bool>();
  if (value->is_number()) return value->get<double>() != 0;
  Problem(absl::StrCat(std::string(name), " is neither true nor false"));
  return otherwise;
}

std::string ConfigReader::Text(std::string_view name) const {
  const json* value = Find(name);
  return value != nullptr && value->is_string() ? value->get<std::string>() : "";
}

std::vector<std::string> ConfigReader::Texts(std::string_view name, int32_t count) {
  const json* list = Find(name);
  if (list == nullptr) return {};
  std::vector<std::string> texts;
  if (list->is_array() && list->size() <= kMaxList) {
    for (const json& text : *list) {
      if (text.is_string()) texts.push_back(text.get<std::string>());
    }
  }
  if (texts.size() >= static_cast<size_t>(count)) return texts;
  Problem(absl::StrCat(std::string(name), " is not a list of texts, one for each of ", count,
                       " layers"));
  return {};
}

std::vector<int32_t> ConfigReader::Numbers(std::string_view name) {
  const json* list = Find(name);
  std::vector<int32_t> numbers;
  if (list == nullptr) return numbers;
  if (!list->is_array() || list->size() > kMaxList) {
    Problem(absl::StrCat(std::string(name), " is not a list of numbers"));
    return numbers;
  }
  for (const json& value : *list) numbers.push_back(Number(value, name));
  return numbers;
}

std::vector<int32_t> ConfigReader::Numbers(std::string_view name, int32_t count) {
  if (!Has(name)) return {};
  std::vector<int32_t> numbers = Numbers(name);
  if (numbers.size() >= static_cast<size_t>(count)) return numbers;
  Problem(
      absl::StrCat(std::string(name), " has ", numbers.size(), " numbers for ", count, " layers"));
  return {};
}

const json* ConfigReader::Object(std::string_view name) const {
  const json* value = Find(name);
  return value != nullptr && value->is_object() ? value : nullptr;
}

const json* ConfigReader::Array(std::string_view name) const {
  const json* value = Find(name);
  return value != nullptr && value->is_array() ? value : nullptr;
}

bool ConfigReader::IsList(std::string_view name) const {
  const json* value = Find(name);
  return value != nullptr && value->is_array();
}

void ConfigReader::Problem(std::string text) {
  if (problems_.size() >= kMaxProblems) return;
  if (std::find(problems_.begin(), problems_.end(), text) != problems_.end()) return;
  problems_.push_back(std::move(text));
}

absl::Status ConfigReader::status() const {
  if (problems_.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrJoin(problems_, "; "));
}

}  // namespace tokensim
