// The product of bfloat16 on the tiles of AMX: 16 rows of a matrix each, which the processor
// multiplies as a whole, k by k.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "gemm.h"

namespace unrolled::UNROLLED_ISA {

// Pairs of k in a tile, and rows that are multiplied together.
inline constexpr std::size_t kPairsOfTile = 16, kRowsOfTile = 16, kRowsOfTiles = 2 * kRowsOfTile;

// As the processor reads it: of each tile, the bytes of a row and how many rows.
struct TileShapes {
  alignas(64) std::uint8_t palette = 1;
  std::uint8_t start_row = 0, reserved[14] = {};
  std::uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {};
};

// The compiler does not know which memory the instructions for tiles read.
inline void finish_writing(const void* memory) { asm volatile("" ::"r"(memory) : "memory"); }

// A block of rows and a panel, or half a panel.
struct TileProduct {
  const float* rows;     // two values of k in the bits of each
  std::size_t stride;    // from row to row
  const float* weights;  // likewise, a panel for each pair
  std::size_t pairs;     // a multiple of those of a tile
};

// sums = rows W for 16 rows at most and four tiles of columns. The sums stand in tiles 0 to 3.
inline void multiply_one_tile_of_rows(const TileProduct& product, float* sums) {
  constexpr std::size_t line = kPanel * sizeof(float);
  const std::size_t stride = product.stride * sizeof(float);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (std::size_t pair = 0; pair < product.pairs; pair += kPairsOfTile) {
    const float* const weights = product.weights + pair * kPanel;
    _tile_loadd(4, product.rows + pair, stride);
    _tile_loadd(5, weights, line);
    _tile_dpbf16ps(0, 4, 5);
    _tile_loadd(6, weights + kWidth, line);
    _tile_dpbf16ps(1, 4, 6);
    _tile_loadd(7, weights + 2 * kWidth, line);
    _tile_dpbf16ps(2, 4, 7);
    _tile_loadd(5, weights + 3 * kWidth, line);
    _tile_dpbf16ps(3, 4, 5);
  }
  _tile_stored(0, sums, line);
  _tile_stored(1, sums + kWidth, line);
  _tile_stored(2, sums + 2 * kWidth, line);
  _tile_stored(3, sums + 3 * kWidth, line);
}

// The same of 17 to 32 rows and two tiles of columns: tiles 0 and 1 are of the first 16 rows.
inline void multiply_two_tiles_of_rows(const TileProduct& product, float* sums) {
  constexpr std::size_t line = kPanel * sizeof(float);
  const std::size_t stride = product.stride * sizeof(float);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (std::size_t pair = 0; pair < product.pairs; pair += kPairsOfTile) {
    const float* const weights = product.weights + pair * kPanel;
    const float* const rows = product.rows + pair;
    _tile_loadd(4, rows, stride);
    _tile_loadd(6, weights, line);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, weights + kWidth, line);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, rows + kRowsOfTile * product.stride, stride);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, sums, line);
  _tile_stored(1, sums + kWidth, line);
  _tile_stored(2, sums + kRowsOfTile * kPanel, line);
  _tile_stored(3, sums + kRowsOfTile * kPanel + kWidth, line);
}

// sums[row] = rows W for 32 rows at most and a whole panel.
inline void multiply_tiles(TileProduct product, std::size_t count, float (*sums)[kPanel]) {
  static_assert(kWidth == 16 && kPanelVectors == 4);
  const auto first = static_cast<std::uint8_t>(smaller(count, kRowsOfTile));
  const auto second = static_cast<std::uint8_t>(count - first);
  TileShapes shapes;
  for (const int tile : {0, 1, 4}) shapes.rows[tile] = first;
  for (const int tile : {2, 3}) shapes.rows[tile] = second > 0 ? second : first;
  shapes.rows[5] = second > 0 ? second : kPairsOfTile;
  for (const int tile : {6, 7}) shapes.rows[tile] = kPairsOfTile;
  finish_writing(&shapes);
  _tile_loadconfig(&shapes);
  if (second == 0) {
    multiply_one_tile_of_rows(product, sums[0]);
  } else {
    multiply_two_tiles_of_rows(product, sums[0]);
    product.weights += kPanel / 2;
    multiply_two_tiles_of_rows(product, sums[0] + kPanel / 2);
  }
  _tile_release();
}

}  // namespace unrolled::UNROLLED_ISA
