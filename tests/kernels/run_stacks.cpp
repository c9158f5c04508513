// Runs stacks of many shapes forward and backward on several threads, to be built with sanitizers
// and for machines that are not at hand. Each run is done twice, cut differently and on other
// numbers of threads: every result must be the same to the last bit. The outputs are held against
// the equations in double, written out here, and the gradients against their differences. Of runs
// with weights of a low precision every state is held against those before it. Prints how many runs
// there were; anything else is a failure.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "instruction_sets.h"
#include "stack.h"

using namespace unrolled;

namespace {

std::mt19937 chance(1);  // NOLINT(bugprone-*): the same numbers in every run

std::size_t between(std::size_t least, std::size_t most) {
  return std::uniform_int_distribution<std::size_t>(least, most)(chance);
}

std::vector<float> numbers(std::size_t count, float spread = 0.5f) {
  std::normal_distribution<float> normal(0.0f, spread);
  std::vector<float> made(count);
  for (float& one : made) one = normal(chance);
  return made;
}

struct Shapes {
  StackSize size;
  std::size_t steps, samples;
  std::vector<std::int64_t> lengths;
};

Shapes any_shapes() {
  constexpr Cell cells[] = {Cell::rnn_tanh, Cell::rnn_relu, Cell::gru, Cell::lstm};
  Shapes shapes{};
  const Cell cell = cells[between(0, 3)];
  // More rows than go back at once, and units enough to be cut between threads.
  const bool is_long = between(0, 3) == 0;
  const std::size_t units = is_long ? between(50, 90) : between(2, 70);
  const std::size_t projected =
      cell == Cell::lstm && between(0, 1) == 1 ? between(1, units - 1) : 0;
  shapes.size = {cell, between(1, 40), units, between(1, 3), between(1, 2), projected};
  shapes.samples = is_long ? between(3, 5) : between(1, 15);
  const std::size_t shortest = is_long ? 60 : 1, longest = is_long ? 130 : 9;
  const bool is_ragged = between(0, 1) == 1;
  for (std::size_t i = 0; i < shapes.samples; ++i) {
    const std::int64_t length = is_ragged || i == 0
                                    ? static_cast<std::int64_t>(between(shortest, longest))
                                    : shapes.lengths.front();
    shapes.lengths.push_back(length);
    shapes.steps = std::max(shapes.steps, static_cast<std::size_t>(shapes.lengths.back()));
  }
  return shapes;
}

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  std::_Exit(1);  // what ends a program in peace would race with the workers
}

[[noreturn]] void fail(const char* what, double found, double expected) {
  std::fprintf(stderr, "%g, expected %g: ", found, expected);
  fail(what);
}

// Everything that a run is computed from.
struct Given {
  std::vector<std::vector<float>> weights;  // 5 for each row
  std::vector<float> x, h0, c0, grad;
};

// What a run gives: all of it, and what is held against the equations.
struct Results {
  std::vector<std::vector<float>> all, gradients;
  std::vector<float> output;
};

// The memory of a forward and a backward run.
struct Run {
  std::vector<std::vector<float>> memory;

  // What is not written shows.
  float* room(std::size_t count) { return memory.emplace_back(count, 1e30f).data(); }
};

// What the gradients come from: the outputs of the top layer, to everything, which is held against
// the equations; or all that a run gives, to everything but the input, which is only held against
// itself.
enum class Loss { of_output, of_everything };

