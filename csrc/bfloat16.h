// The product of bfloat16 weights. The upper half of a float32 is a bfloat16, so two vectors of
// weights stand in one, and become float32 by a shift and a mask; values and sums are float32.
//
// With AVX-512-BF16 the values are rounded to bfloat16, too, and two values of k are multiplied at
// once; their sums are float32. AMX reads the same panels, whole tiles of them.
#pragma once

#include "gemm.h"

#if defined(__AMX_BF16__)
#include "tiles.h"
#endif
#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

namespace unrolled::UNROLLED_ISA {

struct Bfloat16 {
  static constexpr std::size_t kRowsAtOnce = kRows;

  using Weight = std::uint16_t;
  static constexpr bool kIsScaled = false;

#if defined(__AMX_BF16__)
  static constexpr bool kIsOnTiles = true;

  static std::size_t pairs(std::size_t depth) {
    return (depth + 2 * kPairsOfTile - 1) / (2 * kPairsOfTile) * kPairsOfTile;
  }
#else
  static constexpr bool kIsOnTiles = false;

  static std::size_t pairs(std::size_t depth) { return (depth + 1) / 2; }
#endif

  // The biases, then for every k or pair of them a half or a whole row of words.
  static std::size_t panel_size(std::size_t depth) { return kPanel * (1 + pairs(depth)); }

  static void pack_panel(const Weight* weight, const float* /*scale*/, const float* bias,
                         std::size_t here, std::size_t depth, float* packed) {
    for (std::size_t c = 0; c < kPanel; ++c) {
      packed[c] = bias != nullptr && c < here ? bias[c] : 0.0f;
    }
    const auto at = [&](std::size_t c, std::size_t k) -> std::uint32_t {
      return c < here && k < depth ? weight[c * depth + k] : 0u;
    };
    float* to = packed + kPanel;
    const auto put = [&](std::uint32_t low, std::uint32_t high) {
      const std::uint32_t word = low | high << 16;
      std::memcpy(to++, &word, sizeof word);
    };
#if defined(__AVX512BF16__)
    for (std::size_t pair = 0; pair < pairs(depth); ++pair) {
      for (std::size_t c = 0; c < kPanel; ++c) put(at(c, 2 * pair), at(c, 2 * pair + 1));
    }
#else
    for (std::size_t k = 0; k < 2 * pairs(depth); ++k) {
      for (std::size_t c = 0; c < kPanel; c += 2 * kWidth) {
        for (std::size_t lane = 0; lane < kWidth; ++lane)
          put(at(c + lane, k), at(c + kWidth + lane, k));
      }
    }
#endif
  }

#if defined(__AVX512BF16__)
  static void convert_row(const float* from, std::size_t depth, float* to) {
    for (std::size_t i = 0; i < depth; i += kWidth) {
      const __m256bh narrow = _mm512_cvtneps_pbh(bits<__m512>(load_some(from + i, depth - i)));
      std::memcpy(to + i / 2, &narrow, sizeof narrow);
    }
    const std::size_t converted = (depth + kWidth - 1) / kWidth * (kWidth / 2);
    for (std::size_t pair = converted; pair < pairs(depth); ++pair) to[pair] = 0.0f;
  }
#else
  static void convert_row(const float* from, std::size_t depth, float* to) {
    std::memcpy(to, from, depth * sizeof(float));
  }
#endif

#if defined(__AMX_BF16__)
  // Of one panel, for any number of rows.
  static void multiply_on_tiles(const float* rows, std::size_t stride, std::size_t count,
                                const float* panel, std::size_t depth, bool from_bias,
                                float* const* c, std::size_t column) {
    float sums[kRowsOfTiles][kPanel];
    for (std::size_t first = 0; first < count; first += kRowsOfTiles) {
      const std::size_t here = smaller(kRowsOfTiles, count - first);
      finish_writing(rows);
      multiply_tiles({rows + first * stride, stride, panel + kPanel, pairs(depth)}, here, sums);
      for (std::size_t r = 0; r < here; ++r) {
        float* const to = c[first + r] + column;
        const float* const from = from_bias ? panel : to;
        for (int v = 0; v < kPanelVectors; ++v) {
          store(to + v * kWidth, load(from + v * kWidth) + load(sums[r] + v * kWidth));
        }
      }
    }
  }
#endif

  template <int Rows, int Panels>
  static void multiply(const float* rows, std::size_t stride, const float* const* panels,
                       std::size_t depth, const bool* from_bias, float* const* c,
                       const std::size_t* columns) {
    Vector sums[Rows][Panels * kPanelVectors];
    UNROLLED_UNROLL
    for (int r = 0; r < Rows; ++r) {
      UNROLLED_UNROLL
      for (int p = 0; p < Panels; ++p) {
        const float* from = from_bias[p] ? panels[p] : c[r] + columns[p];
        UNROLLED_UNROLL
        for (int v = 0; v < kPanelVectors; ++v) {
          sums[r][p * kPanelVectors + v] = load(from + v * kWidth);
        }
      }
    }
    const float* of_row[Rows];
    UNROLLED_UNROLL
    for (int r = 0; r < Rows; ++r) of_row[r] = rows + static_cast<std::size_t>(r) * stride;
#if defined(__AVX512BF16__)
    const std::size_t count = pairs(depth);
    for (std::size_t pair = 0; pair < count; ++pair) {
      UNROLLED_UNROLL
      for (int p = 0; p < Panels; ++p) {
        const float* weights = panels[p] + (1 + pair) * kPanel;
        UNROLLED_UNROLL
        for (int r = 0; r < Rows; ++r) {
          std::int32_t word;
          std::memcpy(&word, of_row[r] + pair, sizeof word);
          const __m512bh values = bits<__m512bh>(_mm512_set1_epi32(word));
          UNROLLED_UNROLL
          for (int v = 0; v < kPanelVectors; ++v) {
            Vector& sum = sums[r][p * kPanelVectors + v];
            sum = bits<Vector>(_mm512_dpbf16_ps(bits<__m512>(sum), values,
                                                bits<__m512bh>(load(weights + v * kWidth))));
          }
        }
      }
    }
#else
    for (std::size_t k = 0; k < depth; ++k) {
      UNROLLED_UNROLL
      for (int p = 0; p < Panels; ++p) {
        const float* words = panels[p] + kPanel + k * (kPanel / 2);
        Vector weight[kPanelVectors];
        UNROLLED_UNROLL
        for (int v = 0; v < kPanelVectors; v += 2) {
          const Words both = bits<Words>(load(words + v / 2 * kWidth));
          weight[v] = bits<Vector>(both << 16);
          weight[v + 1] = bits<Vector>(both & 0xffff0000u);
        }
        UNROLLED_UNROLL
        for (int r = 0; r < Rows; ++r) {
          const Vector value = broadcast(of_row[r][k]);
          UNROLLED_UNROLL
          for (int v = 0; v < kPanelVectors; ++v) {
            sums[r][p * kPanelVectors + v] += value * weight[v];
          }
        }
      }
    }
#endif
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
};

}  // namespace unrolled::UNROLLED_ISA
