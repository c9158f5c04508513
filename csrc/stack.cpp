#include "stack.h"

#include <algorithm>
#include <numeric>

#include "threads.h"

namespace unrolled {

namespace {

// Rows whose inputs are multiplied at once: enough to read the weights seldom, few enough that
// their gates stay in the cache and the layer above does not wait long.
constexpr std::size_t kRowsAtOnce = 24;

// The part of one direction where both stand side by side.
template <class Float>
Grid<Float> half(Grid<Float> grid, std::size_t direction, std::size_t size) {
  if (grid.data != nullptr) grid.data += direction * size;
  return grid;
}

Grid<const float> constant(const Grid<float>& grid) { return {grid.data, grid.step, grid.sample}; }

}  // namespace

Batch::Batch(std::size_t steps, std::size_t samples, const std::int64_t* lengths,
             std::size_t slices)
    : samples_(samples), slice_of_(samples), place_of_(samples) {
  std::vector<std::size_t> order(samples);
  std::iota(order.begin(), order.end(), 0);
  const auto length = [&](std::size_t sample) {
    return lengths == nullptr ? steps : static_cast<std::size_t>(lengths[sample]);
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return length(a) > length(b); });
  for (std::size_t slice = 0; slice < slices; ++slice) {
    std::vector<std::size_t> sample, of_sample, alive, first_row;
    for (std::size_t i = slice; i < samples; i += slices) {
      slice_of_[order[i]] = slice;
      place_of_[order[i]] = sample.size();
      sample.push_back(order[i]);
      of_sample.push_back(length(order[i]));
    }
    const std::size_t turns = of_sample.empty() ? 0 : of_sample.front();
    std::size_t living = sample.size(), row = 0;
    for (std::size_t turn = 0; turn < turns; ++turn) {
      while (of_sample[living - 1] <= turn) --living;
      alive.push_back(living);
      first_row.push_back(row);
      row += living;
    }
    first_row.push_back(row);
    before_.push_back(rows_);
    rows_ += row;
    turns_ = std::max(turns_, turns);
    const std::size_t count = sample.size(), at = numbers_.size();
    for (auto* part : {&sample, &of_sample, &alive, &first_row}) {
      numbers_.push_back(std::move(*part));
    }
    slices_.push_back({numbers_[at].data(), numbers_[at + 1].data(), numbers_[at + 2].data(),
                       numbers_[at + 3].data(), count, turns});
  }
}

std::size_t best_slices(std::size_t samples, std::size_t directions, std::size_t threads) {
  constexpr std::size_t rows_in_registers = 6;
  const std::size_t idle = std::max<std::size_t>(1, threads / directions);
  return std::clamp<std::size_t>(samples / rows_in_registers, 1, idle);
}

Stack::Stack(const StackSize& size, const KernelTable& kernels) : size_(size), kernels_(kernels) {
  hashes_.resize(size.rows());
  packed_.resize(size.rows());
  for (std::size_t row = 0; row < size.rows(); ++row) {
    memory_.push_back(aligned<float>(kernels.forward_size(size.layer(row / size.directions))));
  }
}

Stack::Hash Stack::hash(std::size_t row, const Weights& weights) const {
  const LayerSize size = size_.layer(row / size_.directions);
  const std::size_t gates = size.gates() * size.units;
  Hash lanes;
  lanes.fill(1);
  const std::pair<const float*, std::size_t> parts[] = {
      {weights.input, gates * size.input},
      {weights.state, gates * size.state()},
      {weights.input_bias, gates},
      {weights.state_bias, gates},
      {weights.projection, size.projected * size.units}};
  for (const auto& [values, count] : parts) {
    if (values != nullptr) kernels_.hash(values, count, lanes.data());
  }
  return lanes;
}

void Stack::use(const std::vector<Weights>& weights, std::size_t threads) {
  in_parallel(weights.size(), threads, [&](std::size_t row) {
    const Hash now = hash(row, weights[row]);
    if (is_packed_ && now == hashes_[row]) return;
    packed_[row] = kernels_.pack_forward(size_.layer(row / size_.directions), weights[row],
                                         memory_[row].get());
    hashes_[row] = now;
  });
  is_packed_ = true;
}

