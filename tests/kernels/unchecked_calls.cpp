// What a compiled module gets beside its own when a sanitizer watches it.
#include <cstddef>
#include <new>

#include "instruction_sets.h"
#include "memory.h"

// A kernel as Python can call it, of a weight that no binding has looked at.
extern "C" void pack_unchecked(const float* weight, std::size_t columns, std::size_t depth) {
  const unrolled::KernelTable& kernels = unrolled::kernels_of("baseline");
  const auto packed = unrolled::aligned<float>(kernels.packed_size(columns, depth));
  kernels.pack(weight, nullptr, columns, depth, packed.get());
}

extern "C" void lose_memory(std::size_t count) { unrolled::aligned<float>(count).release(); }

// Where more memory is asked for than there can be, the sanitizer ends the program, though an error
// is what follows without it. So the linker puts this in the place of what allocates.
void* allocated(std::size_t size, std::align_val_t alignment) asm("__real__ZnwmSt11align_val_t");
// NOLINTNEXTLINE(misc-use-internal-linkage): it is for the linker
void* checked(std::size_t size, std::align_val_t alignment) asm("__wrap__ZnwmSt11align_val_t");

void* checked(std::size_t size, std::align_val_t alignment) {
  if (size > std::size_t{1} << 40) throw std::bad_alloc();
  return allocated(size, alignment);
}
