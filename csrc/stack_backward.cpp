// The gradient of a stack: layer by layer from the top, and in a layer stretch by stretch of turns
// from the last, what is left for the weights of one stretch beside the recurrence of the next.
#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <iterator>

#include "stack.h"
#include "weight_gradients.h"

namespace unrolled {

namespace {

// Rows whose gradients of the gates are held at once, at least: enough that a product over them
// reads the weights' gradients seldom, few enough that they are a small part of what a run saved.
constexpr std::size_t kRowsOfStretch = 256;
// Products of a turn that take as long as a thread waits for the others, and longer than what is
// not shared between them.
constexpr std::size_t kProductsOfAPart = 1 << 12;

// Turns that go back together, and their rows.
struct Stretch {
  std::size_t first, end, first_row, rows;
};

// In an order that does not depend on how the batch is cut.
std::vector<Stretch> stretches_of(const Batch& batch) {
  std::vector<Stretch> found;
  for (std::size_t end = batch.turns(); end > 0; end = found.back().first) {
    std::size_t first = end - 1;
    const std::size_t end_row = batch.first_row(end);
    while (first > 0 && end_row - batch.first_row(first) < kRowsOfStretch) --first;
    found.push_back({first, end, batch.first_row(first), end_row - batch.first_row(first)});
  }
  return found;
}

// Gradients of one direction over a stretch, from the recurrence to the products of the weights.
struct Held {
  Aligned<float> gates, projected, raw;
  GradientRows rows;
};

// The matrices of one layer and direction; the input's is absent where nobody wants its gradient.
struct PackedMatrices {
  Aligned<float> input, state, projection;
};

// One backward run, and all that it needs in memory.
class Descent {
 public:
  Descent(const StackSize& size, const KernelTable& kernels, const Batch& batch,
          const std::vector<Weights>& weights, const StackBackward& run, Crew& crew)
      : size_(size),
        kernels_(kernels),
        batch_(batch),
        weights_(weights),
        run_(run),
        crew_(crew),
        slot_(kernels.gates_row(size.layer(0)) / size.layer(0).slots()),
        padded_state_((size.state() + kernels.panel - 1) / kernels.panel * kernels.panel),
        parts_(most_parts(size, batch, slot_ / kernels.panel, crew.size(), kProductsOfAPart)),
        packed_(size.rows()) {}

  void run() {
    const std::vector<Stretch> stretches = stretches_of(batch_);
    if (run_.grad_x.data != nullptr) clear_padding(batch_, {{run_.grad_x, size_.input}}, crew_);
    for (std::size_t row = 0; stretches.empty() && row < size_.rows(); ++row) {
      const WeightGradients gradients = weights_of(row, false);
      if (gradients.to.input != nullptr) gradients.clear();
    }
    std::vector<Job> left = packings(size_.layers - 1);
    do_all(left);
    left.clear();
    for (std::size_t layer = size_.layers; layer-- > 0;) {
      std::vector<Backward> tasks = recurrences(layer);
      prepare_input_gradient(layer);
      for (const Stretch& stretch : stretches) {
        now_ = 1 - now_;
        std::vector<Job> jobs = recurrence(tasks, layer, stretch);
        std::ranges::move(left, std::back_inserter(jobs));
        if (stretch.first == 0 && layer > 0) {
          std::vector<Job> more = packings(layer - 1);
          std::ranges::move(more, std::back_inserter(jobs));
        }
        do_all(jobs);
        input_gradients(layer, stretch, true);
        if (size_.directions == 2) input_gradients(layer, stretch, false);
        left = weight_gradients(layer, stretch);
      }
      for (std::size_t direction = 0; direction < size_.directions; ++direction) {
        packed_[row_of(layer, direction)] = {};
      }
    }
    do_all(left);
  }

 private:
  float* floats(std::size_t count) {
    memory_.push_back(aligned<float>(count));
    return memory_.back().get();
  }

  void do_all(const std::vector<Job>& jobs) const {
    if (jobs.empty()) return;
    crew_.run(jobs.size(), [&](std::size_t number) { jobs[number](); });
  }

  Grid<const float> input(std::size_t layer) const {
    return layer == 0 ? run_.x : run_.outputs[layer - 1];
  }

  Grid<const float> output(std::size_t row) const {
    const std::size_t direction = row % size_.directions;
    Grid<const float> grid = run_.outputs[row / size_.directions];
    grid.data += direction * size_.state();
    return grid;
  }

  std::size_t row_of(std::size_t layer, std::size_t direction) const {
    return layer * size_.directions + direction;
  }

  std::size_t row_size(std::size_t layer) const { return slot_ * size_.layer(layer).slots(); }

