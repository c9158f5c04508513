// The packed-panel product, the one inner loop: C = A W^T + b.
//
// The weights are packed once into panels of a few vectors of columns, k innermost, so that the
// inner loop reads them in one stream. A block of rows of A stays in registers as accumulators.
// Rows are given by pointers, so they may lie anywhere: no stride is ever copied away. Every
// element of C is summed over k in the same order whatever the other rows are, so a row's result
// does not depend on its batch mates, bit for bit.
#pragma once

#include <cstddef>
#include <cstdint>
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

// What is read after a block of several rows, and is fetched meanwhile: the cache that all cores
// share may be too slow to be waited for. For every so many k some lines, `step` bytes from those
// before: of panels of AVX-512 a part only, where there are fewer than 36 rows.
struct Ahead {
  std::uintptr_t from;  // not a pointer: it may lie beyond the panels
  std::size_t step;
};

inline constexpr int kLinesAhead = 3, kTogether = 4;

// With few rows a single panel would wait for its own additions; several make enough of them.
inline constexpr int kFewRows = 3;

// Panels side by side for some rows: c = start + a W, where `starts` has a row of every panel for
// each row.
template <int Rows, int Panels>
inline void accumulate(const float* const* a, const float* const* weights, std::size_t depth,
                       const float* const* starts, float* const* c, const std::size_t* columns,
                       Ahead ahead) {
  Vector sums[Rows][Panels * kPanelVectors];
  const float* rows[Rows];
  UNROLLED_UNROLL
  for (int r = 0; r < Rows; ++r) {
    rows[r] = a[r];
    UNROLLED_UNROLL
    for (int p = 0; p < Panels; ++p) {
      UNROLLED_UNROLL
      for (int v = 0; v < kPanelVectors; ++v) {
        sums[r][p * kPanelVectors + v] = load(starts[r * Panels + p] + v * kWidth);
      }
    }
  }
  const auto add = [&](std::size_t k) __attribute__((always_inline)) {
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
  };
  std::size_t k = 0;
  for (; k + kTogether <= depth; k += kTogether) {
    if constexpr (Rows > 1 && Panels == 1) {
      UNROLLED_UNROLL
      for (int line = 0; line < kLinesAhead; ++line) fetch(ahead.from + kLine * line);
      ahead.from += ahead.step;
    }
    UNROLLED_UNROLL
    for (int more = 0; more < kTogether; ++more) add(k + more);
  }
  for (; k < depth; ++k) add(k);
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
                            const float* const*, float* const*, const std::size_t*, Ahead);

// Panels of one depth that are read together, for the same rows.
struct PanelGroup {
  static constexpr std::size_t kMost = 4;

  const float* panels[kMost];
  bool from_bias[kMost];  // whether c becomes bias + a W, or c + a W
  std::size_t columns[kMost];
  std::size_t count;
};

inline void multiply_few(const float* const* a, std::size_t rows, const PanelGroup& group,
                         std::size_t depth, float* const* c) {
  static_assert(kFewRows == 3 && PanelGroup::kMost == 4);
  static constexpr Accumulate of_so_many[kFewRows][PanelGroup::kMost] = {
      {accumulate<1, 1>, accumulate<1, 2>, accumulate<1, 3>, accumulate<1, 4>},
      {accumulate<2, 1>, accumulate<2, 2>},
      {accumulate<3, 1>, accumulate<3, 2>}};
  const std::size_t most = rows == 1 ? 4 : 2;
  for (std::size_t first = 0; first < group.count; first += most) {
    const std::size_t here = smaller(most, group.count - first);
    const float *weights[PanelGroup::kMost], *starts[kFewRows * PanelGroup::kMost];
    for (std::size_t p = 0; p < here; ++p) {
      const float* const panel = group.panels[first + p];
      weights[p] = panel + kPanel;
      for (std::size_t r = 0; r < rows; ++r) {
        starts[r * here + p] = group.from_bias[first + p] ? panel : c[r] + group.columns[first + p];
      }
    }
    const Ahead nothing{reinterpret_cast<std::uintptr_t>(weights[0]), 0};
    of_so_many[rows - 1][here - 1](a, weights, depth, starts, c, group.columns + first, nothing);
  }
}

// The one of so many that comes after `done` others.
inline std::size_t on_the_way(Way way, std::size_t count, std::size_t done) {
  return way == Way::up ? done : count - 1 - done;
}

