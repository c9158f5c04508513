// Searches with decoders of many shapes on several threads, to be built with sanitizers and for
// machines that are not at hand. What is found for a source must be the same to the last bit on any
// number of threads and alone, and the log-probability of a hypothesis must be what the decoder
// says when it is led along its symbols. Prints how many runs there were; anything else is a
// failure.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "instruction_sets.h"
#include "search.h"

using namespace unrolled;

namespace {

using Numbers = std::vector<float>;

std::mt19937 chance(1);  // NOLINT(bugprone-*): the same numbers in every run

std::size_t between(std::size_t least, std::size_t most) {
  return std::uniform_int_distribution<std::size_t>(least, most)(chance);
}

Numbers numbers(std::size_t count, float spread) {
  std::normal_distribution<float> normal(0.0f, spread);
  Numbers made(count);
  for (float& one : made) one = normal(chance);
  return made;
}

struct Model {
  StackSize stack{};
  DecoderSize size{};
  bool is_additive = false, has_key = false, has_bias = false;
  std::vector<Numbers> of_rows;
  Numbers embedding, query, energy, key, key_bias, from_memory, from_state, vocabulary, bias;

  DecoderWeights weights() const {
    std::vector<Weights> rows;
    for (std::size_t layer = 0; layer < stack.layers; ++layer) {
      const Numbers* of = &of_rows[layer * 5];
      rows.push_back({of[0].data(), of[1].data(), has_bias ? of[2].data() : nullptr,
                      has_bias ? of[3].data() : nullptr,
                      stack.projected != 0 ? of[4].data() : nullptr});
    }
    return {rows,
            embedding.data(),
            is_additive ? query.data() : nullptr,
            is_additive ? energy.data() : nullptr,
            has_key ? key.data() : nullptr,
            has_key && is_additive ? key_bias.data() : nullptr,
            from_memory.data(),
            from_state.data(),
            vocabulary.data(),
            bias.data()};
  }
};

Model any_model() {
  constexpr Cell cells[] = {Cell::rnn_tanh, Cell::rnn_relu, Cell::gru, Cell::lstm};
  Model model;
  const std::size_t units = between(2, 40), embedding = between(0, 20);
  const bool feeds_input = between(0, 1) == 1;
  const std::size_t attentional = between(0, 9) == 0 ? 0 : between(1, 40);
  model.stack.cell = cells[between(0, 3)];
  model.stack.input = embedding + (feeds_input ? attentional : 0);
  model.stack.units = units;
  model.stack.layers = between(1, 3);
  model.stack.directions = 1;
  if (model.stack.cell == Cell::lstm && between(0, 2) == 0) model.stack.projected = units - 1;
  const std::size_t state = model.stack.state();
  model.is_additive = between(0, 1) == 1;
  model.has_bias = between(0, 1) == 1;
  model.has_key = model.is_additive || between(0, 1) == 1;
  const std::size_t memory = model.has_key ? between(1, 40) : state;
  const std::size_t key = model.is_additive ? between(0, 40) : state;
  model.size = {between(4, 50), embedding, memory, key, attentional, feeds_input};
  for (std::size_t layer = 0; layer < model.stack.layers; ++layer) {
    const LayerSize of = model.stack.layer(layer);
    const std::size_t gates = of.gates() * of.units;
    for (const std::size_t count :
         {gates * of.input, gates * of.state(), gates, gates, of.projected * of.units}) {
      // The states of a ReLU would grow without end.
      model.of_rows.push_back(numbers(count, model.stack.cell == Cell::rnn_relu ? 0.05f : 0.4f));
    }
  }
  model.embedding = numbers(model.size.symbols * embedding, 1.0f);
  model.query = numbers(key * state, 0.4f);
  model.energy = numbers(key, 0.4f);
  model.key = numbers(key * memory, 0.4f);
  model.key_bias = numbers(key, 0.4f);
  model.from_memory = numbers(attentional * memory, 0.4f);
  model.from_state = numbers(attentional * state, 0.4f);
  model.vocabulary = numbers(model.size.symbols * attentional, 0.8f);
  model.bias = numbers(model.size.symbols, 0.4f);
  return model;
}

// What is decoded; memory stands by source and step.
struct Given {
  std::size_t steps = 0;
  std::vector<std::size_t> lengths, limits;
  Numbers memory, h0, c0;