  std::vector<Job> packings(std::size_t layer) {
    std::vector<Job> jobs;
    for (std::size_t direction = 0; direction < size_.directions; ++direction) {
      PackedMatrices& packed = packed_[row_of(layer, direction)];
      const Weights& weights = weights_[row_of(layer, direction)];
      const auto pack = [&](Matrix matrix, Aligned<float>& memory) {
        const LayerSize size = size_.layer(layer);
        const std::size_t count = kernels_.backward_size(size, matrix);
        if (count == 0) return;
        memory = aligned<float>(count);
        jobs.push_back([this, size, &weights, matrix, to = memory.get()] {
          kernels_.pack_backward(size, weights, matrix, to);
        });
      };
      pack(Matrix::state, packed.state);
      pack(Matrix::projection, packed.projection);
      if (layer > 0 || run_.grad_x.data != nullptr) pack(Matrix::input, packed.input);
    }
    return jobs;
  }

  // The recurrences of a layer, part by part of each slice of each direction, without a stretch
  // yet. Parts wait for each other at every turn: where there are several, each has a thread.
  std::vector<Backward> recurrences(std::size_t layer) {
    const std::size_t slices = batch_.slices().size(), panels = slot_ / kernels_.panel;
    done_ = std::vector<Progress>(size_.directions * slices * parts_);
    std::vector<Backward> tasks;
    for (std::size_t direction = 0; direction < size_.directions; ++direction) {
      for (std::size_t slice = 0; slice < slices; ++slice) {
        const Backward whole = recurrence_of(layer, direction, slice);
        for (std::size_t part = 0; part < parts_; ++part) {
          Backward& task = tasks.emplace_back(whole);
          task.first_panel = panels * part / parts_;
          task.end_panel = panels * (part + 1) / parts_;
          task.beside = &done_[tasks.size() - 1 - part];
          task.beside_count = parts_ > 1 ? parts_ : 0;
          task.done = &done_[tasks.size() - 1];
          pointers_.emplace_back(3 * whole.slice->samples);
          task.pointers = pointers_.back().data();
        }
      }
    }
    return tasks;
  }

  Backward recurrence_of(std::size_t layer, std::size_t direction, std::size_t slice) {
    const std::size_t row = row_of(layer, direction);
    const std::size_t samples = batch_.slices()[slice].samples;
    const auto part = [&](const float* all, std::size_t size) {
      return all == nullptr ? nullptr : all + row * batch_.samples() * size;
    };
    Backward task{};
    task.size = size_.layer(layer);
    const PackedMatrices& packed = packed_[row];
    task.packed = {packed.input.get(), packed.state.get(), packed.projection.get()};
    task.slice = &batch_.slices()[slice];
    task.reverse = direction == 1;
    task.h = output(row);
    task.grad_h = layer + 1 == size_.layers ? run_.grad_outputs[layer] : from_above_;
    if (task.grad_h.data != nullptr) task.grad_h.data += direction * size_.state();
    task.h0 = part(run_.h0, size_.state());
    task.grad_h_n = part(run_.grad_h_n, size_.state());
    task.grad_h0 = run_.grad_h0 + row * batch_.samples() * size_.state();
    task.gates = run_.gates[row];
    if (task.size.has_cell()) {
      task.c = run_.cells[row];
      task.grad_c = run_.grad_cells[row];
      task.c0 = part(run_.c0, size_.units);
      task.grad_c_n = part(run_.grad_c_n, size_.units);
      task.grad_c0 = run_.grad_c0 + row * batch_.samples() * size_.units;
    }
    if (size_.projected != 0) task.grad_of_raw = floats(samples * slot_);
    task.grad_of_h = floats(samples * padded_state_);
    task.grad_of_c = floats(samples * slot_);
    return task;
  }

  std::vector<Job> recurrence(std::vector<Backward>& tasks, std::size_t layer,
                              const Stretch& stretch) {
    for (std::size_t direction = 0; direction < size_.directions; ++direction) {
      make_room(held_[now_][direction], layer, stretch.rows);
    }
    std::vector<Job> jobs;
    for (Backward& task : tasks) {
      const Held& held = held_[now_][task.reverse ? 1 : 0];
      task.first_turn = stretch.first;
      task.end_turn = stretch.end;
      task.first_row = stretch.first_row;
      task.grad_gates = held.gates.get();
      task.grads_of_projected = held.projected.get();
      task.raw = held.raw.get();
      jobs.push_back([&task, this] { kernels_.run_backward(task); });
    }
    return jobs;
  }

  void make_room(Held& held, std::size_t layer, std::size_t rows) const {
    held = {};
    held.gates = aligned<float>(rows * row_size(layer));
    if (size_.projected != 0) {
      held.projected = aligned<float>(rows * size_.state());
      held.raw = aligned<float>(rows * slot_);
    }
  }

  // Where the gradient of the layer's input goes: to the layer below, or outside.
  void prepare_input_gradient(std::size_t layer) {
    to_ = run_.grad_x;
    outside_ = {};
    if (layer == 0) return;
    outside_ = run_.grad_outputs[layer - 1];
    const std::size_t width = size_.output();
    Aligned<float>& memory = between_[layer % 2];
    memory = aligned<float>(batch_.turns() * batch_.samples() * width);
    to_ = {memory.get(), static_cast<std::ptrdiff_t>(batch_.samples() * width),
           static_cast<std::ptrdiff_t>(width)};
    from_above_ = {to_.data, to_.step, to_.sample};
  }

