// The packed-panel product, the one inner loop: C = A W^T + b.
//
// The weights are packed once into panels of a few vectors of columns, k innermost, so that the
// inner loop reads them in one stream. A block of rows of A stays in registers as accumulators.
// Every element of C is summed over k in the same order whatever the other rows are, so a row's
// result does not depend on its batch mates, bit for bit.
#pragma once

#include <cstddef>
#include <cstring>

#include "kernel_table.h"
#include "simd.h"

namespace unrolled::UNROLLED_ISA {

inline constexpr int kPanel = kWidth * kPanelVectors;

// Not std::min: the linker would keep one copy of it for all instruction sets.
inline std::size_t smaller(std::size_t a, std::size_t b) { return a < b ? a : b; }

inline std::size_t packed_size(std::size_t columns, std::size_t depth) {
  const std::size_t panels = (columns + kPanel - 1) / kPanel;
  return panels * kPanel * (depth + 1);
}

// weight is (columns, depth), row after row; bias is (columns) or null. A panel begins with its
// biases. Columns beyond the last are 0.
inline void pack(const float* weight, const float* bias, std::size_t columns, std::size_t depth,
                 float* packed) {
  for (std::size_t first = 0; first < columns; first += kPanel) {
    const std::size_t here = smaller(kPanel, columns - first);
    for (std::size_t c = 0; c < kPanel; ++c) {
      *packed++ = bias != nullptr && c < here ? bias[first + c] : 0.0f;
    }
    for (std::size_t k = 0; k < depth; ++k) {
      for (std::size_t c = 0; c < kPanel; ++c) {
        *packed++ = c < here ? weight[(first + c) * depth + k] : 0.0f;
      }
    }
  }
}

template <int Rows>
inline void multiply_block(const float* a, std::ptrdiff_t a_stride, const float* panel,
                           std::size_t depth, float* c, std::ptrdiff_t c_stride,
                           std::size_t columns) {
  Vector sums[Rows][kPanelVectors];
  UNROLLED_UNROLL
  for (int r = 0; r < Rows; ++r) {
    UNROLLED_UNROLL
    for (int v = 0; v < kPanelVectors; ++v) sums[r][v] = load(panel + v * kWidth);
  }
  const float* weight = panel + kPanel;
  for (std::size_t k = 0; k < depth; ++k, weight += kPanel) {
    Vector weights[kPanelVectors];
    UNROLLED_UNROLL
    for (int v = 0; v < kPanelVectors; ++v) weights[v] = load(weight + v * kWidth);
    UNROLLED_UNROLL
    for (int r = 0; r < Rows; ++r) {
      const Vector value = broadcast(a[r * a_stride + static_cast<std::ptrdiff_t>(k)]);
      UNROLLED_UNROLL
      for (int v = 0; v < kPanelVectors; ++v) sums[r][v] += value * weights[v];
    }
  }
  UNROLLED_UNROLL
  for (int r = 0; r < Rows; ++r) {
    float* row = c + r * c_stride;
    if (columns == kPanel) {
      UNROLLED_UNROLL
      for (int v = 0; v < kPanelVectors; ++v) store(row + v * kWidth, sums[r][v]);
    } else {
      float whole[kPanel];
      UNROLLED_UNROLL
      for (int v = 0; v < kPanelVectors; ++v) store(whole + v * kWidth, sums[r][v]);
      std::memcpy(row, whole, columns * sizeof(float));
    }
  }
}

using Block = void (*)(const float*, std::ptrdiff_t, const float*, std::size_t, float*,
                       std::ptrdiff_t, std::size_t);

inline void multiply(const float* a, std::ptrdiff_t a_stride, std::size_t rows, const float* packed,
                     std::size_t columns, std::size_t depth, float* c, std::ptrdiff_t c_stride) {
  static_assert(kRows == 6);
  static constexpr Block blocks[] = {multiply_block<1>, multiply_block<2>, multiply_block<3>,
                                     multiply_block<4>, multiply_block<5>, multiply_block<6>};
  for (std::size_t first = 0; first < columns; first += kPanel) {
    const std::size_t here = smaller(kPanel, columns - first);
    for (std::size_t row = 0; row < rows; row += kRows) {
      const std::size_t block = smaller(kRows, rows - row);
      blocks[block - 1](a + static_cast<std::ptrdiff_t>(row) * a_stride, a_stride, packed, depth,
                        c + static_cast<std::ptrdiff_t>(row) * c_stride + first, c_stride, here);
    }
    packed += kPanel * (depth + 1);
  }
}

}  // namespace unrolled::UNROLLED_ISA
