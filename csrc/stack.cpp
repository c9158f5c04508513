#include "stack.h"

#include <unistd.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

namespace unrolled {

namespace {

// Rows whose inputs are multiplied at once: enough to read the weights seldom, few enough that
// their gates stay in the cache.
constexpr std::size_t kRowsAtOnce = 48;
// Where another thread waits to run the layer above, into how many parts a run is cut at least: it
// idles for the first of them, and the thread of the layer below for the last. But no part has
// fewer rows than it takes to read a weight in the time of its multiplications.
constexpr std::size_t kPartsOfWavefront = 50, kFewestRows = 4;
// Numbers in the states of the layers below that memory is kept for.
constexpr std::size_t kMostKept = std::size_t{1} << 22;
// Products in the time, some microseconds, that threads take to come together.
constexpr double kProductsForThreads = 1 << 19;
// Bytes of weights that one thread reads in the time that a second one takes to join in a step.
constexpr double kBytesForThreads = 300'000;
// Products of a turn that take as long as a thread waits for the others.
constexpr std::size_t kProductsOfAPart = 1 << 11;

// The part of one direction where both stand side by side.
template <class Float>
Grid<Float> half(Grid<Float> grid, std::size_t direction, std::size_t size) {
  if (grid.data != nullptr) grid.data += direction * size;
  return grid;
}

template <class Element>
Grid<Element> from_step(Grid<Element> grid, std::size_t step) {
  if (grid.data != nullptr) grid.data += static_cast<std::ptrdiff_t>(step) * grid.step;
  return grid;
}

std::size_t cache_of_a_core() {
#if defined(_SC_LEVEL2_CACHE_SIZE)
  const long size = sysconf(_SC_LEVEL2_CACHE_SIZE);
  if (size > 0) return static_cast<std::size_t>(size);
#endif
  return std::size_t{1} << 20;
}

Grid<const float> constant(const Grid<float>& grid) { return {grid.data, grid.step, grid.sample}; }

Hash first_hash() {
  Hash hash;
  hash.fill(1);
  return hash;
}

}  // namespace

double StackSize::count_of_weights() const {
  const auto of_layer = [&](std::size_t number) {
    const LayerSize one = layer(number);
    const double columns = static_cast<double>(one.gates()) * one.units;
    return columns * (one.input + one.state()) + static_cast<double>(one.projected) * one.units;
  };
  return directions * (of_layer(0) + (layers - 1) * of_layer(1));
}

Batch::Batch(std::size_t steps, std::size_t samples, const std::int64_t* lengths,
             std::size_t slices)
    : steps_(steps), samples_(samples), slice_of_(samples), place_of_(samples) {
  std::vector<std::size_t> order(samples);
  std::iota(order.begin(), order.end(), 0);
  const auto length = [&](std::size_t sample) {
    return lengths == nullptr ? steps : static_cast<std::size_t>(lengths[sample]);
  };
  std::ranges::stable_sort(order, std::greater{}, length);
  turns_ = samples == 0 ? 0 : length(order.front());
  for (std::size_t turn = 0, living = samples; turn < turns_; ++turn) {
    while (length(order[living - 1]) <= turn) --living;
    first_row_.push_back(rows_);
    rows_ += living;
  }
  first_row_.push_back(rows_);
  for (std::size_t slice = 0; slice < slices; ++slice) {
    std::vector<std::size_t> sample, of_sample, alive, first_row;
    for (std::size_t i = slice; i < samples; i += slices) {
      slice_of_[order[i]] = slice;
      place_of_[order[i]] = sample.size();
      sample.push_back(order[i]);
      of_sample.push_back(length(order[i]));
    }
    const std::size_t turns = of_sample.empty() ? 0 : of_sample.front();
    std::size_t living = sample.size();
    for (std::size_t turn = 0; turn < turns; ++turn) {
      while (of_sample[living - 1] <= turn) --living;
      alive.push_back(living);
      first_row.push_back(first_row_[turn] + slice);
    }
    const std::size_t count = sample.size(), at = numbers_.size();
    for (auto* part : {&sample, &of_sample, &alive, &first_row}) {
      numbers_.push_back(std::move(*part));
    }
    slices_.push_back({numbers_[at].data(), numbers_[at + 1].data(), numbers_[at + 2].data(),
                       numbers_[at + 3].data(), count, turns, slices});
  }
}

std::size_t best_slices(std::size_t samples, std::size_t directions, std::size_t threads) {
  const std::size_t idle = std::max<std::size_t>(1, threads / directions);
  return std::clamp<std::size_t>(samples / kRowsInRegisters, 1, idle);
}

std::size_t most_parts(const StackSize& size, const Batch& batch, std::size_t panels,
                       std::size_t threads, std::size_t products_of_a_part) {
  if (size.projected != 0) return 1;  // it mixes the units
  const std::size_t slices = batch.slices().size();
  const LayerSize layer = size.layer(size.layers - 1);
  const std::size_t depth = layer.state() + (batch.turns() > 1 ? 0 : layer.input);
  const std::size_t rows = batch.rows() / std::max<std::size_t>(1, batch.turns());  // of a turn
  const std::size_t products = rows * layer.gates() * layer.units * depth / slices;
  const std::size_t threads_of_each = threads / (size.directions * slices);
  return std::clamp<std::size_t>(std::min(threads_of_each, products / products_of_a_part), 1,
                                 panels);
}

std::size_t useful_threads(const StackSize& size, std::size_t rows, std::size_t threads) {
  // To see whether the weights are those that were packed takes as long as a row.
  return (rows + 1.0) * size.count_of_weights() < kProductsForThreads ? 1 : threads;
}

std::size_t useful_threads_of_a_step(const StackSize& size, std::size_t samples,
                                     std::size_t threads) {
  const double weights = size.count_of_weights() * size.layer(0).bytes_of_a_weight();
  // A weight is read once, and half that time goes to each sample after the first.
  const double bytes = (1 + (samples - 1.0) / 2) * weights;
  return bytes < kBytesForThreads ? 1 : threads;
}

PackedWeights::PackedWeights(const StackSize& size, const KernelTable& kernels) {
  std::vector<std::size_t> starts;
  std::size_t count = 0;
  for (std::size_t row = 0; row < size.rows(); ++row) {
    starts.push_back(count);
    count += kernels.forward_size(size.layer(row / size.directions));
  }
  memory_ = aligned_on_large_pages<float>(count);
  for (const std::size_t start : starts) rows_.push_back({memory_.get() + start});
}

void clear_padding(const Batch& batch, const std::vector<Steps>& all, Crew& crew) {
  if (batch.rows() == batch.steps() * batch.samples()) return;
  crew.run(all.size() * batch.samples(), [&](std::size_t number) {
    const std::size_t sample = number % batch.samples();
    const Steps& steps = all[number / batch.samples()];
    for (std::size_t step = batch.length(sample); step < batch.steps(); ++step) {
      std::fill_n(steps.grid.at(step, sample), steps.size, 0.0f);
    }
  });
}

Stack::Stack(const StackSize& size, const KernelTable& kernels) : size_(size), kernels_(kernels) {}

Stack::~Stack() { delete room_.load(); }

Hash Stack::hash_of_input(const LayerSize& size, const Weights& weights) const {
  const std::size_t gates = size.gates() * size.units, count = gates * size.input;
  Hash hash = first_hash();
  mix(weights.input, count * sizeof(float), hash);
  mix(weights.low.input, count * size.bytes_of_a_weight(), hash);
  mix(weights.low.input_scale, gates * sizeof(float), hash);
  return hash;
}

Hash Stack::hash_of_rest(const LayerSize& size, const Weights& weights) const {
  const std::size_t gates = size.gates() * size.units, of_state = gates * size.state();
  const std::size_t of_projection = size.projected * size.units, width = size.bytes_of_a_weight();
  const LowWeights& low = weights.low;
  Hash hash = first_hash();
  mix(weights.state, of_state * sizeof(float), hash);
  mix(weights.input_bias, gates * sizeof(float), hash);
  mix(weights.state_bias, gates * sizeof(float), hash);
  mix(weights.projection, of_projection * sizeof(float), hash);
  mix(low.state, of_state * width, hash);
  mix(low.projection, of_projection * width, hash);
  mix(low.state_scale, gates * sizeof(float), hash);
  mix(low.projection_scale, size.projected * sizeof(float), hash);
  return hash;
}

void Stack::mix(const void* bytes, std::size_t count, Hash& hash) const {
  if (bytes != nullptr) kernels_.hash(bytes, count, hash.data());
}

std::shared_ptr<const PackedWeights> Stack::pack(const std::vector<Weights>& weights, Crew& crew) {
  std::vector<Hashes> now(weights.size());
  crew.run(2 * now.size(), [&](std::size_t number) {
    const std::size_t row = number / 2;
    const LayerSize size = size_.layer(row / size_.directions);
    if (number % 2 == 0) {
      now[row].of_input = hash_of_input(size, weights[row]);
    } else {
      now[row].of_rest = hash_of_rest(size, weights[row]);
    }
  });
  const auto is_of = [&](const PackedRow& packed, std::size_t row) {
    return packed.packed.input != nullptr && packed.hashes == now[row];
  };
  std::shared_ptr<PackedWeights> mine = packed_.load();
  bool same = mine != nullptr;
  for (std::size_t row = 0; same && row < now.size(); ++row) same = is_of((*mine)[row], row);
  if (same) return mine;
  mine.reset();
  mine = packed_.exchange(nullptr);
  if (mine == nullptr || mine.use_count() > 1) {
    mine = std::make_shared<PackedWeights>(size_, kernels_);
  }
  crew.run(now.size(), [&](std::size_t row) {
    PackedRow& to = (*mine)[row];
    if (is_of(to, row)) return;
    const LayerSize size = size_.layer(row / size_.directions);
    to.packed = kernels_.pack_forward(size, weights[row], to.memory);
    to.hashes = now[row];
  });
  packed_.store(mine);
  return mine;
}

namespace {

// The table times the weights of each direction of the first layer, if that is less work than
// doing it for every step.
std::vector<Aligned<float>> table_gates(const Stack& stack, const PackedWeights& weights,
                                        const Batch& batch, const StackForward& run, Crew& crew) {
  std::vector<Aligned<float>> tables;
  if (run.ids.data == nullptr || run.table_rows >= batch.rows()) return tables;
  if (stack.size().precision != Precision::fp32) return tables;
  const std::size_t row_size = stack.gates_row();
  for (std::size_t direction = 0; direction < stack.size().directions; ++direction) {
    tables.push_back(aligned<float>(run.table_rows * row_size));
  }
  std::vector<const float*> from(run.table_rows);
  for (std::size_t row = 0; row < run.table_rows; ++row) from[row] = run.x.at(row, 0);
  crew.run(stack.size().directions, [&](std::size_t direction) {
    std::vector<float*> to(run.table_rows);
    for (std::size_t row = 0; row < run.table_rows; ++row) {
      to[row] = tables[direction].get() + row * row_size;
    }
    stack.kernels().multiply_input_rows(stack.size().layer(0), weights[direction].packed,
                                        from.data(), from.size(), to.data());
  });
  return tables;
}

// Parts that the units of a layer are best cut into, each of which reads its own part of the
// weights only. They have to wait for each other at every step, so where there are layers to run
// beside each other and a layer fits the cache of a core, with an eighth to spare for what else is
// read, that is left to them.
std::size_t column_parts(const Stack& stack, const Batch& batch, std::size_t crew) {
  const StackSize& whole = stack.size();
  const std::size_t most = most_parts(whole, batch, stack.panels(), crew, kProductsOfAPart);
  const LayerSize size = whole.layer(whole.layers - 1);
  const std::size_t depth = size.input + size.state();
  const std::size_t bytes = size.bytes_of_a_weight() * size.gates() * size.units * depth;
  const bool layers_are_enough = whole.layers >= most && whole.directions == 1;
  if (batch.turns() > 1 && layers_are_enough && bytes <= cache_of_a_core() / 8 * 7) return 1;
  return most;
}

// Rows whose inputs are multiplied at once, where they are of several turns.
std::size_t rows_at_once(const Slice& slice, bool is_wavefront) {
  const std::size_t samples = std::max<std::size_t>(1, slice.samples);
  const auto turns_of = [&](std::size_t rows) { return std::max<std::size_t>(1, rows / samples); };
  if (!is_wavefront) return kRowsAtOnce;
  return samples *
         std::clamp(slice.turns / kPartsOfWavefront, turns_of(kFewestRows), turns_of(kRowsAtOnce));
}

}  // namespace

ForwardPlan::ForwardPlan(const Stack& stack, const PackedWeights& weights, const Batch& batch,
                         const StackForward& run, Crew& crew)
    : kernels_(stack.kernels()), threads_(crew.size()) {
  const StackSize& size = stack.size();
  const std::size_t slices = batch.slices().size(), directions = size.directions;
  const std::size_t parts = column_parts(stack, batch, crew.size());
  const std::size_t panels = stack.panels();
  const bool is_wavefront =
      size.layers > 1 && directions == 1 && parts == 1 && slices < crew.size();
  const std::size_t count = size.rows() * slices * parts;
  // Parts of a layer wait for each other at every step, so each has a thread, and that of the layer
  // above has the same: its weights are in the cache of that core from the run before.
  chains_ = parts > 1 ? count / size.layers : count;
  tasks_.resize(count, Forward{});
  done_ = std::vector<Progress>(count);
  from_.resize(count);
  to_.resize(count);
  const std::size_t gates_row = stack.gates_row();
  floats_ = table_gates(stack, weights, batch, run, crew);
  std::vector<const float*> tables;
  tables.reserve(floats_.size());
  for (const Aligned<float>& table : floats_) tables.push_back(table.get());
  // The parts of a layer, slice and direction stand side by side; so do its directions.
  const auto first_of = [&](std::size_t layer, std::size_t slice) {
    return (layer * slices + slice) * directions * parts;
  };

  for (std::size_t number = 0; number < count; ++number) {
    const std::size_t part = number % parts, direction = number / parts % directions;
    const std::size_t slice = number / parts / directions % slices;
    const std::size_t layer = number / parts / directions / slices;
    const std::size_t row = layer * directions + direction;
    const Slice& samples = batch.slices()[slice];
    const std::size_t at_once = rows_at_once(samples, is_wavefront);
    const std::size_t rows = std::max(at_once, std::min(samples.samples, kRowsOfBlock));
    Forward& task = tasks_[number];
    task.size = size.layer(layer);
    task.packed = weights[row].packed;
    task.slice = &samples;
    task.reverse = direction == 1;
    task.first_panel = panels * part / parts;
    task.end_panel = panels * (part + 1) / parts;
    task.x = layer == 0 ? run.x : constant(run.outputs[layer - 1]);
    if (layer == 0) {
      task.ids = run.ids;
      task.table_gates = tables.empty() ? nullptr : tables[direction];
    }
    task.h = half(run.outputs[layer], direction, size.state());
    task.h0 = run.h0 + row * batch.samples() * size.state();
    task.h_n = run.h_n + row * batch.samples() * size.state();
    if (task.size.has_cell()) {
      task.c0 = run.c0 + row * batch.samples() * size.units;
      task.c_n = run.c_n + row * batch.samples() * size.units;
      // Where nobody wants all of them, c stays in the place of the last.
      task.c = run.cells.empty() ? Grid<float>{task.c_n, 0, static_cast<std::ptrdiff_t>(size.units)}
                                 : run.cells[row];
    }
    task.keep_gates = !run.gates.empty();
    task.rows_at_once = at_once;
    if (task.keep_gates) {
      task.gates = run.gates[row];
    } else {
      floats_.push_back(aligned<float>(rows * gates_row));
      task.gates = floats_.back().get();
    }
    task.done = &done_[number];
    task.beside = &done_[number - part];
    task.beside_count = parts > 1 ? parts : 0;
    task.below = layer == 0 ? nullptr : &done_[first_of(layer - 1, slice)];
    task.below_count = layer == 0 ? 0 : directions * parts;
    task.below_entirely = directions == 2;
    from_[number].resize(samples.samples + rows);
    to_[number].resize(2 * samples.samples + rows);
    task.from = from_[number].data();
    task.to = to_[number].data();
    if (size.projected != 0) {
      floats_.push_back(aligned<float>(rows * gates_row));
      task.raw = floats_.back().get();
    }
    if (size.precision != Precision::fp32) {
      const std::size_t deepest = std::max({task.size.input, task.size.state(), task.size.units});
      floats_.push_back(aligned<float>(rows * LayerSize::low_row(deepest)));
      task.low = floats_.back().get();
    }
  }
}

void ForwardPlan::run(Crew& crew) {
  for (Progress& done : done_) done.turns.store(0, std::memory_order_relaxed);
  const auto run_task = [&](Forward& task) {
    kernels_.run_forward(task);
    task.way = turned(task.way);
  };
  if (crew.size() < threads_) {
    // Others have the threads. Chains wait for each other, so one thread must go layer by layer;
    // the parts of a layer do not wait before the second turn.
    std::ranges::for_each(tasks_, run_task);
    return;
  }
  crew.run(chains_, [&](std::size_t chain) {
    for (std::size_t number = chain; number < tasks_.size(); number += chains_) {
      run_task(tasks_[number]);
    }
  });
}

void Stack::forward(const PackedWeights& weights, const Batch& batch, const StackForward& run,
                    Crew& crew) const {
  ForwardPlan(*this, weights, batch, run, crew).run(crew);
  std::vector<Steps> all;
  all.reserve(run.outputs.size() + run.cells.size());
  for (const Grid<float>& grid : run.outputs) all.push_back({grid, size_.output()});
  for (const Grid<float>& grid : run.cells) all.push_back({grid, size_.units});
  clear_padding(batch, all, crew);
}

std::unique_ptr<Stack::Room> Stack::room_for(std::size_t count) {
  std::unique_ptr<Room> room;
  if (count <= kMostKept) room.reset(room_.exchange(nullptr));  // no other thread gets it then
  if (room != nullptr && room->count >= count) return room;
  room.reset();
  return std::make_unique<Room>(Room{aligned<float>(count), count});
}

void Stack::keep(std::unique_ptr<Room> room) {
  if (room->count > kMostKept) return;
  const std::unique_ptr<Room> other(room_.exchange(room.release()));
}

void Stack::forward_top(const PackedWeights& weights, const Batch& batch, const StackForward& run,
                        Crew& crew, std::size_t states_at_once) {
  const std::size_t steps = batch.steps(), samples = batch.samples(), below = size_.layers - 1;
  const std::size_t width = size_.output(), of_a_step = samples * width;
  // A table of symbols is multiplied once for all steps.
  const bool may_be_cut = size_.directions == 1 && batch.rows() == steps * samples &&
                          run.ids.data == nullptr && below > 0;
  const std::size_t fitting = states_at_once / std::max<std::size_t>(1, of_a_step);
  const std::size_t at_once = may_be_cut ? std::clamp(fitting, std::size_t{1}, steps) : steps;
  std::unique_ptr<Room> room = room_for(below * at_once * of_a_step);
  std::vector<Grid<float>> outputs;
  outputs.reserve(size_.layers);
  for (std::size_t layer = 0; layer < below; ++layer) {
    outputs.push_back({room->memory.get() + layer * at_once * of_a_step,
                       static_cast<std::ptrdiff_t>(of_a_step), static_cast<std::ptrdiff_t>(width)});
  }
  outputs.emplace_back();
  std::vector<float> h, c;  // after the stretch before
  for (std::size_t first = 0; first < steps; first += at_once) {
    StackForward part = run;
    part.x = from_step(run.x, first);
    outputs.back() = from_step(run.outputs.back(), first);
    part.outputs = outputs;
    if (first > 0) {
      h.assign(run.h_n, run.h_n + size_.rows() * samples * size_.state());
      part.h0 = h.data();
    }
    if (first > 0 && size_.cell == Cell::lstm) {
      c.assign(run.c_n, run.c_n + size_.rows() * samples * size_.units);
      part.c0 = c.data();
    }
    if (at_once == steps) {
      ForwardPlan(*this, weights, batch, part, crew).run(crew);
    } else {
      const std::size_t here = std::min(at_once, steps - first);
      const Batch of_part(here, samples, nullptr, batch.slices().size());
      ForwardPlan(*this, weights, of_part, part, crew).run(crew);
    }
  }
  clear_padding(batch, {{run.outputs.back(), width}}, crew);
  keep(std::move(room));
}

}  // namespace unrolled
