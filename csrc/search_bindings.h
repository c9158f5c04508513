#pragma once

#include <nanobind/nanobind.h>

namespace unrolled {

void bind_search(nanobind::module_& module);

}  // namespace unrolled
