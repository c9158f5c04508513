// What each instruction set offers, as plain functions, so that one can be chosen at run time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "attention.h"
#include "layer.h"

namespace unrolled {

inline constexpr int kHashLanes = 64;

struct KernelTable {
  std::size_t panel;  // columns of a panel

  // Floats needed to pack a (columns, depth) matrix with its biases.
  std::size_t (*packed_size)(std::size_t columns, std::size_t depth);

  // Packs weight (columns, depth), contiguous, and bias (columns), which may be null.
  void (*pack)(const float* weight, const float* bias, std::size_t columns, std::size_t depth,
               float* packed);

  // C = A W^T + b.
  void (*multiply)(const float* const* a, std::size_t rows, const float* packed,
                   std::size_t columns, std::size_t depth, float* const* c);

  // Floats in a row of the gates.
  std::size_t (*gates_row)(const LayerSize& size);

  // Floats needed to pack a layer and direction; `Packed` points into them.
  std::size_t (*forward_size)(const LayerSize& size);
  Packed (*pack_forward)(const LayerSize& size, const Weights& weights, float* packed);
  // What the inputs of some rows give to their gates, in float32.
  void (*multiply_input_rows)(const LayerSize& size, const Packed& weights, const float* const* x,
                              std::size_t rows, float* const* gates);
  void (*run_forward)(const Forward& task);

  // Floats needed to pack a matrix of a layer and direction for a backward run; none where the
  // layer has no such matrix.
  std::size_t (*backward_size)(const LayerSize& size, Matrix matrix);
  void (*pack_backward)(const LayerSize& size, const Weights& weights, Matrix matrix,
                        float* packed);
  void (*run_backward)(const Backward& task);

  // The gradient of the input of some rows from that of their gates; may be added to what is there.
  void (*input_gradient)(const LayerSize& size, const float* packed, const float* const* gates,
                         std::size_t rows, float* const* grads, bool add);

  // weight[column][i] = sum over rows of grads[row][column] * values[row][i]; may be added to what
  // is there.
  std::size_t (*weight_gradient_scratch)(std::size_t depth);
  void (*weight_gradient)(const float* const* grads, const float* const* values, std::size_t rows,
                          std::size_t columns, std::size_t depth, float* scratch, float* weight,
                          std::size_t stride, bool add);

  // bias[column] += sum over rows of grads[row][column].
  void (*bias_gradient)(const float* const* grads, std::size_t rows, std::size_t columns,
                        float* bias);

  // scores[q][step] = energy . tanh(queries[q] + keys[step]) of one source, 0 where no step is
  // real.
  void (*additive_scores)(const float* queries, std::size_t count, const float* keys,
                          std::size_t steps, const bool* is_real, const float* energy,
                          std::size_t size, float* scores);

  // weights = the softmax of the scores of a query; result = tanh(result + weights . values), where
  // `result` holds what the vector takes of the state.
  void (*attentional_vector)(const Reading& reading, const float* query, float* weights,
                             float* result);

  // log(sum of e^value); NaN where one is.
  float (*log_sum_exp)(const float* values, std::size_t count);

  // Lanes of a hash of some bytes, updated; equal for equal bytes.
  void (*hash)(const void* bytes, std::size_t count, std::uint32_t* lanes);

  // Element by element, for the tests.
  void (*sigmoid)(const float* from, std::size_t count, float* to);
  void (*hyperbolic_tangent)(const float* from, std::size_t count, float* to);
};

// The part that is compiled again where there are instructions for products of a low precision. The
// rest is that of the instruction set they come on top of, since panels are as wide.
struct ForwardKernels {
  decltype(KernelTable::forward_size) forward_size;
  decltype(KernelTable::pack_forward) pack_forward;
  decltype(KernelTable::multiply_input_rows) multiply_input_rows;
  decltype(KernelTable::run_forward) run_forward;
};

}  // namespace unrolled
