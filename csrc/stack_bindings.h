#pragma once

#include <nanobind/nanobind.h>

#include <vector>

#include "arrays.h"
#include "stack.h"

namespace unrolled {

// Of each row; their type is that of the precision.
using WeightArrays = std::vector<std::vector<Untyped>>;

void bind_stack(nanobind::module_& module);

// The stack in a Python object of `Stack`, and the weights in arrays of the shapes that it takes.
Stack& stack_of(const nb::object& stack);
std::vector<Weights> weights_of(const nb::object& stack, const WeightArrays& weights);

}  // namespace unrolled