Results results(const Shapes& shapes, const KernelTable& kernels, const Given& given, Loss loss,
                std::size_t slices, std::size_t threads) {
  const StackSize& size = shapes.size;
  const std::size_t steps = shapes.steps, samples = shapes.samples;
  Run run;
  const auto grid = [&](std::size_t width) {
    return Grid<float>{run.room(steps * samples * width),
                       static_cast<std::ptrdiff_t>(samples * width),
                       static_cast<std::ptrdiff_t>(width)};
  };
  const auto constant = [](const Grid<float>& one) {
    return Grid<const float>{one.data, one.step, one.sample};
  };
  Stack stack(size, kernels);
  const Batch batch(steps, samples, shapes.lengths.data(), slices);
  std::vector<Weights> weights;
  std::vector<Gradients> gradients;
  for (std::size_t row = 0; row < size.rows(); ++row) {
    const std::vector<float>* of_row = &given.weights[5 * row];
    const bool projects = size.projected != 0;
    weights.push_back({of_row[0].data(), of_row[1].data(), of_row[2].data(), of_row[3].data(),
                       projects ? of_row[4].data() : nullptr});
    float* room[5];
    for (int part = 0; part < 5; ++part) room[part] = run.room(of_row[part].size());
    gradients.push_back({room[0], room[1], room[2], room[3], projects ? room[4] : nullptr});
  }
  const std::size_t width = size.input;
  const Grid<const float> input{given.x.data(), static_cast<std::ptrdiff_t>(samples * width),
                                static_cast<std::ptrdiff_t>(width)};
  StackForward forward{};
  forward.x = input;
  forward.h0 = given.h0.data();
  forward.c0 = given.c0.data();
  for (std::size_t layer = 0; layer < size.layers; ++layer) {
    forward.outputs.push_back(grid(size.output()));
  }
  forward.h_n = run.room(size.rows() * samples * size.state());
  forward.c_n = run.room(size.rows() * samples * size.units);
  for (std::size_t row = 0; row < size.rows(); ++row) {
    if (size.cell == Cell::lstm) forward.cells.push_back(grid(size.units));
    forward.gates.push_back(run.room(steps * samples * stack.gates_row()));
  }
  Crew crew(threads);
  const std::shared_ptr<const PackedWeights> packed = stack.pack(weights, crew);
  stack.forward(*packed, batch, forward, crew);

  // Of the top alone: a whole run, one in stretches, and two beside each other in the memory that
  // the whole one left or in new one.
  const auto same = [](const float* found, const float* expected, std::size_t count) {
    if (std::memcmp(found, expected, count * sizeof(float)) != 0) fail("the top alone differs");
  };
  std::vector<StackForward> tops;
  for (int i = 0; i < 4; ++i) {
    StackForward top = forward;
    top.outputs = {grid(size.output())};
    top.h_n = run.room(size.rows() * samples * size.state());
    top.c_n = run.room(size.rows() * samples * size.units);
    top.cells.clear();
    top.gates.clear();
    tops.push_back(top);
  }
  constexpr std::size_t all = std::size_t{1} << 20;
  stack.forward_top(*packed, batch, tops[0], crew, all);
  stack.forward_top(*packed, batch, tops[1], crew, 2 * samples * size.output());
  const auto run_alone = [&](std::size_t number) {
    Crew one(1);
    stack.forward_top(*packed, batch, tops[number], one, all);
  };
  std::thread beside(run_alone, 2);
  run_alone(3);
  beside.join();
  for (const StackForward& top : tops) {
    same(top.outputs[0].data, forward.outputs.back().data, steps * samples * size.output());
    same(top.h_n, forward.h_n, size.rows() * samples * size.state());
    if (size.cell == Cell::lstm) same(top.c_n, forward.c_n, size.rows() * samples * size.units);
  }

  StackBackward backward{};
  backward.x = input;
  backward.h0 = given.h0.data();
  backward.c0 = given.c0.data();
  const std::size_t out = size.output();
  for (std::size_t layer = 0; layer < size.layers; ++layer) {
    backward.outputs.push_back(constant(forward.outputs[layer]));
    const bool is_top = layer + 1 == size.layers;
    backward.grad_outputs.push_back(
        is_top || loss == Loss::of_everything
            ? Grid<const float>{given.grad.data(), static_cast<std::ptrdiff_t>(samples * out),
                                static_cast<std::ptrdiff_t>(out)}
            : Grid<const float>{});
  }
  for (const Grid<float>& cells : forward.cells) {
    backward.cells.push_back(constant(cells));
    backward.grad_cells.push_back({});
  }
  for (float* gates : forward.gates) backward.gates.push_back(gates);
  if (loss == Loss::of_output) {
    backward.grad_x = grid(size.input);
  } else {  // any numbers of these shapes
    backward.grad_h_n = given.h0.data();
    backward.grad_c_n = given.c0.data();
    backward.grad_cells = backward.cells;
  }
  backward.grad_h0 = run.room(size.rows() * samples * size.state());
  backward.grad_c0 = run.room(size.rows() * samples * size.units);
  backward.gradients = gradients;
  stack.backward(batch, weights, backward, crew);

  // Nothing depends on how the batch was cut, the gates neither.
  Results found;
  for (const std::vector<float>& part : run.memory) {
    found.all.push_back(part);
    if (part.data() == forward.outputs.back().data) found.output = part;
  }
  // They were made first, in the order of the weights.
  const auto count = static_cast<std::ptrdiff_t>(5 * size.rows());
  found.gradients.assign(found.all.begin(), found.all.begin() + count);
  return found;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// sum over columns of weight[row][column] * values[column].
double times(const std::vector<double>& weight, std::size_t row,
             const std::vector<double>& values) {
  double sum = 0;
  for (std::size_t k = 0; k < values.size(); ++k)
    sum += weight[row * values.size() + k] * values[k];
  return sum;
}

struct State {
  std::vector<double> h, c;
};

// What a product reads of some values.
using Reading = std::function<std::vector<double>(const std::vector<double>&)>;

std::vector<double> as_they_are(const std::vector<double>& values) { return values; }

State next(const StackSize& size, const std::vector<double>* weights, const std::vector<double>& x,
           const State& before, const Reading& read = as_they_are) {
  const std::size_t units = size.units;
  const std::vector<double> read_x = read(x), read_h = read(before.h);
  State now{std::vector<double>(units), before.c};
  const auto input = [&](std::size_t gate, std::size_t u) {
    return times(weights[0], gate * units + u, read_x) + weights[2][gate * units + u];
  };
  const auto state = [&](std::size_t gate, std::size_t u) {
    return times(weights[1], gate * units + u, read_h) + weights[3][gate * units + u];
  };
  const auto both = [&](std::size_t gate, std::size_t u) {
    return input(gate, u) + state(gate, u);
  };
  for (std::size_t u = 0; u < units; ++u) {
    switch (size.cell) {
      case Cell::rnn_tanh:
        now.h[u] = std::tanh(both(0, u));
        break;
      case Cell::rnn_relu:
        now.h[u] = std::max(0.0, both(0, u));
        break;
      case Cell::gru: {
        const double z = sigmoid(both(1, u));
        const double n = std::tanh(input(2, u) + sigmoid(both(0, u)) * state(2, u));
        now.h[u] = (1 - z) * n + z * before.h[u];
        break;
      }
      case Cell::lstm:
        now.c[u] = sigmoid(both(1, u)) * before.c[u] + sigmoid(both(0, u)) * std::tanh(both(2, u));
        now.h[u] = sigmoid(both(3, u)) * std::tanh(now.c[u]);
    }
  }
  if (size.projected != 0) {
    const std::vector<double> raw = read(now.h);
    now.h.resize(size.projected);
    for (std::size_t p = 0; p < size.projected; ++p) now.h[p] = times(weights[4], p, raw);
  }
  return now;
}

// `output` of one sample, a vector for each step.
std::vector<std::vector<double>> plain_output(const Shapes& shapes, const Given& given,
                                              const std::vector<std::vector<double>>& weights,
                                              std::size_t sample) {
  const StackSize& size = shapes.size;
  const auto length = static_cast<std::size_t>(shapes.lengths[sample]);
  std::vector<std::vector<double>> values(length);
  for (std::size_t step = 0; step < length; ++step) {
    const float* from = given.x.data() + (step * shapes.samples + sample) * size.input;
    values[step].assign(from, from + size.input);
  }
  for (std::size_t layer = 0; layer < size.layers; ++layer) {
    std::vector<std::vector<double>> above(length);
    for (std::size_t direction = 0; direction < size.directions; ++direction) {
      const std::size_t row = layer * size.directions + direction;
      const float* h = given.h0.data() + (row * shapes.samples + sample) * size.state();
      const float* c = given.c0.data() + (row * shapes.samples + sample) * size.units;
      State state{{h, h + size.state()}, {c, c + size.units}};
      std::vector<std::vector<double>> found(length);
      for (std::size_t turn = 0; turn < length; ++turn) {
        const std::size_t step = direction == 0 ? turn : length - 1 - turn;
        state = next(size, &weights[5 * row], values[step], state);
        found[step] = state.h;
      }
      for (std::size_t step = 0; step < length; ++step) {
        above[step].insert(above[step].end(), found[step].begin(), found[step].end());
      }
    }
    values = std::move(above);
  }
  return values;
}

std::vector<std::vector<double>> in_double(const std::vector<std::vector<float>>& weights) {
  std::vector<std::vector<double>> same;
  same.reserve(weights.size());
  for (const std::vector<float>& one : weights) same.emplace_back(one.begin(), one.end());
  return same;
}

// The sum of all outputs, each times its gradient.
double plain_total(const Shapes& shapes, const Given& given,
                   const std::vector<std::vector<double>>& weights) {
  double total = 0;
  for (std::size_t sample = 0; sample < shapes.samples; ++sample) {
    const auto output = plain_output(shapes, given, weights, sample);
    for (std::size_t step = 0; step < output.size(); ++step) {
      for (std::size_t i = 0; i < output[step].size(); ++i) {
        total += output[step][i] *
                 given.grad[(step * shapes.samples + sample) * output[step].size() + i];
      }
    }
  }
  return total;
}

void check_against_equations(const Shapes& shapes, const Given& given, const Results& found) {
  const auto weights = in_double(given.weights);
  const std::size_t width = shapes.size.output();
  for (std::size_t sample = 0; sample < shapes.samples; ++sample) {
    const auto output = plain_output(shapes, given, weights, sample);
    for (std::size_t step = 0; step < output.size(); ++step) {
      for (std::size_t i = 0; i < width; ++i) {
        const double one = found.output[(step * shapes.samples + sample) * width + i];
        if (std::abs(one - output[step][i]) > 1e-4 * (1 + std::abs(output[step][i]))) {
          fail("output", one, output[step][i]);
        }
      }
    }
  }
  // The gradient along one direction in the space of all weights.
  if (shapes.size.cell == Cell::rnn_relu) return;  // has corners, where differences say nothing
  constexpr double little = 1e-5;
  double along = 0;
  auto more = weights, less = weights;
  for (std::size_t part = 0; part < weights.size(); ++part) {
    const std::vector<float> direction = numbers(weights[part].size());
    for (std::size_t i = 0; i < direction.size(); ++i) {
      more[part][i] += little * direction[i];
      less[part][i] -= little * direction[i];
      along += static_cast<double>(found.gradients[part][i]) * direction[i];
    }
  }
  const double expected =
      (plain_total(shapes, given, more) - plain_total(shapes, given, less)) / (2 * little);
  if (std::abs(along - expected) > 1e-3 * (1 + std::abs(expected))) {
    fail("gradient", along, expected);
  }
}

std::uint16_t to_bfloat16(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

double from_bfloat16(std::uint16_t half) {
  const std::uint32_t bits = static_cast<std::uint32_t>(half) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// A weight in a low precision, and what it stands for.
struct LowWeight {
  std::vector<std::int8_t> whole;
  std::vector<std::uint16_t> halves;
  std::vector<float> scale;
  std::vector<double> value;

  const void* data() const {
    return scale.empty() ? static_cast<const void*>(halves.data()) : whole.data();
  }
};

LowWeight lowered(const std::vector<float>& weight, std::size_t columns, Precision precision) {
  LowWeight low;
  const std::size_t depth = columns == 0 ? 0 : weight.size() / columns;
  for (std::size_t column = 0; column < columns; ++column) {
    const float* row = weight.data() + column * depth;
    float largest = 0;
    for (std::size_t k = 0; k < depth; ++k) largest = std::max(largest, std::abs(row[k]));
    if (precision == Precision::int8) low.scale.push_back(largest / 127);
    for (std::size_t k = 0; k < depth; ++k) {
      if (precision == Precision::int8) {
        low.whole.push_back(static_cast<std::int8_t>(std::nearbyint(row[k] * (127 / largest))));
        low.value.push_back(static_cast<double>(low.whole.back()) * low.scale.back());
      } else {
        low.halves.push_back(to_bfloat16(row[k]));
        low.value.push_back(from_bfloat16(low.halves.back()));
      }
    }
  }
  return low;
}

// Values as a product of int8 reads them.
std::vector<double> in_steps(const std::vector<double>& values) {
  float largest = 0;
  for (const double one : values) largest = std::max(largest, std::abs(static_cast<float>(one)));
  const float per_step = largest > 1e-35f ? 127 / largest : 0;
  std::vector<double> read;
  read.reserve(values.size());
  for (const double one : values) {
    const volatile float scaled = static_cast<float>(one) * per_step;  // rounded by itself
    read.push_back(std::nearbyint(scaled) * static_cast<double>(largest / 127));
  }
  return read;
}

std::vector<double> rounded(const std::vector<double>& values) {
  std::vector<double> read;
  read.reserve(values.size());
  for (const double one : values)
    read.push_back(from_bfloat16(to_bfloat16(static_cast<float>(one))));
  return read;
}

// The states of a run with weights of a low precision.
struct LowRun {
  std::vector<std::vector<float>> outputs, cells;
  std::vector<float> h_n, c_n;

  bool operator==(const LowRun&) const = default;
};

LowRun low_run(const Shapes& shapes, const KernelTable& kernels, const Given& given,
               const std::vector<LowWeight>& low, std::size_t slices, std::size_t threads) {
  const StackSize& size = shapes.size;
  const std::size_t steps = shapes.steps, samples = shapes.samples;
  LowRun run;
  run.outputs.assign(size.layers, std::vector<float>(steps * samples * size.output()));
  run.cells.assign(size.cell == Cell::lstm ? size.rows() : 0,
                   std::vector<float>(steps * samples * size.units));
  run.h_n.resize(size.rows() * samples * size.state());
  run.c_n.resize(size.rows() * samples * size.units);
  const auto grid = [&](std::vector<float>& memory, std::size_t width) {
    return Grid<float>{memory.data(), static_cast<std::ptrdiff_t>(samples * width),
                       static_cast<std::ptrdiff_t>(width)};
  };
  std::vector<Weights> weights;
  for (std::size_t row = 0; row < size.rows(); ++row) {
    const LowWeight* of_row = &low[3 * row];
    Weights one{};
    one.input_bias = given.weights[5 * row + 2].data();
    one.state_bias = given.weights[5 * row + 3].data();
    one.low = {of_row[0].data(),       of_row[1].data(),       of_row[2].data(),
               of_row[0].scale.data(), of_row[1].scale.data(), of_row[2].scale.data()};
    weights.push_back(one);
  }
  StackForward forward{};
  forward.x = {given.x.data(), static_cast<std::ptrdiff_t>(samples * size.input),
               static_cast<std::ptrdiff_t>(size.input)};
  forward.h0 = given.h0.data();
  forward.c0 = given.c0.data();
  for (auto& output : run.outputs) forward.outputs.push_back(grid(output, size.output()));
  for (auto& cells : run.cells) forward.cells.push_back(grid(cells, size.units));
  forward.h_n = run.h_n.data();
  forward.c_n = run.c_n.data();
  Stack stack(size, kernels);
  const Batch batch(steps, samples, shapes.lengths.data(), slices);
  Crew crew(threads);
  const std::shared_ptr<const PackedWeights> packed = stack.pack(weights, crew);
  stack.forward(*packed, batch, forward, crew);

  StackForward top = forward;
  std::vector<float> output(steps * samples * size.output());
  top.outputs = {grid(output, size.output())};
  top.cells.clear();
  std::vector<float> h_n(run.h_n.size()), c_n(run.c_n.size());
  top.h_n = h_n.data();
  top.c_n = c_n.data();
  stack.forward_top(*packed, batch, top, crew, 2 * samples * size.output());
  if (output != run.outputs.back() || h_n != run.h_n || c_n != run.c_n) {
    fail("the top alone differs in low precision");
  }
  return run;
}

void check_low_states(const Shapes& shapes, const Given& given, const std::vector<LowWeight>& low,
                      const LowRun& run, const Reading& read) {
  const StackSize& size = shapes.size;
  const std::size_t samples = shapes.samples, state = size.state();
  // The h that a projection reads is no state, so its rounding may be another one here.
  const double coarse = size.precision == Precision::int8 ? 1e-2 : 1e-3;
  const double allowed = size.projected != 0 ? coarse : 1e-4;
  const auto near = [&](const char* what, const std::vector<double>& expected, const float* found) {
    for (std::size_t i = 0; i < expected.size(); ++i) {
      if (!(std::abs(found[i] - expected[i]) <= allowed * (1 + std::abs(expected[i])))) {
        fail(what, found[i], expected[i]);
      }
    }
  };
  for (std::size_t row = 0; row < size.rows(); ++row) {
    const std::size_t layer = row / size.directions, direction = row % size.directions;
    const std::vector<float>& below = layer == 0 ? given.x : run.outputs[layer - 1];
    const std::size_t width = size.layer(layer).input;
    const std::vector<float>* biases = &given.weights[5 * row + 2];
    const std::vector<double> weights[] = {low[3 * row].value,
                                           low[3 * row + 1].value,
                                           {biases[0].begin(), biases[0].end()},
                                           {biases[1].begin(), biases[1].end()},
                                           low[3 * row + 2].value};
    for (std::size_t sample = 0; sample < samples; ++sample) {
      const auto length = static_cast<std::size_t>(shapes.lengths[sample]);
      const float* h = given.h0.data() + (row * samples + sample) * state;
      const float* c = given.c0.data() + (row * samples + sample) * size.units;
      for (std::size_t turn = 0; turn < length; ++turn) {
        const std::size_t step = direction == 0 ? turn : length - 1 - turn;
        const std::size_t place = step * samples + sample;
        const float* x = below.data() + place * width;
        const State expected =
            next(size, weights, {x, x + width}, {{h, h + state}, {c, c + size.units}}, read);
        h = run.outputs[layer].data() + place * size.output() + direction * state;
        near("a state of low precision", expected.h, h);
        if (size.cell != Cell::lstm) continue;
        c = run.cells[row].data() + place * size.units;
        near("a cell of low precision", expected.c, c);
      }
    }
  }
}

void check_low(Shapes shapes, const KernelTable& kernels, Precision precision, bool rounds_values) {
  StackSize& size = shapes.size;
  size.precision = precision;
  Given given{{},
              numbers(shapes.steps * shapes.samples * size.input),
              numbers(size.rows() * shapes.samples * size.state()),
              numbers(size.rows() * shapes.samples * size.units),
              {}};
  std::vector<LowWeight> low;
  for (std::size_t row = 0; row < size.rows(); ++row) {
    const LayerSize layer = size.layer(row / size.directions);
    const std::size_t gates = layer.gates() * layer.units;
    for (const std::size_t count :
         {gates * layer.input, gates * layer.state(), gates, gates, size.projected * size.units}) {
      given.weights.push_back(numbers(count, shapes.steps > 9 ? 0.05f : 0.15f));
    }
    const std::vector<float>* of_row = &given.weights[5 * row];
    low.push_back(lowered(of_row[0], gates, precision));
    low.push_back(lowered(of_row[1], gates, precision));
    low.push_back(lowered(of_row[4], size.projected, precision));
  }
  const LowRun one = low_run(shapes, kernels, given, low, 1, 1);
  const LowRun other =
      low_run(shapes, kernels, given, low, between(1, shapes.samples), between(2, 4));
  if (!(one == other)) fail("two ways of cutting a batch differ in low precision");
  const bool is_int8 = precision == Precision::int8;
  check_low_states(shapes, given, low, one,
                   is_int8         ? in_steps
                   : rounds_values ? rounded
                                   : as_they_are);
}

void check(const Shapes& shapes, const KernelTable& kernels) {
  const StackSize& size = shapes.size;
  std::vector<std::vector<float>> weights;
  for (std::size_t row = 0; row < size.rows(); ++row) {
    const LayerSize layer = size.layer(row / size.directions);
    const std::size_t gates = layer.gates() * layer.units;
    for (const std::size_t count :
         {gates * layer.input, gates * layer.state(), gates, gates, size.projected * size.units}) {
      // Little enough, or rounding grows from step to step.
      weights.push_back(numbers(count, shapes.steps > 9 ? 0.05f : 0.15f));
    }
  }
  const Given given{weights, numbers(shapes.steps * shapes.samples * size.input),
                    numbers(size.rows() * shapes.samples * size.state()),
                    numbers(size.rows() * shapes.samples * size.units),
                    numbers(shapes.steps * shapes.samples * size.output())};
  for (const Loss loss : {Loss::of_everything, Loss::of_output}) {
    const Results one = results(shapes, kernels, given, loss, 1, 1);
    const std::size_t slices = between(0, 1) == 1 ? 1 : between(1, shapes.samples);
    const Results other = results(shapes, kernels, given, loss, slices, between(2, 6));
    if (one.all != other.all) fail("two ways of cutting a batch differ");
    if (loss == Loss::of_output) check_against_equations(shapes, given, one);
  }
}

}  // namespace

int main(int count, char** arguments) {
  const int runs = count > 1 ? std::stoi(arguments[1]) : 40;
  for (const std::string& isa : available_isas()) {
    const bool rounds_values = isa == "avx512bf16" || isa == "amxbf16";
    for (int i = 0; i < runs; ++i) {
      check(any_shapes(), kernels_of(isa));
      check_low(any_shapes(), kernels_of(isa), Precision::int8, false);
      check_low(any_shapes(), kernels_of(isa), Precision::bf16, rounds_values);
    }
  }
  std::printf("%d runs on each of %zu instruction sets\n", runs, available_isas().size());
  return 0;
}
