// The products of a layer whose weights are of a low precision. Rows are converted once and then
// multiplied by all panels.
#pragma once

#include "bfloat16.h"
#include "gemm.h"
#include "int8.h"
#include "layer.h"

namespace unrolled::UNROLLED_ISA {

template <class Call>
inline auto with_product(Precision precision, const Call& call) {
  return precision == Precision::int8 ? call(Int8{}) : call(Bfloat16{});
}

// Rows of a low precision, side by side.
struct LowRows {
  const float* data;
  std::size_t count, depth;

  std::size_t stride() const { return LayerSize::low_row(depth); }
};

inline LowRows low_rows(Precision precision, const float* const* from, std::size_t count,
                        std::size_t depth, float* room) {
  const LowRows rows{room, count, depth};
  with_product(precision, [&](auto product) {
    for (std::size_t row = 0; row < count; ++row) {
      decltype(product)::convert_row(from[row], depth, room + row * rows.stride());
    }
  });
  return rows;
}

using LowMultiply = void (*)(const float*, std::size_t, const float* const*, std::size_t,
                             const bool*, float* const*, const std::size_t*);

template <class Product>
inline void multiply_low_group(const LowRows& rows, const PanelGroup& group, float* const* c) {
  if constexpr (Product::kIsOnTiles) {
    for (std::size_t p = 0; p < group.count; ++p) {
      Product::multiply_on_tiles(rows.data, rows.stride(), rows.count, group.panels[p], rows.depth,
                                 group.from_bias[p], c, group.columns[p]);
    }
    return;
  }
  static_assert(PanelGroup::kMost == 4);
  static constexpr LowMultiply of_so_many[] = {
      Product::template multiply<1, 1>, Product::template multiply<1, 2>,
      Product::template multiply<1, 3>, Product::template multiply<1, 4>};
  static constexpr LowMultiply blocks[] = {
      Product::template multiply<1, 1>, Product::template multiply<2, 1>,
      Product::template multiply<3, 1>, Product::template multiply<4, 1>,
      Product::template multiply<5, 1>, Product::template multiply<6, 1>};
  if (rows.count == 1) {
    return of_so_many[group.count - 1](rows.data, rows.stride(), group.panels, rows.depth,
                                       group.from_bias, c, group.columns);
  }
  for (std::size_t p = 0; p < group.count; ++p) {
    for (std::size_t row = 0; row < rows.count; row += Product::kRowsAtOnce) {
      blocks[smaller(Product::kRowsAtOnce, rows.count - row) - 1](
          rows.data + row * rows.stride(), rows.stride(), group.panels + p, rows.depth,
          group.from_bias + p, c + row, group.columns + p);
    }
  }
}

inline std::size_t low_panel_size(Precision precision, std::size_t depth) {
  return with_product(precision, [&](auto p) { return decltype(p)::panel_size(depth); });
}

// C = rows W for a whole matrix; the last panel may reach beyond the last column.
inline void multiply_low(Precision precision, const LowRows& rows, const float* packed,
                         std::size_t columns, float* const* c) {
  const std::size_t size = low_panel_size(precision, rows.depth);
  for (std::size_t first = 0; first < columns; first += kPanel, packed += size) {
    const std::size_t here = smaller(kPanel, columns - first);
    if (here == kPanel) {
      const PanelGroup panel{{packed}, {true}, {first}, 1};
      with_product(precision, [&](auto p) { multiply_low_group<decltype(p)>(rows, panel, c); });
      continue;
    }
    const PanelGroup panel{{packed}, {true}, {0}, 1};
    for (std::size_t row = 0; row < rows.count; ++row) {
      float whole[kPanel];
      float* beside = whole;
      const LowRows one{rows.data + row * rows.stride(), 1, rows.depth};
      with_product(precision,
                   [&](auto p) { multiply_low_group<decltype(p)>(one, panel, &beside); });
      std::memcpy(c[row] + first, whole, here * sizeof(float));
    }
  }
}

// One panel of `here` columns, the first of which is row `first` of a weight.
inline void pack_low_panel(Precision precision, const void* weight, const float* scale,
                           const float* bias, std::size_t first, std::size_t here,
                           std::size_t depth, float* packed) {
  with_product(precision, [&](auto p) {
    using Product = decltype(p);
    Product::pack_panel(static_cast<const typename Product::Weight*>(weight) + first * depth,
                        Product::kIsScaled ? scale + first : nullptr,
                        bias == nullptr ? nullptr : bias + first, here, depth, packed);
  });
}

}  // namespace unrolled::UNROLLED_ISA
