#include "search.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <thread>
#include <utility>

namespace unrolled {

namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

// Rows that one task decodes at first: fewer are slower as sources end, more leave a thread idle
// at the end.
constexpr std::size_t kRowsOfTask = 256;

// Symbols written that a source keeps before it looks for those that nothing follows from.
constexpr std::size_t kNodesKept = 1024;

// A symbol written, and what was written before it.
struct Node {
  std::size_t before;
  std::int64_t symbol;
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

// The hypotheses of one source.
class Beam {
 public:
  Beam(const SearchOptions& options, std::size_t limit, std::size_t source_steps)
      : options_(&options), limit_(limit), source_steps_(source_steps), living_{{kNoNode, 0.0f}} {}

  std::size_t living() const { return living_.size(); }
  std::int64_t last_symbol(std::size_t place) const { return nodes_[living_[place].node].symbol; }

  // Continues the hypotheses by their best symbols; their rows begin at `row`, and the rows of
  // those that live on are added to `going_on`. False where their probabilities are no numbers.
  bool advance(const DecoderRows& rows, std::size_t row, std::vector<std::size_t>& going_on) {
    if (!find_best(rows, row)) return false;
    ++written_;
    next_.clear();
    for (const Continuation& one : best_) {
      const std::size_t node = nodes_.size();
      nodes_.push_back({living_[one.place].node, one.symbol});
      if (options_->keeps_weights) {
        const float* weights = rows.weights(row + one.place);
        weights_.insert(weights_.end(), weights, weights + source_steps_);
      }
      if (one.symbol == options_->end) {
        const float score = one.log_probability / penalty(written_, options_->length_penalty);
        keep_best(ended_, options_->n_best, {score, one.log_probability, node},
                  [](const Ended& other) { return other.score; });
      } else {
        next_.push_back({node, one.log_probability});
        going_on.push_back(row + one.place);
      }
    }
    living_.swap(next_);
    if (nodes_.size() >= worth_forgetting_) forget();
    return true;
  }

  // Whether none lives that can still be among the best: a log-probability only falls.
  bool is_done() const {
    if (living_.empty()) return true;
    if (ended_.size() < options_->n_best) return false;
    const float least = penalty(limit_ + 1, options_->length_penalty);
    return !(living_.front().log_probability / least > ended_.back().score);
  }

  std::vector<Hypothesis> ended() const {
    std::vector<Hypothesis> found;
    for (const Ended& one : ended_) found.push_back(hypothesis(one));
    return found;
  }

 private:
  bool find_best(const DecoderRows& rows, std::size_t row) {
    best_.clear();
    for (std::size_t place = 0; place < living_.size(); ++place) {
      const float* logits = rows.logits(row + place);
      const float before = living_[place].log_probability;
      const float all = rows.log_of_sum(row + place);
      if (std::isnan(all)) return false;
      const auto consider = [&](std::size_t symbol) {
        const float value = (logits[symbol] - all) + before;
        if (value == kNever) return;
        keep_best(best_, options_->beam_size, {value, place, static_cast<std::int64_t>(symbol)},
                  [](const Continuation& one) { return one.log_probability; });
      };
      if (written_ >= limit_) {
        consider(static_cast<std::size_t>(options_->end));
        continue;
      }
      for (std::size_t symbol = 0; symbol < options_->never.size(); ++symbol) {
        if (!options_->never[symbol]) consider(symbol);
      }
    }
    return true;
  }

  Hypothesis hypothesis(const Ended& ended) const {
    std::vector<std::size_t> path;
    for (std::size_t node = ended.node; node != kNoNode; node = nodes_[node].before) {
      path.push_back(node);
    }
    std::reverse(path.begin(), path.end());
    Hypothesis found{{}, ended.score, ended.log_probability, {}};
    for (const std::size_t node : path) {
      found.symbols.push_back(nodes_[node].symbol);
      if (!options_->keeps_weights) continue;
      const float* weights = weights_.data() + node * source_steps_;
      found.weights.insert(found.weights.end(), weights, weights + source_steps_);
    }
    return found;
  }

  // Drops the nodes that no hypothesis leads back to.
  void forget() {
    std::vector<bool> is_read(nodes_.size());
    const auto mark = [&](std::size_t node) {
      for (; node != kNoNode && !is_read[node]; node = nodes_[node].before) is_read[node] = true;
    };
    for (const Living& one : living_) mark(one.node);
    for (const Ended& one : ended_) mark(one.node);
    std::vector<std::size_t> place(nodes_.size());
    std::size_t kept = 0;
    for (std::size_t node = 0; node < nodes_.size(); ++node) {
      if (!is_read[node]) continue;
      const std::size_t before = nodes_[node].before;
      nodes_[kept] = {before == kNoNode ? kNoNode : place[before], nodes_[node].symbol};
      if (options_->keeps_weights && kept != node) {
        std::copy_n(weights_.data() + node * source_steps_, source_steps_,
                    weights_.data() + kept * source_steps_);
      }
      place[node] = kept++;
    }
    nodes_.resize(kept);
    if (options_->keeps_weights) weights_.resize(kept * source_steps_);
    for (Living& one : living_) one.node = place[one.node];
    for (Ended& one : ended_) one.node = place[one.node];
    worth_forgetting_ = std::max(kNodesKept, 2 * kept);
  }

