// The gradient of a stack: layer by layer from the top, what is left of a layer's weights beside
// the recurrence of the layer below it.
#include <algorithm>
#include <deque>
#include <functional>
#include <iterator>

#include "stack.h"

namespace unrolled {

namespace {

using Job = std::function<void()>;

// One backward run, and all that it needs in memory.
class Descent {
 public:
  Descent(const StackSize& size, const KernelTable& kernels, const Batch& batch,
          const StackBackward& run, Crew& crew)
      : size_(size), kernels_(kernels), batch_(batch), run_(run), crew_(crew) {
    slot_ = kernels.gates_row(size.layer(0)) / size.layer(0).slots();
    padded_state_ = (size.state() + kernels.panel - 1) / kernels.panel * kernels.panel;
  }

  void run(const std::vector<Weights>& weights) {
    pack(weights);
    std::vector<Job> left;
    for (std::size_t layer = size_.layers; layer-- > 0;) {
      std::vector<Job> jobs = recurrence(layer);
      std::move(left.begin(), left.end(), std::back_inserter(jobs));
      do_all(jobs);
      do_all(input_gradients(layer));
      left = weight_gradients(layer);
    }
    do_all(left);
  }

 private:
  float* floats(std::size_t count) {
    memory_.push_back(aligned<float>(count));
    return memory_.back().get();
  }

