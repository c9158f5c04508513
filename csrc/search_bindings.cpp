// Python's view of a search: the arrays of a decoder and of its sources in, targets out. Shapes are
// checked here, and the interpreter is free while a search lasts.
#include "search_bindings.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/vector.h>

#include <cmath>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "arrays.h"
#include "search.h"
#include "stack_bindings.h"

namespace unrolled {

namespace {

std::size_t columns(const std::string& name, const In& matrix) {
  if (matrix.ndim() != 2) throw std::invalid_argument(name + " must have 2 axes");
  return matrix.shape(1);
}

DecoderWeights decoder_weights(const DecoderSize& size, const StackSize& stack,
                               const std::vector<Weights>& rows, const In& embedding,
                               const std::optional<In>& query, const std::optional<In>& energy,
                               const std::optional<In>& key, const std::optional<In>& key_bias,
                               const In& from_memory, const In& from_state, const In& vocabulary,
                               const In& vocabulary_bias) {
  if (!query && size.key != stack.state()) {
    throw std::invalid_argument("without a matrix for the query, keys are as wide as a state");
  }
  if (!key && size.key != size.memory) {
    throw std::invalid_argument("without a matrix for the keys, they are as wide as the memory");
  }
  return {rows,
          contiguous("embedding", embedding, {size.symbols, size.embedding}),
          contiguous("query", query, {size.key, stack.state()}),
          contiguous("energy", energy, {size.key}),
          contiguous("key", key, {size.key, size.memory}),
          contiguous("key_bias", key_bias, {size.key}),
          contiguous("from_memory", from_memory, {size.attentional, size.memory}),
          contiguous("from_state", from_state, {size.attentional, stack.state()}),
          contiguous("vocabulary", vocabulary, {size.symbols, size.attentional}),
          contiguous("vocabulary_bias", vocabulary_bias, {size.symbols})};
}

void check_symbols(const SearchOptions& options, std::size_t symbols) {
  for (const std::int64_t symbol : {options.begin, options.end}) {
    if (symbol < 0 || static_cast<std::size_t>(symbol) >= symbols) {
      throw std::out_of_range("symbol " + std::to_string(symbol) + " is none of the " +
                              std::to_string(symbols) + " of the vocabulary");
    }
  }
}

nb::list as_list(const std::vector<std::vector<FoundTarget>>& found) {
  nb::list sources;
  for (const std::vector<FoundTarget>& best : found) {
    nb::list targets;
    for (const FoundTarget& one : best) {
      targets.append(nb::make_tuple(one.symbols, one.score, one.log_probability, one.weights));
    }
    sources.append(targets);
  }
  return sources;
}

nb::list search_targets(const nb::object& py_stack, const WeightArrays& stack_weights,
                        const In& embedding, const std::optional<In>& query,
                        const std::optional<In>& energy, const std::optional<In>& key,
                        const std::optional<In>& key_bias, const In& from_memory,
                        const In& from_state, const In& vocabulary, const In& vocabulary_bias,
                        const In& memory, const Lengths& lengths, const In& h0,
                        const std::optional<In>& c0, const Lengths& limits, std::size_t beam_size,
                        std::size_t n_best, float length_penalty, std::int64_t begin,
                        std::int64_t end, const std::vector<std::int64_t>& never,
                        bool keeps_weights, std::size_t threads) {
  Stack& stack = stack_of(py_stack);
  const StackSize& of_stack = stack.size();
  const bool has_cell = of_stack.cell == Cell::lstm;
  if (of_stack.directions != 1) throw std::invalid_argument("a decoder runs forward only");
  DecoderSize size{};
  size.embedding = columns("embedding", embedding);
  size.symbols = embedding.shape(0);
  size.memory = columns("from_memory", from_memory);
  size.attentional = from_memory.shape(0);
  size.key = size.memory;
  if (key) {
    columns("key", *key);
    size.key = key->shape(0);
  }
  size.feeds_input = of_stack.input != size.embedding;
  if (of_stack.input != size.embedding + (size.feeds_input ? size.attentional : 0)) {
    throw std::invalid_argument("the stack reads neither the embedding alone nor both");
  }
  const DecoderWeights weights =
      decoder_weights(size, of_stack, weights_of(py_stack, stack_weights), embedding, query, energy,
                      key, key_bias, from_memory, from_state, vocabulary, vocabulary_bias);

  DecoderSources sources{};
  sources.count = lengths.shape(0);
  const std::size_t steps = memory.ndim() == 3 ? memory.shape(0) : 0;
  sources.memory = grid<const float>("memory", memory, {steps, sources.count, size.memory});
  sources.lengths = lengths.data();
  for (std::size_t source = 0; source < sources.count; ++source) {
    if (lengths.data()[source] < 1 || static_cast<std::size_t>(lengths.data()[source]) > steps) {
      throw std::invalid_argument("a length lies outside the steps");
    }
  }
  sources.h0 = contiguous("h0", h0, {of_stack.layers, sources.count, of_stack.state()});
  sources.c0 = contiguous("c0", c0, {of_stack.layers, sources.count, of_stack.units});
  if (has_cell && sources.c0 == nullptr) throw std::invalid_argument("an LSTM needs c0");
  if (limits.shape(0) != sources.count) throw std::invalid_argument("one limit for each source");

  SearchOptions options{};
  options.beam_size = beam_size;
  options.n_best = n_best;
  options.length_penalty = length_penalty;
  options.begin = begin;
  options.end = end;
  options.keeps_weights = keeps_weights;
  if (n_best == 0 || beam_size < n_best) {
    throw std::invalid_argument("n_best lies outside 1 to beam_size");
  }
  check_size("beam_size", beam_size);
  check_size("symbols", size.symbols);
  check_symbols(options, size.symbols);
  options.never.resize(size.symbols);
  for (const std::int64_t symbol : never) {
    if (symbol >= 0 && static_cast<std::size_t>(symbol) < size.symbols) {
      options.never[static_cast<std::size_t>(symbol)] = true;
    }
  }

  std::vector<std::vector<FoundTarget>> found;
  {
    nb::gil_scoped_release released;
    Crew crew = crew_of(threads);
    const AttentionDecoder decoder(stack, size, weights, sources, crew);
    found = search(decoder, limits.data(), options, crew);
  }
  return as_list(found);
}

}  // namespace

void bind_search(nb::module_& module) {
  module.def("search", &search_targets, nb::arg("stack"), nb::arg("weights").noconvert(),
             nb::arg("embedding").noconvert(), nb::arg("query").noconvert().none(),
             nb::arg("energy").noconvert().none(), nb::arg("key").noconvert().none(),
             nb::arg("key_bias").noconvert().none(), nb::arg("from_memory").noconvert(),
             nb::arg("from_state").noconvert(), nb::arg("vocabulary").noconvert(),
             nb::arg("vocabulary_bias").noconvert(), nb::arg("memory").noconvert(),
             nb::arg("lengths").noconvert(), nb::arg("h0").noconvert(),
             nb::arg("c0").noconvert().none(), nb::arg("limits").noconvert(), nb::arg("beam_size"),
             nb::arg("n_best"), nb::arg("length_penalty"), nb::arg("begin"), nb::arg("end"),
             nb::arg("never"), nb::arg("keeps_weights"), nb::arg("threads"));
}

}  // namespace unrolled
