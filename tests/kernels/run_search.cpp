// Searches with decoders of many shapes on several threads, to be built with sanitizers and for
// machines that are not at hand. What is found for a source must be the same to the last bit on any
// number of threads and alone. Prints how many runs there were; anything else is a failure.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "instruction_sets.h"
#include "search.h"

using namespace unrolled;

namespace {

using Numbers = std::vector<float>;

std::mt19937 chance(1);

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
  bool is_additive = false, has_key = false;
  std::vector<Numbers> of_rows;
  Numbers embedding, query, energy, key, key_bias, from_memory, from_state, vocabulary, bias;

  DecoderWeights weights() const {
    std::vector<Weights> rows;
    for (std::size_t layer = 0; layer < stack.layers; ++layer) {
      const Numbers* of = &of_rows[layer * 5];
      rows.push_back({of[0].data(), of[1].data(), of[2].data(), of[3].data(),
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
  constexpr Cell cells[] = {Cell::rnn_tanh, Cell::gru, Cell::lstm};
  Model model;
  const std::size_t units = between(2, 40), embedding = between(1, 20);
  const bool feeds_input = between(0, 1) == 1;
  const std::size_t attentional = between(1, 40);
  model.stack.cell = cells[between(0, 2)];
  model.stack.input = embedding + (feeds_input ? attentional : 0);
  model.stack.units = units;
  model.stack.layers = between(1, 3);
  model.stack.directions = 1;
  if (model.stack.cell == Cell::lstm && between(0, 2) == 0) model.stack.projected = units - 1;
  const std::size_t state = model.stack.state();
  model.is_additive = between(0, 1) == 1;
  model.has_key = model.is_additive || between(0, 1) == 1;
  const std::size_t memory = model.has_key ? between(1, 40) : state;
  const std::size_t key = model.is_additive ? between(1, 40) : state;
  model.size = {between(4, 50), embedding, memory, key, attentional, feeds_input};
  for (std::size_t layer = 0; layer < model.stack.layers; ++layer) {
    const LayerSize of = model.stack.layer(layer);
    const std::size_t gates = of.gates() * of.units;
    for (const std::size_t count :
         {gates * of.input, gates * of.state(), gates, gates, of.projected * of.units}) {
      model.of_rows.push_back(numbers(count, 0.4f));
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
  std::vector<std::int64_t> lengths, limits;
  Numbers memory, h0, c0;

  DecoderSources sources(const Model& model) const {
    const auto size = static_cast<std::ptrdiff_t>(model.size.memory);
    return {{memory.data(), size, size * static_cast<std::ptrdiff_t>(steps)},
            lengths.data(),
            lengths.size(),
            h0.data(),
            model.stack.cell == Cell::lstm ? c0.data() : nullptr};
  }
};

Given any_given(const Model& model) {
  Given given;
  const std::size_t count = between(1, 30);
  given.steps = between(1, 9);
  for (std::size_t source = 0; source < count; ++source) {
    given.lengths.push_back(static_cast<std::int64_t>(between(1, given.steps)));
    given.limits.push_back(static_cast<std::int64_t>(between(0, 12)));
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

std::vector<std::vector<FoundTarget>> found_by(const Model& model, const Given& given,
                                               const SearchOptions& options,
                                               const KernelTable& kernels, std::size_t threads) {
  Stack stack(model.stack, kernels);
  Crew crew(threads);
  const AttentionDecoder decoder(stack, model.size, model.weights(), given.sources(model), crew);
  return search(decoder, given.limits.data(), options, crew);
}

bool same(const std::vector<FoundTarget>& some, const std::vector<FoundTarget>& others) {
  if (some.size() != others.size()) return false;
  for (std::size_t i = 0; i < some.size(); ++i) {
    const FoundTarget &one = some[i], &other = others[i];
    if (one.symbols != other.symbols || one.score != other.score ||
        one.log_probability != other.log_probability || one.weights != other.weights) {
      return false;
    }
  }
  return true;
}

[[noreturn]] void fail(const char* what) {
  std::printf("%s\n", what);
  std::exit(1);
}

void check_target(const FoundTarget& target, const Given& given, std::size_t source,
                  const SearchOptions& options) {
  const std::size_t written = target.symbols.size();
  if (written == 0 || target.symbols.back() != options.end) fail("a target does not end");
  if (written > static_cast<std::size_t>(given.limits[source]) + 1) fail("a target is too long");
  if (!(target.log_probability <= 1e-5f)) fail("a probability is above 1");
  const std::size_t steps = static_cast<std::size_t>(given.lengths[source]);
  if (target.weights.size() != written * steps) fail("weights are missing");
  for (std::size_t step = 0; step < written; ++step) {
    if (step + 1 < written && options.never[static_cast<std::size_t>(target.symbols[step])]) {
      fail("a symbol was written that never is");
    }
    double sum = 0;
    for (std::size_t i = 0; i < steps; ++i) sum += target.weights[step * steps + i];
    if (std::abs(sum - 1) > 1e-4) fail("weights do not sum to 1");
  }
}

void check(const KernelTable& kernels) {
  const Model model = any_model();
  const Given given = any_given(model);
  SearchOptions options{};
  options.beam_size = between(1, 5);
  options.n_best = between(1, options.beam_size);
  options.length_penalty = between(0, 1) == 1 ? 0.7f : 0.0f;
  options.begin = 1;
  options.end = 2;
  options.never.resize(model.size.symbols);
  options.never[0] = options.never[1] = true;
  options.keeps_weights = true;
  const auto found = found_by(model, given, options, kernels, 1);
  const auto again = found_by(model, given, options, kernels, between(2, 4));
  for (std::size_t source = 0; source < found.size(); ++source) {
    if (found[source].empty()) fail("nothing was found");
    if (!same(found[source], again[source])) fail("another number of threads finds something else");
    for (const FoundTarget& target : found[source]) check_target(target, given, source, options);
  }
  const std::size_t one = between(0, found.size() - 1);
  const auto alone = found_by(model, one_of(given, model, one), options, kernels, 1);
  if (!same(alone[0], found[one])) fail("a source alone finds something else");
}

}  // namespace

int main(int count, char** arguments) {
  const int runs = count > 1 ? std::atoi(arguments[1]) : 40;
  for (const std::string& isa : available_isas()) {
    for (int i = 0; i < runs; ++i) check(kernels_of(isa));
  }
  std::printf("%d runs on each of %zu instruction sets\n", runs, available_isas().size());
  return 0;
}