  DecoderSources sources(const Model& model) const {
    const auto size = static_cast<std::ptrdiff_t>(model.size.memory);
    return {{memory.data(), size, size * static_cast<std::ptrdiff_t>(steps)},
            lengths,
            h0.data(),
            model.stack.cell == Cell::lstm ? c0.data() : nullptr};
  }
};

Given any_given(const Model& model) {
  Given given;
  // Some are long enough for a search to forget what it wrote in vain.
  const bool is_long = between(0, 4) == 0;
  const std::size_t count = is_long ? between(1, 3) : between(1, 30);
  given.steps = between(1, 9);
  for (std::size_t source = 0; source < count; ++source) {
    given.lengths.push_back(between(1, given.steps));
    given.limits.push_back(is_long ? between(400, 900) : between(0, 12));
  }
  given.memory = numbers(count * given.steps * model.size.memory, 1.0f);
  given.h0 = numbers(model.stack.layers * count * model.stack.state(), 0.5f);
  given.c0 = numbers(model.stack.layers * count * model.stack.units, 0.5f);
  return given;
}

Given one_of(const Given& all, const Model& model, std::size_t source) {
  const auto part = [&](const Numbers& from, std::size_t layers, std::size_t size) {
    Numbers made;
    for (std::size_t layer = 0; layer < layers; ++layer) {
      const float* first = &from[(layer * all.lengths.size() + source) * size];
      made.insert(made.end(), first, first + size);
    }
    return made;
  };
  return {all.steps,
          {all.lengths[source]},
          {all.limits[source]},
          part(all.memory, 1, all.steps * model.size.memory),
          part(all.h0, model.stack.layers, model.stack.state()),
          part(all.c0, model.stack.layers, model.stack.units)};
}

SearchOptions any_options(const Model& model) {
  SearchOptions options{};
  options.beam_size = between(1, 5);
  options.n_best = between(1, options.beam_size);
  options.length_penalty = between(0, 1) == 1 ? 0.7f : 0.0f;
  options.begin = 1;
  options.end = 2;
  options.never.resize(model.size.symbols);
  options.never[0] = options.never[1] = true;
  options.keeps_weights = between(0, 2) != 0;
  return options;
}

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  std::_Exit(1);  // what ends a program in peace would race with the workers
}

Found found_by(const Model& model, const Given& given, const SearchOptions& options,
               const KernelTable& kernels, std::size_t threads) {
  Stack stack(model.stack, kernels);
  DecoderPacks packs;
  Crew crew(threads);
  AttentionDecoder decoder(stack, packs, model.size, model.weights(), given.sources(model), crew);
  return search(decoder, given.limits, options, crew);
}

bool same(const std::vector<Hypothesis>& some, const std::vector<Hypothesis>& others) {
  if (some.size() != others.size()) return false;
  for (std::size_t i = 0; i < some.size(); ++i) {
    const Hypothesis &one = some[i], &other = others[i];
    if (one.symbols != other.symbols || one.score != other.score ||
        one.log_probability != other.log_probability || one.weights != other.weights) {
      return false;
    }
  }
  return true;
}

void check_shape(const Hypothesis& one, const Given& given, std::size_t source,
                 const SearchOptions& options) {
  const std::size_t written = one.symbols.size(), steps = given.lengths[source];
  if (written == 0 || one.symbols.back() != options.end) fail("a target does not end");
  if (written > given.limits[source] + 1) fail("a target is too long");
  for (std::size_t step = 0; step + 1 < written; ++step) {
    if (one.symbols[step] == options.end) fail("a target goes on behind its end");
    if (options.never[static_cast<std::size_t>(one.symbols[step])]) {
      fail("a symbol was written that never is");
    }
  }
  const std::size_t kept = options.keeps_weights ? written * steps : 0;
  if (one.weights.size() != kept) fail("weights are missing, or were not asked for");
  for (std::size_t first = 0; first < kept; first += steps) {
    double sum = 0;
    for (std::size_t i = 0; i < steps; ++i) sum += one.weights[first + i];
    if (std::abs(sum - 1) > 1e-5) fail("weights do not sum to 1");
  }
}

