// Greedy and beam search: the best targets of each source.
#pragma once

#include <cstdint>
#include <vector>

#include "attention_decoder.h"

namespace unrolled {

struct SearchOptions {
  std::size_t beam_size, n_best;
  float length_penalty;  // alpha
  std::int64_t begin, end;
  std::vector<bool> never;  // by symbol: those that are never written
  bool keeps_weights;
};

// One target that was found.
struct FoundTarget {
  std::vector<std::int64_t> symbols;  // END included
  float score, log_probability;
  std::vector<float> weights;  // for each symbol those of each source step; empty unless kept
};

// The targets of each source, best first; none where the probabilities are no numbers.
std::vector<std::vector<FoundTarget>> search(const AttentionDecoder& decoder,
                                             const std::int64_t* limits,
                                             const SearchOptions& options, Crew& crew);

}  // namespace unrolled
