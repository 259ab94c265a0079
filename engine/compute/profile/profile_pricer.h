// Prices operators by measurements of them (docs/profiles.md).
//
// Times between measured sizes are linear. Beyond the measured range the time at its edge grows as
// the roofline does from there. What was not measured, the collectives above all, is priced by the
// roofline.
//
//   auto pricer = MakeProfilePricer(tables, llama, a100, /*split=*/{});
//
// Steps with several chunks: the largest is priced with the decodes, each other as a chunk alone
// less the shortest one's time, which is the fixed cost of a kernel they all share. Decodes of
// unequal contexts take t_mean + alpha (t_max - t_mean), the kernel at the mean and the greatest
// context; alpha is measured (SkewTable), 0 without.
//
// Immutable, thread-safe.
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "engine/compute/operator_pricer.h"
#include "engine/compute/profile/profile_tables.h"
#include "engine/hardware/device.h"
#include "engine/model/model.h"

namespace tokensim {

// Whether the tables are well-formed: else an error that names the table and the row. Dense
// operators and attention are needed, the other tables and single operators are optional.
[[nodiscard]] absl::Status CheckProfile(const ProfileTables& tables);

// Largest sizes measured.
struct ProfileRange {
  int32_t tokens = 0;
  int32_t sequences = 0;
  int32_t chunk = 0;
  int32_t decodes = 0;  // beside a chunk
  int32_t context = 0;  // of decodes, and history of chunks
};
[[nodiscard]] ProfileRange RangeOf(const ProfileTables& tables);

// Of checked tables.
[[nodiscard]] std::unique_ptr<const OperatorPricer> MakeProfilePricer(
    const ProfileTables& tables, const Model& model, const DeviceConfig& device,
    const ParallelismConfig& split);

}  // namespace tokensim
