// Python's view of a search: the arrays of a decoder and of its sources in, hypotheses out. Shapes
// are checked here, and the interpreter is free while a search lasts.
#include "search_bindings.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "arrays.h"
#include "search.h"
#include "stack_bindings.h"

namespace unrolled {

namespace {

using Attention = nb::ndarray<nb::numpy, float, nb::ndim<2>>;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostSymbols = std::size_t{1} << 28;

// Python's signals, such as the user's Ctrl-C, heard while the interpreter is free.
class Signals {
 public:
  // Whether there was one that ends what runs; asks seldom, since it waits for the interpreter.
  // Python's error is then set.
  bool end_it() {
    const Clock::time_point now = Clock::now();
    if (now < next_) return false;
    next_ = now + kPause;
    const nb::gil_scoped_acquire held;
    have_ended_it_ = PyErr_CheckSignals() != 0;
    return have_ended_it_;
  }

  bool have_ended_it() const { return have_ended_it_; }

 private:
  static constexpr std::chrono::milliseconds kPause{50};

  Clock::time_point next_ = Clock::now() + kPause;
  bool have_ended_it_ = false;
};

std::string from_to(const std::string& what, const std::string& found, std::size_t least,
                    std::size_t most) {
  return what + " is " + found + "; it must be from " + std::to_string(least) + " to " +
         std::to_string(most);
}

void check_axes(const std::string& name, const In& matrix) {
  if (matrix.ndim() == 2) return;
  throw std::invalid_argument(name + " has " + std::to_string(matrix.ndim()) +
                              " axes; it must have 2");
}

void check_width(const std::string& what, std::size_t found, const std::string& of,
                 std::size_t expected) {
  if (found == expected) return;
  throw std::invalid_argument(what + " is " + std::to_string(found) +
                              " wide; it must be as wide as " + of + ", " +
                              std::to_string(expected));
}

DecoderSize decoder_size(const StackSize& stack, bool feeds_input, const In& embedding,
                         const std::optional<In>& query, const std::optional<In>& key,
                         const In& from_memory) {
  if (stack.directions != 1) {
    throw std::invalid_argument("the stack has 2 directions; a decoder runs forward only");
  }
  if (stack.precision != Precision::fp32) {
    throw std::invalid_argument(
        "the stack is of a low precision; a search takes the weights of a float32 one");
  }
  check_axes("embedding", embedding);
  check_axes("from_memory", from_memory);
  if (key) check_axes("key", *key);
  DecoderSize size{};
  size.symbols = embedding.shape(0);
  size.embedding = embedding.shape(1);
  size.attentional = from_memory.shape(0);
  size.memory = from_memory.shape(1);
  size.key = key ? key->shape(0) : size.memory;
  size.feeds_input = feeds_input;
  check_size("symbols", size.symbols);
  check_width("the input of the stack", stack.input,
              feeds_input ? "the embedding and the attentional vector" : "the embedding",
              size.embedding + (feeds_input ? size.attentional : 0));
  if (!query) check_width("a key without a matrix for queries", size.key, "a state", stack.state());
  return size;
}

std::vector<std::size_t> numbers_of(const std::string& what, const Lengths& array,
                                    std::size_t sources, std::size_t least, std::size_t most) {
  if (array.shape(0) != sources) refuse(what + "s", array, {sources});
  std::vector<std::size_t> numbers;
  for (const std::int64_t number : copied(array)) {
    if (std::cmp_less(number, least) || std::cmp_greater(number, most)) {
      throw std::invalid_argument(
          from_to("the " + what + " of source " + std::to_string(numbers.size()),
                  std::to_string(number), least, most));
    }
    numbers.push_back(static_cast<std::size_t>(number));
  }
  return numbers;
}

std::size_t checked_symbol(const char* name, std::int64_t symbol, std::size_t symbols) {
  if (symbol < 0 || std::cmp_greater_equal(symbol, symbols)) {
    throw std::out_of_range(std::string(name) + " is symbol " + std::to_string(symbol) +
                            ", which is none of the " + std::to_string(symbols) +
                            " of the embedding");
  }
  return static_cast<std::size_t>(symbol);
}

SearchOptions options_of(std::size_t symbols, std::size_t beam_size, std::size_t n_best,
                         float length_penalty, std::int64_t begin, std::int64_t end,
                         const std::vector<std::int64_t>& never, bool keeps_weights) {
  check_size("beam_size", beam_size);
  if (beam_size == 0) throw std::invalid_argument("beam_size is 0; it must be 1 or more");
  if (n_best == 0 || n_best > beam_size) {
    throw std::invalid_argument(from_to("n_best", std::to_string(n_best), 1, beam_size) +
                                ", the beam_size");
  }
  if (!(length_penalty >= 0 && length_penalty <= 5)) {
    throw std::invalid_argument("length_penalty is " + std::to_string(length_penalty) +
                                "; it must be between 0 and 5");
  }
  checked_symbol("begin", begin, symbols);
  checked_symbol("end", end, symbols);
  SearchOptions options{
      beam_size, n_best, length_penalty, begin, end, std::vector<bool>(symbols), keeps_weights, {}};
  for (const std::int64_t symbol : never) {
    options.never[checked_symbol("one of never", symbol, symbols)] = true;
  }
  if (options.never[static_cast<std::size_t>(end)]) {
    throw std::invalid_argument("the symbol that ends a target is among those never written");
  }
  return options;
}

// What attention read of each source step for each symbol.
Attention attention_of(std::vector<float> weights, std::size_t symbols) {
  auto owned = std::make_unique<std::vector<float>>(std::move(weights));
  float* const data = owned->data();
  const std::size_t steps = owned->size() / symbols;
  const nb::capsule owner(owned.release(),
                          [](void* of) noexcept { delete static_cast<std::vector<float>*>(of); });
  return Attention(data, {symbols, steps}, owner);
}

nb::list as_list(std::vector<std::vector<Hypothesis>>& found, bool keeps_weights) {
  nb::list sources;
  for (std::vector<Hypothesis>& best : found) {
    nb::list hypotheses;
    for (Hypothesis& one : best) {
      nb::object attention = nb::none();
      if (keeps_weights) {
        attention = nb::cast(attention_of(std::move(one.weights), one.symbols.size()));
      }
      hypotheses.append(nb::make_tuple(one.symbols, one.score, one.log_probability, attention));
    }
    sources.append(hypotheses);
  }
  return sources;
}

// The hypotheses of each source, and the step and source whose probabilities are no numbers, if
// there is one.
nb::tuple search_hypotheses(const nb::object& py_stack, DecoderPacks& packs,
                            const WeightArrays& stack_weights, const In& embedding,
                            const std::optional<In>& query, const std::optional<In>& energy,
                            const std::optional<In>& key, const std::optional<In>& key_bias,
                            const In& from_memory, const In& from_state, const In& vocabulary,
                            const In& vocabulary_bias, const In& memory, const Lengths& lengths,
                            const In& h0, const std::optional<In>& c0, const Lengths& limits,
                            bool feeds_input, std::size_t beam_size, std::size_t n_best,
                            float length_penalty, std::int64_t begin, std::int64_t end,
                            const std::vector<std::int64_t>& never, bool keeps_weights,
                            std::size_t threads) {
  Stack& stack = stack_of(py_stack);
  const StackSize& of_stack = stack.size();
  const std::size_t state = of_stack.state();
  const DecoderSize size = decoder_size(of_stack, feeds_input, embedding, query, key, from_memory);
  const DecoderWeights weights{
      weights_of(py_stack, stack_weights),
      contiguous("embedding", embedding, {size.symbols, size.embedding}),
      contiguous("query", query, {size.key, state}),
      contiguous("energy", energy, {size.key}),
      contiguous("key", key, {size.key, size.memory}),
      contiguous("key_bias", key_bias, {size.key}),
      contiguous("from_memory", from_memory, {size.attentional, size.memory}),
      contiguous("from_state", from_state, {size.attentional, state}),
      contiguous("vocabulary", vocabulary, {size.symbols, size.attentional}),
      contiguous("vocabulary_bias", vocabulary_bias, {size.symbols})};

  DecoderSources sources{};
  const std::size_t steps = memory.ndim() == 3 ? memory.shape(0) : 0, count = lengths.shape(0);
  sources.memory = grid<const float>("memory", memory, {steps, count, size.memory});
  sources.lengths = numbers_of("length", lengths, count, 1, steps);
  sources.h0 = contiguous("h0", h0, {of_stack.layers, count, state});
  sources.c0 = contiguous("c0", c0, {of_stack.layers, count, of_stack.units});
  if (of_stack.cell == Cell::lstm && sources.c0 == nullptr) {
    throw std::invalid_argument("c0 is None; an LSTM starts from one");
  }
  const std::vector<std::size_t> most = numbers_of("limit", limits, count, 0, kMostSymbols);

  Signals signals;
  SearchOptions options =
      options_of(size.symbols, beam_size, n_best, length_penalty, begin, end, never, keeps_weights);
  options.is_unwanted = [&] { return signals.end_it(); };
  Found found;
  {
    nb::gil_scoped_release released;
    Crew crew = crew_of(threads);
    AttentionDecoder decoder(stack, packs, size, weights, std::move(sources), crew);
    found = search(decoder, most, options, crew);
  }
  if (signals.have_ended_it()) throw nb::python_error();
  nb::object failure = nb::none();
  if (found.failure) failure = nb::make_tuple(found.failure->source, found.failure->step);
  return nb::make_tuple(as_list(found.hypotheses, keeps_weights), failure);
}

}  // namespace

void bind_search(nb::module_& module) {
  nb::class_<DecoderPacks>(module, "DecoderPacks").def(nb::init<>());
  module.def("search", &search_hypotheses, nb::arg("stack"), nb::arg("packs"),
             nb::arg("weights").noconvert(), nb::arg("embedding").noconvert(),
             nb::arg("query").noconvert().none(), nb::arg("energy").noconvert().none(),
             nb::arg("key").noconvert().none(), nb::arg("key_bias").noconvert().none(),
             nb::arg("from_memory").noconvert(), nb::arg("from_state").noconvert(),
             nb::arg("vocabulary").noconvert(), nb::arg("vocabulary_bias").noconvert(),
             nb::arg("memory").noconvert(), nb::arg("lengths").noconvert(),
             nb::arg("h0").noconvert(), nb::arg("c0").noconvert().none(),
             nb::arg("limits").noconvert(), nb::arg("feeds_input"), nb::arg("beam_size"),
             nb::arg("n_best"), nb::arg("length_penalty"), nb::arg("begin"), nb::arg("end"),
             nb::arg("never"), nb::arg("keeps_weights"), nb::arg("threads"));
}

}  // namespace unrolled
