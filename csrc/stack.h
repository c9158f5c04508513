// A recurrent stack: its packed weights, and how a run is cut into tasks.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernel_table.h"
#include "memory.h"
#include "threads.h"

namespace unrolled {

struct StackSize {
  Cell cell;
  std::size_t input, units, layers, directions, projected;
  Precision precision = Precision::fp32;

  std::size_t state() const { return projected != 0 ? projected : units; }
  std::size_t output() const { return directions * state(); }
  std::size_t rows() const { return layers * directions; }
  LayerSize layer(std::size_t number) const {
    return {cell, number == 0 ? input : output(), units, projected, precision};
  }
  double count_of_weights() const;  // in all matrices; whole numbers might not hold it
};

// The samples of a batch, dealt out to slices, from the longest to the shortest.
class Batch {
 public:
  // Without lengths every sample has all steps.
  Batch(std::size_t steps, std::size_t samples, const std::int64_t* lengths, std::size_t slices);
  Batch(const Batch&) = delete;  // its slices point into it
  Batch& operator=(const Batch&) = delete;

  const std::vector<Slice>& slices() const { return slices_; }
  std::size_t samples() const { return samples_; }
  std::size_t rows() const { return rows_; }  // real steps of all samples
  std::size_t turns() const { return turns_; }
  std::size_t steps() const { return steps_; }  // of the longest sample and its padding

  // Of a turn, or all rows for the turn after the last.
  std::size_t first_row(std::size_t turn) const { return first_row_[turn]; }
  std::size_t length(std::size_t sample) const {
    return slices_[slice_of_[sample]].length[place_of_[sample]];
  }

  // Calls each(sample, turn, row of the gates) for every real step of these turns, in an order that
  // does not depend on how the batch is cut.
  template <class Each>
  void for_each_row(std::size_t first_turn, std::size_t end_turn, const Each& each) const {
    for (std::size_t turn = first_turn; turn < end_turn; ++turn) {
      for (std::size_t sample = 0; sample < samples_; ++sample) {
        const Slice& slice = slices_[slice_of_[sample]];
        const std::size_t place = place_of_[sample];
        if (turn >= slice.length[place]) continue;
        each(sample, turn, slice.row(place, turn));
      }
    }
  }

  std::size_t step(std::size_t sample, std::size_t turn, bool reverse) const {
    return slices_[slice_of_[sample]].step(place_of_[sample], turn, reverse);
  }

 private:
  std::size_t steps_, samples_, rows_ = 0, turns_ = 0;
  std::vector<std::vector<std::size_t>> numbers_;
  std::vector<Slice> slices_;
  std::vector<std::size_t> slice_of_, place_of_, first_row_;
};

// Slices that a batch is best cut into: one for each thread that its directions leave idle, as
// long as none gets fewer rows than stay in registers together.
std::size_t best_slices(std::size_t samples, std::size_t directions, std::size_t threads);

// Parts that the units of a layer may be cut into, for threads that directions and slices leave
// idle: as many as have so much to do at a turn that it is worth the waiting for each other.
std::size_t most_parts(const StackSize& size, const Batch& batch, std::size_t panels,
                       std::size_t threads, std::size_t products_of_a_part);

// Threads that a run of so many steps, of all samples, is best given: one where there is less to do
// than it takes to hand a part of it to another.
std::size_t useful_threads(const StackSize& size, std::size_t rows, std::size_t threads);

// Those of a step of a stream, whose weights are packed already: one where these, in their
// precision, are read and multiplied by all samples sooner than another thread joins in.
std::size_t useful_threads_of_a_step(const StackSize& size, std::size_t samples,
                                     std::size_t threads);

struct StackForward {
  Grid<const float> x;
  Grid<const std::int64_t> ids{};  // where x is a table of so many rows; else null
  std::size_t table_rows = 0;
  const float *h0, *c0;              // (rows, batch, size)
  std::vector<Grid<float>> outputs;  // of each layer, directions side by side
  float *h_n, *c_n;
  std::vector<Grid<float>> cells;  // of each row of hidden_state; empty where not wanted
  std::vector<float*> gates;       // likewise
  // `Stack::forward` makes the steps 0 that are padding, in outputs and cells.
};

struct StackBackward {
  Grid<const float> x;
  const float *h0, *c0;
  std::vector<Grid<const float>> outputs, cells;
  std::vector<Grid<const float>> grad_outputs, grad_cells;  // data may be null
  const float *grad_h_n, *grad_c_n;                         // may be null
  std::vector<const float*> gates;
  Grid<float> grad_x;  // data is null where not wanted
  float *grad_h0, *grad_c0;
  std::vector<Gradients> gradients;  // of each row
};

class Stack;

// Values of every step and sample, `size` of each.
struct Steps {
  Grid<float> grid;
  std::size_t size;
};

// Makes the steps 0 that are padding: kernels leave them as they are.
void clear_padding(const Batch& batch, const std::vector<Steps>& all, Crew& crew);

using Hash = std::array<std::uint32_t, kHashLanes>;

// Of the weights of one layer and direction, in two parts that threads can work on.
struct Hashes {
  Hash of_input, of_rest;

