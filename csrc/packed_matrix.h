// The weights of a product, packed once for many of them.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "kernel_table.h"
#include "memory.h"

namespace unrolled {

// Weights as PyTorch has them, contiguous: (columns, depth), and a bias (columns) or null.
struct PlainMatrix {
  const float *weight, *bias;
  std::size_t columns, depth;
};

class PackedMatrix {
 public:
  PackedMatrix(const KernelTable& kernels, const PlainMatrix& matrix)
      : kernels_(kernels),
        columns_(matrix.columns),
        depth_(matrix.depth),
        packed_(aligned<float>(kernels.packed_size(columns_, depth_))) {
    kernels.pack(matrix.weight, matrix.bias, columns_, depth_, packed_.get());
  }

  const KernelTable& kernels() const { return kernels_; }
  std::size_t columns() const { return columns_; }
  std::size_t depth() const { return depth_; }

  // C = A W^T + b; rows may lie anywhere.
  void multiply(const float* const* a, std::size_t rows, float* const* c) const {
    kernels_.multiply(a, rows, packed_.get(), columns_, depth_, c);
  }

 private:
  const KernelTable& kernels_;
  std::size_t columns_, depth_;
  Aligned<float> packed_;
};

// A packed matrix that is kept from one call to the next, and packed anew where its weights have
// changed, which their hash tells, however they were written.
class KeptMatrix {
 public:
  // May be called by several threads at once; each gets what it asked for.
  std::shared_ptr<const PackedMatrix> of(const KernelTable& kernels, const PlainMatrix& matrix) {
    Hash hash;
    hash.fill(1);
    kernels.hash(matrix.weight, matrix.columns * matrix.depth * sizeof(float), hash.data());
    if (matrix.bias != nullptr) {
      kernels.hash(matrix.bias, matrix.columns * sizeof(float), hash.data());
    }
    std::shared_ptr<const Kept> kept = kept_.load();
    if (kept == nullptr || kept->hash != hash || !is_like(kept->packed, kernels, matrix)) {
      kept.reset();
      kept_.store(nullptr);  // or there would be two for a while
      kept = std::make_shared<const Kept>(PackedMatrix(kernels, matrix), hash);
      kept_.store(kept);
    }
    return {kept, &kept->packed};
  }

 private:
  using Hash = std::array<std::uint32_t, kHashLanes>;

  struct Kept {
    Kept(PackedMatrix matrix, const Hash& of) : packed(std::move(matrix)), hash(of) {}

    PackedMatrix packed;
    Hash hash;
  };

  static bool is_like(const PackedMatrix& packed, const KernelTable& kernels,
                      const PlainMatrix& matrix) {
    return &packed.kernels() == &kernels && packed.columns() == matrix.columns &&
           packed.depth() == matrix.depth;
  }

  std::atomic<std::shared_ptr<const Kept>> kept_;
};

}  // namespace unrolled
