#pragma once

#include <nanobind/nanobind.h>

#include <vector>

#include "arrays.h"
#include "stack.h"

namespace unrolled {

void bind_stack(nanobind::module_& module);

// The stack in a Python object of `Stack`, and the weights in arrays of the shapes that it takes.
Stack& stack_of(const nb::object& stack);
std::vector<Weights> weights_of(const nb::object& stack,
                                const std::vector<std::vector<In>>& weights);

}  // namespace unrolled
