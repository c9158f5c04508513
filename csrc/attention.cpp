// Scores of additive attention. Compiled once for each instruction set.
#include <cstring>

#include "layer_kernels.h"
#include "simd.h"

namespace unrolled::UNROLLED_ISA {

// energy . tanh(query + key) for every pair of a query and a key of one source whose key is real;
// 0 for the others. Nothing of the size of all sums is ever in memory.
void additive_scores(const float* queries, std::size_t count, const float* keys, std::size_t steps,
                     const bool* is_real, const float* energy, std::size_t size, float* scores) {
  for (std::size_t q = 0; q < count; ++q) {
    const float* query = queries + q * size;
    for (std::size_t step = 0; step < steps; ++step) {
      float total = 0.0f;
      if (is_real[step]) {
        const float* key = keys + step * size;
        Vector sum{};
        for (std::size_t i = 0; i < size; i += kWidth) {
          const std::size_t left = size - i;
          sum += load_some(energy + i, left) *
                 hyperbolic_tangent(load_some(query + i, left) + load_some(key + i, left));
        }
        for (int lane = 0; lane < kWidth; ++lane) total += sum[lane];
      }
      scores[q * steps + step] = total;
    }
  }
}

}  // namespace unrolled::UNROLLED_ISA
