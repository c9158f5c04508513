// Python's view of a recurrent stack. All arrays are made by the caller; their shapes are checked
// here, and the interpreter is free while a run lasts.
#include "stack_bindings.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "arrays.h"
#include "instruction_sets.h"
#include "stack.h"
#include "threads.h"

namespace unrolled {

namespace {

class PyStack;

// Weights of a stack, looked at once and read by any number of its runs. They are the arrays' own
// memory, whatever is written there.
struct BoundWeights {
  const PyStack* stack;
  WeightArrays arrays;
  std::vector<Weights> weights;
};

class PyStack {
 private:
  struct Samples {
    std::size_t steps, count;
    std::vector<std::int64_t> lengths;  // empty where every sample has all steps
    std::size_t slices;

    // Only once the shapes are known to be those of arrays: it takes memory.
    Batch batch() const {
      return {steps, count, lengths.empty() ? nullptr : lengths.data(), slices};
    }
  };

  struct WeightName {
    explicit operator std::string() const {
      return "weight " + std::to_string(number) + " of row " + std::to_string(row);
    }

    std::size_t number, row;
  };

  static void count(const char* name, std::size_t found, std::size_t expected) {
    if (found != expected) {
      throw std::invalid_argument(std::string(name) + " must be " + std::to_string(expected) +
                                  " arrays, not " + std::to_string(found));
    }
  }

  void check_own(const BoundWeights& weights) const {
    if (weights.stack != this)
      throw std::invalid_argument("the weights are bound to another stack; bind them to this one");
  }

  // Room for every step, though ragged batches leave the end of it untouched.
  template <class Array>
  auto gates_of(const Array& gates, const Samples& samples) const {
    return contiguous("gates of a row", gates, {samples.steps * samples.count, gates_row()});
  }

  // The rows of a table may lie apart.
  Grid<const float> table(const In& x) const {
    const bool is_empty = x.size() == 0;
    if (x.ndim() != 2 || x.shape(1) != size_.input ||
        (!is_empty && ((x.shape(1) > 1 && x.stride(1) != 1) || !is_aligned(x)))) {
      throw std::invalid_argument("the table must be of shape (symbols, " +
                                  std::to_string(size_.input) +
                                  "), the elements of a row side by side and aligned");
    }
    return {x.data(), x.stride(0), 0};
  }

  static void check_ids(const StackForward& run, const Samples& samples) {
    for (std::size_t step = 0; step < samples.steps; ++step) {
      for (std::size_t sample = 0; sample < samples.count; ++sample) {
        const std::int64_t id = *run.ids.at(step, sample);
        if (id < 0 || std::cmp_greater_equal(id, run.table_rows)) {
          throw std::out_of_range("id " + std::to_string(id) +
                                  " is in no row of the table, which has " +
                                  std::to_string(run.table_rows));
        }
      }
    }
  }

  template <class Array>
  Samples samples_of(const Array& x, const std::optional<Lengths>& lengths,
                     std::size_t threads) const {
    if (x.ndim() < 2) throw std::invalid_argument("the input must have axes for steps and samples");
    const std::size_t steps = x.shape(0), samples = x.shape(1);
    if (steps == 0) throw std::invalid_argument("x has 0 steps; it must have at least one");
    const std::size_t slices = best_slices(samples, size_.directions, threads);
    if (!lengths) return {steps, samples, {}, slices};
    if (lengths->shape(0) != samples) {
      refuse("lengths", *lengths, {samples});
    }
    std::vector<std::int64_t> checked = copied(*lengths);
    for (std::size_t i = 0; i < samples; ++i) {
      const std::int64_t length = checked[i];
      if (length < 1 || std::cmp_greater(length, steps)) {
        throw std::invalid_argument(
            "the length of sample " + std::to_string(i) + " is " + std::to_string(length) +
            "; it must be between 1 and the number of steps, " + std::to_string(steps) + ".");
      }
    }
    return {steps, samples, std::move(checked), slices};
  }

  std::vector<Dimensions> shapes_of(const LayerSize& size) const {
    const std::size_t gates = size.gates() * size.units;
    std::vector<Dimensions> shapes{{gates, size.input}, {gates, size.state()}};
    if (bias_) shapes.insert(shapes.end(), {{gates}, {gates}});
    if (size.projected != 0) shapes.push_back({size.projected, size.units});
    return shapes;
  }

  const std::vector<Dimensions>& weight_shapes(std::size_t row) const {
    return row < size_.directions ? first_shapes_ : other_shapes_;
  }

