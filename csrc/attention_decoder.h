// An attentional decoder: one step of any hypotheses of any sources.
//
//     s_t = recurrent([y_(t-1); a_(t-1)], s_(t-1)), a_(t-1) only with input feeding
//     weights = softmax of energy . tanh(query s_t + key_j), or of s_t . key_j
//     a_t = tanh(from_state s_t + sum of weights_j value_j)
//     logits_t = vocabulary a_t
//
// The part of a_t that reads the context is multiplied into the memory once, so that a step has
// nothing to multiply but its own row: value_j = from_memory m_j.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "memory.h"
#include "packed_matrix.h"
#include "stack.h"
#include "threads.h"

namespace unrolled {

// Matrices as PyTorch has them, contiguous.
struct DecoderWeights {
  std::vector<Weights> stack;
  const float* embedding;       // (symbols, embedding)
  const float* query;           // (key, state); null where the query is the state itself
  const float* energy;          // (key); null where the scores are the products of query and key
  const float *key, *key_bias;  // (key, memory), (key); null where the keys are the memory itself
  const float* from_memory;     // (attentional, memory)
  const float* from_state;      // (attentional, state)
  const float *vocabulary, *vocabulary_bias;  // (symbols, attentional), (symbols)
};

// What is packed of them, kept from one search to the next.
struct DecoderPacks {
  KeptMatrix query, key, from_memory, from_state, vocabulary;
};

struct DecoderSize {
  std::size_t symbols, embedding, memory, key, attentional;
  bool feeds_input;
};

// What is read, and where the decoder starts: of each source.
struct DecoderSources {
  Grid<const float> memory;  // by step and source
  std::vector<std::size_t> lengths;
  const float *h0, *c0;  // (layer, source, size); c0 is null but for an LSTM
};

// A decoder with the sources it reads.
class AttentionDecoder {
 public:
  // What the pointers point to must live as long as the decoder.
  AttentionDecoder(Stack& stack, DecoderPacks& packs, const DecoderSize& size,
                   const DecoderWeights& weights, DecoderSources sources, Crew& crew);

  // Multiplies the embedding of every symbol with the input weights of the stack, so that no step
  // does: worth it where there are more rows to be decoded than symbols. Nothing with input
  // feeding, where a step reads more than the symbol.
  void multiply_table(Crew& crew);

  const DecoderSize& size() const { return size_; }
  std::size_t length(std::size_t source) const { return sources_.lengths[source]; }

 private:
  friend class DecoderRows;

  void project(DecoderPacks& packs, Crew& crew);

  Stack& stack_;
  DecoderSize size_;
  DecoderWeights weights_;
  DecoderSources sources_;
  std::shared_ptr<const PackedWeights> packed_;
  std::shared_ptr<const PackedMatrix> query_, from_state_, vocabulary_;
  Aligned<float> table_gates_;      // of each symbol; null where a step multiplies its own
  std::vector<std::size_t> first_;  // row of keys and values of each source
  std::size_t longest_ = 0;
  Aligned<float> keys_, values_;  // of the real steps only
};

// The hypotheses that one thread decodes: rows, each of a source.
class DecoderRows {
 public:
  // There is room for as many rows as there ever were.
  explicit DecoderRows(const AttentionDecoder& decoder);

  // As many rows as sources, each where its source begins.
  void start(const std::vector<std::size_t>& sources);

  // Rows and their sources from now on: each goes on from where a row stood after the last step.
  void select(const std::vector<std::size_t>& rows);

  // One step of every row, each after one symbol.
  void step(const std::vector<std::size_t>& sources, const std::vector<std::int64_t>& symbols);

  const float* logits(std::size_t row) const {
    return logits_.data() + row * decoder_.size_.symbols;
  }
  // Of e to the power of the logits; NaN where they are no numbers.
  float log_of_sum(std::size_t row) const;
  const float* weights(std::size_t row) const { return weights_.data() + row * decoder_.longest_; }

 private:
  void make_room(std::size_t rows);
  void run_stack(std::size_t first, std::size_t count, const std::int64_t* symbols);
  void attend(std::size_t first, std::size_t count, const std::size_t* sources);

  const AttentionDecoder& decoder_;
  const KernelTable& kernels_;
  StackSize size_;
  // Before a step and after it, of each layer; then by row.
  std::vector<std::vector<float>> h_before_, h_, c_before_, c_;
  std::vector<float> fed_before_, fed_;  // a_t
  std::vector<float> logits_, weights_;
  // Of a block of rows.
  std::size_t block_ = 0;
  std::vector<float> input_, queries_;
  std::vector<std::vector<float>> outputs_;
  Aligned<float> gates_, raw_;
  std::vector<std::size_t> samples_, lengths_;
  std::vector<const float*> from_;
  std::vector<float*> to_;
};

}  // namespace unrolled
