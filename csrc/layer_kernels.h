// The kernels of a layer, in the namespace of their instruction set; see kernel_table.h.
#pragma once

#include "attention.h"
#include "layer.h"

namespace unrolled::UNROLLED_ISA {

std::size_t gates_row(const LayerSize& size);

std::size_t forward_size(const LayerSize& size);
Packed pack_forward(const LayerSize& size, const Weights& weights, float* packed);
void multiply_input_rows(const LayerSize& size, const Packed& weights, const float* const* x,
                         std::size_t rows, float* const* gates);
void run_forward(const Forward& task);

std::size_t backward_size(const LayerSize& size, Matrix matrix);
void pack_backward(const LayerSize& size, const Weights& weights, Matrix matrix, float* packed);
void run_backward(const Backward& task);
void input_gradient(const LayerSize& size, const float* packed, const float* const* gates,
                    std::size_t rows, float* const* grads, bool add);
std::size_t weight_gradient_scratch(std::size_t depth);
void weight_gradient(const float* const* grads, const float* const* values, std::size_t rows,
                     std::size_t columns, std::size_t depth, float* scratch, float* weight,
                     std::size_t stride, bool add);
void additive_scores(const float* queries, std::size_t count, const float* keys, std::size_t steps,
                     const bool* is_real, const float* energy, std::size_t size, float* scores);
void attentional_vector(const Reading& reading, const float* query, float* weights, float* result);
float log_sum_exp(const float* values, std::size_t count);
void bias_gradient(const float* const* grads, std::size_t rows, std::size_t columns, float* bias);

}  // namespace unrolled::UNROLLED_ISA
