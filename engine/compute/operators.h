// The operators of one forward pass on one device: what is computed, what memory is read and
// written, what crosses the link. No times: a compute model prices them (roofline.h).
//
//   const TransformerOperators operators(model, {.tensor = 4});
//   for (const Operator& op : operators.List(shape)) Print(op.name, op.repeats, op.flops);
//
// Layers that have an operator in common have it once, repeated as often as there are such layers.
// One device means one of each pipeline stage in turn: the pass of a batch through all stages.
// Operators fall in groups by what their cost depends on, so that a model can tabulate the first
// three: dense (rows of the batch), experts (rows of all ranks that share them), output (rows
// sampled), decode attention (sequences and sum of contexts), prefill attention (the chunks).
// docs/compute.md derives every formula.
//
// Immutable after construction, thread-safe. Doubles count exactly up to 2^53.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/compute/attention_operators.h"
#include "engine/compute/compute_model.h"
#include "engine/compute/sampling.h"
#include "engine/model/model.h"
#include "engine/model/model_parts.h"

namespace tokensim {

enum class OperatorKind : uint8_t {
  kGemm,       // multiplies activations by weights, at the arithmetic rate of the weights' type
  kAttention,  // multiplies activations by the KV cache, at the 16-bit rate
  kMemory,     // reads and writes memory; its arithmetic is too little to count
  kAllReduce,  // sums `bytes` over the devices of the worker
  kAllGather,  // collects `bytes` in all, an equal part from each device
  kAllToAll,   // each device has `bytes` for the devices, an equal part for each
  kSend,       // `bytes` to the next stage
};

// Where in the model an operator belongs.
enum class OperatorPlace : uint8_t {
  kBeforeLayers,  // the first stage
  kLayer,         // once in each layer
  kAfterLayers,   // the last stage
  kBetweenStages,
};

struct Operator {
  const char* name = "";
  OperatorKind kind = OperatorKind::kMemory;
  OperatorPlace place = OperatorPlace::kBeforeLayers;
  int32_t repeats = 1;  // times per forward pass: the layers with it, the hops between stages, or 1
  double flops = 0;     // of one repeat, as are the bytes
  double bytes = 0;     // device memory read and written; of collectives: the message
  double rows = 0;      // m of y[m, n] = x[m, k] W[k, n]; of kMemory: of the residual stream
  double inner = 0;     // k
  double outer = 0;     // n
  double matrices = 1;  // that the rows are spread over: experts read
  double kernels = 1;   // that it takes, one after the other
  WeightFormat format;  // of the matrices; of kAttention: the rate it computes at
};

class TransformerOperators {
 public:
  TransformerOperators(const Model& model, const ParallelismConfig& parallelism,
                       const SamplingConfig& sampling = {});

  // Every operator of the iteration, in the order of the groups. For reading, not for speed.
  [[nodiscard]] std::vector<Operator> List(const IterationShape& shape) const;

  // Appends what every row passes through: embedding, projections, MLP, shared experts, norms,
  // their collectives and the sends between stages. `rows` >= 1.
  void AppendDense(int64_t rows, std::vector<Operator>& out) const;
  // Appends the experts of a mixture and their collectives, for the `rows` >= 1 of all ranks that
  // share them. Nothing for a dense model.
  void AppendExperts(int64_t rows, std::vector<Operator>& out) const;
  // Appends LM head and sampler. Nothing for 0 rows.
  void AppendOutput(int64_t rows, std::vector<Operator>& out) const;

  // Calls `visit` with the attention of the layers of each kind, for decodes and for chunks: at most
  // two operators a kind. Of any model.
  template <typename Visit>
  void VisitDecodeAttention(const IterationShape& shape, const Visit& visit) const {
    if (plain_) return visit(DecodeAttention(shape.decode_count, shape.decode_context));
    for (const AttentionLayers& a : attentions_) {
      VisitWork("decode_attention", "decode_index", a.layers,
                a.operators.Decode(shape.decode_count, shape.decode_context, shape.windows), visit);
    }
  }
  template <typename Visit>
  void VisitPrefillAttention(std::span<const PrefillChunk> chunks, const Visit& visit) const {
    if (plain_) return visit(PrefillAttention(chunks));
    for (const AttentionLayers& a : attentions_) {
      VisitWork("prefill_attention", "prefill_index", a.layers, a.operators.Prefill(chunks), visit);
    }
  }

  // Where all layers attend alike, without a list: each of `count` sequences attends to its context, `context`
  // tokens in all, the new ones included.
  [[nodiscard]] Operator DecodeAttention(int64_t count, int64_t context) const {
    const auto tokens = static_cast<double>(context);
    return PlainAttention("decode_attention", static_cast<double>(count), tokens, tokens);
  }
  // Every window of the layers, each once.
  [[nodiscard]] std::vector<AttentionWindow> Windows() const;
  [[nodiscard]] int32_t layers() const { return layers_; }
  [[nodiscard]] const Model& model() const { return model_; }
  [[nodiscard]] const ParallelismConfig& parallelism() const { return parallelism_; }
  // Whether DecodeAttention and PrefillAttention say all about attention.
  [[nodiscard]] bool plain() const { return plain_; }
  // Of the first group.
  [[nodiscard]] const LayerShard& shard() const { return shard_; }

