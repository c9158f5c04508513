// Python's view of the kernels: arrays in, arrays out; shapes are checked here, and the
// interpreter is free while a kernel runs.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>
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
    packed_.resize(kernels_.packed_size(columns_, depth_));
    kernels_.pack(weight.data(), bias ? bias->data() : nullptr, columns_, depth_, packed_.data());
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
    auto owned = std::make_unique<float[]>(rows * columns_ + 1);
    float* out = owned.get();
    {
      nb::gil_scoped_release released;
      kernels_.multiply(a.data(), a.stride(0), rows, packed_.data(), columns_, depth_, out,
                        static_cast<std::ptrdiff_t>(columns_));
    }
    nb::capsule owner(owned.release(),
                      [](void* memory) noexcept { delete[] static_cast<float*>(memory); });
    return Result(out, {rows, columns_}, owner);
  }

 private:
  const KernelTable& kernels_;
  std::size_t columns_, depth_;
  std::vector<float> packed_;
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
           nb::arg("weight"), nb::arg("bias").none(), nb::arg("isa"))
      .def("multiply", &PackedMatrix::multiply, nb::arg("a"));
}
