// Compiled once for each instruction set, with UNROLLED_ISA its name.
#include "gemm.h"
#include "kernel_table.h"
#include "layer_kernels.h"

namespace unrolled::UNROLLED_ISA {

namespace {

template <Vector (*function)(Vector)>
void each(const float* from, std::size_t count, float* to) {
  for (std::size_t i = 0; i < count; i += kWidth) {
    store_some(to + i, function(load_some(from + i, count - i)), count - i);
  }
}

// Each step can be undone, so one changed word always changes its lane; the shift brings the high
// bits down, or two changed signs would cancel.
void hash(const void* bytes, std::size_t count, std::uint32_t* lanes) {
  std::uint32_t words[kHashLanes];
  for (std::size_t i = 0; i < count; i += sizeof words) {
    if (count - i < sizeof words) std::memset(words, 0, sizeof words);
    std::memcpy(words, static_cast<const char*>(bytes) + i, smaller(sizeof words, count - i));
    for (int lane = 0; lane < kHashLanes; ++lane) {
      const std::uint32_t mixed = (lanes[lane] ^ words[lane]) * 2654435761u;
      lanes[lane] = mixed ^ (mixed >> 15);
    }
  }
}

}  // namespace

extern const KernelTable kernels;
const KernelTable kernels{kPanel,
                          packed_size,
                          pack,
                          multiply,
                          gates_row,
                          forward_size,
                          pack_forward,
                          multiply_input_rows,
                          run_forward,
                          backward_size,
                          pack_backward,
                          run_backward,
                          input_gradient,
                          weight_gradient_scratch,
                          weight_gradient,
                          bias_gradient,
                          additive_scores,
                          read_memory,
                          log_sum_exp,
                          hash,
                          each<sigmoid>,
                          each<hyperbolic_tangent>};

}  // namespace unrolled::UNROLLED_ISA
