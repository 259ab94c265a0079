// Any bytes, read as YAML, give errors or a specification that survives writing and reading. Bytes
// up to the first line break also serve as path and value of SetField.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "engine/io/yaml/yaml.h"
#include "google/protobuf/util/message_differencer.h"

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

void CheckRoundTrip(const tokensim::v1::Spec& spec) {
  tokensim::v1::Spec again;
  Require(tokensim::ParseYaml(tokensim::ToYaml(spec), "fuzz", &again).empty());
  google::protobuf::util::MessageDifferencer differencer;
  google::protobuf::util::DefaultFieldComparator comparator;
  comparator.set_treat_nan_as_equal(true);
  differencer.set_field_comparator(&comparator);
  Require(differencer.Compare(spec, again));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  tokensim::v1::Spec spec;
  tokensim::FieldLines lines;
  const auto errors = tokensim::ParseYaml(text, "fuzz", &spec, &lines);
  for (const tokensim::YamlError& error : errors) Require(!error.ToString().empty());
  if (errors.empty()) CheckRoundTrip(spec);

  const size_t end = std::min(text.find('\n'), text.size());
  const size_t equals = text.substr(0, end).find('=');
  if (equals != std::string_view::npos) {
    const std::string before = spec.SerializeAsString();
    const auto status =
        tokensim::SetField(text.substr(0, equals), text.substr(equals + 1, end), &spec);
    if (!status.ok()) Require(spec.SerializeAsString() == before);
  }
  return 0;
}