  // `take(n, shape)` gives what is at place n among the arrays of a row.
  template <class Result, class Take>
  Result row_of(std::size_t row, std::size_t given, const Take& take) const {
    const std::vector<Dimensions>& shapes = weight_shapes(row);
    count("the weights of a row", given, shapes.size());
    Result result{};
    std::size_t next = 0;
    const auto following = [&] {
      const std::size_t number = next++;
      return take(number, shapes[number]);
    };
    result.input = following();
    result.state = following();
    if (bias_) {
      result.input_bias = following();
      result.state_bias = following();
    }
    if (size_.projected != 0) result.projection = following();
    return result;
  }

  Weights plain_row(std::size_t row, const std::vector<Untyped>& arrays) const {
    return row_of<Weights>(row, arrays.size(), [&](std::size_t number, const Dimensions& shape) {
      return contiguous_of<float>(WeightName{number, row}, arrays[number], shape);
    });
  }

  // As above, with weights of a low precision, and the scales of int8 after them.
  Weights low_row(std::size_t row, const std::vector<Untyped>& arrays) const {
    const std::vector<Dimensions>& shapes = weight_shapes(row);
    const bool is_int8 = size_.precision == Precision::int8, projects = size_.projected != 0;
    const std::size_t scales = is_int8 ? (projects ? 3 : 2) : 0, after = shapes.size();
    count("the weights of a row", arrays.size(), after + scales);
    const auto low = [&](std::size_t number) -> const void* {
      const WeightName name{number, row};
      if (is_int8) return contiguous_of<std::int8_t>(name, arrays[number], shapes[number]);
      return contiguous_of<std::int16_t>(name, arrays[number], shapes[number]);
    };
    const auto floats = [&](std::size_t number, std::size_t size) {
      return contiguous_of<float>(WeightName{number, row}, arrays[number], {size});
    };
    const std::size_t gates = shapes[0][0];
    Weights result{};
    result.low.input = low(0);
    result.low.state = low(1);
    if (bias_) {
      result.input_bias = floats(2, gates);
      result.state_bias = floats(3, gates);
    }
    if (projects) result.low.projection = low(after - 1);
    if (is_int8) {
      result.low.input_scale = floats(after, gates);
      result.low.state_scale = floats(after + 1, gates);
      if (projects) result.low.projection_scale = floats(after + 2, size_.projected);
    }
    return result;
  }

  std::vector<Gradients> gradients_of(const std::vector<std::vector<Out>>& arrays) const {
    std::vector<Gradients> gradients(size_.rows());
    if (arrays.empty()) return gradients;
    count("gradients", arrays.size(), size_.rows());
    for (std::size_t row = 0; row < arrays.size(); ++row) {
      gradients[row] = row_of<Gradients>(
          row, arrays[row].size(), [&](std::size_t number, const Dimensions& shape) {
            return contiguous(WeightName{number, row}, arrays[row][number], shape);
          });
    }
    return gradients;
  }

 public:
  PyStack(const std::string& cell, std::size_t input, std::size_t units, std::size_t layers,
          std::size_t directions, bool bias, std::size_t projected, const std::string& isa,
          const std::string& precision)
      : size_{cell_of(cell), input, units, layers, directions, projected, precision_of(precision)},
        bias_(bias),
        stack_(size_, kernels_of(isa)) {
    if (units == 0 || layers == 0 || directions < 1 || directions > 2) {
      throw std::invalid_argument("a stack has at least one unit and layer, and 1 or 2 directions");
    }
    check_size("input", input);
    check_size("units", units);
    check_size("layers", layers);
    if (projected >= units) {
      throw std::invalid_argument("projected is " + std::to_string(projected) +
                                  "; it must be less than the units, " + std::to_string(units));
    }
    if (projected != 0 && size_.cell != Cell::lstm) {
      throw std::invalid_argument("only an LSTM can be projected");
    }
    // So many products of int8 fit a sum of 32 bits.
    constexpr std::size_t most = 133000;
    if (size_.precision == Precision::int8 && std::max({input, units, size_.output()}) > most) {
      throw std::invalid_argument("a layer of int8 reads " + std::to_string(most) +
                                  " features at most");
    }
    first_shapes_ = shapes_of(size_.layer(0));
    other_shapes_ = shapes_of(size_.layer(1));
  }

  PyStack(const PyStack&) = delete;
  PyStack& operator=(const PyStack&) = delete;

