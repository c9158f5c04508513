#include "attention_decoder.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace unrolled {

AttentionDecoder::AttentionDecoder(Stack& stack, DecoderPacks& packs, const DecoderSize& size,
                                   const DecoderWeights& weights, DecoderSources sources,
                                   Crew& crew)
    : stack_(stack),
      size_(size),
      weights_(weights),
      sources_(std::move(sources)),
      packed_(stack.pack(weights.stack, crew)) {
  const KernelTable& kernels = stack.kernels();
  const std::size_t state = stack.size().state();
  if (weights.query != nullptr) {
    query_ = packs.query.of(kernels, {weights.query, nullptr, size.key, state});
  }
  from_state_ =
      packs.from_state.of(kernels, {weights.from_state, nullptr, size.attentional, state});
  vocabulary_ = packs.vocabulary.of(
      kernels, {weights.vocabulary, weights.vocabulary_bias, size.symbols, size.attentional});
  std::size_t row = 0;
  for (const std::size_t length : sources_.lengths) {
    first_.push_back(row);
    row += length;
    longest_ = std::max(longest_, length);
  }
  project(packs, crew);
}

void AttentionDecoder::multiply_table(Crew& crew) {
  if (size_.feeds_input) return;
  const std::size_t row_size = stack_.gates_row(), parts = crew.size();
  table_gates_ = aligned<float>(size_.symbols * row_size);
  crew.run(parts, [&](std::size_t part) {
    const std::size_t first = size_.symbols * part / parts;
    const std::size_t end = size_.symbols * (part + 1) / parts;
    std::vector<const float*> from;
    std::vector<float*> to;
    for (std::size_t symbol = first; symbol < end; ++symbol) {
      from.push_back(weights_.embedding + symbol * size_.embedding);
      to.push_back(table_gates_.get() + symbol * row_size);
    }
    stack_.kernels().multiply_input_rows(stack_.size().layer(0), (*packed_)[0].packed, from.data(),
                                         from.size(), to.data());
  });
}

// The keys and values of all real steps.
void AttentionDecoder::project(DecoderPacks& packs, Crew& crew) {
  const KernelTable& kernels = stack_.kernels();
  std::vector<const float*> steps;
  for (std::size_t source = 0; source < sources_.lengths.size(); ++source) {
    for (std::size_t step = 0; step < length(source); ++step) {
      steps.push_back(sources_.memory.at(step, source));
    }
  }
  const auto multiply = [&](KeptMatrix& kept, const PlainMatrix& matrix) {
    const std::shared_ptr<const PackedMatrix> packed = kept.of(kernels, matrix);
    Aligned<float> result = aligned<float>(steps.size() * matrix.columns);
    crew.run((steps.size() + kRowsOfBlock - 1) / kRowsOfBlock, [&](std::size_t block) {
      const std::size_t first = block * kRowsOfBlock;
      const std::size_t count = std::min(kRowsOfBlock, steps.size() - first);
      float* to[kRowsOfBlock];
      for (std::size_t row = 0; row < count; ++row) {
        to[row] = result.get() + (first + row) * matrix.columns;
      }
      packed->multiply(steps.data() + first, count, to);
    });
    return result;
  };
  values_ =
      multiply(packs.from_memory, {weights_.from_memory, nullptr, size_.attentional, size_.memory});
  if (weights_.key == nullptr) return;
  keys_ = multiply(packs.key, {weights_.key, weights_.key_bias, size_.key, size_.memory});
}

DecoderRows::DecoderRows(const AttentionDecoder& decoder)
    : decoder_(decoder),
      kernels_(decoder.stack_.kernels()),
      size_(decoder.stack_.size()),
      h_before_(size_.layers),
      h_(size_.layers),
      c_before_(size_.cell == Cell::lstm ? size_.layers : 0),
      c_(c_before_.size()),
      outputs_(size_.layers),
      samples_(kRowsOfBlock),
      lengths_(kRowsOfBlock, 1) {
  std::iota(samples_.begin(), samples_.end(), 0);
}

