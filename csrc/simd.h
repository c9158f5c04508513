// The vector type of each instruction set, on the vector extensions of GCC and Clang, and the
// functions that gates are made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

// The loops over rows and vectors must be gone, or their values do not stay in registers.
#define UNROLLED_UNROLL _Pragma("GCC unroll 8")

// All of it differs between instruction sets, so each has a namespace of its own.
namespace unrolled::UNROLLED_ISA {

// How many vectors make a panel and how many rows are kept in registers: rows * vectors
// accumulators, the vectors of a weight and one broadcast must fit the register file.
#if defined(__AVX512F__)
inline constexpr int kWidth = 16, kPanelVectors = 4, kRows = 6;  // 32 registers
#elif defined(__AVX2__)
inline constexpr int kWidth = 8, kPanelVectors = 2, kRows = 6;  // 16 registers
#elif defined(__aarch64__)
inline constexpr int kWidth = 4, kPanelVectors = 4, kRows = 6;  // 32 registers
#else
inline constexpr int kWidth = 4, kPanelVectors = 2, kRows = 6;  // 16 registers
#endif

using Vector = float __attribute__((vector_size(kWidth * sizeof(float))));
using Integers = std::int32_t __attribute__((vector_size(kWidth * sizeof(std::int32_t))));
using Words = std::uint32_t __attribute__((vector_size(kWidth * sizeof(std::uint32_t))));

// Not std::min: the linker would keep one copy of it for all instruction sets.
inline std::size_t smaller(std::size_t a, std::size_t b) { return a < b ? a : b; }

inline Vector load(const float* from) {
  Vector value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

inline constexpr std::size_t kLine = 64;  // of a cache

// Into the second cache, from wherever it is; it need not be memory at all.
inline void fetch(std::uintptr_t address) {
  // NOLINTNEXTLINE(performance-no-int-to-ptr): nothing is read through it
  __builtin_prefetch(reinterpret_cast<const void*>(address), 0, 2);
}

inline void store(float* to, Vector value) { std::memcpy(to, &value, sizeof value); }

// The first `count` elements; the others are 0.
inline Vector load_some(const float* from, std::size_t count) {
  if (count >= kWidth) return load(from);
  Vector value{};
  std::memcpy(&value, from, count * sizeof(float));
  return value;
}

inline void store_some(float* to, Vector value, std::size_t count) {
  if (count >= kWidth) return store(to, value);
  std::memcpy(to, &value, count * sizeof(float));
}

// Minus zero, not plus: only that leaves every float as it is, and so costs nothing.
inline Vector broadcast(float value) { return value - Vector{}; }

template <class To, class From>
inline To bits(From value) {
  To same;
  static_assert(sizeof same == sizeof value);
  std::memcpy(&same, &value, sizeof same);
  return same;
}

#if defined(__AVX512F__)
inline constexpr __mmask16 kAll = 0xffff;  // GCC 12 warns of the forms without a mask
#endif

// NaN passes both.
inline Vector at_most(float bound, Vector x) {
#if defined(__AVX512F__)
  return bits<Vector>(_mm512_maskz_min_ps(kAll, _mm512_set1_ps(bound), bits<__m512>(x)));
#else
  const Vector bounds = broadcast(bound);
  return bounds < x ? bounds : x;
#endif
}

inline Vector at_least(float bound, Vector x) {
#if defined(__AVX512F__)
  return bits<Vector>(_mm512_maskz_max_ps(kAll, _mm512_set1_ps(bound), bits<__m512>(x)));
#else
  const Vector bounds = broadcast(bound);
  return bounds > x ? bounds : x;
#endif
}

// x = n ln 2 + r with |r| <= ln 2 / 2, so that e^x is 2^n e^r; not for x beyond -104 and 104. With
// 2 `Shares` both x and r are halves of what is meant.
template <int Shares>
struct Reduced {
  Vector shifted, r;

  explicit Reduced(Vector x) {
    // Adding 1.5 * 2^23 rounds to a whole number, which then stands in the low bits.
    shifted = x * (Shares * 1.44269504088896341f) + 12582912.0f;
    const Vector whole = shifted - 12582912.0f;
    r = (x - whole * (0.693359375f / Shares)) + whole * (2.12194440e-4f / Shares);
  }

  // Unsigned, because of NaN these may wrap around.
  Words n() const { return bits<Words>(shifted) - 0x4b400000u; }
  // 2 to the power of n + more, which must be from -126 to 127.
  Vector power_of_two(int more) const {
    return bits<Vector>((bits<Words>(shifted) + (127u - 0x4b400000u + more)) << 23);
  }
};

// e^r - 1 = r + r^2 (k2 + k3 r + k4 r^2 + k5 r^3 + k6 r^4) for |r| <= ln 2 / 2: of all such
// polynomials, the one whose largest relative error is the least (2^-26).
inline constexpr float k2 = 0.5f, k3 = 1.6666543484e-1f, k4 = 4.1666280478e-2f,
                       k5 = 8.3666108549e-3f, k6 = 1.3946497347e-3f;

inline Vector power_less_one(Vector r) {
  Vector sum = r * k6 + k5;
  sum = sum * r + k4;
  sum = sum * r + k3;
  sum = sum * r + k2;
  return sum * (r * r) + r;
}

// What is too large becomes infinity, what is too small 0, by way of the denormals; NaN stays NaN.
inline Vector exponential(Vector x) {
  const Reduced<1> power(at_most(89.0f, at_least(-104.0f, x)));
  // Twice half the power of two, since the whole may be no normal float.
  const Integers n = bits<Integers>(power.n()), half = n >> 1;
  const auto power_of_two = [](Integers exponent) {
    return bits<Vector>((bits<Words>(exponent) + 127u) << 23);
  };
  return (power_less_one(power.r) + 1.0f) * power_of_two(half) * power_of_two(n - half);
}

// 1 / (1 + e^-x), within 2 ulp. Both parts of the fraction are 2^-24 of what they are, or the lower
// one would be infinite where the whole is not 0 yet.
inline Vector sigmoid(Vector x) {
  constexpr float one = 0x1p-24f;
  const Reduced<1> power(-at_most(30.0f, at_least(-104.0f, x)));  // from 30 on it is 1
  const Vector scale = power.power_of_two(-24);
  // Not 1 + e^-x, which rounds once more: the small parts are added first.
  return one / ((scale * power_less_one(power.r) + one) + scale);
}

// 1.5 a + b, rounded once, which no choice of the compiler may change.
inline Vector one_and_a_half_and(Vector a, Vector b) {
#if defined(__AVX512F__)
  return bits<Vector>(_mm512_fmadd_ps(bits<__m512>(a), _mm512_set1_ps(1.5f), bits<__m512>(b)));
#elif defined(__FMA__)
  return bits<Vector>(_mm256_fmadd_ps(bits<__m256>(a), _mm256_set1_ps(1.5f), bits<__m256>(b)));
#elif defined(__aarch64__)
  return bits<Vector>(vfmaq_n_f32(bits<float32x4_t>(b), bits<float32x4_t>(a), 1.5f));
#else
  const Vector half = a * 0.5f, sum = a + half, lost = (a - sum) + half;
  return sum + (lost + b);
#endif
}

// (e^2x - 1) / (e^2x + 1), within 2 ulp. Both parts of the fraction are 3/4 of what they are: the
// lower one is rounded, and least in proportion where it begins at 1.5.
inline Vector hyperbolic_tangent(Vector x) {
  const Integers sign = bits<Integers>(x) & static_cast<std::int32_t>(0x80000000);
  const Vector size = bits<Vector>(bits<Integers>(x) & 0x7fffffff);
  const Reduced<2> power(at_most(10.0f, size));  // from 10 on it is 1
  const Vector r = power.r;
  // 3/4 of e^2r - 1.
  Vector sum = r * (48.0f * k6) + 24.0f * k5;
  sum = sum * r + 12.0f * k4;
  sum = sum * r + 6.0f * k3;
  sum = sum * r + 3.0f * k2;
  const Vector rest = one_and_a_half_and(r, sum * (r * r));
  const Vector scale = power.power_of_two(0);
  const Vector upper = scale * rest + (scale * 0.75f - 0.75f);
  return bits<Vector>(bits<Integers>(upper / (upper + 1.5f)) | sign);
}

}  // namespace unrolled::UNROLLED_ISA
