// Records for tests of stores.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "server/store/store.h"

namespace tokensim {

inline constexpr int64_t kNewest = std::numeric_limits<int64_t>::max();

inline SimulationRecord MakeRecord(const std::string& id, const std::string& tenant = "default",
                                   const std::string& request_id = "",
                                   const std::string& digest = "") {
  SimulationRecord record;
  record.name = {tenant, id};
  record.uid = tenant + "-" + id;
  record.request_id = request_id;
  record.request_digest = digest;
  auto spec = std::make_shared<v1::Spec>();
  spec->set_name(id);
  record.spec_name = id;
  record.spec = spec;
  record.spec_digest = "digest-" + id;
  return record;
}

}  // namespace tokensim
