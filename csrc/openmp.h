// The threads that PyTorch computes with.
#pragma once

namespace unrolled {

// Those functions of the OpenMP library that PyTorch has loaded which a parallel region is made of.
struct OpenMp {
  void (*parallel)(void (*)(void*), void*, unsigned threads, unsigned flags);
  int (*threads_of_region)();
  int (*number_of_thread)();
};

// Null while PyTorch is not loaded, where it uses another library, and in a forked child, which has
// none of its parent's threads though the library believes so.
const OpenMp* openmp_of_torch();

// Called in a child after a fork.
void forget_openmp_of_torch();

}  // namespace unrolled
