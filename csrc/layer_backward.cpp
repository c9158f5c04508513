// The gradient of one layer in one direction. Compiled once for each instruction set.
//
// Turn by turn from the last to the first: the gradient of h goes through the equations of the
// cell, which leave the gradients of the gates in place of the gates, and through the recurrent
// weights to the turn before. What does not depend on the turn before, the gradients of the input
// and of the weights, is left for one product over all rows.
#include <cstring>

#include "cells.h"
#include "gemm.h"
#include "layer_kernels.h"

namespace unrolled::UNROLLED_ISA {

namespace {

// Of the products over all rows: rows and, of the gradients, columns that are packed at once: three
// lines of the cache, and whole blocks.
constexpr std::size_t kRowsAtOnce = 256, kColumnsAtOnce = 8 * kRows;

std::size_t slot_size(const LayerSize& size) { return panels_of(size.units) * kPanel; }

std::size_t state_depth(const LayerSize& size) {
  return (size.slots() - size.first_state_slot()) * slot_size(size);
}

std::size_t padded_state(const LayerSize& size) { return panels_of(size.state()) * kPanel; }

// Rows of a matrix of so many columns into its panels, of which each has `depth` rows and is begun
// already. Row by row, as they lie in memory.
void pack_rows(const float* weight, std::size_t rows, std::size_t columns, std::size_t depth,
               float* packed) {
  const std::size_t whole = columns / kPanel, rest = columns - whole * kPanel;
  for (std::size_t row = 0; row < rows; ++row, weight += columns, packed += kPanel) {
    float* to = packed;
    for (std::size_t panel = 0; panel < whole; ++panel, to += panel_size(depth)) {
      std::memcpy(to, weight + panel * kPanel, kPanel * sizeof(float));
    }
    if (rest == 0) continue;
    std::memset(to, 0, kPanel * sizeof(float));
    std::memcpy(to, weight + whole * kPanel, rest * sizeof(float));
  }
}

// The bias of a panel, and rows of it that are padding: zeros.
void clear_rows(float* panel, std::size_t first, std::size_t end) {
  std::memset(panel, 0, kPanel * sizeof(float));
  std::memset(panel + kPanel * (1 + first), 0, kPanel * (end - first) * sizeof(float));
}

// For products with W where `pack` packs for those with W^T; they have no bias. Row `unit` of the
// gate in slot s is at depth s * slot_size + unit; the rows between are 0.
void pack_gates(const float* weight, std::size_t columns, const LayerSize& size, bool of_state,
                float* packed) {
  const std::size_t first_slot = of_state ? size.first_state_slot() : 0;
  const std::size_t slots = of_state ? size.slots() - first_slot : size.gates();
  const std::size_t depth = slots * slot_size(size);
  for (std::size_t s = 0; s < slots; ++s) {
    const std::size_t slot = first_slot + s, first = s * slot_size(size);
    for (std::size_t panel = 0; panel < panels_of(columns); ++panel) {
      clear_rows(packed + panel * panel_size(depth), first + size.units, first + slot_size(size));
    }
    const std::size_t gate = of_state ? size.state_gate(slot) : size.input_gate(slot);
    pack_rows(weight + gate * size.units * columns, size.units, columns, depth,
              packed + kPanel * (1 + first));
  }
}

void pack_projection(const float* weight, const LayerSize& size, float* packed) {
  const std::size_t depth = padded_state(size);
  for (std::size_t panel = 0; panel < panels_of(size.units); ++panel) {
    clear_rows(packed + panel * panel_size(depth), size.projected, depth);
  }
  pack_rows(weight, size.projected, size.units, depth, packed + kPanel);
}

// Some of the values of a row, of which those from `whole` on only fill the last panel.
struct Range {
  std::size_t first, end, whole;

