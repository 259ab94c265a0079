// Any bytes, read as a model's config.json or as what lies beside it, give a model whose sizes are
// finite, or an error.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engine/io/model_config/model_config.h"
#include "engine/io/plan/model_import.h"

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

constexpr std::string_view kLlama =
    R"({"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 4, "vocab_size": 1000,
        "num_attention_heads": 8, "intermediate_size": 128})";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)tokensim::ReadModelConfig(kLlama, {.quantization = text});
  const auto message = tokensim::ReadModelConfig(text);
  if (!message.ok()) {
    Require(!message.status().message().empty() && message.status().message().size() < 100'000);
    return 0;
  }
  const auto model = tokensim::CheckModel(*message);
  if (!model.ok()) return 0;
  Require(tokensim::ParameterCount(*model) > 0);
  Require(tokensim::ActiveParameterCount(*model) > 0);
  Require(tokensim::WeightBytesPerDevice(*model, {.tensor = 8}) > 0);
  Require(tokensim::KvLayoutOf(*model, {}).SequenceBytes(1'000'000) >= 0);
  return 0;
}
