// The threads that PyTorch computes with.
//
// After each of its operators they wait for the next without sleeping, for milliseconds, and other
// threads would share the processors with them. OpenMP has such threads for every thread that calls
// it, and ends the process where the system gives it none.
#pragma once

#include <cstddef>

namespace unrolled {

// Those functions of the OpenMP library of PyTorch that a parallel region is made of.
struct OpenMp {
  void (*parallel)(void (*)(void*), void*, unsigned threads, unsigned flags);
  int (*threads_of_region)();
  int (*number_of_thread)();
};

// Null while PyTorch is not loaded, where it uses another library or gives a region fewer threads,
// and in a forked child, which has none of its parent's threads though the library believes so.
// That a child was forked before this library was loaded, it cannot know.
const OpenMp* openmp_of_torch(std::size_t threads);

}  // namespace unrolled
