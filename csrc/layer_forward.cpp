// Runs one layer in one direction over time. Compiled once for each instruction set.
//
// Some rows of a turn at a time, or all rows of a few turns where they are few, the products of
// their inputs; then turn by turn, the product of the states added to them and the equations of the
// cell, one panel of units or a few at a time, so that their gates are still in the cache. h is
// written where it belongs in the grid and read from there at the next turn.
#include <cstring>

#include "cells.h"
#include "gemm.h"
#include "kernel_table.h"
#include "layer_kernels.h"
#include "low_precision.h"

namespace unrolled::UNROLLED_ISA {

namespace {

// Those of the gates that a product gives.
struct Slots {
  std::size_t first, count;
  bool are_of_state;  // then it is added to what the input gave, where that gave anything
};

Slots input_slots(const LayerSize& size) { return {0, size.gates(), false}; }

Slots state_slots(const LayerSize& size) {
  return {size.first_state_slot(), size.slots() - size.first_state_slot(), true};
}

std::size_t size_of_panel(const LayerSize& size, std::size_t depth) {
  return size.precision == Precision::fp32 ? panel_size(depth)
                                           : low_panel_size(size.precision, depth);
}

std::size_t projection_size(const LayerSize& size) {
  return size.projected == 0 ? 0 : panels_of(size.projected) * size_of_panel(size, size.units);
}

// Which part of n a GRU keeps apart, because the reset gate comes between.
bool starts_from_bias(const LayerSize& size, std::size_t slot) {
  return size.cell == Cell::gru && slot == 3;
}

// Some rows of a turn: those of the gates and of h are counted from the first of them.
struct Rows {
  std::size_t turn, first, count;
};

// Not inlined: among the other values of a run those of the equations would not stay in registers.
template <Cell cell, bool keep_gates>
[[gnu::noinline]] void apply_cell(const Forward& task, const Rows& rows, std::size_t first,
                                  std::size_t end, float* const* gates,
                                  const float* const* h_before, float* const* h) {
  const Slice& slice = *task.slice;
  const std::size_t slot = panels_of(task.size.units) * kPanel, turn = rows.turn;
  const std::size_t last = smaller(end, task.size.units);
  for (std::size_t number = 0; number < rows.count; ++number) {
    const std::size_t row = rows.first + number;
    const float* c_before = nullptr;
    float* c = nullptr;
    if constexpr (cell == Cell::lstm) {
      const std::size_t step = slice.step(row, turn, task.reverse);
      c = task.c.at(step, slice.sample[row]);
      c_before = turn == 0 ? task.c0 + slice.sample[row] * task.size.units
                           : task.c.at(slice.step(row, turn - 1, task.reverse), slice.sample[row]);
    }
    for (std::size_t u = first; u < last; u += kWidth) {
      const std::size_t count = last - u;
      Vector kept{}, before{};
      if constexpr (cell == Cell::lstm) kept = load_some(c_before + u, count);
      if constexpr (cell == Cell::gru) before = load_some(h_before[number] + u, count);
      const Vector value = cell_forward<cell, keep_gates>({gates[number] + u, slot}, before, kept);
      if constexpr (cell == Cell::lstm) store_some(c + u, kept, count);
      store_some(h[number] + u, value, count);
    }
  }
}

// What is multiplied: rows, and in a low precision what they were converted to.
struct Operand {
  const float* const* rows;
  std::size_t count, depth;
  LowRows low;
};

Operand operand(const LayerSize& size, const float* const* rows, std::size_t count,
                std::size_t depth, float* room) {
  if (size.precision == Precision::fp32) return {rows, count, depth, {}};
  return {rows, count, depth, low_rows(size.precision, rows, count, depth, room)};
}

// How many panels of units are multiplied at once: of few rows several, where the units have a
// single gate.
std::size_t panels_at_once(const Slots& slots, std::size_t rows) {
  return rows <= kFewRows ? PanelGroup::kMost / slots.count : 1;
}

// Panels of units of all those gates.
void multiply_panels(const LayerSize& size, const Slots& slots, const Operand& a,
                     const float* packed, std::size_t first, std::size_t end, float* const* gates,
                     Way way) {
  const std::size_t one = size_of_panel(size, a.depth), panels = panels_of(size.units);
  PanelGroup group{};
  for (std::size_t panel = first; panel < end; ++panel) {
    for (std::size_t s = 0; s < slots.count; ++s) {
      const std::size_t slot = slots.first + s, at = group.count++;
      group.panels[at] = packed + (panel * slots.count + s) * one;
      group.from_bias[at] = !slots.are_of_state || starts_from_bias(size, slot);
      group.columns[at] = (slot * panels + panel) * kPanel;
    }
  }
  if (size.precision == Precision::fp32) {
    return multiply_group(a.rows, a.count, group, a.depth, gates, way);
  }
  with_product(size.precision,
               [&](auto p) { multiply_low_group<decltype(p)>(a.low, group, gates); });
}

void multiply_input_panels(const LayerSize& size, const Operand& x, const float* packed,
                           std::size_t first, std::size_t end, float* const* gates, Way way) {
  const Slots slots = input_slots(size);
  for_each_group(first, end, panels_at_once(slots, x.count), way,
                 [&](std::size_t from, std::size_t to) {
                   multiply_panels(size, slots, x, packed, from, to, gates, way);
                 });
}

// Of a row of gates, what the inputs give to this task's units. Others may write beside them.
void copy_units(const Forward& task, const float* from, float* to) {
  const std::size_t slot = panels_of(task.size.units) * kPanel;
  const std::size_t first = task.first_panel * kPanel, end = task.end_panel * kPanel;
  for (std::size_t gate = 0; gate < task.size.gates(); ++gate) {
    std::memcpy(to + gate * slot + first, from + gate * slot + first,
                (end - first) * sizeof(float));
  }
}

// The inputs of some rows, or of all rows of some turns, times their weights; a row of the gates
// for each.
void multiply_inputs(const Forward& task, const Rows& of_turn, std::size_t turns, const float** x,
                     float** gate_rows, Way way) {
  const Slice& slice = *task.slice;
  const std::size_t row_size = gates_row(task.size);
  std::size_t rows = 0;
  for (std::size_t turn = of_turn.turn; turn < of_turn.turn + turns; ++turn) {
    const std::size_t end = turns > 1 ? slice.alive[turn] : of_turn.first + of_turn.count;
    for (std::size_t row = of_turn.first; row < end; ++row) {
      const std::size_t step = slice.step(row, turn, task.reverse), sample = slice.sample[row];
      gate_rows[rows] = task.gates + (task.keep_gates ? slice.row(row, turn) : rows) * row_size;
      if (task.table_gates != nullptr) {
        copy_units(task, task.table_gates + *task.ids.at(step, sample) * row_size, gate_rows[rows]);
      } else if (task.ids.data != nullptr) {
        x[rows] = task.x.at(*task.ids.at(step, sample), 0);
      } else {
        x[rows] = task.x.at(step, sample);
      }
      ++rows;
    }
  }
  if (task.table_gates != nullptr) return;
  multiply_input_panels(task.size, operand(task.size, x, rows, task.size.input, task.low),
                        task.packed.input, task.first_panel, task.end_panel, gate_rows, way);
}

// One turn of some rows whose inputs are multiplied already.
template <Cell cell>
void run_turn(const Forward& task, const Rows& rows, float* const* gates, Way way) {
  const LayerSize& size = task.size;
  const Slice& slice = *task.slice;
  const float** before = task.from;
  float **h = task.to, **raw = h + slice.samples;
  for (std::size_t number = 0; number < rows.count; ++number) {
    const std::size_t row = rows.first + number, sample = slice.sample[row];
    h[number] = task.h.at(slice.step(row, rows.turn, task.reverse), sample);
    before[number] = rows.turn == 0
                         ? task.h0 + sample * size.state()
                         : task.h.at(slice.step(row, rows.turn - 1, task.reverse), sample);
    // What a projection reads; without one h is written where it belongs at once.
    raw[number] =
        size.projected != 0 ? task.raw + number * panels_of(size.units) * kPanel : h[number];
  }
  const Operand state = operand(size, before, rows.count, size.state(), task.low);
  const Slots slots = state_slots(size);
  const auto apply = task.keep_gates ? apply_cell<cell, true> : apply_cell<cell, false>;
  for_each_group(task.first_panel, task.end_panel, panels_at_once(slots, rows.count), way,
                 [&](std::size_t first, std::size_t end) {
                   multiply_panels(size, slots, state, task.packed.state, first, end, gates, way);
                   apply(task, rows, first * kPanel, end * kPanel, gates, before, raw);
                 });
  if (size.projected == 0) return;
  const Operand projected = operand(size, raw, rows.count, size.units, task.low);
  if (size.precision != Precision::fp32) {
    multiply_low(size.precision, projected.low, task.packed.projection, size.projected, h);
  } else {
    multiply(raw, rows.count, task.packed.projection, size.projected, size.units, h);
  }
}

// Blocks of about the same size, so that none is too small to be worth its weights.
std::size_t rows_of_block(std::size_t rows) {
  const std::size_t blocks = (rows + kRowsOfBlock - 1) / kRowsOfBlock;
  return ((rows + blocks - 1) / blocks + kRows - 1) / kRows * kRows;
}

// The turn after those that are computed together, of which there is one at least.
std::size_t end_of_turns(const Slice& slice, std::size_t first, std::size_t most_rows) {
  std::size_t end = first + 1, rows = slice.alive[first];
  while (end < slice.turns && rows + slice.alive[end] <= most_rows) rows += slice.alive[end++];
  return end;
}

template <Cell cell>
void run(const Forward& task) {
  const LayerSize& size = task.size;
  const Slice& slice = *task.slice;
  const std::size_t samples = slice.samples;
  const float** x = task.from + samples;
  float** gates = task.to + 2 * samples;
  Way of_inputs = task.way, of_states = task.way;
  const auto pass = [](Way& way) {
    const Way now = way;
    way = turned(way);
    return now;
  };

  for (std::size_t first = 0, end = 0; first < slice.turns; first = end) {
    end = end_of_turns(slice, first, task.rows_at_once);
    for (std::size_t other = 0; other < task.below_count; ++other) {
      await(task.below[other], task.below_entirely ? slice.turns : end);
    }
    const bool in_one = end - first > 1;
    if (in_one) multiply_inputs(task, {first, 0, 0}, end - first, x, gates, pass(of_inputs));
    float* const* here = gates;
    for (std::size_t turn = first; turn < end; ++turn) {
      const std::size_t alive = slice.alive[turn];
      for (std::size_t other = 0; other < task.beside_count; ++other) {
        await(task.beside[other], turn);
      }
      const std::size_t block = in_one ? alive : rows_of_block(alive);
      for (std::size_t row = 0; row < alive; row += block) {
        const Rows rows{turn, row, smaller(block, alive - row)};
        if (!in_one) multiply_inputs(task, rows, 1, x, gates, pass(of_inputs));
        run_turn<cell>(task, rows, here, pass(of_states));
      }
      if (in_one) here += alive;
      announce(*task.done, turn + 1);
    }
  }
  // Only columns of its own are copied, since tasks beside this one may still be at work.
  const std::size_t first_unit = task.first_panel * kPanel;
  const std::size_t last_unit = smaller(task.end_panel * kPanel, size.units);
  const std::size_t units = last_unit - first_unit;
  for (std::size_t row = 0; row < samples; ++row) {
    const std::size_t last = slice.step(row, slice.length[row] - 1, task.reverse);
    const std::size_t sample = slice.sample[row];
    const std::size_t count = size.projected != 0 ? size.projected : units;
    std::memcpy(task.h_n + sample * size.state() + first_unit, task.h.at(last, sample) + first_unit,
                count * sizeof(float));
    if (size.has_cell()) {
      std::memmove(task.c_n + sample * size.units + first_unit,
                   task.c.at(last, sample) + first_unit, units * sizeof(float));
    }
  }
}

// As `pack_forward`, whose order it keeps.
Packed pack_low(const LayerSize& size, const Weights& weights, float* packed) {
  const LowWeights& low = weights.low;
  Packed result{packed, nullptr, nullptr};
  for (std::size_t unit = 0; unit < size.units; unit += kPanel) {
    for (std::size_t slot = 0; slot < size.gates(); ++slot) {
      const std::size_t row = size.input_gate(slot) * size.units + unit;
      const std::size_t here = smaller(kPanel, size.units - unit);
      pack_low_panel(size.precision, low.input, low.input_scale, weights.input_bias, row, here,
                     size.input, packed);
      if (weights.state_bias != nullptr && !(size.cell == Cell::gru && slot == 0)) {
        for (std::size_t c = 0; c < here; ++c) packed[c] += weights.state_bias[row + c];
      }
      packed += size_of_panel(size, size.input);
    }
  }
  result.state = packed;
  for (std::size_t unit = 0; unit < size.units; unit += kPanel) {
    for (std::size_t slot = size.first_state_slot(); slot < size.slots(); ++slot) {
      pack_low_panel(size.precision, low.state, low.state_scale, weights.state_bias,
                     size.state_gate(slot) * size.units + unit, smaller(kPanel, size.units - unit),
                     size.state(), packed);
      packed += size_of_panel(size, size.state());
    }
  }
  result.projection = packed;
  for (std::size_t first = 0; first < size.projected; first += kPanel) {
    pack_low_panel(size.precision, low.projection, low.projection_scale, nullptr, first,
                   smaller(kPanel, size.projected - first), size.units, packed);
    packed += size_of_panel(size, size.units);
  }
  return result;
}

}  // namespace

std::size_t gates_row(const LayerSize& size) {
  return size.slots() * panels_of(size.units) * kPanel;
}

std::size_t forward_size(const LayerSize& size) {
  return panels_of(size.units) * (input_slots(size).count * size_of_panel(size, size.input) +
                                  state_slots(size).count * size_of_panel(size, size.state())) +
         projection_size(size);
}

Packed pack_forward(const LayerSize& size, const Weights& weights, float* packed) {
  if (size.precision != Precision::fp32) return pack_low(size, weights, packed);
  Packed result{packed, nullptr, nullptr};
  for (std::size_t unit = 0; unit < size.units; unit += kPanel) {
    const std::size_t here = smaller(kPanel, size.units - unit);
    for (std::size_t slot = 0; slot < size.gates(); ++slot) {
      const std::size_t row = size.input_gate(slot) * size.units + unit;
      pack_panel(weights.input + row * size.input, size.input,
                 weights.input_bias == nullptr ? nullptr : weights.input_bias + row, here,
                 size.input, packed);
      // Where nothing comes between, both biases are one.
      if (weights.state_bias != nullptr && !(size.cell == Cell::gru && slot == 0)) {
        for (std::size_t c = 0; c < here; ++c) packed[c] += weights.state_bias[row + c];
      }
      packed += panel_size(size.input);
    }
  }
  result.state = packed;
  for (std::size_t unit = 0; unit < size.units; unit += kPanel) {
    for (std::size_t slot = size.first_state_slot(); slot < size.slots(); ++slot) {
      const std::size_t row = size.state_gate(slot) * size.units + unit;
      pack_panel(weights.state + row * size.state(), size.state(),
                 weights.state_bias == nullptr ? nullptr : weights.state_bias + row,
                 smaller(kPanel, size.units - unit), size.state(), packed);
      packed += panel_size(size.state());
    }
  }
  if (size.projected != 0) {
    pack(weights.projection, nullptr, size.projected, size.units, packed);
    result.projection = packed;
  }
  return result;
}

void multiply_input_rows(const LayerSize& size, const Packed& weights, const float* const* x,
                         std::size_t rows, float* const* gates) {
  multiply_input_panels(size, {x, rows, size.input, {}}, weights.input, 0, panels_of(size.units),
                        gates, Way::up);
}

void run_forward(const Forward& task) {
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

extern const ForwardKernels forward_kernels;
const ForwardKernels forward_kernels{forward_size, pack_forward, multiply_input_rows, run_forward};

}  // namespace unrolled::UNROLLED_ISA
