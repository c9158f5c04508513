// Python's view of the kernels: arrays in, arrays out; shapes are checked here, and the
// interpreter is free while a kernel runs.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernel_table.h"

namespace nb = nanobind;

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

const KernelTable& table_of(const std::string& name) {
  for (const InstructionSet& set : instruction_sets()) {
    if (name == set.name && set.runs_here) return *set.kernels;
  }
  throw std::invalid_argument("instruction set '" + name + "' does not run here");
}

using Matrix = nb::ndarray<const float, nb::ndim<2>, nb::device::cpu>;
using Vector = nb::ndarray<const float, nb::ndim<1>, nb::device::cpu, nb::c_contig>;
using Contiguous = nb::ndarray<const float, nb::ndim<2>, nb::device::cpu, nb::c_contig>;
using Result = nb::ndarray<nb::numpy, float, nb::ndim<2>>;

constexpr std::align_val_t kCacheLine{64};

struct FreeAligned {
  void operator()(float* memory) const noexcept { ::operator delete(memory, kCacheLine); }
};
using AlignedFloats = std::unique_ptr<float[], FreeAligned>;

// A panel's vectors never straddle two cache lines.
AlignedFloats aligned_floats(std::size_t count) {
  if (count > std::numeric_limits<std::size_t>::max() / sizeof(float)) throw std::bad_alloc();
  return AlignedFloats(static_cast<float*>(::operator new(count * sizeof(float), kCacheLine)));
}

class PackedMatrix {
 public:
  PackedMatrix(const Contiguous& weight, const std::optional<Vector>& bias,
               const std::string& instruction_set)
      : kernels_(table_of(instruction_set)), columns_(weight.shape(0)), depth_(weight.shape(1)) {
    if (bias && bias->shape(0) != columns_) {
      throw std::invalid_argument("bias has " + std::to_string(bias->shape(0)) +
                                  " elements; the weight has " + std::to_string(columns_) +
                                  " rows");
    }
    const float* const weights = weight.data();
    const float* const biases = bias ? bias->data() : nullptr;
    nb::gil_scoped_release released;
    packed_ = aligned_floats(kernels_.packed_size(columns_, depth_));
    kernels_.pack(weights, biases, columns_, depth_, packed_.get());
  }

  Result multiply(const Matrix& a) const {
    if (a.shape(1) != depth_) {
      throw std::invalid_argument("the matrix has " + std::to_string(a.shape(1)) +
                                  " columns; the packed weight takes " + std::to_string(depth_));
    }
    if (a.size() > 0 && a.shape(1) > 1 && a.stride(1) != 1) {
      throw std::invalid_argument("the elements of a row must lie side by side");
    }
    const std::size_t rows = a.shape(0);
    // A view of no columns can claim any number of rows.
    if (columns_ > 0 && rows > std::numeric_limits<std::size_t>::max() / columns_) {
      throw std::bad_alloc();
    }
    AlignedFloats owned = aligned_floats(rows * columns_);
    float* const out = owned.get();
    const float* const from = a.data();
    const std::ptrdiff_t stride = a.stride(0);
    {
      nb::gil_scoped_release released;
      kernels_.multiply(from, stride, rows, packed_.get(), columns_, depth_, out,
                        static_cast<std::ptrdiff_t>(columns_));
    }
    nb::capsule owner(owned.release(),
                      [](void* memory) noexcept { FreeAligned()(static_cast<float*>(memory)); });
    return Result(out, {rows, columns_}, owner);
  }

 private:
  const KernelTable& kernels_;
  std::size_t columns_, depth_;
  AlignedFloats packed_;
};

}  // namespace
}  // namespace unrolled

NB_MODULE(_native, module) {
  using unrolled::PackedMatrix;
  module.doc() = "The compiled kernels of unrolled.";
  module.def("compiled_isas", [] { return unrolled::names(false); });
  module.def("available_isas", [] { return unrolled::names(true); });
  nb::class_<PackedMatrix>(module, "PackedMatrix")
      .def(nb::init<const unrolled::Contiguous&, const std::optional<unrolled::Vector>&,
                    const std::string&>(),
           nb::arg("weight").noconvert(), nb::arg("bias").noconvert().none(), nb::arg("isa"))
      .def("multiply", &PackedMatrix::multiply, nb::arg("a").noconvert());
}