  std::vector<Weights> weights_of(const WeightArrays& arrays) const {
    count("weights", arrays.size(), size_.rows());
    std::vector<Weights> weights;
    weights.reserve(arrays.size());
    for (std::size_t row = 0; row < arrays.size(); ++row) {
      weights.push_back(size_.precision == Precision::fp32 ? plain_row(row, arrays[row])
                                                           : low_row(row, arrays[row]));
    }
    return weights;
  }

  BoundWeights bind(const WeightArrays& arrays) const { return {this, arrays, weights_of(arrays)}; }

  Stack& stack() { return stack_; }
  std::size_t gates_row() const { return stack_.gates_row(); }
  std::size_t useful_threads(std::size_t rows, std::size_t threads) const {
    return unrolled::useful_threads(size_, rows, threads);
  }
  std::size_t useful_threads_of_a_step(std::size_t samples, std::size_t threads) const {
    return unrolled::useful_threads_of_a_step(size_, samples, threads);
  }

  // The states before the first step are zeros where they are not given. Where neither cells nor
  // gates are wanted, `outputs` may be that of the last layer alone.
  void forward(const BoundWeights& weights, const In& x, const std::optional<In>& h0,
               const std::optional<In>& c0, const std::optional<Lengths>& lengths,
               const std::vector<Out>& outputs, const Out& h_n, const std::optional<Out>& c_n,
               const std::vector<Out>& cells, const std::vector<Out>& gates,
               const std::optional<Ids>& ids, std::size_t threads) {
    const Samples samples =
        ids ? samples_of(*ids, lengths, threads) : samples_of(x, lengths, threads);
    StackForward run;
    if (ids) {
      if (ids->size() > 0 && !is_aligned(*ids)) {
        throw std::invalid_argument("ids are not aligned; give a copy of them");
      }
      run.x = table(x);
      run.table_rows = x.shape(0);
      run.ids = {ids->data(), ids->stride(0), ids->stride(1)};
    } else {
      run.x = grid<const float>("x", x, {samples.steps, samples.count, size_.input});
    }
    run.h0 = contiguous("h0", h0, {size_.rows(), samples.count, size_.state()});
    run.h_n = contiguous("h_n", h_n, {size_.rows(), samples.count, size_.state()});
    run.c0 = contiguous("c0", c0, {size_.rows(), samples.count, size_.units});
    run.c_n = contiguous("c_n", c_n, {size_.rows(), samples.count, size_.units});
    const bool has_cell = size_.cell == Cell::lstm;
    if (has_cell && run.c_n == nullptr) throw std::invalid_argument("an LSTM needs c_n");
    const bool is_top_alone = outputs.size() == 1 && cells.empty() && gates.empty();
    if (!is_top_alone) count("outputs", outputs.size(), size_.layers);
    for (const Out& output : outputs) {
      run.outputs.push_back(
          grid<float>("an output", output, {samples.steps, samples.count, size_.output()}));
    }
    if (!cells.empty()) count("cells", cells.size(), has_cell ? size_.rows() : 0);
    for (const Out& part : cells) {
      run.cells.push_back(
          grid<float>("cells of a row", part, {samples.steps, samples.count, size_.units}));
    }
    if (!gates.empty()) count("gates", gates.size(), size_.rows());
    for (const Out& part : gates) run.gates.push_back(gates_of(part, samples));
    check_own(weights);
    if (ids) check_ids(run, samples);  // once the outputs show that there are as many as it says
    Places places;
    places.reads("x", x);
    places.reads("h0", h0);
    places.reads("c0", c0);
    places.reads("the lengths", lengths);
    places.reads("the ids", ids);
    places.reads("a weight", weights.arrays);
    places.writes("an output", outputs);
    places.writes("h_n", h_n);
    places.writes("c_n", c_n);
    places.writes("cells", cells);
    places.writes("gates", gates);
    places.check();
    nb::gil_scoped_release released;
    const std::size_t of_h = h0 ? 0 : size_.rows() * samples.count * size_.state();
    const std::size_t of_c = c0 || !has_cell ? 0 : size_.rows() * samples.count * size_.units;
    const std::vector<float> zeros(std::max(of_h, of_c));
    if (!h0) run.h0 = zeros.data();
    if (!c0) run.c0 = zeros.data();
    const Batch batch = samples.batch();
    Crew crew = crew_of(threads);
    const std::shared_ptr<const PackedWeights> packed = stack_.pack(weights.weights, crew);
    if (is_top_alone) {
      stack_.forward_top(*packed, batch, run, crew);
    } else {
      stack_.forward(*packed, batch, run, crew);
    }
  }

