// What a kernel is told of one layer in one direction: plain sizes and pointers.
//
// Time is counted in turns: turn 0 of a sample is the first step that its direction computes, so a
// kernel never asks which direction it runs in. Samples of a slice stand from the longest to the
// shortest, and those that are alive at a turn are the first few of them: ragged batches cost
// their real steps, and padding is never read.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

// The linker keeps one copy of an inline function that is not inlined, and it may be that of an
// instruction set which the machine lacks. So nothing here may have a copy, and the kernels
// themselves use no templates of the standard library.
#define UNROLLED_INLINE __attribute__((always_inline)) inline

namespace unrolled {

// Rows of a batch that the product keeps in registers together.
inline constexpr std::size_t kRowsInRegisters = 6;

// Rows of a turn that are computed together, from their inputs to their states: enough to read the
// weights seldom, few enough that their gates stay in the cache of a core.
inline constexpr std::size_t kRowsOfBlock = 72;

// Through the panels of weights: from the first or from the last. One pass goes up and the next
// down, since what was read last is still in the cache.
enum class Way { up, down };

UNROLLED_INLINE Way turned(Way way) { return way == Way::up ? Way::down : Way::up; }

enum class Cell { rnn_tanh, rnn_relu, gru, lstm };

// Of the weights in the products. States, biases and the equations of a cell are float32 in all.
enum class Precision { fp32, bf16, int8 };

// Every gate has a slot of `units` columns in a row of the gates, padded to whole panels. Those of
// a GRU are n, r, z and the part of n that comes from the state, so that the slots that read the
// input stand side by side, and those that read the state, too.
struct LayerSize {
  Cell cell;
  std::size_t input, units, projected;  // projected is 0 without a projection
  Precision precision = Precision::fp32;

  UNROLLED_INLINE std::size_t state() const { return projected != 0 ? projected : units; }
  UNROLLED_INLINE bool has_cell() const { return cell == Cell::lstm; }
  UNROLLED_INLINE std::size_t gates() const {
    return cell == Cell::lstm ? 4 : cell == Cell::gru ? 3 : 1;
  }
  UNROLLED_INLINE std::size_t slots() const { return cell == Cell::gru ? 4 : gates(); }
  UNROLLED_INLINE std::size_t first_state_slot() const { return cell == Cell::gru ? 1 : 0; }
  UNROLLED_INLINE std::size_t bytes_of_a_weight() const {
    return precision == Precision::int8 ? 1 : precision == Precision::bf16 ? 2 : 4;
  }
  // Floats that a row of values takes once it is of a low precision, with its scale and padding.
  UNROLLED_INLINE static std::size_t low_row(std::size_t depth) { return depth + 16; }
  // Which gate of the weights as PyTorch orders them (r, z, n; i, f, g, o) a slot takes.
  UNROLLED_INLINE std::size_t input_gate(std::size_t slot) const {
    return cell == Cell::gru ? (slot + 2) % 3 : slot;
  }
  UNROLLED_INLINE std::size_t state_gate(std::size_t slot) const {
    return cell == Cell::gru ? slot - 1 : slot;
  }
};

// Weights of a low precision: rows of int8 with a scale for each, or of bfloat16 without.
struct LowWeights {
  const void *input, *state, *projection;
  const float *input_scale, *state_scale, *projection_scale;
};

// The weights of a layer and direction as PyTorch has them; biases and projection may be null.
struct Weights {
  const float *input, *state, *input_bias, *state_bias, *projection;
  LowWeights low{};  // in place of input, state and projection where the precision is low
};

// The same of their gradients.
struct Gradients {
  float *input, *state, *input_bias, *state_bias, *projection;
};

// What a layer multiplies by.
enum class Matrix { input, state, projection };

// Its weights, packed for a forward or for a backward run; null where they are not needed.
struct Packed {
  const float *input, *state, *projection;
};

// Values by step and sample; the elements of one lie side by side.
template <class Float>
struct Grid {
  Float* data = nullptr;
  std::ptrdiff_t step = 0, sample = 0;

