#include "instruction_sets.h"

#include <stdexcept>

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
#elif defined(UNROLLED_NEON)
namespace neon {
extern const KernelTable kernels;
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

// Best last.
std::vector<InstructionSet> instruction_sets() {
#if defined(UNROLLED_X86)
  __builtin_cpu_init();
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") &&
                          __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return {{"baseline", &baseline::kernels, true},
          {"avx2", &avx2::kernels, has_avx2},
          {"avx512", &avx512::kernels, has_avx512}};
#elif defined(UNROLLED_NEON)
  return {{"neon", &neon::kernels, true}};
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