  void backward(const BoundWeights& weights, const In& x, const In& h0, const std::optional<In>& c0,
                const std::optional<Lengths>& lengths, const std::vector<In>& outputs,
                const std::vector<In>& cells, const std::vector<In>& gates,
                const std::vector<std::optional<In>>& grad_outputs,
                const std::optional<In>& grad_h_n, const std::optional<In>& grad_c_n,
                const std::vector<std::optional<In>>& grad_cells, const std::optional<Out>& grad_x,
                const Out& grad_h0, const std::optional<Out>& grad_c0,
                const std::vector<std::vector<Out>>& gradients, std::size_t threads) {
    if (size_.precision != Precision::fp32) {
      throw std::invalid_argument("a stack of a low precision has no gradient");
    }
    const Samples samples = samples_of(x, lengths, threads);
    const Dimensions h_shape{size_.rows(), samples.count, size_.state()};
    const Dimensions c_shape{size_.rows(), samples.count, size_.units};
    const Dimensions output_shape{samples.steps, samples.count, size_.output()};
    const Dimensions cells_shape{samples.steps, samples.count, size_.units};
    const bool has_cell = size_.cell == Cell::lstm;
    StackBackward run{};
    run.x = grid<const float>("x", x, {samples.steps, samples.count, size_.input});
    run.h0 = contiguous("h0", h0, h_shape);
    run.c0 = contiguous("c0", c0, c_shape);
    run.grad_h_n = contiguous("grad_h_n", grad_h_n, h_shape);
    run.grad_c_n = contiguous("grad_c_n", grad_c_n, c_shape);
    run.grad_h0 = contiguous("grad_h0", grad_h0, h_shape);
    run.grad_c0 = contiguous("grad_c0", grad_c0, c_shape);
    if (has_cell && (run.c0 == nullptr || run.grad_c0 == nullptr)) {
      throw std::invalid_argument("an LSTM needs c0 and grad_c0");
    }
    count("outputs", outputs.size(), size_.layers);
    count("grad_outputs", grad_outputs.size(), size_.layers);
    for (const In& output : outputs) {
      run.outputs.push_back(grid<const float>("an output", output, output_shape));
    }
    for (const std::optional<In>& grad : grad_outputs) {
      run.grad_outputs.push_back(
          grad ? grid<const float>("the gradient of an output", *grad, output_shape)
               : Grid<const float>{});
    }
    count("cells", cells.size(), has_cell ? size_.rows() : 0);
    count("grad_cells", grad_cells.size(), has_cell ? size_.rows() : 0);
    for (const In& part : cells) {
      run.cells.push_back(grid<const float>("cells of a row", part, cells_shape));
    }
    for (const std::optional<In>& grad : grad_cells) {
      run.grad_cells.push_back(grad ? grid<const float>("the gradient of cells", *grad, cells_shape)
                                    : Grid<const float>{});
    }
    count("gates", gates.size(), size_.rows());
    for (const In& part : gates) run.gates.push_back(gates_of(part, samples));
    if (grad_x) {
      run.grad_x = grid<float>("grad_x", *grad_x, {samples.steps, samples.count, size_.input});
    }
    check_own(weights);
    run.gradients = gradients_of(gradients);
    Places places;
    places.reads("x", x);
    places.reads("h0", h0);
    places.reads("c0", c0);
    places.reads("the lengths", lengths);
    places.reads("an output", outputs);
    places.reads("cells", cells);
    places.reads("gates", gates);
    places.reads("the gradient of an output", grad_outputs);
    places.reads("grad_h_n", grad_h_n);
    places.reads("grad_c_n", grad_c_n);
    places.reads("the gradient of cells", grad_cells);
    places.reads("a weight", weights.arrays);
    places.writes("grad_x", grad_x);
    places.writes("grad_h0", grad_h0);
    places.writes("grad_c0", grad_c0);
    places.writes("the gradient of a weight", gradients);
    places.check();
    nb::gil_scoped_release released;
    const Batch batch = samples.batch();
    Crew crew = crew_of(threads);
    stack_.backward(batch, weights.weights, run, crew);
  }

