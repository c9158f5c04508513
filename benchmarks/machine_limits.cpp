// What the machine can do at most: fused multiply-adds on registers, reading from its caches and
// memory, and the equations of our cells on what lies in the first cache. Prints JSON. Compiled
// with -march=native by machine_limits.py; one argument: threads.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "cells.h"

namespace {

using unrolled::Cell;
using namespace unrolled::UNROLLED_ISA;

constexpr int kChains = 12;  // more than latency times throughput, fewer than there are registers

double seconds_of(int threads, const std::function<void(int)>& work) {
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::thread> running;
  running.reserve(threads);
  for (int number = 0; number < threads; ++number) running.emplace_back(work, number);
  for (std::thread& thread : running) thread.join();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

volatile float kept;

// A value that the compiler does not know, nor that it is that of another one.
Vector unknown(Vector value) {
#if defined(__aarch64__)
  asm volatile("" : "+w"(value));
#else
  asm volatile("" : "+x"(value));
#endif
  return value;
}

void multiply_add(long rounds) {
  Vector sums[kChains]{};
  const Vector factor = unknown(Vector{} + 0.999f), term = unknown(Vector{} + 0.001f);
  for (Vector& sum : sums) sum = unknown(sum);
  for (long round = 0; round < rounds; ++round) {
    for (Vector& sum : sums) sum = sum * factor + term;
  }
  Vector total{};
  for (const Vector& sum : sums) total += sum;
  kept = total[0];
}

struct alignas(64) Line {  // of a cache
  float values[16] = {};
};

void read(const std::vector<Line>& lines, long rounds) {
  Vector sums[kChains]{};
  const auto* from = reinterpret_cast<const Vector*>(lines.data());
  const std::size_t count = lines.size() * sizeof(Line) / sizeof(Vector) / kChains * kChains;
  for (long round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < count; i += kChains) {
      for (int chain = 0; chain < kChains; ++chain) sums[chain] += from[i + chain];
    }
    asm volatile("" ::: "memory");
  }
  Vector total{};
  for (const Vector& sum : sums) total += sum;
  kept = total[0];
}

// Not 256, where the parts of a sample would lie whole pages apart: loads wait for stores then
// whose addresses end alike.
constexpr std::size_t kUnits = 240;

// What a cell reads and writes of one sample.
struct alignas(64) Sample {
  float gates[4 * kUnits], grads[4 * kUnits], h[kUnits], c[kUnits], to[kUnits];
};

template <Cell cell>
void forward(Sample& sample) {
  for (std::size_t u = 0; u < kUnits; u += kWidth) {
    Vector c = load(sample.c + u);
    const GateRow gates{sample.gates + u, kUnits};
    store(sample.to + u, cell_forward<cell, false>(gates, load(sample.h + u), c));
    if constexpr (cell == Cell::lstm) store(sample.c + u, c);
  }
}

template <Cell cell>
void backward(Sample& sample) {
  for (std::size_t u = 0; u < kUnits; u += kWidth) {
    Vector grad_h = load(sample.to + u), grad_c = load(sample.c + u);
    const SavedGates gates{sample.gates + u, kUnits};
    const Vector h = load(sample.h + u), c = grad_c;
    cell_backward<cell>(gates, {sample.grads + u, kUnits}, h, c, c, grad_h, grad_c);
    store(sample.to + u, grad_h);
    if constexpr (cell == Cell::lstm) store(sample.c + u, grad_c);
  }
}

template <class Measure>
double best(const Measure& measure) {
  double most = 0.0;
  for (int repeat = 0; repeat < 7; ++repeat) {
    most = std::max(most, measure());
  }
  return most;
}

double read_rate(int threads, std::size_t bytes) {
  std::vector<std::vector<Line>> values(threads, std::vector<Line>(bytes / sizeof(Line)));
  const long rounds = static_cast<long>((std::size_t{1} << 30) / bytes);
  return best([&] {
    const double seconds = seconds_of(threads, [&](int number) { read(values[number], rounds); });
    return 1e-9 * threads * static_cast<double>(rounds) * static_cast<double>(bytes) / seconds;
  });
}

double units_per_us(int threads, void (*equations)(Sample&)) {
  constexpr long rounds = 100'000;
  std::vector<Sample> samples(threads);
  return best([&] {
    const double seconds = seconds_of(threads, [&](int number) {
      samples[number] = {};
      for (long round = 0; round < rounds; ++round) {
        equations(samples[number]);
        asm volatile("" ::: "memory");
      }
    });
    return 1e-6 * threads * static_cast<double>(rounds * kUnits) / seconds;
  });
}

template <Cell cell>
void print_equations(const char* name, int threads) {
  std::printf(R"("%s": {"forward": %.0f, "backward": %.0f})", name,
              units_per_us(threads, forward<cell>), units_per_us(threads, backward<cell>));
}

// What a core has for itself; not positive where the system does not say.
long private_cache_bytes() {
#if defined(_SC_LEVEL2_CACHE_SIZE)
  return sysconf(_SC_LEVEL2_CACHE_SIZE);
#else
  return 0;
#endif
}

}  // namespace

int main(int count, char** arguments) {
  const int threads = count > 1 ? std::stoi(arguments[1]) : 1;
  const long rounds = 40'000'000;
  const double operations = 2.0 * rounds * kChains * kWidth * threads;
  const double gflops = best(
      [&] { return 1e-9 * operations / seconds_of(threads, [&](int) { multiply_add(rounds); }); });
  std::printf(R"({"gflops": %.1f, "private_cache_gbs": %.1f, "shared_cache_gbs": %.1f, )", gflops,
              read_rate(threads, std::size_t{1} << 18), read_rate(threads, std::size_t{1} << 22));
  std::printf("\"memory_gbs\": %.1f, ", read_rate(threads, std::size_t{1} << 28));
  if (const long bytes = private_cache_bytes(); bytes > 0) {
    std::printf("\"private_cache_kib\": %ld, ", bytes / 1024 * threads);
  }
  std::printf("\"units_per_us\": {");
  print_equations<Cell::gru>("GRU", threads);
  std::printf(", ");
  print_equations<Cell::rnn_tanh>("RNN", threads);
  std::printf(", ");
  print_equations<Cell::lstm>("LSTM", threads);
  std::printf("}}\n");
}
