#include "openmp.h"

#if defined(__linux__)
#include <dlfcn.h>
#endif

#include <atomic>

namespace unrolled {

namespace {

std::atomic<const OpenMp*> known{nullptr};
std::atomic<bool> is_forked{false};

#if defined(__linux__)
// In a library or those that it depends on.
template <class Function>
bool look_up(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}
#endif

}  // namespace

const OpenMp* openmp_of_torch() {
  if (is_forked.load(std::memory_order_relaxed)) return nullptr;
  const OpenMp* now = known.load(std::memory_order_acquire);
  if (now != nullptr) return now;
#if defined(__linux__)
  void* const torch = dlopen("libtorch_cpu.so", RTLD_NOLOAD | RTLD_LAZY);
  if (torch == nullptr) return nullptr;
  OpenMp all{};
  if (look_up(torch, "GOMP_parallel", all.parallel) &&
      look_up(torch, "omp_get_num_threads", all.threads_of_region) &&
      look_up(torch, "omp_get_thread_num", all.number_of_thread)) {
    static const OpenMp kept = all;
    known.store(&kept, std::memory_order_release);
  }
#endif
  return known.load(std::memory_order_acquire);
}

void forget_openmp_of_torch() { is_forked.store(true, std::memory_order_relaxed); }

}  // namespace unrolled