 private:
  StackSize size_;
  bool bias_;
  Stack stack_;
  std::vector<Dimensions> first_shapes_, other_shapes_;  // of the weights of a layer
};

void additive_scores(const In& queries, const In& keys,
                     const nb::ndarray<const bool, nb::ndim<2>, nb::device::cpu>& mask,
                     const In& energy, const Out& scores, const std::string& isa,
                     std::size_t threads) {
  if (queries.ndim() != 3 || keys.ndim() != 3) {
    throw std::invalid_argument("queries and keys must have 3 axes");
  }
  const std::size_t batch = queries.shape(0), count = queries.shape(1), size = queries.shape(2);
  const std::size_t steps = keys.shape(1);
  const float* from = contiguous("queries", queries, {batch, count, size});
  const float* key = contiguous("keys", keys, {batch, steps, size});
  const bool* is_real = contiguous("mask", mask, {batch, steps});
  const float* weight = contiguous("energy", energy, {size});
  float* to = contiguous("scores", scores, {batch, count, steps});
  const KernelTable& kernels = kernels_of(isa);
  Places places;
  places.reads("queries", queries);
  places.reads("keys", keys);
  places.reads("mask", mask);
  places.reads("energy", energy);
  places.writes("scores", scores);
  places.check();
  if (scores.size() == 0) return;
  nb::gil_scoped_release released;
  Crew crew = crew_of(threads);
  const std::size_t parts = std::min(batch, 4 * std::max<std::size_t>(1, threads));
  crew.run(parts, [&](std::size_t part) {
    for (std::size_t b = batch * part / parts; b < batch * (part + 1) / parts; ++b) {
      kernels.additive_scores(from + b * count * size, count, key + b * steps * size, steps,
                              is_real + b * steps, weight, size, to + b * count * steps);
    }
  });
}

using Function = void (*KernelTable::*)(const float*, std::size_t, float*);

template <Function function>
void element_by_element(const In& from, const Out& to, const std::string& isa) {
  const Dimensions shape{from.ndim() == 1 ? from.shape(0) : 0};
  const float* values = contiguous("from", from, shape);
  float* results = contiguous("to", to, shape);
  Places places;
  places.reads("from", from);
  places.writes("to", to);
  places.check();
  (kernels_of(isa).*function)(values, shape[0], results);
}

// A stack that is run step by step, in arrays that stay where they are: nothing is allocated, and
// the weights are those of the moment it was made.
class PyStream {
 public:
  PyStream(PyStack& stack, const WeightArrays& weights, const Out& x, const Out& h,
           const std::optional<Out>& c, const std::vector<Out>& outputs, std::size_t threads)
      : stack_(stack.stack()), x_(x), h_(h), c_(c), outputs_(outputs), threads_(threads) {
    const StackSize& size = stack_.size();
    const std::size_t samples = x.ndim() == 3 ? x.shape(1) : 0;
    StackForward run{};
    const Grid<float> input = grid<float>("x", x, {1, samples, size.input});
    run.x = {input.data, input.step, input.sample};
    run.h_n = contiguous("h", h, {size.rows(), samples, size.state()});
    run.c_n = contiguous("c", c, {size.rows(), samples, size.units});
    if (size.cell == Cell::lstm && run.c_n == nullptr) {
      throw std::invalid_argument("an LSTM needs c");
    }
    if (size.directions != 1) throw std::invalid_argument("a stream has one direction");
    // A part of a layer may write its units of h while another still reads all of them.
    before_.resize(h.size());
    run.h0 = before_.data();
    run.c0 = run.c_n;
    if (outputs.size() != size.layers) throw std::invalid_argument("an output for each layer");
    for (const Out& output : outputs) {
      run.outputs.push_back(grid<float>("an output", output, {1, samples, size.output()}));
    }
    const std::vector<Weights> used = stack.weights_of(weights);
    Places places;
    places.reads("x", x);
    places.reads("a weight", weights);
    places.writes("h", h);
    places.writes("c", c);
    places.writes("an output", outputs);
    places.check();
    nb::gil_scoped_release released;
    Crew crew = crew_of(threads);
    weights_ = stack_.pack(used, crew);
    batch_.emplace(1, samples, nullptr, 1);
    plan_.emplace(stack_, *weights_, *batch_, run, crew);
  }

  PyStream(const PyStream&) = delete;
  PyStream& operator=(const PyStream&) = delete;

  void step() {
    nb::gil_scoped_release released;
    std::copy_n(h_.data(), before_.size(), before_.data());
    Crew crew(threads_);
    plan_->run(crew);  // NOLINT(bugprone-unchecked-optional-access): the constructor made it
  }

