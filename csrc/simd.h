// The vector type of each instruction set, on the vector extensions of GCC and Clang, and the
// functions that gates are made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

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

typedef float Vector __attribute__((vector_size(kWidth * sizeof(float))));
typedef std::int32_t Integers __attribute__((vector_size(kWidth * sizeof(std::int32_t))));
typedef std::uint32_t Words __attribute__((vector_size(kWidth * sizeof(std::uint32_t))));

// Not std::min: the linker would keep one copy of it for all instruction sets.
inline std::size_t smaller(std::size_t a, std::size_t b) { return a < b ? a : b; }

inline Vector load(const float* from) {
  Vector value;
  std::memcpy(&value, from, sizeof value);
  return value;
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

// 2 to the power of whole numbers from -126 to 127.
inline Vector power_of_two(Integers exponent) {
  return bits<Vector>((bits<Words>(exponent) + 127u) << 23);
}

// x = n ln 2 + r with |r| <= ln 2 / 2, and e to the power of x is 2^n (1 + rest); not for x beyond
// -104 and 89. The polynomial in r is that of Cephes' expf (Moshier).
struct Exponential {
  Vector rest;
  Integers n;

  explicit Exponential(Vector x) {
    // Adding 1.5 * 2^23 rounds to a whole number, which then stands in the low bits.
    const Vector shifted = x * 1.44269504088896341f + 12582912.0f;
    n = bits<Integers>(bits<Words>(shifted) - 0x4b400000u);  // unsigned: NaN may wrap around
    const Vector whole = shifted - 12582912.0f;
    const Vector high = x - whole * 0.693359375f, low = whole * 2.12194440e-4f;
    const Vector r = high + low;
    const Vector lost = (high - r) + low;  // by rounding r
    Vector sum = r * 1.9875691500e-4f + 1.3981999507e-3f;
    sum = sum * r + 8.3334519073e-3f;
    sum = sum * r + 4.1665795894e-2f;
    sum = sum * r + 1.6666665459e-1f;
    sum = sum * r + 5.0000001201e-1f;
    rest = (sum * (r * r) + lost) + r;
  }

  Vector value() const {
    const Integers half = n >> 1;  // twice half the power, since the whole may be no normal float
    return (rest + 1.0f) * power_of_two(half) * power_of_two(n - half);
  }
};

// What is too large becomes infinity, what is too small 0, by way of the denormals; NaN stays NaN.
inline Vector exponential(Vector x) {
  x = x > 89.0f ? broadcast(89.0f) : x;
  x = x < -104.0f ? broadcast(-104.0f) : x;
  return Exponential(x).value();
}

// Within 2 ulp. Far below 0 it is e to the power of x, where that of -x would be infinite.
inline Vector sigmoid(Vector x) {
  x = x < -104.0f ? broadcast(-104.0f) : x;
  x = x > 30.0f ? broadcast(30.0f) : x;  // where it is 1
  const Exponential power(x < -80.0f ? x : -x);
  const Vector scale = power_of_two(power.n);
  // Not 1 + e^-x, which rounds once more: the small parts are added first.
  const Vector usual = 1.0f / ((scale * power.rest + 1.0f) + scale);
  return x < -80.0f ? power.value() : usual;
}

// Within 2 ulp; the polynomial for small x is that of Cephes' tanhf (Moshier).
inline Vector hyperbolic_tangent(Vector x) {
  const Integers sign = bits<Integers>(x) & static_cast<std::int32_t>(0x80000000);
  const Vector size = bits<Vector>(bits<Integers>(x) & 0x7fffffff);
  const Vector square = x * x;
  Vector sum = square * -5.70498872745e-3f + 2.06390887954e-2f;
  sum = sum * square - 5.37397155531e-2f;
  sum = sum * square + 1.33314422036e-1f;
  sum = sum * square - 3.33332819422e-1f;
  const Vector small = size + size * (square * sum);
  const Vector large = 1.0f - 2.0f / (exponential(size + size) + 1.0f);
  return bits<Vector>(bits<Integers>(size < 0.625f ? small : large) | sign);
}

}  // namespace unrolled::UNROLLED_ISA
