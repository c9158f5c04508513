// What each instruction set offers, as plain functions, so that one can be chosen at run time.
#pragma once

#include <cstddef>

namespace unrolled {

struct KernelTable {
  // Floats needed to pack a (columns, depth) matrix with its biases.
  std::size_t (*packed_size)(std::size_t columns, std::size_t depth);

  // Packs weight (columns, depth), contiguous, and bias (columns), which may be null.
  void (*pack)(const float* weight, const float* bias, std::size_t columns, std::size_t depth,
               float* packed);

  // C = A W^T + b. Rows of A and C are a_stride and c_stride floats apart.
  void (*multiply)(const float* a, std::ptrdiff_t a_stride, std::size_t rows, const float* packed,
                   std::size_t columns, std::size_t depth, float* c, std::ptrdiff_t c_stride);
};

}  // namespace unrolled
