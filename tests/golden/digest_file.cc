#include "tests/golden/digest_file.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace tokensim {

Fnv1a& Fnv1a::Add(std::string_view bytes) {
  for (const char c : bytes) {
    state_ = (state_ ^ static_cast<uint8_t>(c)) * 0x100000001b3ULL;
  }
  return *this;
}

Fnv1a& Fnv1a::Add(int64_t value) {
  for (int shift = 0; shift < 64; shift += 8) {
    const auto byte = static_cast<uint8_t>(static_cast<uint64_t>(value) >> shift);
    state_ = (state_ ^ byte) * 0x100000001b3ULL;
  }
  return *this;
}

Fnv1a& Fnv1a::Add(double value) { return Add(std::bit_cast<int64_t>(value)); }

std::string Fnv1a::hex() const {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(state_));
  return text;
}

DigestFile::DigestFile(const std::string& name)
    : path_(std::string(TOKENSIM_GOLDEN_DIR) + "/" + name),
      update_(std::getenv("TOKENSIM_UPDATE_GOLDEN") != nullptr) {
  std::ifstream file(path_);
  std::string entry;
  std::string digests;
  while (file >> entry && std::getline(file, digests)) entries_[entry] = digests;
}

DigestFile::~DigestFile() {
  if (!update_) return;
  std::ofstream file(path_);
  for (const auto& [name, digests] : entries_) file << name << digests << '\n';
}

void DigestFile::Check(const std::string& name,
                       const std::vector<std::pair<std::string, std::string>>& digests) {
  std::string text;
  for (const auto& [what, digest] : digests)
    text.append(" ").append(what).append(" ").append(digest);
  if (update_) {
    entries_[name] = text;
    return;
  }
  const auto entry = entries_.find(name);
  ASSERT_NE(entry, entries_.end())
      << name << " is not in " << path_ << "; run with TOKENSIM_UPDATE_GOLDEN=1";
  EXPECT_EQ(entry->second, text) << "results of " << name
                                 << " changed; if that is meant, run with TOKENSIM_UPDATE_GOLDEN=1";
}

}  // namespace tokensim
