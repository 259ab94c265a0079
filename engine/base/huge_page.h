// A block of memory as large as a huge page, for what grows to tens of megabytes: touching it costs
// the kernel one page fault instead of 512, where huge pages are to be had.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace tokensim {

inline constexpr size_t kHugePageBytes = 2 << 20;

struct HugePageDeleter {
  void operator()(std::byte* memory) const { std::free(memory); }
};
using HugePage = std::unique_ptr<std::byte[], HugePageDeleter>;

// Not initialized.
[[nodiscard]] inline HugePage AllocateHugePage() {
  void* memory = std::aligned_alloc(kHugePageBytes, kHugePageBytes);
  if (memory == nullptr) throw std::bad_alloc();
#ifdef __linux__
  // Advice only: without huge pages the kernel gives small ones.
  (void)madvise(memory, kHugePageBytes, MADV_HUGEPAGE);
#endif
  return HugePage(static_cast<std::byte*>(memory));
}

}  // namespace tokensim
