// The packed-panel product, the one inner loop: C = A W^T + b.
//
// The weights are packed once into panels of a few vectors of columns, k innermost, so that the
// inner loop reads them in one stream. A block of rows of A stays in registers as accumulators.
// Rows are given by pointers, so they may lie anywhere: no stride is ever copied away. Every
// element of C is summed over k in the same order whatever the other rows are, so a row's result
// does not depend on its batch mates, bit for bit.
#pragma once

#include <cstddef>
#include <cstring>

#include "layer.h"
#include "simd.h"

namespace unrolled::UNROLLED_ISA {

inline constexpr int kPanel = kWidth * kPanelVectors;

inline std::size_t panels_of(std::size_t columns) { return (columns + kPanel - 1) / kPanel; }

// A panel begins with its biases.
inline std::size_t panel_size(std::size_t depth) { return kPanel * (depth + 1); }

inline std::size_t packed_size(std::size_t columns, std::size_t depth) {
  return panels_of(columns) * panel_size(depth);
}

// One panel of `here` rows of a weight (columns, depth). Columns beyond the last are 0.
inline void pack_panel(const float* weight, std::size_t stride, const float* bias, std::size_t here,
                       std::size_t depth, float* packed) {
  for (std::size_t c = 0; c < kPanel; ++c) {
    packed[c] = bias != nullptr && c < here ? bias[c] : 0.0f;
  }
  packed += kPanel;
  // In square tiles, or either the reading or the writing would miss the cache at every element.
  for (std::size_t k = 0; k < depth; k += kPanel) {
    const std::size_t end = smaller(k + kPanel, depth);
    for (std::size_t c = 0; c < kPanel; ++c) {
      for (std::size_t i = k; i < end; ++i) {
        packed[i * kPanel + c] = c < here ? weight[c * stride + i] : 0.0f;
      }
    }
  }
}

// weight is (columns, depth), row after row; bias is (columns) or null.
inline void pack(const float* weight, const float* bias, std::size_t columns, std::size_t depth,
                 float* packed) {
  for (std::size_t first = 0; first < columns; first += kPanel) {
    pack_panel(weight + first * depth, depth, bias == nullptr ? nullptr : bias + first,
               smaller(kPanel, columns - first), depth, packed);
    packed += panel_size(depth);
  }
}

// Panels side by side for some rows: c += a W, or c = bias + a W where a bias is given. With one
// row a single panel would wait for its own additions; several make enough of them.
template <int Rows, int Panels>
inline void accumulate(const float* const* a, const float* const* weights, std::size_t depth,
                       const float* const* biases, float* const* c, const std::size_t* columns) {
  Vector sums[Rows][Panels * kPanelVectors];
  UNROLLED_UNROLL
  for (int r = 0; r < Rows; ++r) {
    UNROLLED_UNROLL
    for (int p = 0; p < Panels; ++p) {
      const float* from = biases[p] != nullptr ? biases[p] : c[r] + columns[p];
      UNROLLED_UNROLL
      for (int v = 0; v < kPanelVectors; ++v) {
        sums[r][p * kPanelVectors + v] = load(from + v * kWidth);
      }
    }
  }
  const float* rows[Rows];
  UNROLLED_UNROLL
  for (int r = 0; r < Rows; ++r) rows[r] = a[r];
  for (std::size_t k = 0; k < depth; ++k) {
    UNROLLED_UNROLL
    for (int p = 0; p < Panels; ++p) {
      Vector weight[kPanelVectors];
      UNROLLED_UNROLL
      for (int v = 0; v < kPanelVectors; ++v)
        weight[v] = load(weights[p] + k * kPanel + v * kWidth);
      UNROLLED_UNROLL
      for (int r = 0; r < Rows; ++r) {
        const Vector value = broadcast(rows[r][k]);
        UNROLLED_UNROLL
        for (int v = 0; v < kPanelVectors; ++v) {
          sums[r][p * kPanelVectors + v] += value * weight[v];
        }
      }
    }
  }
  UNROLLED_UNROLL
  for (int r = 0; r < Rows; ++r) {
    UNROLLED_UNROLL
    for (int p = 0; p < Panels; ++p) {
      UNROLLED_UNROLL
      for (int v = 0; v < kPanelVectors; ++v) {
        store(c[r] + columns[p] + v * kWidth, sums[r][p * kPanelVectors + v]);
      }
    }
  }
}

using Accumulate = void (*)(const float* const*, const float* const*, std::size_t,
                            const float* const*, float* const*, const std::size_t*);

// One panel for any number of rows: c[row] + column += a[row] W, or bias + a[row] W.
inline void multiply_panel(const float* const* a, std::size_t rows, const float* weights,
                           std::size_t depth, const float* bias, float* const* c,
                           std::size_t column) {
  static_assert(kRows == kRowsInRegisters && kRows == 6);
  static constexpr Accumulate blocks[] = {accumulate<1, 1>, accumulate<2, 1>, accumulate<3, 1>,
                                          accumulate<4, 1>, accumulate<5, 1>, accumulate<6, 1>};
  for (std::size_t row = 0; row < rows; row += kRows) {
    blocks[smaller(kRows, rows - row) - 1](a + row, &weights, depth, &bias, c + row, &column);
  }
}

// C += A W^T for a whole matrix whose rows in C reach to the end of the last panel.
inline void multiply_onto(const float* const* a, std::size_t rows, const float* packed,
                          std::size_t columns, std::size_t depth, float* const* c) {
  const std::size_t panels = panels_of(columns), size = panel_size(depth);
  std::size_t panel = 0;
  for (; rows == 1 && panel + 4 <= panels; panel += 4) {
    const float* first = packed + panel * size + kPanel;
    const float* const weights[] = {first, first + size, first + 2 * size, first + 3 * size};
    const float* const biases[] = {nullptr, nullptr, nullptr, nullptr};
    const std::size_t at[] = {panel * kPanel, (panel + 1) * kPanel, (panel + 2) * kPanel,
                              (panel + 3) * kPanel};
    accumulate<1, 4>(a, weights, depth, biases, c, at);
  }
  for (; panel < panels; ++panel) {
    multiply_panel(a, rows, packed + panel * size + kPanel, depth, nullptr, c, panel * kPanel);
  }
}

// C = A W^T + b for a whole matrix; the last panel may reach beyond the last column.
inline void multiply(const float* const* a, std::size_t rows, const float* packed,
                     std::size_t columns, std::size_t depth, float* const* c) {
  for (std::size_t first = 0; first < columns; first += kPanel) {
    const std::size_t here = smaller(kPanel, columns - first);
    if (here == kPanel) {
      multiply_panel(a, rows, packed + kPanel, depth, packed, c, first);
    } else {
      float whole[kRows][kPanel];
      for (std::size_t row = 0; row < rows; row += kRows) {
        const std::size_t block = smaller(kRows, rows - row);
        float* beside[kRows];
        for (std::size_t r = 0; r < block; ++r) beside[r] = whole[r];
        multiply_panel(a + row, block, packed + kPanel, depth, packed, beside, 0);
        for (std::size_t r = 0; r < block; ++r) {
          std::memcpy(c[row + r] + first, whole[r], here * sizeof(float));
        }
      }
    }
    packed += panel_size(depth);
  }
}

}  // namespace unrolled::UNROLLED_ISA
