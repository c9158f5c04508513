// The equations of each cell on vectors of units, forward and backward.
//
// Sources: Elman (1990); Hochreiter and Schmidhuber (1997) with the forget gate of Gers et al.
// (2000); Cho et al. (2014), with the reset gate applied after the product, as in PyTorch.
#pragma once

#include "layer.h"
#include "simd.h"

namespace unrolled::UNROLLED_ISA {

// A gate's slots in one row of the gates are `slot` floats apart.
struct GateRow {
  float* data;
  std::size_t slot;

  Vector get(std::size_t number) const { return load(data + number * slot); }
  void set(std::size_t number, Vector value) const { store(data + number * slot, value); }
};

struct SavedGates {
  const float* data;
  std::size_t slot;

  Vector get(std::size_t number) const { return load(data + number * slot); }
};

// Gives h of the pre-activations, which become the gates where `keep_gates`; c is read and written
// where the cell has one.
template <Cell cell, bool keep_gates>
inline Vector cell_forward(const GateRow& gates, Vector h, Vector& c) {
  if constexpr (cell == Cell::lstm) {
    const Vector i = sigmoid(gates.get(0)), f = sigmoid(gates.get(1));
    const Vector g = hyperbolic_tangent(gates.get(2)), o = sigmoid(gates.get(3));
    c = f * c + i * g;
    if constexpr (keep_gates) gates.set(0, i), gates.set(1, f), gates.set(2, g), gates.set(3, o);
    return o * hyperbolic_tangent(c);
  } else if constexpr (cell == Cell::gru) {
    const Vector r = sigmoid(gates.get(1)), z = sigmoid(gates.get(2));
    const Vector n = hyperbolic_tangent(gates.get(0) + r * gates.get(3));
    if constexpr (keep_gates) gates.set(0, n), gates.set(1, r), gates.set(2, z);
    return (1.0f - z) * n + z * h;
  } else {
    const Vector sum = gates.get(0);
    const Vector value =
        cell == Cell::rnn_relu ? (sum < 0.0f ? broadcast(0.0f) : sum) : hyperbolic_tangent(sum);
    if constexpr (keep_gates) gates.set(0, value);
    return value;
  }
}

// Gives the gradients of the gates' pre-activations. `grad_h` is that of h before any
// projection and becomes what goes to h of the turn before past the weights; `grad_c` becomes
// that of c of the turn before.
template <Cell cell>
inline void cell_backward(const SavedGates& gates, const GateRow& grads, Vector h_before,
                          Vector c_before, Vector c, Vector& grad_h, Vector& grad_c) {
  if constexpr (cell == Cell::lstm) {
    const Vector i = gates.get(0), f = gates.get(1), g = gates.get(2), o = gates.get(3);
    const Vector bent = hyperbolic_tangent(c);
    grad_c += grad_h * o * (1.0f - bent * bent);
    grads.set(0, grad_c * g * i * (1.0f - i));
    grads.set(1, grad_c * c_before * f * (1.0f - f));
    grads.set(2, grad_c * i * (1.0f - g * g));
    grads.set(3, grad_h * bent * o * (1.0f - o));
    grad_c *= f;
    grad_h = Vector{};
  } else if constexpr (cell == Cell::gru) {
    const Vector n = gates.get(0), r = gates.get(1), z = gates.get(2), from_state = gates.get(3);
    const Vector grad_n = grad_h * (1.0f - z) * (1.0f - n * n);
    grads.set(0, grad_n);
    grads.set(1, grad_n * from_state * r * (1.0f - r));
    grads.set(2, grad_h * (h_before - n) * z * (1.0f - z));
    grads.set(3, grad_n * r);
    grad_h *= z;
  } else {
    const Vector value = gates.get(0);
    grads.set(0, cell == Cell::rnn_relu ? (value <= 0.0f ? Vector{} : grad_h)
                                        : grad_h * (1.0f - value * value));
    grad_h = Vector{};
  }
}

}  // namespace unrolled::UNROLLED_ISA
