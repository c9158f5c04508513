// Memory for panels, whose vectors must never straddle two cache lines.
#pragma once

#include <cstddef>
#include <limits>
#include <memory>
#include <new>

namespace unrolled {

inline constexpr std::align_val_t kCacheLine{64};

struct FreeAligned {
  void operator()(void* memory) const noexcept { ::operator delete(memory, kCacheLine); }
};

template <class Element>
using Aligned = std::unique_ptr<Element[], FreeAligned>;

template <class Element>
Aligned<Element> aligned(std::size_t count) {
  if (count > std::numeric_limits<std::size_t>::max() / sizeof(Element)) throw std::bad_alloc();
  return Aligned<Element>(
      static_cast<Element*>(::operator new(count * sizeof(Element), kCacheLine)));
}

}  // namespace unrolled
