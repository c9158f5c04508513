#include "openmp.h"

#if defined(__linux__)
#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <limits>
#include <mutex>
#include <utility>
#endif

namespace unrolled {

#if defined(__linux__)

namespace {

OpenMp found;
std::once_flag looked;
std::atomic<bool> is_forked{false};
// Of a region: as many as it was seen to have, and fewer than it was seen to lack.
std::atomic<std::size_t> enough{0}, too_many{std::numeric_limits<std::size_t>::max()};

[[maybe_unused]] const int listening =
    pthread_atfork(nullptr, nullptr, [] { is_forked.store(true, std::memory_order_relaxed); });

// In a library or those that it depends on.
template <class Function>
bool look_up(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

bool is_found() {
  static std::atomic<void*> torch{nullptr};
  if (torch.load(std::memory_order_acquire) == nullptr) {
    void* const loaded = dlopen("libtorch_cpu.so", RTLD_NOLOAD | RTLD_LAZY);
    if (loaded == nullptr) return false;  // it may be loaded later
    torch.store(loaded, std::memory_order_release);
  }
  static bool has_all = false;
  std::call_once(looked, [] {
    has_all = look_up(torch.load(), "GOMP_parallel", found.parallel) &&
              look_up(torch.load(), "omp_get_num_threads", found.threads_of_region) &&
              look_up(torch.load(), "omp_get_thread_num", found.number_of_thread);
  });
  return has_all;
}

bool has_threads(std::size_t threads) {
  if (threads <= enough.load(std::memory_order_relaxed)) return true;
  if (threads >= too_many.load(std::memory_order_relaxed)) return false;
  std::atomic<int> given{0};
  const auto count = [](void* to) {
    static_cast<std::atomic<int>*>(to)->store(found.threads_of_region(), std::memory_order_relaxed);
  };
  found.parallel(count, &given, static_cast<unsigned>(threads), 0);
  const bool has_all = std::cmp_greater_equal(given.load(), threads);
  (has_all ? enough : too_many).store(threads, std::memory_order_relaxed);
  return has_all;
}

}  // namespace

const OpenMp* openmp_of_torch(std::size_t threads) {
  if (is_forked.load(std::memory_order_relaxed)) return nullptr;
  return is_found() && has_threads(threads) ? &found : nullptr;
}

#else

const OpenMp* openmp_of_torch(std::size_t) { return nullptr; }

#endif

}  // namespace unrolled