// The table times the weights of each direction of the first layer, if that is less work than
// doing it for every step.
std::vector<Aligned<float>> Stack::table_gates(const Batch& batch, const StackForward& run,
                                               std::size_t threads) const {
  std::vector<Aligned<float>> tables;
  if (run.ids.data == nullptr || run.table_rows >= batch.rows()) return tables;
  const std::size_t row_size = gates_row();
  for (std::size_t direction = 0; direction < size_.directions; ++direction) {
    tables.push_back(aligned<float>(run.table_rows * row_size));
  }
  std::vector<const float*> from(run.table_rows);
  for (std::size_t row = 0; row < run.table_rows; ++row) from[row] = run.x.at(row, 0);
  in_parallel(size_.directions, threads, [&](std::size_t direction) {
    std::vector<float*> to(run.table_rows);
    for (std::size_t row = 0; row < run.table_rows; ++row) {
      to[row] = tables[direction].get() + row * row_size;
    }
    kernels_.multiply_input_rows(size_.layer(0), packed_[direction], from.data(), from.size(),
                                 to.data());
  });
  return tables;
}

void Stack::forward(const Batch& batch, const StackForward& run, std::size_t threads) const {
  const std::size_t slices = batch.slices().size(), directions = size_.directions;
  const std::size_t tasks = size_.rows() * slices;
  std::vector<Forward> forwards(tasks, Forward{});
  std::vector<Progress> done(tasks);
  std::vector<Aligned<float>> floats;
  std::vector<std::vector<const float*>> from(tasks);
  std::vector<std::vector<float*>> to(tasks);
  const std::size_t gates_row = this->gates_row();
  const std::vector<Aligned<float>> tables = table_gates(batch, run, threads);

  for (std::size_t layer = 0; layer < size_.layers; ++layer) {
    for (std::size_t slice = 0; slice < slices; ++slice) {
      for (std::size_t direction = 0; direction < directions; ++direction) {
        const std::size_t row = layer * directions + direction;
        const std::size_t number = (layer * slices + slice) * directions + direction;
        const Slice& samples = batch.slices()[slice];
        const std::size_t at_once =
            std::max<std::size_t>(1, kRowsAtOnce / std::max<std::size_t>(1, samples.samples));
        Forward& task = forwards[number];
        task.size = size_.layer(layer);
        task.packed = packed_[row];
        task.slice = &samples;
        task.reverse = direction == 1;
        task.x = layer == 0 ? run.x : constant(run.outputs[layer - 1]);
        if (layer == 0) {
          task.ids = run.ids;
          task.table_gates = tables.empty() ? nullptr : tables[direction].get();
        }
        task.h = half(run.outputs[layer], direction, size_.state());
        task.h0 = run.h0 + row * batch.samples() * size_.state();
        task.h_n = run.h_n + row * batch.samples() * size_.state();
        if (task.size.has_cell()) {
          task.c0 = run.c0 + row * batch.samples() * size_.units;
          task.c_n = run.c_n + row * batch.samples() * size_.units;
          // Where nobody wants all of them, c stays in the place of the last.
          task.c = run.cells.empty()
                       ? Grid<float>{task.c_n, 0, static_cast<std::ptrdiff_t>(size_.units)}
                       : run.cells[row];
        }
        task.keep_gates = !run.gates.empty();
        task.turns_at_once = at_once;
        if (task.keep_gates) {
          task.gates = run.gates[row] + batch.rows_before(slice) * gates_row;
        } else {
          floats.push_back(aligned<float>(at_once * samples.samples * gates_row));
          task.gates = floats.back().get();
        }
        task.done = &done[number];
        task.below[0] = task.below[1] = nullptr;
        task.below_entirely = directions == 2;
        for (std::size_t other = 0; layer > 0 && other < directions; ++other) {
          task.below[other] = &done[((layer - 1) * slices + slice) * directions + other];
        }
        from[number].resize((at_once + 1) * samples.samples);
        to[number].resize((at_once + 2) * samples.samples);
        task.from = from[number].data();
        task.to = to[number].data();
        if (size_.projected != 0) {
          floats.push_back(aligned<float>(samples.samples * gates_row));
          task.raw = floats.back().get();
        }
      }
    }
  }
  in_parallel(tasks, threads, [&](std::size_t number) { kernels_.run_forward(forwards[number]); });
}

}  // namespace unrolled