  bool operator==(const Hashes&) const = default;
};

// The packed weights of one layer and direction, and the hashes of what they were packed from.
struct PackedRow {
  float* memory;
  Packed packed{};
  Hashes hashes{};
};

// Those of a stack, row after row.
class PackedWeights {
 public:
  // Room for them.
  PackedWeights(const StackSize& size, const KernelTable& kernels);

  const PackedRow& operator[](std::size_t row) const { return rows_[row]; }
  PackedRow& operator[](std::size_t row) { return rows_[row]; }

 private:
  Aligned<float> memory_;
  std::vector<PackedRow> rows_;
};

// The tasks of a forward run; may be run again when what its pointers point to has changed.
class ForwardPlan {
 public:
  // The weights and the batch must live as long as the plan, which may have more threads here than
  // at a run of a single turn.
  ForwardPlan(const Stack& stack, const PackedWeights& weights, const Batch& batch,
              const StackForward& run, Crew& crew);

  void run(Crew& crew);

 private:
  const KernelTable& kernels_;
  std::size_t threads_;
  std::size_t chains_ = 0;  // of tasks that one thread runs one after the other
  std::vector<Forward> tasks_;
  std::vector<Progress> done_;
  std::vector<Aligned<float>> floats_;
  std::vector<std::vector<const float*>> from_;
  std::vector<std::vector<float*>> to_;
};

class Stack {
 public:
  Stack(const StackSize& size, const KernelTable& kernels);
  ~Stack();
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;

  const StackSize& size() const { return size_; }
  const KernelTable& kernels() const { return kernels_; }
  std::size_t panels() const { return (size_.units + kernels_.panel - 1) / kernels_.panel; }
  std::size_t gates_row() const { return kernels_.gates_row(size_.layer(0)); }

  // The weights, packed. What was packed before is given back where it is of the same weights,
  // which their hash tells, however they were written; where it is not, and nobody else holds it,
  // its memory is used again.
  std::shared_ptr<const PackedWeights> pack(const std::vector<Weights>& weights, Crew& crew);

  void forward(const PackedWeights& weights, const Batch& batch, const StackForward& run,
               Crew& crew) const;
  // The same, where neither cells nor gates are wanted, and of the outputs that of the last layer
  // alone, the only one in `run`. Those of the layers below lie in memory that is kept for the next
  // run: the system clears new memory before it gives it, which takes long beside a small layer's
  // run. A long run of one direction is made a stretch of steps after the other, so that they stay
  // in the cache: of as many steps as have `states_at_once` numbers in the output of a layer.
  void forward_top(const PackedWeights& weights, const Batch& batch, const StackForward& run,
                   Crew& crew, std::size_t states_at_once = std::size_t{1} << 20);
  void backward(const Batch& batch, const std::vector<Weights>& weights, const StackBackward& run,
                Crew& crew) const;

 private:
  struct Room {
    Aligned<float> memory;
    std::size_t count;
  };

  std::unique_ptr<Room> room_for(std::size_t count);
  void keep(std::unique_ptr<Room> room);
  Hash hash_of_input(const LayerSize& size, const Weights& weights) const;
  Hash hash_of_rest(const LayerSize& size, const Weights& weights) const;
  void mix(const void* bytes, std::size_t count, Hash& hash) const;

  StackSize size_;
  const KernelTable& kernels_;
  // Runs hold what they read, so that another thread may pack other weights meanwhile. Whatever
  // lock is within is held for the few instructions that copy the pointer, never while weights are
  // packed: a forked child would find it held for ever.
  std::atomic<std::shared_ptr<PackedWeights>> packed_;
  std::atomic<Room*> room_{nullptr};  // of whoever takes it first
};

}  // namespace unrolled