// For what a step of so many rows writes.
void DecoderRows::make_room(std::size_t rows) {
  const DecoderSize& size = decoder_.size_;
  const auto grow = [](std::vector<float>& values, std::size_t count) {
    if (values.size() < count) values.resize(count);
  };
  for (std::vector<float>& h : h_) grow(h, rows * size_.state());
  for (std::vector<float>& c : c_) grow(c, rows * size_.units);
  grow(fed_, rows * size.attentional);
  grow(logits_, rows * size.symbols);
  grow(weights_, rows * decoder_.longest_);
  const std::size_t block = std::min(kRowsOfBlock, rows);
  if (block <= block_) return;
  block_ = block;
  for (std::vector<float>& output : outputs_) output.resize(block * size_.state());
  if (size.feeds_input) input_.resize(block * size_.input);
  if (decoder_.query_ != nullptr) queries_.resize(block * size.key);
  gates_ = aligned<float>(block * decoder_.stack_.gates_row());
  if (size_.projected != 0) raw_ = aligned<float>(block * decoder_.stack_.gates_row());
  from_.resize(2 * block);
  to_.resize(3 * block);
}

void DecoderRows::start(const std::vector<std::size_t>& sources) {
  const DecoderSources& all = decoder_.sources_;
  const auto begin = [&](std::vector<float>& before, const float* from, std::size_t layer,
                         std::size_t size) {
    before.resize(sources.size() * size);
    for (std::size_t row = 0; row < sources.size(); ++row) {
      const std::size_t at = layer * all.lengths.size() + sources[row];
      std::copy_n(from + at * size, size, before.data() + row * size);
    }
  };
  for (std::size_t layer = 0; layer < size_.layers; ++layer) {
    begin(h_before_[layer], all.h0, layer, size_.state());
    if (!c_.empty()) begin(c_before_[layer], all.c0, layer, size_.units);
  }
  fed_before_.assign(sources.size() * decoder_.size_.attentional, 0.0f);
}

void DecoderRows::select(const std::vector<std::size_t>& rows) {
  bool same = true;
  for (std::size_t row = 0; row < rows.size(); ++row) same = same && rows[row] == row;
  const auto move = [&](std::vector<float>& after, std::vector<float>& before, std::size_t size) {
    if (same) return before.swap(after);
    if (before.size() < rows.size() * size) before.resize(rows.size() * size);
    for (std::size_t row = 0; row < rows.size(); ++row) {
      std::copy_n(after.data() + rows[row] * size, size, before.data() + row * size);
    }
  };
  for (std::size_t layer = 0; layer < size_.layers; ++layer) {
    move(h_[layer], h_before_[layer], size_.state());
    if (!c_.empty()) move(c_[layer], c_before_[layer], size_.units);
  }
  if (decoder_.size_.feeds_input) move(fed_, fed_before_, decoder_.size_.attentional);
}

void DecoderRows::step(const std::vector<std::size_t>& sources,
                       const std::vector<std::int64_t>& symbols) {
  make_room(sources.size());
  for (std::size_t first = 0; first < sources.size(); first += kRowsOfBlock) {
    const std::size_t count = std::min(kRowsOfBlock, sources.size() - first);
    run_stack(first, count, symbols.data() + first);
    attend(first, count, sources.data() + first);
  }
}

float DecoderRows::log_of_sum(std::size_t row) const {
  return kernels_.log_sum_exp(logits(row), decoder_.size_.symbols);
}

