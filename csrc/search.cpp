#include "search.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace unrolled {

namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

// Rows that one task decodes at first: fewer are slower as sources end, more leave a thread idle
// at the end.
constexpr std::size_t kRowsOfTask = 256;

// A symbol written, and what was written before it.
struct Node {
  std::size_t before;
  std::int64_t symbol;
  std::size_t weights;  // where those of this step stand
};

constexpr std::size_t kNoNode = std::numeric_limits<std::size_t>::max();

// A hypothesis that may be continued.
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

// Keeps a list of the `most` best in order; of equals the one that came first stands first.
template <class Entry, class Value>
void keep_best(std::vector<Entry>& best, std::size_t most, const Entry& entry, Value value) {
  if (best.size() == most && !(value(entry) > value(best.back()))) return;
  auto place = best.end();
  while (place != best.begin() && value(entry) > value(*(place - 1))) --place;
  if (best.size() < most) {
    best.insert(place, entry);
  } else {
    std::move_backward(place, best.end() - 1, best.end());
    *place = entry;
  }
}

float penalty(std::size_t symbols, float alpha) {
  return std::pow((5.0f + static_cast<float>(symbols)) / 6.0f, alpha);
}

// The hypotheses of the sources of one task.
class Search {
 public:
  Search(const AttentionDecoder& decoder, const std::int64_t* limits, const SearchOptions& options,
         std::vector<std::size_t> sources)
      : decoder_(decoder),
        limits_(limits),
        options_(options),
        sources_(std::move(sources)),
        rows_(decoder, sources_.size() * options.beam_size),
        living_(sources_.size(), {{kNoNode, 0.0f}}),
        ended_(sources_.size()) {}

  void run(std::vector<std::vector<FoundTarget>>& found) {
    rows_.start(sources_);
    std::vector<std::size_t> of_row = sources_, going_on(sources_.size());
    std::vector<std::int64_t> symbols(sources_.size(), options_.begin);
    for (std::size_t i = 0; i < going_on.size(); ++i) going_on[i] = i;
    for (std::size_t written = 0; !going_on.empty(); ++written) {
      rows_.step(of_row, symbols);
      std::vector<std::size_t> rows, still;
      of_row.clear();
      symbols.clear();
      std::size_t row = 0;
      for (const std::size_t number : going_on) {
        const std::size_t places = living_[number].size();
        advance(number, row, written, rows);
        row += places;
        if (is_done(number)) {
          rows.resize(of_row.size());
          continue;
        }
        still.push_back(number);
        for (const Living& one : living_[number]) {
          of_row.push_back(sources_[number]);
          symbols.push_back(nodes_[one.node].symbol);
        }
      }
      rows_.select(rows);
      going_on.swap(still);
    }
    for (std::size_t number = 0; number < sources_.size(); ++number) {
      for (const Ended& one : ended_[number]) {
        found[sources_[number]].push_back(target(one, decoder_.length(sources_[number])));
      }
    }
  }

 private:
  // The best continuations of the hypotheses of a source, whose rows begin at `row`; the rows of
  // those that live on are added to `rows`.
  void advance(std::size_t number, std::size_t row, std::size_t written,
               std::vector<std::size_t>& rows) {
    const bool is_last = static_cast<std::uint64_t>(limits_[sources_[number]]) <=
                         static_cast<std::uint64_t>(written);
    best_.clear();
    for (std::size_t place = 0; place < living_[number].size(); ++place) {
      const float* logits = rows_.logits(row + place);
      const float before = living_[number][place].log_probability;
      const float all = decoder_.stack().kernels().log_sum_exp(logits, decoder_.size().symbols);
      const auto consider = [&](std::int64_t symbol) {
        const float value = (logits[symbol] - all) + before;
        if (!(value > kNever)) return;
        keep_best(best_, options_.beam_size, {value, place, symbol},
                  [](const Continuation& one) { return one.log_probability; });
      };
      if (is_last) {
        consider(options_.end);
        continue;
      }
      for (std::size_t symbol = 0; symbol < decoder_.size().symbols; ++symbol) {
        if (!options_.never[symbol]) consider(static_cast<std::int64_t>(symbol));
      }
    }
    next_.clear();
    for (const Continuation& one : best_) {
      const std::size_t node = nodes_.size();
      nodes_.push_back({living_[number][one.place].node, one.symbol, weights_.size()});
      if (options_.keeps_weights) {
        const float* weights = rows_.weights(row + one.place);
        weights_.insert(weights_.end(), weights, weights + decoder_.length(sources_[number]));
      }
      if (one.symbol == options_.end) {
        const float score = one.log_probability / penalty(written + 1, options_.length_penalty);
        keep_best(ended_[number], options_.n_best, {score, one.log_probability, node},
                  [](const Ended& other) { return other.score; });
      } else {
        next_.push_back({node, one.log_probability});
        rows.push_back(row + one.place);
      }
    }
    living_[number].swap(next_);
  }

  // Whether none lives that can still be among the best: a log-probability only falls.
  bool is_done(std::size_t number) const {
    const std::vector<Living>& living = living_[number];
    if (living.empty()) return true;
    if (ended_[number].size() < options_.n_best) return false;
    const std::size_t most = static_cast<std::size_t>(limits_[sources_[number]]) + 1;
    const float reachable = living.front().log_probability / penalty(most, options_.length_penalty);
    return !(reachable > ended_[number].back().score);
  }

  FoundTarget target(const Ended& ended, std::size_t steps) const {
    FoundTarget found{{}, ended.score, ended.log_probability, {}};
    std::vector<std::size_t> path;
    for (std::size_t node = ended.node; node != kNoNode; node = nodes_[node].before) {
      path.push_back(node);
    }
    std::reverse(path.begin(), path.end());
    for (const std::size_t node : path) {
      found.symbols.push_back(nodes_[node].symbol);
      if (!options_.keeps_weights) continue;
      const auto first = weights_.begin() + static_cast<std::ptrdiff_t>(nodes_[node].weights);
      found.weights.insert(found.weights.end(), first, first + static_cast<std::ptrdiff_t>(steps));
    }
    return found;
  }

  const AttentionDecoder& decoder_;
  const std::int64_t* limits_;
  const SearchOptions& options_;
  std::vector<std::size_t> sources_;
  DecoderRows rows_;
  std::vector<Node> nodes_;
  std::vector<float> weights_;
  // Of each source: best first.
  std::vector<std::vector<Living>> living_;
  std::vector<std::vector<Ended>> ended_;
  std::vector<Continuation> best_;
  std::vector<Living> next_;
};

}  // namespace

std::vector<std::vector<FoundTarget>> search(const AttentionDecoder& decoder,
                                             const std::int64_t* limits,
                                             const SearchOptions& options, Crew& crew) {
  const std::size_t count = decoder.sources().count;
  std::vector<std::vector<FoundTarget>> found(count);
  const std::size_t rows = count * options.beam_size;
  const std::size_t threads = std::min(crew.size(), count);
  const std::size_t each = std::max<std::size_t>(1, threads * kRowsOfTask);
  const std::size_t tasks = std::min(count, threads * ((rows + each - 1) / each));
  crew.run(tasks, [&](std::size_t task) {
    std::vector<std::size_t> sources;
    for (std::size_t source = task; source < count; source += tasks) sources.push_back(source);
    Search(decoder, limits, options, std::move(sources)).run(found);
  });
  return found;
}

}  // namespace unrolled
