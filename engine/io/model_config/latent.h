// What families with latent attention have in common. Internal to engine/io/model_config.
#pragma once

#include <cstdint>

#include "engine/io/model_config/families.h"

namespace tokensim {

[[nodiscard]] v1::Attention LatentOf(ConfigReader& config);
[[nodiscard]] v1::SparseIndex IndexOf(ConfigReader& config);
// Parameters of the norms of latent vectors.
[[nodiscard]] int64_t LatentNorms(const v1::Attention& attention);

}  // namespace tokensim