void DecoderRows::run_stack(std::size_t first, std::size_t count, const std::int64_t* symbols) {
  const AttentionDecoder& decoder = decoder_;
  const std::size_t embedding = decoder.size_.embedding;
  if (decoder.size_.feeds_input) {
    const std::size_t fed = decoder.size_.attentional;
    for (std::size_t row = 0; row < count; ++row) {
      const auto symbol = static_cast<std::size_t>(symbols[row]);
      float* to = input_.data() + row * size_.input;
      std::copy_n(decoder.weights_.embedding + symbol * embedding, embedding, to);
      std::copy_n(fed_before_.data() + (first + row) * fed, fed, to + embedding);
    }
  }
  const std::size_t alive = count, first_row = 0;
  const Slice slice{samples_.data(), lengths_.data(), &alive, &first_row, count, 1, 1};
  Progress done;
  for (std::size_t layer = 0; layer < size_.layers; ++layer) {
    const auto by_row = [](std::vector<float>& values, std::size_t size) {
      return Grid<float>{values.data(), 0, static_cast<std::ptrdiff_t>(size)};
    };
    const std::size_t state = size_.state(), units = size_.units;
    Forward task{};
    task.size = size_.layer(layer);
    task.packed = (*decoder.packed_)[layer].packed;
    task.slice = &slice;
    if (layer > 0) {
      task.x = {outputs_[layer - 1].data(), 0, static_cast<std::ptrdiff_t>(state)};
    } else if (decoder.size_.feeds_input) {
      task.x = {input_.data(), 0, static_cast<std::ptrdiff_t>(size_.input)};
    } else {
      task.x = {decoder.weights_.embedding, static_cast<std::ptrdiff_t>(embedding), 0};
      task.ids = {symbols, 0, 1};
      task.table_gates = decoder.table_gates_.get();
    }
    task.h = by_row(outputs_[layer], state);
    task.h0 = h_before_[layer].data() + first * state;
    task.h_n = h_[layer].data() + first * state;
    if (!c_.empty()) {
      task.c0 = c_before_[layer].data() + first * units;
      task.c_n = c_[layer].data() + first * units;
      task.c = {task.c_n, 0, static_cast<std::ptrdiff_t>(units)};
    }
    task.gates = gates_.get();
    task.rows_at_once = 1;
    task.end_panel = decoder.stack_.panels();
    task.done = &done;
    task.from = from_.data();
    task.to = to_.data();
    task.raw = raw_.get();
    kernels_.run_forward(task);
  }
}

void DecoderRows::attend(std::size_t first, std::size_t count, const std::size_t* sources) {
  const AttentionDecoder& decoder = decoder_;
  const DecoderSize& size = decoder.size_;
  const std::size_t state = size_.state();
  const float *states[kRowsOfBlock], *queries[kRowsOfBlock], *fed[kRowsOfBlock];
  float *to_queries[kRowsOfBlock], *to_fed[kRowsOfBlock], *to_logits[kRowsOfBlock];
  for (std::size_t row = 0; row < count; ++row) {
    queries[row] = states[row] = outputs_.back().data() + row * state;
    fed[row] = to_fed[row] = fed_.data() + (first + row) * size.attentional;
    to_logits[row] = logits_.data() + (first + row) * size.symbols;
    if (decoder.query_ == nullptr) continue;
    queries[row] = to_queries[row] = queries_.data() + row * size.key;
  }
  if (decoder.query_ != nullptr) decoder.query_->multiply(states, count, to_queries);
  decoder.from_state_->multiply(states, count, to_fed);
  for (std::size_t row = 0; row < count; ++row) {
    const std::size_t source = sources[row], begin = decoder.first_[source];
    const Grid<const float> memory = decoder.sources_.memory;
    Reading reading{};
    reading.steps = decoder.length(source);
    reading.keys = decoder.keys_ == nullptr
                       ? Grid<const float>{memory.at(0, source), memory.step, 0}
                       : Grid<const float>{decoder.keys_.get() + begin * size.key,
                                           static_cast<std::ptrdiff_t>(size.key), 0};
    reading.key_size = size.key;
    reading.energy = decoder.weights_.energy;
    reading.values = decoder.values_.get() + begin * size.attentional;
    reading.value_size = size.attentional;
    kernels_.attentional_vector(reading, queries[row],
                                weights_.data() + (first + row) * decoder.longest_, to_fed[row]);
  }
  decoder.vocabulary_->multiply(fed, count, to_logits);
}

}  // namespace unrolled
