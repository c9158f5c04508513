// The build names the sets that it compiled, best last, as UNROLLED_SETS: SET(name) for each, and
// SET_ON_TOP(name, below) for one whose forward run alone was compiled again.
#include "instruction_sets.h"

#include <stdexcept>

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace unrolled {

#define SET(name)                   \
  namespace name {                  \
  extern const KernelTable kernels; \
  }
#define SET_ON_TOP(name, below)                \
  namespace name {                             \
  extern const ForwardKernels forward_kernels; \
  }
UNROLLED_SETS
#undef SET
#undef SET_ON_TOP

namespace {

struct InstructionSet {
  std::string name;
  KernelTable kernels;
};

// The kernels of an instruction set, with the forward run of one that comes on top of it.
[[maybe_unused]] KernelTable on_top(KernelTable kernels, const ForwardKernels& forward) {
  kernels.forward_size = forward.forward_size;
  kernels.pack_forward = forward.pack_forward;
  kernels.multiply_input_rows = forward.multiply_input_rows;
  kernels.run_forward = forward.run_forward;
  return kernels;
}

const std::vector<InstructionSet>& compiled_sets() {
#define SET(name) {#name, name::kernels},
#define SET_ON_TOP(name, below) {#name, on_top(below::kernels, name::forward_kernels)},
  static const std::vector<InstructionSet> sets{UNROLLED_SETS};
#undef SET
#undef SET_ON_TOP
  return sets;
}

#if defined(__x86_64__)

// Compilers have no common name for it.
bool has_avxvnni() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & (1u << 4)) != 0;
}

// Tiles, and bfloat16 on them. The system gives a process the tiles' registers when it is asked.
bool has_amx() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned kBfloat16 = 1u << 22, kTiles = 1u << 24;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  if ((d & kBfloat16) == 0 || (d & kTiles) == 0) return false;
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM
  static const bool is_given = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return is_given;
#else
  return false;
#endif
}

bool runs_here(const std::string& name) {
  __builtin_cpu_init();
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (name == "avx2") return has_avx2;
  if (name == "avxvnni") return has_avx2 && has_avxvnni();
  const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") &&
                          __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (name == "avx512") return has_avx512;
  const bool has_avx512vnni = has_avx512 && __builtin_cpu_supports("avx512vnni");
  if (name == "avx512vnni") return has_avx512vnni;
  const bool has_avx512bf16 = has_avx512vnni && __builtin_cpu_supports("avx512bf16");
  if (name == "avx512bf16") return has_avx512bf16;
  if (name == "amxbf16") return has_avx512bf16 && has_amx();
  return true;
}

#elif defined(__aarch64__) && defined(__linux__)

bool runs_here(const std::string& name) {
  constexpr unsigned long kDotProducts = 1ul << 20;  // HWCAP_ASIMDDP
  return name != "neondot" || (getauxval(AT_HWCAP) & kDotProducts) != 0;
}

#else

bool runs_here(const std::string& name) { return name != "neondot"; }

#endif

}  // namespace

std::vector<std::string> compiled_isas() {
  std::vector<std::string> names;
  for (const InstructionSet& set : compiled_sets()) names.push_back(set.name);
  return names;
}

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (const InstructionSet& set : compiled_sets()) {
    if (runs_here(set.name)) names.push_back(set.name);
  }
  return names;
}

const KernelTable& kernels_of(const std::string& isa) {
  for (const InstructionSet& set : compiled_sets()) {
    if (isa == set.name && runs_here(isa)) return set.kernels;
  }
  throw std::invalid_argument("instruction set '" + isa + "' does not run here");
}

}  // namespace unrolled