// Leads the decoder along the symbols of a hypothesis.
void check_numbers(const Hypothesis& one, const AttentionDecoder& decoder, std::size_t source,
                   const SearchOptions& options) {
  DecoderRows rows(decoder);
  rows.start({source});
  std::int64_t last = options.begin;
  float log_probability = 0;
  Numbers weights;
  for (const std::int64_t symbol : one.symbols) {
    rows.step({source}, {last});
    log_probability = (rows.logits(0)[symbol] - rows.log_of_sum(0)) + log_probability;
    weights.insert(weights.end(), rows.weights(0), rows.weights(0) + decoder.length(source));
    rows.select({0});
    last = symbol;
  }
  if (one.log_probability != log_probability) fail("a log-probability is another one");
  if (options.keeps_weights && one.weights != weights) fail("weights are other ones");
}

void check(const KernelTable& kernels) {
  const Model model = any_model();
  const Given given = any_given(model);
  const SearchOptions options = any_options(model);
  const Found found = found_by(model, given, options, kernels, 1);
  const Found again = found_by(model, given, options, kernels, between(2, 4));
  if (found.failure || again.failure) fail("probabilities are no numbers");
  Stack stack(model.stack, kernels);
  DecoderPacks packs;
  Crew crew(1);
  const AttentionDecoder decoder(stack, packs, model.size, model.weights(), given.sources(model),
                                 crew);
  for (std::size_t source = 0; source < given.limits.size(); ++source) {
    const std::vector<Hypothesis>& best = found.hypotheses[source];
    if (best.empty()) fail("nothing was found");
    if (!same(best, again.hypotheses[source])) {
      fail("another number of threads finds something else");
    }
    for (const Hypothesis& hypothesis : best) {
      check_shape(hypothesis, given, source, options);
      check_numbers(hypothesis, decoder, source, options);
    }
  }
  const std::size_t one = between(0, given.limits.size() - 1);
  const Found alone = found_by(model, one_of(given, model, one), options, kernels, 1);
  if (!same(alone.hypotheses[0], found.hypotheses[one])) {
    fail("a source alone finds something else");
  }
}

// A symbol whose embedding is no number: the search fails wherever it is the first to be read.
void check_failure(const KernelTable& kernels) {
  Model model = any_model();
  const Given given = any_given(model);
  const SearchOptions options = any_options(model);
  const std::size_t symbol = between(0, model.size.symbols - 1);
  for (std::size_t i = 0; i < model.size.embedding; ++i) {
    model.embedding[symbol * model.size.embedding + i] = std::nanf("");
  }
  const Found found = found_by(model, given, options, kernels, 1);
  const Found again = found_by(model, given, options, kernels, between(2, 4));
  if (found.failure != again.failure) fail("another number of threads fails elsewhere");
  std::optional<NoProbabilities> first;
  for (std::size_t source = 0; source < given.limits.size(); ++source) {
    std::optional<NoProbabilities> alone =
        found_by(model, one_of(given, model, source), options, kernels, 1).failure;
    if (alone) alone->source = source;
    if (alone && (!first || *alone < *first)) first = alone;
  }
  if (found.failure != first) fail("not the first failure is given");
  const bool is_told = model.size.embedding != 0 && model.size.attentional != 0;
  if (symbol == 1 && is_told && first != NoProbabilities{0, 0}) fail("a failure goes unseen");
}

// Unwanted from the second time on that it is asked.
void check_stop(const KernelTable& kernels) {
  const Model model = any_model();
  Given given = any_given(model);
  for (std::size_t& limit : given.limits) limit = 100'000'000;
  SearchOptions options = any_options(model);
  options.never[2] = true;  // no target ends before its limit
  std::size_t asked = 0;
  options.is_unwanted = [&] { return ++asked > 1; };
  found_by(model, given, options, kernels, between(1, 3));
  if (asked != 2) fail("a search is asked for again after it was unwanted");
}

}  // namespace

int main(int count, char** arguments) {
  const int runs = count > 1 ? std::stoi(arguments[1]) : 40;
  for (const std::string& isa : available_isas()) {
    for (int i = 0; i < runs; ++i) {
      check(kernels_of(isa));
      check_failure(kernels_of(isa));
      check_stop(kernels_of(isa));
    }
  }
  std::printf("%d runs on each of %zu instruction sets\n", runs, available_isas().size());
  return 0;
}
