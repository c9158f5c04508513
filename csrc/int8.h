// The product of int8 weights, one scale for each column, and rows that are turned into int8 as
// they come, one scale for each row. Sums are of integers and exact; they are scaled at the end.
//
// Four values of k and their weights stand in the four bytes of a lane, so a lane is a column. Both
// lie within -127 and 127, so that not even the sum of two products leaves 16 bits.
#pragma once

#include "gemm.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

// The instruction vpdpbusd takes one factor without sign.
#if defined(__AVX512VNNI__) || (defined(__AVXVNNI__) && !defined(__AVX512F__))
#define UNROLLED_ONE_UNSIGNED 1
#else
#define UNROLLED_ONE_UNSIGNED 0
#endif

namespace unrolled::UNROLLED_ISA {

using Narrow = std::int8_t __attribute__((vector_size(kWidth)));

// Four values of a row, in all lanes.
struct Four {
#if UNROLLED_ONE_UNSIGNED
  // 128 more, which the panel takes back.
  Integers value;
  explicit Four(std::int32_t word)
      : value(Integers{} + (word ^ static_cast<std::int32_t>(0x80808080))) {}
#elif defined(__AVX512BW__)
  __m512i size;
  __mmask64 negative;
  explicit Four(std::int32_t word) {
    const __m512i value = _mm512_set1_epi32(word);
    size = _mm512_abs_epi8(value);
    negative = _mm512_movepi8_mask(value);
  }
#elif defined(__AVX2__)
  __m256i value, size;
  explicit Four(std::int32_t word) : value(_mm256_set1_epi32(word)), size(_mm256_abs_epi8(value)) {}
#elif defined(__x86_64__)
  __m128i even, odd;
  explicit Four(std::int32_t word) {
    const __m128i value = _mm_set1_epi32(word);
    even = _mm_srai_epi16(_mm_slli_epi16(value, 8), 8);
    odd = _mm_srai_epi16(value, 8);
  }
#elif defined(__aarch64__)
  int8x16_t value;
  explicit Four(std::int32_t word) : value(vreinterpretq_s8_s32(vdupq_n_s32(word))) {}
#else
  Integers value[4];
  explicit Four(std::int32_t word) {
    for (int j = 0; j < 4; ++j) value[j] = Integers{} + static_cast<std::int8_t>(word >> (8 * j));
  }
#endif

  // sums + the four products of each lane.
  Integers added(Integers sums, const float* weights) const {
#if defined(__AVX512VNNI__)
    return bits<Integers>(_mm512_dpbusd_epi32(bits<__m512i>(sums), bits<__m512i>(value),
                                              _mm512_loadu_si512(weights)));
#elif UNROLLED_ONE_UNSIGNED
    return bits<Integers>(_mm256_dpbusd_avx_epi32(bits<__m256i>(sums), bits<__m256i>(value),
                                                  bits<__m256i>(load(weights))));
#elif defined(__AVX512BW__)
    const __m512i weight = _mm512_loadu_si512(weights);
    const __m512i turned = _mm512_mask_sub_epi8(weight, negative, _mm512_setzero_si512(), weight);
    const __m512i pairs = _mm512_maddubs_epi16(size, turned);
    return sums + bits<Integers>(_mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
#elif defined(__AVX2__)
    const __m256i weight = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weights));
    const __m256i pairs = _mm256_maddubs_epi16(size, _mm256_sign_epi8(weight, value));
    return sums + bits<Integers>(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
#elif defined(__x86_64__)
    const __m128i weight = _mm_loadu_si128(reinterpret_cast<const __m128i*>(weights));
    const __m128i of_even = _mm_madd_epi16(even, _mm_srai_epi16(_mm_slli_epi16(weight, 8), 8));
    const __m128i of_odd = _mm_madd_epi16(odd, _mm_srai_epi16(weight, 8));
    return sums + bits<Integers>(of_even) + bits<Integers>(of_odd);
#elif defined(__aarch64__)
    const int8x16_t weight = vld1q_s8(reinterpret_cast<const std::int8_t*>(weights));
#if defined(__ARM_FEATURE_DOTPROD)
    return bits<Integers>(vdotq_s32(bits<int32x4_t>(sums), weight, value));
#else
    const int32x4_t low = vpaddlq_s16(vmull_s8(vget_low_s8(weight), vget_low_s8(value)));
    const int32x4_t high = vpaddlq_s16(vmull_high_s8(weight, value));
    return sums + bits<Integers>(vpaddq_s32(low, high));
#endif
#else
    Words words;
    std::memcpy(&words, weights, sizeof words);
    for (int j = 0; j < 4; ++j) sums += (bits<Integers>(words << (24 - 8 * j)) >> 24) * value[j];
    return sums;
#endif
  }
};

struct Int8 {
#if defined(__AVX512F__) || defined(__aarch64__)
  static constexpr std::size_t kRowsAtOnce = 6;
#else
  static constexpr std::size_t kRowsAtOnce = 4;
#endif
#if UNROLLED_ONE_UNSIGNED
  static constexpr std::size_t kHead = 3;  // biases, scales, what 128 times the weights add up to
#else
  static constexpr std::size_t kHead = 2;
#endif

  using Weight = std::int8_t;
  static constexpr bool kIsScaled = true, kIsOnTiles = false;

