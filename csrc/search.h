// Greedy and beam search: the best hypotheses of each source.
#pragma once

#include <compare>
#include <cstddef>
#include <optional>
#include <vector>

#include "attention_decoder.h"
#include "beam.h"

namespace unrolled {

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
