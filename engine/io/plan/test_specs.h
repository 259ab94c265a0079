// A small good specification and changes of it, for tests.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "engine/io/plan/prepare.h"
#include "engine/io/yaml/yaml.h"

namespace tokensim {

inline v1::Spec ParseSpec(std::string_view yaml) {
  v1::Spec spec;
  for (const YamlError& e : ParseYaml(yaml, "s.yaml", &spec)) ADD_FAILURE() << e.ToString();
  return spec;
}

// LLaMA2-7B on an A100-80G, 100 requests of 100 + 100 tokens, one per second.
inline v1::Spec GoodSpec() {
  return ParseSpec(R"(
model: llama2-7b
workers: [{name: gpu, hardware: a100-80g}]
workload:
  num_requests: 100
  arrival: {poisson: {rate_per_second: 1}}
  lengths: {independent: {input: {fixed: 100}, output: {fixed: 100}}}
)");
}

using Changes = std::vector<std::pair<std::string, std::string>>;

inline v1::Spec Changed(v1::Spec spec, const Changes& changes) {
  for (const auto& [path, value] : changes) {
    const absl::Status status = SetField(path, value, &spec);
    EXPECT_TRUE(status.ok()) << status;
  }
  return spec;
}

inline PreparedSpec PrepareChanged(const Changes& changes) {
  return PrepareSpec(Changed(GoodSpec(), changes), TracePolicy::NoPaths());
}

// "ERROR field: message" of each finding.
inline std::vector<std::string> Texts(const PreparedSpec& prepared) {
  std::vector<std::string> texts;
  for (const v1::Finding& f : prepared.findings) {
    texts.push_back(v1::Finding::Severity_Name(f.severity()) + " " + f.field() + ": " +
                    f.message());
  }
  return texts;
}

// The findings about GoodSpec with the changes.
inline std::vector<std::string> FindingsOf(const Changes& changes) {
  return Texts(PrepareChanged(changes));
}

}  // namespace tokensim
