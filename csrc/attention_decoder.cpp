#include "attention_decoder.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace unrolled {

namespace {

// Rows that go through all parts of a step together: enough to read the weights seldom, few enough
// that what is computed of them stays in the cache of a core.
constexpr std::size_t kBlock = 48;

Aligned<float> packed(const KernelTable& kernels, const float* weight, const float* bias,
                      std::size_t columns, std::size_t depth) {
  Aligned<float> memory = aligned<float>(kernels.packed_size(columns, depth));
  kernels.pack(weight, bias, columns, depth, memory.get());
  return memory;
}

}  // namespace

AttentionDecoder::AttentionDecoder(Stack& stack, const DecoderSize& size,
                                   const DecoderWeights& weights, const DecoderSources& sources,
                                   Crew& crew)
    : stack_(stack),
      size_(size),
      weights_(weights),
      sources_(sources),
      packed_(stack.pack(weights.stack, crew)) {
  const KernelTable& kernels = stack.kernels();
  const std::size_t state = stack.size().state();
  if (weights.query != nullptr) {
    query_ = packed(kernels, weights.query, nullptr, size.key, state);
  }
  from_state_ = packed(kernels, weights.from_state, nullptr, size.attentional, state);
  vocabulary_ =
      packed(kernels, weights.vocabulary, weights.vocabulary_bias, size.symbols, size.attentional);
  for (std::size_t source = 0, row = 0; source < sources.count; ++source) {
    first_.push_back(row);
    row += length(source);
    longest_ = std::max(longest_, length(source));
  }
  project(crew);
  if (!size.feeds_input) multiply_table(crew);
}

// What each symbol gives to the gates of the first layer.
void AttentionDecoder::multiply_table(Crew& crew) {
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
    stack_.kernels().multiply_input_rows(stack_.size().layer(0), packed_->front().packed, 0,
                                         stack_.panels(), from.data(), from.size(), to.data());
  });
}

// The keys and values of all real steps.
void AttentionDecoder::project(Crew& crew) {
  const KernelTable& kernels = stack_.kernels();
  std::vector<const float*> steps;
  for (std::size_t source = 0; source < sources_.count; ++source) {
    for (std::size_t step = 0; step < length(source); ++step) {
      steps.push_back(sources_.memory.at(step, source));
    }
  }
  const auto multiply = [&](const float* weight, const float* bias, std::size_t columns) {
    const Aligned<float> weights = packed(kernels, weight, bias, columns, size_.memory);
    Aligned<float> result = aligned<float>(steps.size() * columns);
    crew.run((steps.size() + kBlock - 1) / kBlock, [&](std::size_t block) {
      const std::size_t first = block * kBlock;
      const std::size_t count = std::min(kBlock, steps.size() - first);
      float* to[kBlock];
      for (std::size_t row = 0; row < count; ++row) {
        to[row] = result.get() + (first + row) * columns;
      }
      kernels.multiply(steps.data() + first, count, weights.get(), columns, size_.memory, to);
    });
    return result;
  };
  values_ = multiply(weights_.from_memory, nullptr, size_.attentional);
  if (weights_.key != nullptr) keys_ = multiply(weights_.key, weights_.key_bias, size_.key);
}

DecoderRows::DecoderRows(const AttentionDecoder& decoder, std::size_t most)
    : decoder_(decoder),
      kernels_(decoder.stack_.kernels()),
      size_(decoder.stack_.size()),
      most_(most),
      samples_(kBlock),
      lengths_(kBlock, 1) {
  const std::size_t block = std::min(kBlock, most);
  const auto of_each_layer = [&](std::size_t rows, std::size_t size) {
    return std::vector<std::vector<float>>(size_.layers, std::vector<float>(rows * size));
  };
  h_before_ = h_ = of_each_layer(most, size_.state());
  if (size_.cell == Cell::lstm) c_before_ = c_ = of_each_layer(most, size_.units);
  outputs_ = of_each_layer(block, size_.state());
  fed_.resize(most * decoder.size_.attentional);
  if (decoder.size_.feeds_input) {
    fed_before_.resize(fed_.size());
    input_.resize(block * size_.input);
  }
  logits_.resize(most * decoder.size_.symbols);
  weights_.resize(most * decoder.longest_);
  if (decoder.weights_.query != nullptr) queries_.resize(block * decoder.size_.key);
  gates_ = aligned<float>(block * decoder.stack_.gates_row());
  if (size_.projected != 0) raw_ = aligned<float>(block * decoder.stack_.gates_row());
  std::iota(samples_.begin(), samples_.end(), 0);
  from_.resize(2 * block);
  to_.resize(3 * block);
}