  std::size_t last() const { return smaller(end, whole); }
};

Range units_of(const Backward& task) {
  return {task.first_panel * kPanel, task.end_panel * kPanel, task.size.units};
}

// A projection mixes the units, and then a task has all of them.
Range states_of(const Backward& task) {
  if (task.size.projected == 0) return units_of(task);
  return {0, padded_state(task.size), task.size.state()};
}

void clear(float* row, const Range& range) {
  std::memset(row + range.first, 0, (range.end - range.first) * sizeof(float));
}

void copy(const float* from, const Range& range, float* to) {
  std::memcpy(to + range.first, from + range.first, (range.last() - range.first) * sizeof(float));
}

void add(const float* from, const Range& range, float* to) {
  for (std::size_t i = range.first; i < range.last(); ++i) to[i] += from[i];
}

// What came from later turns and from outside, for h and c of one turn.
void gather_gradients(const Backward& task, std::size_t turn) {
  const Slice& slice = *task.slice;
  const LayerSize& size = task.size;
  const Range units = units_of(task), states = states_of(task);
  for (std::size_t row = 0; row < slice.alive[turn]; ++row) {
    const std::size_t sample = slice.sample[row];
    const std::size_t step = slice.step(row, turn, task.reverse);
    float* h = task.grad_of_h + row * padded_state(size);
    float* c = task.grad_of_c + row * slot_size(size);
    if (turn + 1 == slice.length[row]) {
      clear(h, states);
      if (task.grad_h_n != nullptr) copy(task.grad_h_n + sample * size.state(), states, h);
      if (size.has_cell()) {
        clear(c, units);
        if (task.grad_c_n != nullptr) copy(task.grad_c_n + sample * size.units, units, c);
      }
    }
    if (task.grad_h.data != nullptr) add(task.grad_h.at(step, sample), states, h);
    if (task.grad_c.data != nullptr) add(task.grad_c.at(step, sample), units, c);
  }
}

// An infinite input has left NaN in the lanes beyond the last unit, which must not go on.
template <Cell cell>
void clear_lanes(float* gates, float* grad_h, float* grad_c, const LayerSize& size,
                 std::size_t count) {
  for (std::size_t slot = 0; slot < size.slots(); ++slot) {
    float* const gate = gates + slot * slot_size(size);
    store(gate, load_some(gate, count));
  }
  store(grad_h, load_some(grad_h, count));
  if constexpr (cell == Cell::lstm) store(grad_c, load_some(grad_c, count));
}

template <Cell cell>
void apply_cell(const Backward& task, std::size_t turn, float* const* grad_gates,
                float* const* grads) {
  const Slice& slice = *task.slice;
  const LayerSize& size = task.size;
  const Range units = units_of(task);
  for (std::size_t row = 0; row < slice.alive[turn]; ++row) {
    const std::size_t sample = slice.sample[row];
    const std::size_t step = slice.step(row, turn, task.reverse);
    const std::size_t before = turn == 0 ? 0 : slice.step(row, turn - 1, task.reverse);
    const float *h_before = nullptr, *c_before = nullptr, *c = nullptr;
    if constexpr (cell == Cell::gru) {
      h_before = turn == 0 ? task.h0 + sample * size.units : task.h.at(before, sample);
    }
    if constexpr (cell == Cell::lstm) {
      c_before = turn == 0 ? task.c0 + sample * size.units : task.c.at(before, sample);
      c = task.c.at(step, sample);
    }
    const std::size_t number = slice.row(row, turn);
    const float* gates = task.gates + number * gates_row(size);
    float* of_c = task.grad_of_c + row * slot_size(size);
    for (std::size_t u = units.first; u < units.end; u += kWidth) {
      const std::size_t count = u < size.units ? size.units - u : 0;
      Vector grad_h = load(grads[row] + u), grad_c{}, before_h{}, before_c{}, now_c{};
      if constexpr (cell == Cell::gru) before_h = load_some(h_before + u, count);
      if constexpr (cell == Cell::lstm) {
        before_c = load_some(c_before + u, count);
        now_c = load_some(c + u, count);
        grad_c = load(of_c + u);
        if (task.raw != nullptr) {
          store(task.raw + (number - task.first_row) * slot_size(size) + u,
                load(gates + 3 * slot_size(size) + u) * hyperbolic_tangent(now_c));
        }
      }
      cell_backward<cell>({gates + u, slot_size(size)}, {grad_gates[row] + u, slot_size(size)},
                          before_h, before_c, now_c, grad_h, grad_c);
      store(grads[row] + u, grad_h);
      if constexpr (cell == Cell::lstm) store(of_c + u, grad_c);
      if (count < kWidth)
        clear_lanes<cell>(grad_gates[row] + u, grads[row] + u, of_c + u, size, count);
    }
  }
}

template <Cell cell>
void run(const Backward& task) {
  const LayerSize& size = task.size;
  const Slice& slice = *task.slice;
  const std::size_t row_size = gates_row(size);
  const Range units = units_of(task), states = states_of(task);
  const std::size_t first_panel = states.first / kPanel, end_panel = states.end / kPanel;
  float **gates = task.pointers, **grads = gates + slice.samples;
  Way way = Way::up;
  for (std::size_t turn = smaller(slice.turns, task.end_turn); turn-- > task.first_turn;) {
    const std::size_t alive = slice.alive[turn];
    gather_gradients(task, turn);
    for (std::size_t row = 0; row < alive; ++row) {
      gates[row] = task.grad_gates + (slice.row(row, turn) - task.first_row) * row_size;
      grads[row] = task.grad_of_h + row * padded_state(size);
    }
    if (size.projected != 0) {
      for (std::size_t row = 0; row < alive; ++row) {
        std::memcpy(
            task.grads_of_projected + (slice.row(row, turn) - task.first_row) * size.state(),
            grads[row], size.state() * sizeof(float));
      }
      float* raw = task.grad_of_raw;
      std::memset(raw, 0, alive * slot_size(size) * sizeof(float));
      float** raws = grads + slice.samples;
      for (std::size_t row = 0; row < alive; ++row) raws[row] = raw + row * slot_size(size);
      multiply_onto(grads, alive, task.packed.projection, 0, panels_of(size.units),
                    padded_state(size), raws, way);
      apply_cell<cell>(task, turn, gates, raws);
      std::memset(task.grad_of_h, 0, alive * padded_state(size) * sizeof(float));
    } else {
      apply_cell<cell>(task, turn, gates, grads);
    }
    for (std::size_t row = 0; row < alive; ++row) {
      gates[row] += size.first_state_slot() * slot_size(size);
    }
    // The product reads all gates of this turn and adds to the task's own units. The gates of the
    // next turn lie elsewhere, so one wait a turn is enough.
    const std::size_t turns_done = slice.turns - turn;
    announce(*task.done, turns_done);
    for (std::size_t other = 0; other < task.beside_count; ++other) {
      await(task.beside[other], turns_done);
    }
    multiply_onto(gates, alive, task.packed.state, first_panel, end_panel, state_depth(size), grads,
                  way);
    way = turned(way);
  }
  if (task.first_turn > 0) return;
  for (std::size_t row = 0; row < slice.samples; ++row) {
    const std::size_t sample = slice.sample[row];
    copy(task.grad_of_h + row * padded_state(size), states, task.grad_h0 + sample * size.state());
    if (size.has_cell()) {
      copy(task.grad_of_c + row * slot_size(size), units, task.grad_c0 + sample * size.units);
    }
  }
}

// c[row][0..here) = sum over k of a[k][row] * panel[k]: an outer product at each k. What it may be
// added to is read last, when it has come from memory.
template <int Rows>
void add_outer(const float* a, const float* panel, std::size_t count, float* c,
               std::size_t c_stride, std::size_t here, bool add) {
  UNROLLED_UNROLL
  for (int r = 0; r < Rows; ++r) {
    UNROLLED_UNROLL
    for (int v = 0; v < kPanelVectors; ++v) {
      const std::size_t at = v * kWidth;
      if (at < here) __builtin_prefetch(c + r * c_stride + at, 1);
    }
  }
  Vector sums[Rows][kPanelVectors]{};
  const auto multiply = [&](std::size_t k) __attribute__((always_inline)) {
    Vector values[kPanelVectors];
    UNROLLED_UNROLL
    for (int v = 0; v < kPanelVectors; ++v) values[v] = load(panel + k * kPanel + v * kWidth);
    UNROLLED_UNROLL
    for (int r = 0; r < Rows; ++r) {
      const Vector value = broadcast(a[k * kRows + r]);
      UNROLLED_UNROLL
      for (int v = 0; v < kPanelVectors; ++v) sums[r][v] += value * values[v];
    }
  };
  std::size_t k = 0;
  for (; k + 4 <= count; k += 4) {
    UNROLLED_UNROLL
    for (int more = 0; more < 4; ++more) multiply(k + more);
  }
  for (; k < count; ++k) multiply(k);
  UNROLLED_UNROLL
  for (int r = 0; r < Rows; ++r) {
    UNROLLED_UNROLL
    for (int v = 0; v < kPanelVectors; ++v) {
      const std::size_t at = v * kWidth;
      if (at >= here) continue;
      float* const to = c + r * c_stride + at;
      const Vector before = add ? load_some(to, here - at) : Vector{};
      store_some(to, before + sums[r][v], here - at);
    }
  }
}

using AddOuter = void (*)(const float*, const float*, std::size_t, float*, std::size_t, std::size_t,
                          bool);

// Panels of some rows of values, k innermost, as `accumulate` reads weights. Row by row, as they
// lie in memory.
void pack_values(const float* const* values, std::size_t rows, std::size_t depth, float* packed) {
  const std::size_t whole = depth / kPanel, rest = depth - whole * kPanel;
  for (std::size_t k = 0; k < rows; ++k) {
    float* to = packed + k * kPanel;
    for (std::size_t panel = 0; panel < whole; ++panel, to += kRowsAtOnce * kPanel) {
      std::memcpy(to, values[k] + panel * kPanel, kPanel * sizeof(float));
    }
    if (rest == 0) continue;
    std::memset(to, 0, kPanel * sizeof(float));
    std::memcpy(to, values[k] + whole * kPanel, rest * sizeof(float));
  }
}

// Columns of the gradients in blocks of as many as stay in registers, k innermost.
void pack_columns(const float* const* grads, std::size_t rows, std::size_t first,
                  std::size_t columns, float* packed) {
  const std::size_t whole = columns / kRows, rest = columns - whole * kRows;
  for (std::size_t k = 0; k < rows; ++k) {
    const float* from = grads[k] + first;
    float* to = packed + k * kRows;
    for (std::size_t block = 0; block < whole; ++block, from += kRows, to += kRowsAtOnce * kRows) {
      std::memcpy(to, from, kRows * sizeof(float));
    }
    std::memcpy(to, from, rest * sizeof(float));
  }
}

}  // namespace

std::size_t backward_size(const LayerSize& size, Matrix matrix) {
  switch (matrix) {
    case Matrix::input:
      return packed_size(size.input, size.gates() * slot_size(size));
    case Matrix::state:
      return packed_size(size.state(), state_depth(size));
    case Matrix::projection:
      return size.projected == 0 ? 0 : packed_size(size.units, padded_state(size));
  }
  return 0;
}

void pack_backward(const LayerSize& size, const Weights& weights, Matrix matrix, float* packed) {
  switch (matrix) {
    case Matrix::input:
      return pack_gates(weights.input, size.input, size, false, packed);
    case Matrix::state:
      return pack_gates(weights.state, size.state(), size, true, packed);
    case Matrix::projection:
      return pack_projection(weights.projection, size, packed);
  }
}

void run_backward(const Backward& task) {
  switch (task.size.cell) {
    case Cell::rnn_tanh:
      return run<Cell::rnn_tanh>(task);
    case Cell::rnn_relu:
      return run<Cell::rnn_relu>(task);
    case Cell::gru:
      return run<Cell::gru>(task);
    case Cell::lstm:
      return run<Cell::lstm>(task);
  }
}

void input_gradient(const LayerSize& size, const float* packed, const float* const* gates,
                    std::size_t rows, float* const* grads, bool add) {
  multiply_whole(gates, rows, packed, size.input, size.gates() * slot_size(size), grads, add);
}

// Rows are taken a few at a time, so that the packed values of all of them stay in the cache
// while every column of the gradients passes.
void weight_gradient(const float* const* grads, const float* const* values, std::size_t rows,
                     std::size_t columns, std::size_t depth, float* scratch, float* weight,
                     std::size_t stride, bool add) {
  static_assert(kRows == 6);
  static constexpr AddOuter blocks[] = {add_outer<1>, add_outer<2>, add_outer<3>,
                                        add_outer<4>, add_outer<5>, add_outer<6>};
  const std::size_t panels = panels_of(depth);
  float* const packed_values = scratch + kRowsAtOnce * kColumnsAtOnce;
  for (std::size_t first = 0; first < rows; first += kRowsAtOnce) {
    const std::size_t count = smaller(kRowsAtOnce, rows - first);
    pack_values(values + first, count, depth, packed_values);
    for (std::size_t column = 0; column < columns; column += kRows) {
      const std::size_t in_scratch = column % kColumnsAtOnce;
      if (in_scratch == 0) {
        pack_columns(grads + first, count, column, smaller(kColumnsAtOnce, columns - column),
                     scratch);
      }
      const std::size_t block = smaller(kRows, columns - column);
      for (std::size_t panel = 0; panel < panels; ++panel) {
        blocks[block - 1](scratch + in_scratch * kRowsAtOnce,
                          packed_values + panel * kRowsAtOnce * kPanel, count,
                          weight + column * stride + panel * kPanel, stride,
                          smaller(kPanel, depth - panel * kPanel), add || first > 0);
      }
    }
  }
}

std::size_t weight_gradient_scratch(std::size_t depth) {
  return kRowsAtOnce * (kColumnsAtOnce + panels_of(depth) * kPanel);
}

void bias_gradient(const float* const* grads, std::size_t rows, std::size_t columns, float* bias) {
  for (std::size_t row = 0; row < rows; ++row) {
    const float* from = grads[row];
    for (std::size_t column = 0; column < columns; ++column) bias[column] += from[column];
  }
}

}  // namespace unrolled::UNROLLED_ISA
