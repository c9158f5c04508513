// Memory for panels, whose vectors must never straddle two cache lines.
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
#if defined(__linux__)
  madvise(memory.get(), bytes, MADV_HUGEPAGE);  // it may refuse, and nothing else changes
#endif
  return memory;
}

}  // namespace unrolled