void DecoderRows::start(const std::vector<std::size_t>& sources) {
  const DecoderSources& all = decoder_.sources_;
  for (std::size_t layer = 0; layer < size_.layers; ++layer) {
    for (std::size_t row = 0; row < sources.size(); ++row) {
      const std::size_t from = layer * all.count + sources[row];
      std::copy_n(all.h0 + from * size_.state(), size_.state(),
                  &h_before_[layer][row * size_.state()]);
      if (c_.empty()) continue;
      std::copy_n(all.c0 + from * size_.units, size_.units, &c_before_[layer][row * size_.units]);
    }
  }
  std::fill(fed_before_.begin(), fed_before_.end(), 0.0f);
}

void DecoderRows::select(const std::vector<std::size_t>& rows) {
  bool same = true;
  for (std::size_t row = 0; row < rows.size(); ++row) same = same && rows[row] == row;
  const auto move = [&](std::vector<float>& after, std::vector<float>& before, std::size_t size) {
    if (same) return before.swap(after);
    for (std::size_t row = 0; row < rows.size(); ++row) {
      std::copy_n(&after[rows[row] * size], size, &before[row * size]);
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
  for (std::size_t first = 0; first < sources.size(); first += kBlock) {
    const std::size_t count = std::min(kBlock, sources.size() - first);
    run_stack(first, count, symbols.data() + first);
    attend(first, count, sources.data() + first);
  }
}

void DecoderRows::run_stack(std::size_t first, std::size_t count, const std::int64_t* symbols) {
  const AttentionDecoder& decoder = decoder_;
  const std::size_t embedding = decoder.size_.embedding;
  if (decoder.size_.feeds_input) {
    const std::size_t fed = decoder.size_.attentional;
    for (std::size_t row = 0; row < count; ++row) {
      const std::size_t symbol = static_cast<std::size_t>(symbols[row]);
      float* to = &input_[row * size_.input];
      std::copy_n(decoder.weights_.embedding + symbol * embedding, embedding, to);
      std::copy_n(&fed_before_[(first + row) * fed], fed, to + embedding);
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
      task.ids = {symbols, 0, 1};
      task.table_gates = decoder.table_gates_.get();
    }
    task.h = by_row(outputs_[layer], state);
    task.h0 = &h_before_[layer][first * state];
    task.h_n = &h_[layer][first * state];
    if (!c_.empty()) {
      task.c0 = &c_before_[layer][first * units];
      task.c_n = &c_[layer][first * units];
      task.c = {task.c_n, 0, static_cast<std::ptrdiff_t>(units)};
    }
    task.gates = gates_.get();
    task.turns_at_once = 1;
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
  const float *states[kBlock], *queries[kBlock], *fed[kBlock];
  float *to_queries[kBlock], *to_fed[kBlock], *to_logits[kBlock];
  for (std::size_t row = 0; row < count; ++row) {
    queries[row] = states[row] = &outputs_.back()[row * state];
    fed[row] = to_fed[row] = &fed_[(first + row) * size.attentional];
    to_logits[row] = &logits_[(first + row) * size.symbols];
    if (!queries_.empty()) queries[row] = to_queries[row] = &queries_[row * size.key];
  }
  if (!queries_.empty()) {
    kernels_.multiply(states, count, decoder.query_.get(), size.key, state, to_queries);
  }
  kernels_.multiply(states, count, decoder.from_state_.get(), size.attentional, state, to_fed);
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
    kernels_.read_memory(reading, queries[row], &weights_[(first + row) * decoder.longest_],
                         to_fed[row]);
  }
  kernels_.multiply(fed, count, decoder.vocabulary_.get(), size.symbols, size.attentional,
                    to_logits);
}

}  // namespace unrolled
