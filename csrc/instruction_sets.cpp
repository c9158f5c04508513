#include "instruction_sets.h"

#include <stdexcept>

#if defined(UNROLLED_X86)
#include <cpuid.h>
#elif defined(UNROLLED_NEON) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace unrolled {

#if defined(UNROLLED_X86)
namespace baseline {
extern const KernelTable kernels;
}
namespace avx2 {
extern const KernelTable kernels;
}
namespace avx512 {
extern const KernelTable kernels;
}
namespace avxvnni {
extern const ForwardKernels forward_kernels;
}
namespace avx512vnni {
extern const ForwardKernels forward_kernels;
}
namespace avx512bf16 {
extern const ForwardKernels forward_kernels;
}
#elif defined(UNROLLED_NEON)
namespace neon {
extern const KernelTable kernels;
}
namespace neondot {
extern const ForwardKernels forward_kernels;
}
#else
namespace baseline {
extern const KernelTable kernels;
}
#endif

namespace {

struct InstructionSet {
  const char* name;
  const KernelTable* kernels;
  bool runs_here;
};

#if defined(UNROLLED_X86) || defined(UNROLLED_NEON)

// The kernels of an instruction set, with the forward run of one that comes on top of it.
KernelTable on_top(KernelTable kernels, const ForwardKernels& forward) {
  kernels.forward_size = forward.forward_size;
  kernels.pack_forward = forward.pack_forward;
  kernels.multiply_input_rows = forward.multiply_input_rows;
  kernels.run_forward = forward.run_forward;
  return kernels;
}

#endif

#if defined(UNROLLED_X86)

// Compilers have no common name for it.
bool has_avxvnni() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & (1u << 4)) != 0;
}

#elif defined(UNROLLED_NEON)

bool has_dot_products() {
#if defined(__linux__)
  return (getauxval(AT_HWCAP) & (1ul << 20)) != 0;  // HWCAP_ASIMDDP
#else
  return false;
#endif
}

#endif

// Best last.
std::vector<InstructionSet> instruction_sets() {
#if defined(UNROLLED_X86)
  __builtin_cpu_init();
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") &&
                          __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  const bool has_avx512vnni = has_avx512 && __builtin_cpu_supports("avx512vnni");
  const bool has_avx512bf16 = has_avx512vnni && __builtin_cpu_supports("avx512bf16");
  static const KernelTable avxvnni = on_top(avx2::kernels, avxvnni::forward_kernels);
  static const KernelTable avx512vnni = on_top(avx512::kernels, avx512vnni::forward_kernels);
  static const KernelTable avx512bf16 = on_top(avx512::kernels, avx512bf16::forward_kernels);
  return {{"baseline", &baseline::kernels, true},
          {"avx2", &avx2::kernels, has_avx2},
          {"avxvnni", &avxvnni, has_avx2 && has_avxvnni()},
          {"avx512", &avx512::kernels, has_avx512},
          {"avx512vnni", &avx512vnni, has_avx512vnni},
          {"avx512bf16", &avx512bf16, has_avx512bf16}};
#elif defined(UNROLLED_NEON)
  static const KernelTable neondot = on_top(neon::kernels, neondot::forward_kernels);
  return {{"neon", &neon::kernels, true}, {"neondot", &neondot, has_dot_products()}};
#else
  return {{"baseline", &baseline::kernels, true}};
#endif
}

std::vector<std::string> names(bool only_here) {
  std::vector<std::string> found;
  for (const InstructionSet& set : instruction_sets()) {
    if (set.runs_here || !only_here) found.emplace_back(set.name);
  }
  return found;
}

}  // namespace

std::vector<std::string> compiled_isas() { return names(false); }

std::vector<std::string> available_isas() { return names(true); }

const KernelTable& kernels_of(const std::string& name) {
  for (const InstructionSet& set : instruction_sets()) {
    if (name == set.name && set.runs_here) return *set.kernels;
  }
  throw std::invalid_argument("instruction set '" + name + "' does not run here");
}

}  // namespace unrolled
