// The rules by which flows share links by name.
//
// They are one file each beside this one: the interface is in link_sharing.h.
//
//   plan.network.sharing = SharingRules().Make("fifo");
#pragma once

#include "engine/network/link_sharing.h"

namespace tokensim {

[[nodiscard]] const SharingRuleRegistry& SharingRules();

inline constexpr char kDefaultSharing[] = "fair";
// Transfers over a host link wait for each other, so that none is read before it is written.
inline constexpr char kHostLinkSharing[] = "fifo";

}  // namespace tokensim
