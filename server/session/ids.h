// Random identifiers. Thread-safe.
#pragma once

#include <string>

namespace tokensim {

[[nodiscard]] std::string NewUid();           // a UUID, version 4
[[nodiscard]] std::string NewSimulationId();  // as s-4k2j9x0qwz

// xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx in hexadecimal.
[[nodiscard]] bool IsUuid(const std::string& text);

}  // namespace tokensim
