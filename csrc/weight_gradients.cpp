#include "weight_gradients.h"

#include <algorithm>

#include "memory.h"

namespace unrolled {

namespace {

// Of a product a job makes so many columns and, so that the values stay in the cache of a core, so
// much of the depth.
constexpr std::size_t kColumnsOfJob = 256, kDepthOfJob = 512;

std::vector<const float*> shifted(const std::vector<const float*>& rows, std::size_t offset) {
  std::vector<const float*> moved(rows);
  for (const float*& row : moved) row += offset;
  return moved;
}

// A sum of outer products, (columns, depth).
struct OuterProducts {
  const std::vector<const float*>& grads;
  std::size_t first_grad;  // in a row
  const std::vector<const float*>& values;
  std::size_t columns, depth;
  float* weight;
};

void append_product(const WeightGradients& gradients, const OuterProducts& product,
                    std::vector<Job>& jobs) {
  for (std::size_t column = 0; column < product.columns; column += kColumnsOfJob) {
    for (std::size_t first = 0; first < product.depth; first += kDepthOfJob) {
      const std::size_t columns = std::min(kColumnsOfJob, product.columns - column);
      const std::size_t depth = std::min(kDepthOfJob, product.depth - first);
      jobs.emplace_back([=, &kernels = gradients.kernels, add = gradients.add] {
        const Aligned<float> scratch = aligned<float>(kernels.weight_gradient_scratch(depth));
        kernels.weight_gradient(
            shifted(product.grads, product.first_grad + column).data(),
            shifted(product.values, first).data(), product.values.size(), columns, depth,
            scratch.get(), product.weight + column * product.depth + first, product.depth, add);
      });
    }
  }
}

void sum_biases(const WeightGradients& gradients, const std::vector<const float*>& gates) {
  const LayerSize& size = gradients.size;
  const std::size_t slot_size = gradients.kernels.gates_row(size) / size.slots();
  std::vector<float> sums(slot_size * size.slots());
  gradients.kernels.bias_gradient(gates.data(), gates.size(), sums.size(), sums.data());
  const auto put = [&](const float* from, float* to) {
    for (std::size_t i = 0; i < size.units; ++i) to[i] = gradients.add ? to[i] + from[i] : from[i];
  };
  for (std::size_t slot = 0; slot < size.slots(); ++slot) {
    const float* from = sums.data() + slot * slot_size;
    if (slot < size.gates()) {
      put(from, gradients.to.input_bias + size.input_gate(slot) * size.units);
    }
    if (slot >= size.first_state_slot()) {
      put(from, gradients.to.state_bias + size.state_gate(slot) * size.units);
    }
  }
}

}  // namespace

void WeightGradients::append_jobs(const GradientRows& rows, std::vector<Job>& jobs) const {
  const std::size_t slot_size = kernels.gates_row(size) / size.slots();
  for (std::size_t slot = 0; slot < size.gates(); ++slot) {
    append_product(*this,
                   {rows.gates, slot * slot_size, rows.x, size.units, size.input,
                    to.input + size.input_gate(slot) * size.units * size.input},
                   jobs);
  }
  for (std::size_t slot = size.first_state_slot(); slot < size.slots(); ++slot) {
    append_product(*this,
                   {rows.gates, slot * slot_size, rows.h_before, size.units, size.state(),
                    to.state + size.state_gate(slot) * size.units * size.state()},
                   jobs);
  }
  if (size.projected != 0) {
    append_product(*this, {rows.projected, 0, rows.raw, size.projected, size.units, to.projection},
                   jobs);
  }
  if (to.input_bias != nullptr) {
    jobs.emplace_back([mine = *this, &rows] { sum_biases(mine, rows.gates); });
  }
}

void WeightGradients::clear() const {
  const std::size_t gates = size.gates() * size.units;
  std::fill_n(to.input, gates * size.input, 0.0f);
  std::fill_n(to.state, gates * size.state(), 0.0f);
  if (to.input_bias != nullptr) {
    std::fill_n(to.input_bias, gates, 0.0f);
    std::fill_n(to.state_bias, gates, 0.0f);
  }
  if (to.projection != nullptr) std::fill_n(to.projection, size.projected * size.units, 0.0f);
}

}  // namespace unrolled
