// Compiled once for each instruction set, with UNROLLED_ISA its name.
#include "gemm.h"

namespace unrolled::UNROLLED_ISA {

extern const KernelTable kernels;
const KernelTable kernels{packed_size, pack, multiply};

}  // namespace unrolled::UNROLLED_ISA