  // A step is reached by both directions, in the order of their turns, from the last: the first to
  // come writes and the other adds, wherever a stretch ends.
  bool comes_first(std::size_t turn, std::size_t length, std::size_t direction) const {
    if (size_.directions == 1 || 2 * turn + 1 > length) return true;
    return 2 * turn + 1 == length && direction == 0;
  }

  // Of the rows that come first at their step, or of those that come second.
  void input_gradients(std::size_t layer, const Stretch& stretch, bool first) const {
    if (to_.data == nullptr) return;
    struct Reached {
      std::vector<const float*> gates, outside;
      std::vector<float*> grads;
    };
    std::array<Reached, 2> of_directions;
    std::vector<Job> jobs;
    for (std::size_t direction = 0; direction < size_.directions; ++direction) {
      Reached& reached = of_directions[direction];
      const float* gates = held_[now_][direction].gates.get();
      batch_.for_each_row(
          stretch.first, stretch.end, [&](std::size_t sample, std::size_t turn, std::size_t at) {
            if (comes_first(turn, batch_.length(sample), direction) != first) return;
            const std::size_t step = batch_.step(sample, turn, direction == 1);
            reached.gates.push_back(gates + (at - stretch.first_row) * row_size(layer));
            reached.grads.push_back(to_.at(step, sample));
            if (first && outside_.data != nullptr) {
              reached.outside.push_back(outside_.at(step, sample));
            }
          });
      const std::size_t count = reached.gates.size(), parts = std::min(count, 2 * crew_.size());
      for (std::size_t part = 0; part < parts; ++part) {
        const std::size_t begin = count * part / parts, end = count * (part + 1) / parts;
        jobs.push_back([=, this, &reached] {
          const LayerSize size = size_.layer(layer);
          const bool is_added = !reached.outside.empty();
          for (std::size_t i = begin; is_added && i < end; ++i) {
            std::copy_n(reached.outside[i], size.input, reached.grads[i]);
          }
          kernels_.input_gradient(size, packed_[row_of(layer, direction)].input.get(),
                                  reached.gates.data() + begin, end - begin,
                                  reached.grads.data() + begin, !first || is_added);
        });
      }
    }
    do_all(jobs);
  }

  WeightGradients weights_of(std::size_t row, bool add) const {
    return {kernels_, size_.layer(row / size_.directions), run_.gradients[row], add};
  }

  // The first stretch writes them, the others add to them.
  std::vector<Job> weight_gradients(std::size_t layer, const Stretch& stretch) {
    std::vector<Job> jobs;
    for (std::size_t direction = 0; direction < size_.directions; ++direction) {
      const WeightGradients gradients =
          weights_of(row_of(layer, direction), stretch.end < batch_.turns());
      if (gradients.to.input == nullptr) continue;
      Held& held = held_[now_][direction];
      collect_rows(held, layer, direction, stretch);
      gradients.append_jobs(held.rows, jobs);
    }
    return jobs;
  }

  void collect_rows(Held& held, std::size_t layer, std::size_t direction,
                    const Stretch& stretch) const {
    const bool reverse = direction == 1;
    const std::size_t row = row_of(layer, direction);
    const Grid<const float> x = input(layer), h = output(row);
    const float* h0 = run_.h0 + row * batch_.samples() * size_.state();
    batch_.for_each_row(
        stretch.first, stretch.end, [&](std::size_t sample, std::size_t turn, std::size_t number) {
          const std::size_t at = number - stretch.first_row;
          held.rows.gates.push_back(held.gates.get() + at * row_size(layer));
          held.rows.x.push_back(x.at(batch_.step(sample, turn, reverse), sample));
          held.rows.h_before.push_back(turn == 0
                                           ? h0 + sample * size_.state()
                                           : h.at(batch_.step(sample, turn - 1, reverse), sample));
          if (size_.projected != 0) {
            held.rows.projected.push_back(held.projected.get() + at * size_.state());
            held.rows.raw.push_back(held.raw.get() + at * slot_);
          }
        });
  }

  const StackSize& size_;
  const KernelTable& kernels_;
  const Batch& batch_;
  const std::vector<Weights>& weights_;
  const StackBackward& run_;
  Crew& crew_;
  const std::size_t slot_, padded_state_, parts_;
  std::vector<PackedMatrices> packed_;
  std::vector<Aligned<float>> memory_;
  std::deque<std::vector<float*>> pointers_;
  std::vector<Progress> done_;  // of the recurrences of a layer
  // By direction: of this stretch, and of the one before it, which the weights still wait for.
  std::array<std::array<Held, 2>, 2> held_;
  std::size_t now_ = 0;
  // The gradients of a layer's input, which the layer below reads; of two layers in turn.
  std::array<Aligned<float>, 2> between_;
  Grid<float> to_{};
  Grid<const float> outside_{}, from_above_{};
};

}  // namespace

void Stack::backward(const Batch& batch, const std::vector<Weights>& weights,
                     const StackBackward& run, Crew& crew) const {
  Descent(size_, kernels_, batch, weights, run, crew).run();
}

}  // namespace unrolled