  const SearchOptions* options_;
  std::size_t limit_, source_steps_, written_ = 0, worth_forgetting_ = kNodesKept;
  std::vector<Node> nodes_;
  std::vector<float> weights_;  // of each node, if they are kept
  // Best first.
  std::vector<Living> living_, next_;
  std::vector<Ended> ended_;
  std::vector<Continuation> best_;
};

// Lets all tasks end where they are, once the thread that called wants no more of them.
class StopRequest {
 public:
  explicit StopRequest(const std::function<bool()>& is_unwanted) : is_unwanted_(is_unwanted) {}

  bool is_made() {
    if (is_unwanted_ && std::this_thread::get_id() == caller_ && !made_ && is_unwanted_()) {
      made_ = true;
    }
    return made_.load(std::memory_order_relaxed);
  }

 private:
  const std::function<bool()>& is_unwanted_;
  const std::thread::id caller_ = std::this_thread::get_id();
  std::atomic<bool> made_{false};
};

// The search of one task: of its sources those that are not done, all their rows side by side.
class Search {
 public:
  Search(const AttentionDecoder& decoder, const std::vector<std::size_t>& limits,
         const SearchOptions& options, std::vector<std::size_t> sources)
      : options_(options), rows_(decoder), sources_(std::move(sources)) {
    for (const std::size_t source : sources_) {
      beams_.emplace_back(options, limits[source], decoder.length(source));
    }
  }

  // Writes the hypotheses of its sources; gives where it had to end.
  std::optional<NoProbabilities> run(std::vector<std::vector<Hypothesis>>& found,
                                     StopRequest& stop) {
    rows_.start(sources_);
    std::vector<std::size_t> of_row = sources_;
    std::vector<std::int64_t> symbols(sources_.size(), options_.begin);
    for (std::size_t step = 0; !sources_.empty() && !stop.is_made(); ++step) {
      rows_.step(of_row, symbols);
      std::vector<std::size_t> rows;
      of_row.clear();
      symbols.clear();
      std::size_t row = 0, going_on = 0;
      for (std::size_t i = 0; i < sources_.size(); ++i) {
        Beam& beam = beams_[i];
        const std::size_t source = sources_[i], living = beam.living();
        if (!beam.advance(rows_, row, rows)) return NoProbabilities{step, source};
        row += living;
        if (beam.is_done()) {
          found[source] = beam.ended();
          rows.resize(of_row.size());
          continue;
        }
        for (std::size_t place = 0; place < beam.living(); ++place) {
          of_row.push_back(source);
          symbols.push_back(beam.last_symbol(place));
        }
        if (going_on < i) {
          sources_[going_on] = source;
          beams_[going_on] = std::move(beam);
        }
        ++going_on;
      }
      rows_.select(rows);
      sources_.resize(going_on);
      beams_.erase(beams_.begin() + static_cast<std::ptrdiff_t>(going_on), beams_.end());
    }
    return std::nullopt;
  }

 private:
  const SearchOptions& options_;
  DecoderRows rows_;
  // Not done.
  std::vector<std::size_t> sources_;
  std::vector<Beam> beams_;
};

// About how many rows all steps have together, if a target is as long as its source.
std::size_t rows_expected(const AttentionDecoder& decoder, const std::vector<std::size_t>& limits,
                          std::size_t beam_size) {
  std::size_t steps = 0;
  for (std::size_t source = 0; source < limits.size(); ++source) {
    steps += std::min(limits[source], decoder.length(source)) + 1;
  }
  return steps * beam_size;
}

}  // namespace

Found search(AttentionDecoder& decoder, const std::vector<std::size_t>& limits,
             const SearchOptions& options, Crew& crew) {
  if (rows_expected(decoder, limits, options.beam_size) >= decoder.size().symbols) {
    decoder.multiply_table(crew);
  }
  const std::size_t count = limits.size();
  const std::size_t rows = count * options.beam_size;
  const std::size_t threads = std::min(crew.size(), count);
  const std::size_t each = std::max<std::size_t>(1, threads * kRowsOfTask);
  const std::size_t tasks = std::min(count, threads * ((rows + each - 1) / each));
  Found found{std::vector<std::vector<Hypothesis>>(count), std::nullopt};
  std::vector<std::optional<NoProbabilities>> failures(tasks);
  StopRequest stop(options.is_unwanted);
  const std::function<void()> ask = [&] { stop.is_made(); };
  crew.run(
      tasks,
      [&](std::size_t task) {
        std::vector<std::size_t> sources;
        for (std::size_t source = task; source < count; source += tasks) sources.push_back(source);
        failures[task] =
            Search(decoder, limits, options, std::move(sources)).run(found.hypotheses, stop);
      },
      &ask);
  for (const std::optional<NoProbabilities>& failure : failures) {
    if (failure && (!found.failure || *failure < *found.failure)) found.failure = failure;
  }
  return found;
}

}  // namespace unrolled
