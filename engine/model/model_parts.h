// The parameters of one layer by part, on one of the devices that share it.
#pragma once

#include "engine/model/model.h"

namespace tokensim {

// Activations and the inputs of convolutions are 16-bit whatever the weights are.
inline constexpr double kActivationBytes = 2;

// Output columns of projections of hidden vectors, and other matrices, on one device. 0: absent.
struct AttentionMatrices {
  double query_key_value = 0;  // columns: heads' queries, keys, values and gate, in one projection
  double down = 0;             // columns of the latent vectors of queries and keys, replicated
  double query_up = 0;         // columns; rows are query_rank
  double query_direct = 0;     // columns of queries without a latent vector
  double kv_up = 0;            // columns; rows are kv_rank
  double gate = 0;             // columns of the gate of a latent attention
  double index_query = 0;      // columns; rows are query_rank or hidden_size
  double index_key = 0;        // columns of index keys and head weights
  double linear_in = 0;        // columns of everything a linear layer projects
  double decay_rank = 0;       // KDA: hidden -> decay_rank -> decay_up
  double decay_up = 0;
  double convolution = 0;  // channels
  double out_rows = 0;     // of the output projection to hidden_size, or to the latent vectors
  double out_latent = 0;   // columns of the first output projection, all groups; 0: only one
};
[[nodiscard]] AttentionMatrices MatricesOf(const LayerGroup& group, const LayerShard& shard);

struct LayerParameters {
  double attention = 0;
  double mlp = 0;  // dense
  double shared = 0;
  double expert = 0;  // one routed expert
  double router = 0;  // and the projections to and from the experts' latent vectors
  double vectors = 0;
};
[[nodiscard]] LayerParameters ParametersOf(const LayerGroup& group, int32_t hidden_size,
                                           const ParallelismConfig& parallelism);

}  // namespace tokensim
