// Stores by name: `--store memory | sqlite:PATH`.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/store/store.h"

namespace tokensim {

// INVALID_ARGUMENT: no such store. Else what keeps the file from being opened. A folder that is
// missing is made, for this user alone, as the file is.
[[nodiscard]] absl::StatusOr<std::unique_ptr<Store>> OpenStore(const std::string& name,
                                                               const StoreLimits& limits);

// Whether what it keeps survives the process.
[[nodiscard]] bool IsDurable(const std::string& store_name);

// sqlite: in $STATE_DIRECTORY (systemd's), else $XDG_STATE_HOME/tokensim, else
// $HOME/.local/state/tokensim; memory without any of them.
[[nodiscard]] std::string DefaultStore();

}  // namespace tokensim
