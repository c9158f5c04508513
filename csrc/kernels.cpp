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

constexpr int kHashVectors = kHashLanes * sizeof(std::uint32_t) / sizeof(Words);
using Lanes = Words[kHashVectors];

// Each step can be undone, so one changed word always changes its lane; the shift brings the high
// bits down, or two changed signs would cancel.
UNROLLED_INLINE void mix(const char* bytes, Lanes& lanes) {
  UNROLLED_UNROLL
  for (int v = 0; v < kHashVectors; ++v) {
    Words words;
    std::memcpy(&words, bytes + v * sizeof words, sizeof words);
    const Words mixed = (lanes[v] ^ words) * 2654435761u;
    lanes[v] = mixed ^ (mixed >> 15);
  }
}

void hash(const void* bytes, std::size_t count, std::uint32_t* lanes) {
  const char* from = static_cast<const char*>(bytes);
  constexpr std::size_t kAtOnce = sizeof(Lanes), kAhead = 4096;
  Lanes now;  // in registers, or each step would wait for the memory of the one before it
  std::memcpy(&now, lanes, sizeof now);
  for (; count >= kAtOnce; count -= kAtOnce, from += kAtOnce) {
    for (std::size_t i = 0; i < kAtOnce; i += kLine) {
      fetch(reinterpret_cast<std::uintptr_t>(from) + kAhead + i);
    }
    mix(from, now);
  }
  if (count > 0) {
    char rest[kAtOnce] = {};
    std::memcpy(rest, from, count);
    mix(rest, now);
  }
  std::memcpy(lanes, &now, sizeof now);
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
                          attentional_vector,
                          log_sum_exp,
                          hash,
                          each<sigmoid>,
                          each<hyperbolic_tangent>};

}  // namespace unrolled::UNROLLED_ISA