  void do_all(const std::vector<Job>& jobs) const {
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

  void pack(const std::vector<Weights>& weights) {
    packed_.resize(size_.rows());
    grad_gates_.resize(size_.rows());
    std::vector<Job> jobs;
    for (std::size_t row = 0; row < size_.rows(); ++row) {
      const LayerSize size = size_.layer(row / size_.directions);
      float* memory = floats(kernels_.backward_size(size));
      jobs.push_back([this, &weights, size, row, memory] {
        packed_[row] = kernels_.pack_backward(size, weights[row], memory);
      });
    }
    do_all(jobs);
  }

  std::vector<Job> recurrence(std::size_t layer) {
    std::vector<Job> jobs;
    projected_.assign(size_.directions, nullptr);
    raw_.assign(size_.directions, nullptr);
    for (std::size_t direction = 0; direction < size_.directions; ++direction) {
      // The layer two above is done with.
      if (layer + 2 < size_.layers) grad_gates_[row_of(layer + 2, direction)].reset();
      grad_gates_[row_of(layer, direction)] =
          aligned<float>(batch_.rows() * slot_ * size_.layer(layer).slots());
      if (size_.projected != 0) {
        projected_[direction] = floats(batch_.rows() * size_.state());
        raw_[direction] = floats(batch_.rows() * slot_);
      }
      for (std::size_t slice = 0; slice < batch_.slices().size(); ++slice) {
        jobs.push_back(
            [task = recurrence_of(layer, direction, slice), this] { kernels_.run_backward(task); });
      }
    }
    return jobs;
  }

  Backward recurrence_of(std::size_t layer, std::size_t direction, std::size_t slice) {
    const std::size_t row = row_of(layer, direction);
    const std::size_t samples = batch_.slices()[slice].samples;
    const auto part = [&](const float* all, std::size_t size) {
      return all == nullptr ? nullptr : all + row * batch_.samples() * size;
    };
    Backward task{};
    task.size = size_.layer(layer);
    task.packed = packed_[row];
    task.slice = &batch_.slices()[slice];
    task.reverse = direction == 1;
    task.h = output(row);
    task.grad_h = layer + 1 == size_.layers ? run_.grad_outputs[layer] : from_above_;
    if (task.grad_h.data != nullptr) task.grad_h.data += direction * size_.state();
    task.h0 = part(run_.h0, size_.state());
    task.grad_h_n = part(run_.grad_h_n, size_.state());
    task.grad_h0 = run_.grad_h0 + row * batch_.samples() * size_.state();
    task.gates = run_.gates[row];
    task.grad_gates = grad_gates_[row].get();
    if (task.size.has_cell()) {
      task.c = run_.cells[row];
      task.grad_c = run_.grad_cells[row];
      task.c0 = part(run_.c0, size_.units);
      task.grad_c_n = part(run_.grad_c_n, size_.units);
      task.grad_c0 = run_.grad_c0 + row * batch_.samples() * size_.units;
    }
    if (size_.projected != 0) {
      task.grads_of_projected = projected_[direction];
      task.raw = raw_[direction];
      task.grad_of_raw = floats(samples * slot_);
    }
    task.grad_of_h = floats(samples * padded_state_);
    task.grad_of_c = floats(samples * slot_);
    pointers_.emplace_back(3 * samples);
    task.pointers = pointers_.back().data();
    return task;
  }

  // What the layer below gets, or the input; both directions of a step in one job.
  std::vector<Job> input_gradients(std::size_t layer) {
    Grid<float> to = run_.grad_x;
    Grid<const float> outside{};
    if (layer > 0) {
      outside = run_.grad_outputs[layer - 1];
      const std::size_t width = size_.output();
      to = {floats(batch_.turns() * batch_.samples() * width),
            static_cast<std::ptrdiff_t>(batch_.samples() * width),
            static_cast<std::ptrdiff_t>(width)};
      from_above_ = {to.data, to.step, to.sample};
    }
    std::vector<Job> jobs;
    if (to.data == nullptr) return jobs;
    const std::size_t parts = std::min(batch_.turns(), 2 * crew_.size());
    for (std::size_t part = 0; part < parts; ++part) {
      const std::size_t first = batch_.turns() * part / parts;
      const std::size_t end = batch_.turns() * (part + 1) / parts;
      jobs.push_back([=, this] { input_gradient(layer, first, end, to, outside); });
    }
    return jobs;
  }

  void input_gradient(std::size_t layer, std::size_t first, std::size_t end, const Grid<float>& to,
                      const Grid<const float>& outside) const {
    const LayerSize size = size_.layer(layer);
    const std::size_t row_size = slot_ * size.slots();
    std::vector<const float*> gates;
    std::vector<float*> grads;
    for (std::size_t direction = 0; direction < size_.directions; ++direction) {
      const std::size_t row = row_of(layer, direction);
      gates.clear(), grads.clear();
      batch_.for_each_row([&](std::size_t sample, std::size_t turn, std::size_t at) {
        const std::size_t step = batch_.step(sample, turn, direction == 1);
        if (step < first || step >= end) return;
        gates.push_back(grad_gates_[row].get() + at * row_size);
        grads.push_back(to.at(step, sample));
        if (direction == 0 && outside.data != nullptr) {
          std::copy_n(outside.at(step, sample), size.input, grads.back());
        }
      });
      kernels_.input_gradient(size, packed_[row].input, gates.data(), gates.size(), grads.data(),
                              direction > 0 || outside.data != nullptr);
    }
  }

  std::vector<Job> weight_gradients(std::size_t layer) {
    const LayerSize size = size_.layer(layer);
    std::vector<Job> jobs;
    for (std::size_t direction = 0; direction < size_.directions; ++direction) {
      const std::size_t row = row_of(layer, direction);
      const Gradients& to = run_.gradients[row];
      if (to.input == nullptr) continue;
      rows_.push_back(rows_of(layer, direction));
      const Rows& rows = rows_.back();
      for (std::size_t slot = 0; slot < size.gates(); ++slot) {
        add_product(jobs, rows.gates, slot * slot_, rows.x, size.units, size.input,
                    to.input + size.input_gate(slot) * size.units * size.input);
      }
      for (std::size_t slot = size.first_state_slot(); slot < size.slots(); ++slot) {
        add_product(jobs, rows.gates, slot * slot_, rows.h_before, size.units, size.state(),
                    to.state + size.state_gate(slot) * size.units * size.state());
      }
      if (size.projected != 0) {
        add_product(jobs, rows.projected, 0, rows.raw, size.projected, size.units, to.projection);
      }
      if (to.input_bias != nullptr) {
        jobs.push_back([=, this, &rows] { bias_gradients(size, rows.gates, to); });
      }
    }
    return jobs;
  }

  struct Rows {
    std::vector<const float*> gates, x, h_before, projected, raw;
  };

  Rows rows_of(std::size_t layer, std::size_t direction) const {
    const std::size_t row = row_of(layer, direction);
    const std::size_t row_size = slot_ * size_.layer(layer).slots();
    const bool reverse = direction == 1;
    const Grid<const float> x = input(layer), h = output(row);
    const float* h0 = run_.h0 + row * batch_.samples() * size_.state();
    Rows rows;
    batch_.for_each_row([&](std::size_t sample, std::size_t turn, std::size_t at) {
      rows.gates.push_back(grad_gates_[row].get() + at * row_size);
      rows.x.push_back(x.at(batch_.step(sample, turn, reverse), sample));
      rows.h_before.push_back(turn == 0 ? h0 + sample * size_.state()
                                        : h.at(batch_.step(sample, turn - 1, reverse), sample));
      if (size_.projected != 0) {
        rows.projected.push_back(projected_[direction] + at * size_.state());
        rows.raw.push_back(raw_[direction] + at * slot_);
      }
    });
    return rows;
  }

  // weight (columns, depth) += the sum of outer products, in jobs of some columns each.
  void add_product(std::vector<Job>& jobs, const std::vector<const float*>& grads,
                   std::size_t offset, const std::vector<const float*>& values, std::size_t columns,
                   std::size_t depth, float* weight) const {
    constexpr std::size_t columns_at_once = 192;
    for (std::size_t first = 0; first < columns; first += columns_at_once) {
      const std::size_t here = std::min(columns_at_once, columns - first);
      jobs.push_back([=, this, &grads, &values] {
        std::vector<const float*> shifted(grads.size());
        for (std::size_t i = 0; i < grads.size(); ++i) shifted[i] = grads[i] + offset + first;
        const Aligned<float> scratch = aligned<float>(kernels_.weight_gradient_scratch(depth));
        kernels_.weight_gradient(shifted.data(), values.data(), values.size(), here, depth,
                                 scratch.get(), weight + first * depth);
      });
    }
  }

  void bias_gradients(const LayerSize& size, const std::vector<const float*>& gates,
                      const Gradients& to) const {
    std::vector<float> sums(slot_ * size.slots());
    kernels_.bias_gradient(gates.data(), gates.size(), sums.size(), sums.data());
    for (std::size_t slot = 0; slot < size.slots(); ++slot) {
      const float* from = sums.data() + slot * slot_;
      if (slot < size.gates()) {
        std::copy_n(from, size.units, to.input_bias + size.input_gate(slot) * size.units);
      }
      if (slot >= size.first_state_slot()) {
        std::copy_n(from, size.units, to.state_bias + size.state_gate(slot) * size.units);
      }
    }
  }

  const StackSize& size_;
  const KernelTable& kernels_;
  const Batch& batch_;
  const StackBackward& run_;
  Crew& crew_;
  std::size_t slot_, padded_state_;
  std::vector<Packed> packed_;
  std::vector<Aligned<float>> memory_, grad_gates_;
  std::deque<std::vector<float*>> pointers_;
  std::deque<Rows> rows_;
  std::vector<float*> projected_, raw_;
  Grid<const float> from_above_{};
};

}  // namespace

void Stack::backward(const Batch& batch, const std::vector<Weights>& weights,
                     const StackBackward& run, Crew& crew) const {
  Descent(size_, kernels_, batch, run, crew).run(weights);
}

}  // namespace unrolled
