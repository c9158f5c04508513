// Memory for panels, whose vectors must never straddle two cache lines, and large pages.
#pragma once

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <cstddef>
#include <limits>
#include <memory>
#include <new>

namespace unrolled {

inline constexpr std::align_val_t kCacheLine{64}, kLargePage{std::size_t{1} << 21};

struct FreeAligned {
  std::align_val_t alignment = kCacheLine;

  void operator()(void* memory) const noexcept { ::operator delete(memory, alignment); }
};

template <class Element>
using Aligned = std::unique_ptr<Element[], FreeAligned>;

template <class Element>
Aligned<Element> aligned(std::size_t count, std::align_val_t alignment = kCacheLine) {
  if (count > std::numeric_limits<std::size_t>::max() / sizeof(Element)) throw std::bad_alloc();
  void* const memory = ::operator new(count * sizeof(Element), alignment);
  return Aligned<Element>(static_cast<Element*>(memory), FreeAligned{alignment});
}

// Asks for a large page wherever one lies in this memory wholly. The system may refuse, and nothing
// else changes.
inline void prefer_large_pages([[maybe_unused]] void* memory, [[maybe_unused]] std::size_t bytes) {
#if defined(__linux__)
  constexpr auto page = static_cast<std::size_t>(kLargePage);
  std::size_t room = bytes;
  if (std::align(page, page, memory, room) != nullptr) {
    madvise(memory, room / page * page, MADV_HUGEPAGE);
  }
#endif
}

// For what is read over and over: pages of the usual size lie anywhere, and where they fill most of
// the cache of a core, some of them always drive others out. Less than half a large page is not
// worth one.
template <class Element>
Aligned<Element> aligned_on_large_pages(std::size_t count) {
  constexpr auto page = static_cast<std::size_t>(kLargePage);
  if (count < page / 2 / sizeof(Element)) return aligned<Element>(count);
  if (count > std::numeric_limits<std::size_t>::max() / sizeof(Element) - page) {
    throw std::bad_alloc();
  }
  const std::size_t bytes = (count * sizeof(Element) + page - 1) / page * page;
  Aligned<Element> memory = aligned<Element>(bytes / sizeof(Element), kLargePage);
  prefer_large_pages(memory.get(), bytes);
  return memory;
}

}  // namespace unrolled
