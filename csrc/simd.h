// The vector type of each instruction set, on the vector extensions of GCC and Clang.
#pragma once

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

inline Vector load(const float* from) {
  Vector value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

inline void store(float* to, Vector value) { std::memcpy(to, &value, sizeof value); }

// Minus zero, not plus: only that leaves every float as it is, and so costs nothing.
inline Vector broadcast(float value) { return value - Vector{}; }

}  // namespace unrolled::UNROLLED_ISA
