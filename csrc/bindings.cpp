// Python's view of the kernels: arrays in, arrays out; shapes are checked here, and the
// interpreter is free while a kernel runs.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <limits>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "arrays.h"
#include "instruction_sets.h"
#include "memory.h"
#include "packed_matrix.h"
#include "search_bindings.h"
#include "stack_bindings.h"

namespace nb = nanobind;

namespace unrolled {

namespace {

using Matrix = nb::ndarray<const float, nb::ndim<2>, nb::device::cpu>;
using Vector = nb::ndarray<const float, nb::ndim<1>, nb::device::cpu, nb::c_contig>;
using Contiguous = nb::ndarray<const float, nb::ndim<2>, nb::device::cpu, nb::c_contig>;
using Result = nb::ndarray<nb::numpy, float, nb::ndim<2>>;

class PyPackedMatrix {
 public:
  PyPackedMatrix(const Contiguous& weight, const std::optional<Vector>& bias,
                 const std::string& instruction_set)
      : packed_(packed(weight, bias, kernels_of(instruction_set))) {}

  Result multiply(const Matrix& a) const {
    const std::size_t columns = packed_.columns(), depth = packed_.depth();
    if (a.shape(1) != depth) {
      throw std::invalid_argument("the matrix has " + std::to_string(a.shape(1)) +
                                  " columns; the packed weight takes " + std::to_string(depth));
    }
    if (a.size() > 0 && ((a.shape(1) > 1 && a.stride(1) != 1) || !is_aligned(a))) {
      throw std::invalid_argument("the elements of a row must lie side by side and aligned");
    }
    const std::size_t rows = a.shape(0);
    // A view of no columns can claim any number of rows.
    if (columns > 0 && rows > std::numeric_limits<std::size_t>::max() / columns) {
      throw std::bad_alloc();
    }
    Aligned<float> owned = aligned<float>(rows * columns);
    const std::size_t worked = columns > 0 ? rows : 0;
    float* const out = owned.get();
    const float* const from = a.data();
    const std::ptrdiff_t stride = a.stride(0);
    {
      nb::gil_scoped_release released;
      std::vector<const float*> from_rows(worked);
      std::vector<float*> to_rows(worked);
      for (std::size_t row = 0; row < worked; ++row) {
        from_rows[row] = from + static_cast<std::ptrdiff_t>(row) * stride;
        to_rows[row] = out + row * columns;
      }
      packed_.multiply(from_rows.data(), worked, to_rows.data());
    }
    const nb::capsule owner(owned.release(), [](void* memory) noexcept { FreeAligned()(memory); });
    return Result(out, {rows, columns}, owner);
  }

 private:
  static PackedMatrix packed(const Contiguous& weight, const std::optional<Vector>& bias,
                             const KernelTable& kernels) {
    const std::size_t columns = weight.shape(0), depth = weight.shape(1);
    const PlainMatrix plain{contiguous("weight", weight, {columns, depth}),
                            contiguous("bias", bias, {columns}), columns, depth};
    nb::gil_scoped_release released;
    return {kernels, plain};
  }

  PackedMatrix packed_;
};

}  // namespace
}  // namespace unrolled

NB_MODULE(_native, module) {
  using unrolled::PyPackedMatrix;
  module.doc() = "The compiled kernels of unrolled.";
  module.def("compiled_isas", [] { return unrolled::compiled_isas(); });
  module.def("available_isas", [] { return unrolled::available_isas(); });
  nb::class_<PyPackedMatrix>(module, "PackedMatrix")
      .def(nb::init<const unrolled::Contiguous&, const std::optional<unrolled::Vector>&,
                    const std::string&>(),
           nb::arg("weight").noconvert(), nb::arg("bias").noconvert().none(), nb::arg("isa"))
      .def("multiply", &PyPackedMatrix::multiply, nb::arg("a").noconvert());
  unrolled::bind_stack(module);
  unrolled::bind_search(module);
}
