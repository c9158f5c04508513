// Runs stacks of many shapes forward and backward on several threads, to be built with sanitizers.
// Each run is done twice, cut differently and on other numbers of threads: every result must be the
// same to the last bit. Prints how many runs there were; anything else is a failure.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "instruction_sets.h"
#include "stack.h"

using namespace unrolled;

namespace {

std::mt19937 chance(1);

std::size_t between(std::size_t least, std::size_t most) {
  return std::uniform_int_distribution<std::size_t>(least, most)(chance);
}

std::vector<float> numbers(std::size_t count) {
  std::normal_distribution<float> normal(0.0f, 0.5f);
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
  const std::size_t units = between(2, 70);
  const std::size_t projected = cell == Cell::lstm && between(0, 1) ? between(1, units - 1) : 0;
  shapes.size = {cell, between(1, 40), units, between(1, 3), between(1, 2), projected};
  shapes.samples = between(1, 15);
  for (std::size_t i = 0; i < shapes.samples; ++i) {
    shapes.lengths.push_back(static_cast<std::int64_t>(between(1, 9)));
    shapes.steps = std::max(shapes.steps, static_cast<std::size_t>(shapes.lengths.back()));
  }
  return shapes;
}

// Everything that a forward and a backward run read and write.
struct Run {
  std::vector<std::vector<float>> memory;

  float* room(std::size_t count) { return memory.emplace_back(count).data(); }
};

std::vector<std::vector<float>> results(const Shapes& shapes, const KernelTable& kernels,
                                        const std::vector<std::vector<float>>& weights,
                                        const std::vector<float>& x, const std::vector<float>& h0,
                                        const std::vector<float>& c0,
                                        const std::vector<float>& grad, std::size_t slices,
                                        std::size_t threads) {
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
  std::vector<Weights> given;
  std::vector<Gradients> gradients;
  for (std::size_t row = 0; row < size.rows(); ++row) {
    const std::vector<float>* of_row = &weights[5 * row];
    const bool projects = size.projected != 0;
    given.push_back({of_row[0].data(), of_row[1].data(), of_row[2].data(), of_row[3].data(),
                     projects ? of_row[4].data() : nullptr});
    float* room[5];
    for (int part = 0; part < 5; ++part) room[part] = run.room(of_row[part].size());
    gradients.push_back({room[0], room[1], room[2], room[3], projects ? room[4] : nullptr});
  }
  const std::size_t width = size.input;
  const Grid<const float> input{x.data(), static_cast<std::ptrdiff_t>(samples * width),
                                static_cast<std::ptrdiff_t>(width)};
  StackForward forward{};
  forward.x = input;
  forward.h0 = h0.data();
  forward.c0 = c0.data();
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
  const std::shared_ptr<const PackedWeights> packed = stack.pack(given, crew);
  stack.forward(*packed, batch, forward, crew);

  StackBackward backward{};
  backward.x = input;
  backward.h0 = h0.data();
  backward.c0 = c0.data();
  const std::size_t out = size.output();
  for (std::size_t layer = 0; layer < size.layers; ++layer) {
    backward.outputs.push_back(constant(forward.outputs[layer]));
    backward.grad_outputs.push_back({grad.data(), static_cast<std::ptrdiff_t>(samples * out),
                                     static_cast<std::ptrdiff_t>(out)});
  }
  for (const Grid<float>& cells : forward.cells) {
    backward.cells.push_back(constant(cells));
    backward.grad_cells.push_back({});
  }
  for (float* gates : forward.gates) backward.gates.push_back(gates);
  backward.grad_h_n = forward.h_n;
  backward.grad_x = grid(size.input);
  backward.grad_h0 = run.room(size.rows() * samples * size.state());
  backward.grad_c0 = run.room(size.rows() * samples * size.units);
  backward.gradients = gradients;
  stack.backward(batch, given, backward, crew);

  // The gates lie as the batch is cut; all else must not depend on it.
  std::vector<std::vector<float>> kept;
  for (std::vector<float>& part : run.memory) {
    bool is_gates = false;
    for (float* gates : forward.gates) is_gates |= gates == part.data();
    if (!is_gates) kept.push_back(std::move(part));
  }
  return kept;
}

void check(const Shapes& shapes, const KernelTable& kernels) {
  const StackSize& size = shapes.size;
  std::vector<std::vector<float>> weights;
  for (std::size_t row = 0; row < size.rows(); ++row) {
    const LayerSize layer = size.layer(row / size.directions);
    const std::size_t gates = layer.gates() * layer.units;
    for (std::size_t count :
         {gates * layer.input, gates * layer.state(), gates, gates, size.projected * size.units}) {
      weights.push_back(numbers(count));
    }
  }
  const std::vector<float> x = numbers(shapes.steps * shapes.samples * size.input);
  const std::vector<float> h0 = numbers(size.rows() * shapes.samples * size.state());
  const std::vector<float> c0 = numbers(size.rows() * shapes.samples * size.units);
  const std::vector<float> grad = numbers(shapes.steps * shapes.samples * size.output());
  const auto one = results(shapes, kernels, weights, x, h0, c0, grad, 1, 1);
  const auto other =
      results(shapes, kernels, weights, x, h0, c0, grad, between(1, shapes.samples), between(2, 4));
  if (one != other) {
    std::printf("two ways of cutting a batch differ\n");
    std::exit(1);
  }
}

}  // namespace

int main(int count, char** arguments) {
  const int runs = count > 1 ? std::atoi(arguments[1]) : 40;
  for (const std::string& isa : available_isas()) {
    for (int i = 0; i < runs; ++i) check(any_shapes(), kernels_of(isa));
  }
  std::printf("%d runs on each of %zu instruction sets\n", runs, available_isas().size());
  return 0;
}
