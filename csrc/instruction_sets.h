// The instruction sets that were compiled, and which of them run here.
#pragma once

#include <string>
#include <vector>

#include "kernel_table.h"

namespace unrolled {

// Best last.
std::vector<std::string> compiled_isas();
std::vector<std::string> available_isas();

// Throws std::invalid_argument where it does not run here.
const KernelTable& kernels_of(const std::string& isa);

}  // namespace unrolled