 private:
  Stack& stack_;
  Out x_, h_;
  std::optional<Out> c_;
  std::vector<Out> outputs_;
  std::size_t threads_;
  std::vector<float> before_;
  std::optional<Batch> batch_;
  std::shared_ptr<const PackedWeights> weights_;
  std::optional<ForwardPlan> plan_;
};

}  // namespace

Stack& stack_of(const nb::object& stack) { return nb::cast<PyStack&>(stack).stack(); }

std::vector<Weights> weights_of(const nb::object& stack, const WeightArrays& weights) {
  return nb::cast<PyStack&>(stack).weights_of(weights);
}

void bind_stack(nb::module_& module) {
  nb::class_<BoundWeights>(module, "BoundWeights")
      .def_prop_ro("rows", [](const BoundWeights& bound) { return bound.arrays.size(); });
  nb::class_<PyStack>(module, "Stack")
      .def(nb::init<const std::string&, std::size_t, std::size_t, std::size_t, std::size_t, bool,
                    std::size_t, const std::string&, const std::string&>(),
           nb::arg("cell"), nb::arg("input"), nb::arg("units"), nb::arg("layers"),
           nb::arg("directions"), nb::arg("bias"), nb::arg("projected"), nb::arg("isa"),
           nb::arg("precision") = "fp32")
      .def_prop_ro("gates_row", &PyStack::gates_row)
      .def("useful_threads", &PyStack::useful_threads, nb::arg("rows"), nb::arg("threads"))
      .def("useful_threads_of_a_step", &PyStack::useful_threads_of_a_step, nb::arg("samples"),
           nb::arg("threads"))
      .def("bind", &PyStack::bind, nb::keep_alive<0, 1>(), nb::arg("weights").noconvert())
      .def("forward", &PyStack::forward, nb::arg("weights"), nb::arg("x").noconvert(),
           nb::arg("h0").noconvert().none(), nb::arg("c0").noconvert().none(),
           nb::arg("lengths").noconvert().none(), nb::arg("outputs").noconvert(),
           nb::arg("h_n").noconvert(), nb::arg("c_n").noconvert().none(),
           nb::arg("cells").noconvert(), nb::arg("gates").noconvert(),
           nb::arg("ids").noconvert().none(), nb::arg("threads"))
      .def("backward", &PyStack::backward, nb::arg("weights"), nb::arg("x").noconvert(),
           nb::arg("h0").noconvert(), nb::arg("c0").noconvert().none(),
           nb::arg("lengths").noconvert().none(), nb::arg("outputs").noconvert(),
           nb::arg("cells").noconvert(), nb::arg("gates").noconvert(),
           nb::arg("grad_outputs").noconvert(), nb::arg("grad_h_n").noconvert().none(),
           nb::arg("grad_c_n").noconvert().none(), nb::arg("grad_cells").noconvert(),
           nb::arg("grad_x").noconvert().none(), nb::arg("grad_h0").noconvert(),
           nb::arg("grad_c0").noconvert().none(), nb::arg("gradients").noconvert(),
           nb::arg("threads"));
  nb::class_<PyStream>(module, "Stream")
      .def(nb::init<PyStack&, const WeightArrays&, const Out&, const Out&,
                    const std::optional<Out>&, const std::vector<Out>&, std::size_t>(),
           nb::keep_alive<1, 2>(), nb::arg("stack"), nb::arg("weights").noconvert(),
           nb::arg("x").noconvert(), nb::arg("h").noconvert(), nb::arg("c").noconvert().none(),
           nb::arg("outputs").noconvert(), nb::arg("threads"))
      .def("step", &PyStream::step);
  module.def(
      "gates_row",
      [](const std::string& cell, std::size_t units, const std::string& isa) {
        check_size("units", units);
        return kernels_of(isa).gates_row({cell_of(cell), 1, units, 0, Precision::fp32});
      },
      nb::arg("cell"), nb::arg("units"), nb::arg("isa"));
  module.def("additive_scores", &additive_scores, nb::arg("queries").noconvert(),
             nb::arg("keys").noconvert(), nb::arg("mask").noconvert(),
             nb::arg("energy").noconvert(), nb::arg("scores").noconvert(), nb::arg("isa"),
             nb::arg("threads"));
  module.def("sigmoid", &element_by_element<&KernelTable::sigmoid>, nb::arg("from").noconvert(),
             nb::arg("to").noconvert(), nb::arg("isa"));
  module.def("tanh", &element_by_element<&KernelTable::hyperbolic_tangent>,
             nb::arg("from").noconvert(), nb::arg("to").noconvert(), nb::arg("isa"));
}

}  // namespace unrolled