  UNROLLED_INLINE Float* at(std::size_t t, std::size_t b) const {
    return data + static_cast<std::ptrdiff_t>(t) * step + static_cast<std::ptrdiff_t>(b) * sample;
  }
};

// Samples that one task runs through time.
struct Slice {
  const std::size_t *sample, *length;  // longest first
  const std::size_t* alive;            // samples at each turn
  const std::size_t* first_row;        // of the gates, at each turn
  std::size_t samples, turns;
  std::size_t stride;  // from the row of one sample to that of the next

  // Rows stand turn by turn, from the longest sample of the whole batch to the shortest, however
  // it is cut: a backward run may cut it in another way.
  UNROLLED_INLINE std::size_t row(std::size_t place, std::size_t turn) const {
    return first_row[turn] + place * stride;
  }

  UNROLLED_INLINE std::size_t step(std::size_t place, std::size_t turn, bool reverse) const {
    return reverse ? length[place] - 1 - turn : turn;
  }
};

// How many turns of a task are done, for those that wait for it.
struct Progress {
  alignas(64) std::atomic<std::size_t> turns{0};
  std::atomic<std::size_t> awaited{SIZE_MAX};  // the fewest that somebody sleeps for
  std::atomic<std::uint32_t> wakings{0};       // how often all who slept were woken
};

struct Forward {
  LayerSize size;
  Packed packed;
  const Slice* slice;
  bool reverse;
  Grid<const float> x;
  Grid<const std::int64_t> ids;  // where x is a table, which of its rows is read; else null
  const float* table_gates;      // the table times the weights, a row of gates each; may be null
  Grid<float> h, c;              // c may have one place for all steps
  const float *h0, *c0;          // (batch, state), (batch, units)
  float *h_n, *c_n;
  float* gates;     // rows of the slice, or of what is computed together: a block, or some turns
  bool keep_gates;  // whether a row is kept for each real step
  std::size_t rows_at_once;            // as many turns are computed together as have no more rows
  std::size_t first_panel, end_panel;  // which units are this task's
  Way way;                             // of the first pass through them
  Progress* done;
  Progress* beside;  // all tasks that share the units, if there are several
  std::size_t beside_count;
  Progress* below;  // all tasks that compute x, if any do
  std::size_t below_count;
  bool below_entirely;  // whether all of x is needed before the first turn
  const float** from;   // room for a pointer for each sample and each row computed together
  float** to;           // room for two for each sample and one for each row
  float* raw;           // room for a slot for each row computed together, with a projection
  float* low;           // room for a low row for each row of the gates, where the precision is low
};

struct Backward {
  LayerSize size;
  Packed packed;
  const Slice* slice;
  bool reverse;
  Grid<const float> h, c, grad_h, grad_c;  // grad_h and grad_c may be null
  const float *h0, *c0, *grad_h_n, *grad_c_n;
  float *grad_h0, *grad_c0;
  const float* gates;
  std::size_t first_turn, end_turn;  // which turns are gone back over
  std::size_t first_row;  // of the gates, at the first of them; the next three start there
  std::size_t first_panel, end_panel;  // which units are this task's: all with a projection
  Progress* done;                      // turns gone back over, counted from the last
  Progress* beside;                    // all tasks that share the units, if there are several
  std::size_t beside_count;
  float* grad_gates;
  float *raw, *grads_of_projected;  // h before and its gradient after the projection, a padded
                                    // slot and a state for each row; null without one
  float** pointers;                 // room for 3 pointers for each sample, of this task alone
  // A padded row for each sample; of h and c from one stretch of turns to the one before it. Each
  // of the tasks that share the units writes its own.
  float *grad_of_h, *grad_of_c, *grad_of_raw;
};

// Says that so many turns of a task are done, and waits until they are; defined with the pool.
void announce(Progress& progress, std::size_t turns);
void await(Progress& progress, std::size_t turns);

}  // namespace unrolled
