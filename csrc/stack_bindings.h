#pragma once

#include <nanobind/nanobind.h>

namespace unrolled {

void bind_stack(nanobind::module_& module);

}  // namespace unrolled
