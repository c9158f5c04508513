// Greedy and beam search: the best hypotheses of each source.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "attention_decoder.h"

namespace unrolled {

struct SearchOptions {
  std::size_t beam_size, n_best;
  float length_penalty;  // alpha
  std::int64_t begin, end;
  std::vector<bool> never;  // by symbol: those that are never written
  bool keeps_weights;
  // Whether the search is to end where it is, asked now and then by the thread that called; may be
  // empty. What is found then is not all.
  std::function<bool()> is_unwanted;
};

// A target that has ended.
struct Hypothesis {
  std::vector<std::int64_t> symbols;  // END included
  float score, log_probability;
  std::vector<float> weights;  // for each symbol those of each source step; empty unless kept
};

// Where the probabilities of a hypothesis are no numbers.
struct NoProbabilities {
  std::size_t step, source;  // the first step, and of its sources the first

  auto operator<=>(const NoProbabilities&) const = default;
};

struct Found {
  std::vector<std::vector<Hypothesis>> hypotheses;  // of each source, best first
  std::optional<NoProbabilities> failure;
};

// `limits` are the most symbols of each target, END not counted.
Found search(AttentionDecoder& decoder, const std::vector<std::size_t>& limits,
             const SearchOptions& options, Crew& crew);

}  // namespace unrolled
