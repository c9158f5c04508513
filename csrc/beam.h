// The hypotheses of one source in a search, and the targets that it has found.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
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

class Beam {
 public:
  // The options must live as long as the beam.
  Beam(const SearchOptions& options, std::size_t limit, std::size_t source_steps);

  // How many may be continued, each at a place, the best first.
  std::size_t living() const { return living_.size(); }
  std::int64_t last_symbol(std::size_t place) const { return nodes_[living_[place].node].symbol; }

  // Continues the hypotheses by their best symbols; their rows begin at `row`, and the rows of
  // those that live on are added to `going_on`. False where their probabilities are no numbers.
  bool advance(const DecoderRows& rows, std::size_t row, std::vector<std::size_t>& going_on);

  // Whether none lives that can still be among the best: a log-probability only falls.
  bool is_done() const;

  // Best first.
  std::vector<Hypothesis> ended() const;

 private:
  // A symbol written, and what was written before it.
  struct Node {
    std::size_t before;
    std::int64_t symbol;
  };

  struct Living {
    std::size_t node;
    float log_probability;
  };

  struct Continuation {
    float log_probability;
    std::size_t place;
    std::int64_t symbol;
  };

  struct Ended {
    float score, log_probability;
    std::size_t node;
  };

  bool find_best(const DecoderRows& rows, std::size_t row);
  Hypothesis hypothesis(const Ended& ended) const;
  void forget();

  const SearchOptions* options_;
  std::size_t limit_, source_steps_, written_ = 0, worth_forgetting_;
  std::vector<Node> nodes_;
  std::vector<float> weights_;  // of each node, if they are kept
  // Best first.
  std::vector<Living> living_, next_;
  std::vector<Ended> ended_;
  std::vector<Continuation> best_;
};

}  // namespace unrolled
