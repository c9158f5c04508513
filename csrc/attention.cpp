// Reading a memory. Compiled once for each instruction set.
#include "layer_kernels.h"
#include "simd.h"

namespace unrolled::UNROLLED_ISA {

namespace {

float sum_of(Vector sum) {
  float total = 0.0f;
  for (int lane = 0; lane < kWidth; ++lane) total += sum[lane];
  return total;
}

float largest_of(const float* values, std::size_t count) {
  // With the first and not with minus infinity: NaN is above nothing, but must not be lost there.
  float largest = values[0];
  for (std::size_t i = 1; i < count; ++i) largest = values[i] > largest ? values[i] : largest;
  return largest;
}

// energy . tanh(query + key)
float additive_score(const float* query, const float* key, const float* energy, std::size_t size) {
  Vector sum{};
  for (std::size_t i = 0; i < size; i += kWidth) {
    const std::size_t left = size - i;
    sum += load_some(energy + i, left) *
           hyperbolic_tangent(load_some(query + i, left) + load_some(key + i, left));
  }
  return sum_of(sum);
}

float product(const float* query, const float* key, std::size_t size) {
  Vector sum{};
  for (std::size_t i = 0; i < size; i += kWidth) {
    sum += load_some(query + i, size - i) * load_some(key + i, size - i);
  }
  return sum_of(sum);
}

// The powers of e of each value less `largest`, written into `powers` unless that is null.
float sum_of_powers(const float* values, std::size_t count, float largest, float* powers) {
  Vector sum{};
  for (std::size_t i = 0; i < count; i += kWidth) {
    Vector power = exponential(load_some(values + i, count - i) - broadcast(largest));
    for (std::size_t lane = count - i; lane < kWidth; ++lane) power[lane] = 0.0f;
    sum += power;
    if (powers != nullptr) store_some(powers + i, power, count - i);
  }
  return sum_of(sum);
}

}  // namespace

// The scores of every pair of a query and a key of one source whose key is real; 0 for the others.
// Nothing of the size of all sums is ever in memory.
void additive_scores(const float* queries, std::size_t count, const float* keys, std::size_t steps,
                     const bool* is_real, const float* energy, std::size_t size, float* scores) {
  for (std::size_t q = 0; q < count; ++q) {
    for (std::size_t step = 0; step < steps; ++step) {
      scores[q * steps + step] =
          is_real[step] ? additive_score(queries + q * size, keys + step * size, energy, size)
                        : 0.0f;
    }
  }
}

void attentional_vector(const Reading& reading, const float* query, float* weights, float* result) {
  for (std::size_t step = 0; step < reading.steps; ++step) {
    const float* key = reading.keys.at(step, 0);
    weights[step] = reading.energy != nullptr
                        ? additive_score(query, key, reading.energy, reading.key_size)
                        : product(query, key, reading.key_size);
  }
  const float largest = largest_of(weights, reading.steps);
  const float all = sum_of_powers(weights, reading.steps, largest, weights);
  for (std::size_t step = 0; step < reading.steps; ++step) weights[step] /= all;
  for (std::size_t i = 0; i < reading.value_size; i += kWidth) {
    const std::size_t left = reading.value_size - i;
    Vector sum = load_some(result + i, left);
    for (std::size_t step = 0; step < reading.steps; ++step) {
      sum += broadcast(weights[step]) *
             load_some(reading.values + step * reading.value_size + i, left);
    }
    store_some(result + i, hyperbolic_tangent(sum), left);
  }
}

float log_sum_exp(const float* values, std::size_t count) {
  const float largest = largest_of(values, count);
  return largest + __builtin_logf(sum_of_powers(values, count, largest, nullptr));
}

}  // namespace unrolled::UNROLLED_ISA
