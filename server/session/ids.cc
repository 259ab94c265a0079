#include "server/session/ids.h"

#include <cctype>
#include <random>
#include <string_view>

namespace tokensim {
namespace {

// std::random_device reads the system's generator: nothing shared, nothing seeded.
std::string RandomText(std::string_view alphabet, size_t length) {
  std::random_device device;
  std::uniform_int_distribution<size_t> pick(0, alphabet.size() - 1);
  std::string out;
  for (size_t i = 0; i < length; ++i) out += alphabet[pick(device)];
  return out;
}

}  // namespace

std::string NewUid() {
  std::string out = RandomText("0123456789abcdef", 36);
  for (const size_t dash : {8, 13, 18, 23}) out[dash] = '-';
  out[14] = '4';
  out[19] = RandomText("89ab", 1)[0];
  return out;
}

std::string NewSimulationId() {
  return "s-" + RandomText("0123456789abcdefghijklmnopqrstuvwxyz", 10);
}

bool IsUuid(const std::string& text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !std::isxdigit(static_cast<unsigned char>(text[i]))) return false;
  }
  return true;
}

}  // namespace tokensim