  static std::size_t words(std::size_t depth) { return (depth + 3) / 4; }

  static std::size_t panel_size(std::size_t depth) { return kPanel * (kHead + words(depth)); }

  static void pack_panel(const Weight* weight, const float* scale, const float* bias,
                         std::size_t here, std::size_t depth, float* packed) {
    Weight* to = reinterpret_cast<Weight*>(packed + kHead * kPanel);
    for (std::size_t c = 0; c < kPanel; ++c) {
      packed[c] = bias != nullptr && c < here ? bias[c] : 0.0f;
      packed[kPanel + c] = c < here ? scale[c] : 0.0f;
      std::int32_t sum = 0;
      for (std::size_t k = 0; k < 4 * words(depth); ++k) {
        const Weight one = c < here && k < depth ? weight[c * depth + k] : Weight{0};
        to[(k / 4 * kPanel + c) * 4 + k % 4] = one;
        sum -= 128 * one;
      }
      if constexpr (kHead == 3) std::memcpy(packed + 2 * kPanel + c, &sum, sizeof sum);
    }
  }

  // The scale, then the bytes. A row with a value that is not finite has no scale but NaN; one of
  // nothing but zeros has 0.
  static void convert_row(const float* from, std::size_t depth, float* to) {
    Vector most{}, flaw{};
    for (std::size_t i = 0; i < depth; i += kWidth) {
      const Vector value = load_some(from + i, depth - i);
      const Vector size = bits<Vector>(bits<Integers>(value) & 0x7fffffff);
      most = size > most ? size : most;
      flaw += value * 0.0f;
    }
    float largest = 0.0f, flaws = 0.0f;
    for (int lane = 0; lane < kWidth; ++lane) {
      largest = most[lane] > largest ? most[lane] : largest;
      flaws += flaw[lane];
    }
    // Smaller ones would make it infinite.
    const float inverse = largest > 1e-35f ? 127.0f / largest : 0.0f;
    *to = largest / 127.0f + flaws;
    std::int8_t* bytes = reinterpret_cast<std::int8_t*>(to + 1);
    for (std::size_t i = 0; i < depth; i += kWidth) {
      Vector scaled = load_some(from + i, depth - i) * inverse;
      keep_rounding(scaled);
      const Integers whole =
          bits<Integers>(bits<Words>(scaled + 12582912.0f) - 0x4b400000u);  // as in Exponential
      const Narrow narrow = __builtin_convertvector(whole, Narrow);
      std::memcpy(bytes + i, &narrow, sizeof narrow);
    }
  }

  template <int Rows, int Panels>
  static void multiply(const float* rows, std::size_t stride, const float* const* panels,
                       std::size_t depth, const bool* from_bias, float* const* c,
                       const std::size_t* columns) {
    Integers sums[Rows][Panels * kPanelVectors];
    UNROLLED_UNROLL
    for (int r = 0; r < Rows; ++r) {
      UNROLLED_UNROLL
      for (int p = 0; p < Panels; ++p) {
        UNROLLED_UNROLL
        for (int v = 0; v < kPanelVectors; ++v) {
          Integers& sum = sums[r][p * kPanelVectors + v];
          if constexpr (kHead == 3) {
            sum = bits<Integers>(load(panels[p] + 2 * kPanel + v * kWidth));
          } else {
            sum = Integers{};
          }
        }
      }
    }
    const std::size_t count = words(depth);
    for (std::size_t word = 0; word < count; ++word) {
      UNROLLED_UNROLL
      for (int r = 0; r < Rows; ++r) {
        std::int32_t values;
        std::memcpy(&values, rows + static_cast<std::size_t>(r) * stride + 1 + word, sizeof values);
        const Four four(values);
        UNROLLED_UNROLL
        for (int p = 0; p < Panels; ++p) {
          const float* weights = panels[p] + (kHead + word) * kPanel;
          UNROLLED_UNROLL
          for (int v = 0; v < kPanelVectors; ++v) {
            Integers& sum = sums[r][p * kPanelVectors + v];
            sum = four.added(sum, weights + v * kWidth);
          }
        }
      }
    }
    UNROLLED_UNROLL
    for (int r = 0; r < Rows; ++r) {
      const float scale = rows[static_cast<std::size_t>(r) * stride];
      UNROLLED_UNROLL
      for (int p = 0; p < Panels; ++p) {
        float* to = c[r] + columns[p];
        const float* from = from_bias[p] ? panels[p] : to;
        UNROLLED_UNROLL
        for (int v = 0; v < kPanelVectors; ++v) {
          const Vector sum = __builtin_convertvector(sums[r][p * kPanelVectors + v], Vector);
          const Vector scales = load(panels[p] + kPanel + v * kWidth) * scale;
          store(to + v * kWidth, sum * scales + load(from + v * kWidth));
        }
      }
    }
  }

 private:
  // Or the compiler would fuse the product with the sum after it where the instruction set can, and
  // values halfway between two numbers would become another one there.
  static void keep_rounding(Vector& value) {
#if defined(__AVX512F__)
    asm("" : "+v"(value));
#elif defined(__x86_64__)
    asm("" : "+x"(value));
#elif defined(__aarch64__)
    asm("" : "+w"(value));
#else
    asm("" : "+m"(value));
#endif
  }
};

}  // namespace unrolled::UNROLLED_ISA