// One panel for any number of rows: c[row] + column += a[row] W, or bias + a[row] W. In blocks of
// about the same size, since a small one takes as long to read the weights.
inline void multiply_panel(const float* const* a, std::size_t rows, const float* panel,
                           std::size_t depth, bool from_bias, float* const* c, std::size_t column,
                           Way way) {
  static_assert(kRows == kRowsInRegisters && kRows == 6);
  static constexpr Accumulate blocks[] = {accumulate<1, 1>, accumulate<2, 1>, accumulate<3, 1>,
                                          accumulate<4, 1>, accumulate<5, 1>, accumulate<6, 1>};
  const float* const weights = panel + kPanel;
  const std::size_t count = (rows + kRows - 1) / kRows, bytes = depth * kPanel * sizeof(float);
  const std::size_t share = count == 0 ? 0 : bytes / count;
  const std::size_t to_next = panel_size(depth) * sizeof(float);
  const auto from = reinterpret_cast<std::uintptr_t>(weights);
  const auto next = way == Way::up ? from + to_next : from - to_next;
  for (std::size_t block = 0; block < count; ++block) {
    const std::size_t first = rows * block / count, here = rows * (block + 1) / count - first;
    const float* starts[kRows];
    for (std::size_t r = 0; r < here; ++r) starts[r] = from_bias ? panel : c[first + r] + column;
    blocks[here - 1](a + first, &weights, depth, starts, c + first, &column,
                     {next + block * share, depth == 0 ? 0 : kTogether * share / depth});
  }
}

// Some panels for any number of rows.
inline void multiply_group(const float* const* a, std::size_t rows, const PanelGroup& group,
                           std::size_t depth, float* const* c, Way way) {
  if (rows >= 1 && rows <= kFewRows) return multiply_few(a, rows, group, depth, c);
  for (std::size_t done = 0; done < group.count; ++done) {
    const std::size_t p = on_the_way(way, group.count, done);
    multiply_panel(a, rows, group.panels[p], depth, group.from_bias[p], c, group.columns[p], way);
  }
}

// Calls each(first, end) for groups of so many panels from `first` to `end`.
template <class Each>
inline void for_each_group(std::size_t first, std::size_t end, std::size_t together, Way way,
                           const Each& each) {
  const std::size_t groups = (end - first + together - 1) / together;
  for (std::size_t done = 0; done < groups; ++done) {
    const std::size_t panel = first + together * on_the_way(way, groups, done);
    each(panel, smaller(panel + together, end));
  }
}

// C += A W^T for some panels of a matrix whose rows in C reach to the end of the last of them.
inline void multiply_onto(const float* const* a, std::size_t rows, const float* packed,
                          std::size_t first_panel, std::size_t end_panel, std::size_t depth,
                          float* const* c, Way way) {
  const auto multiply_panels = [&](std::size_t first, std::size_t end) {
    PanelGroup group{};
    for (std::size_t panel = first; panel < end; ++panel) {
      group.panels[group.count] = packed + panel * panel_size(depth);
      group.columns[group.count++] = panel * kPanel;
    }
    multiply_group(a, rows, group, depth, c, way);
  };
  for_each_group(first_panel, end_panel, PanelGroup::kMost, way, multiply_panels);
}

// C = A W^T + b for a whole matrix, or C += A W^T; the last panel may reach beyond the last column.
inline void multiply_whole(const float* const* a, std::size_t rows, const float* packed,
                           std::size_t columns, std::size_t depth, float* const* c, bool add) {
  for (std::size_t first = 0; first < columns; first += kPanel) {
    const std::size_t here = smaller(kPanel, columns - first);
    if (here == kPanel) {
      multiply_panel(a, rows, packed, depth, !add, c, first, Way::up);
    } else {
      float whole[kRows][kPanel] = {};
      for (std::size_t row = 0; row < rows; row += kRows) {
        const std::size_t block = smaller(kRows, rows - row);
        float* beside[kRows];
        for (std::size_t r = 0; r < block; ++r) {
          beside[r] = whole[r];
          if (add) std::memcpy(whole[r], c[row + r] + first, here * sizeof(float));
        }
        multiply_panel(a + row, block, packed, depth, !add, beside, 0, Way::up);
        for (std::size_t r = 0; r < block; ++r) {
          std::memcpy(c[row + r] + first, whole[r], here * sizeof(float));
        }
      }
    }
    packed += panel_size(depth);
  }
}

inline void multiply(const float* const* a, std::size_t rows, const float* packed,
                     std::size_t columns, std::size_t depth, float* const* c) {
  multiply_whole(a, rows, packed, columns, depth, c, false);
}

}  // namespace unrolled::UNROLLED_ISA