  // Of the same. Causal: the i-th new token of a chunk attends to the history and to i tokens
  // of the chunk, so the flops of a prompt do not depend on how it is cut. What is read again for
  // each chunk is the cache of its history.
  [[nodiscard]] Operator PrefillAttention(std::span<const PrefillChunk> chunks) const {
    double rows = 0;
    double pairs = 0;
    double context = 0;
    for (const PrefillChunk& chunk : chunks) {
      const double n = chunk.new_tokens;
      const double h = chunk.history;
      rows += n;
      pairs += n * h + n * (n + 1) / 2;
      context += h + n;
    }
    return PlainAttention("prefill_attention", rows, pairs, context);
  }

 private:
  // Layers with the same projections, the same MLP, or the same attention.
  struct Projections {
    int32_t layers = 0;
    Attention attention;
    AttentionMatrices matrices;  // on this device
  };
  struct MlpLayers {
    int32_t layers = 0;
    Mlp mlp;
    LayerShard shard;
  };
  struct AttentionLayers {
    int32_t layers = 0;
    Attention attention;
    AttentionOperators operators;
  };
  void Sort(const LayerGroup& group);

  // `rows` queries, `pairs` (query, key) pairs, the keys and values of `context` tokens.
  [[nodiscard]] Operator PlainAttention(const char* name, double rows, double pairs,
                                        double context) const {
    return {.name = name,
            .kind = OperatorKind::kAttention,
            .place = OperatorPlace::kLayer,
            .repeats = layers_,
            .flops = pair_flops_ * pairs,
            .bytes = kv_bytes_ * context + row_bytes_ * rows};
  }
  template <typename Visit>
  static void VisitWork(const char* name, const char* index_name, int32_t layers,
                        const AttentionWork& work, const Visit& visit) {
    Operator op = {.name = name,
                   .kind = OperatorKind::kAttention,
                   .place = OperatorPlace::kLayer,
                   .repeats = layers,
                   .flops = work.flops,
                   .bytes = work.bytes};
    visit(op);
    if (work.index_bytes == 0) return;
    op.name = index_name;
    op.flops = work.index_flops;
    op.bytes = work.index_bytes;
    op.format.number = NumberFormat::kFp8;
    visit(op);
  }
  // y[rows, n] = x[rows, k] W[k, n], the rows spread over `matrices` weight matrices.
  [[nodiscard]] Operator Gemm(const char* name, OperatorPlace place, int32_t repeats,
                              const WeightFormat& format, double rows, double k, double n,
                              double matrices = 1) const;
  // What moves `bytes` through memory, or over the link.
  [[nodiscard]] Operator Move(const char* name, OperatorKind kind, OperatorPlace place,
                              int32_t repeats, double rows, double bytes) const;
  void AppendProjections(const Projections& p, double rows, std::vector<Operator>& out) const;
  void AppendLatentProjections(const Projections& p, double rows, std::vector<Operator>& out) const;
  void AppendIndexProjections(const Projections& p, double rows, std::vector<Operator>& out) const;
  void AppendLinearProjections(const Projections& p, double rows, std::vector<Operator>& out) const;
  void AppendMlp(const MlpLayers& layers, double rows, std::vector<Operator>& out) const;
  void AppendBesideExperts(const MlpLayers& layers, double rows, std::vector<Operator>& out) const;
  void AppendRoutedExperts(const MlpLayers& layers, int64_t rows, std::vector<Operator>& out) const;
  void AppendCollectives(double rows, std::vector<Operator>& out) const;

  Model model_;
  ParallelismConfig parallelism_;
  SamplingConfig sampling_;
  LayerShard shard_;
  int32_t layers_;
  bool plain_;
  int32_t vocab_;  // of this device
  std::vector<Projections> projections_;
  std::vector<MlpLayers> mlps_;
  std::vector<AttentionLayers> attentions_;
  // Where all layers attend alike.
  double pair_flops_ = 0;  // of one (query, key) pair, over the heads of this device
  double kv_bytes_ = 0;    // keys and values of one token in one layer
  double row_bytes_ = 0;   // query in, output out, new key and value
};

// Position of an operator among those of its place, in the order they run.
[[nodiscard]] int32_t ExecutionRank(const char* name);

// Expected number of distinct experts that `tokens` tokens activate when each picks
// `experts_per_token` of `num_experts` uniformly: E (1 - (1 - k/E)^tokens). Uniform routing is the
// worst case for memory: real routers are skewed and activate fewer.
[[nodiscard]] double ExpectedDistinctExperts(int32_t num_experts, int32_t experts_per_token,
                                             int64_t tokens);

}  // namespace tokensim
