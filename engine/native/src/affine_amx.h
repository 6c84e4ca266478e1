// Affine maps with weights and inputs rounded to bfloat16 and sums in single precision, by the tile unit of AMX: an
// instruction multiplies 16 rows of 16 pairs of inputs by 16 outputs of them, so that a map takes little longer than its
// weights take to come. An instruction adds up the first and the second numbers of pairs apart: other bits than
// AVX512_BF16 gives, as independent of the company.
#pragma once

#include "bfloat16.h"
#include "pointwise.h"

namespace {

constexpr int kSide = 16;  // rows, outputs or pairs of a tile
constexpr int kTile = kSide * kSide;
constexpr std::int64_t kLine = kSide * sizeof(float);  // bytes

// What the processor is told of its eight tiles: all are whole. Rows that no one asked for are computed and left.
struct alignas(64) TileShapes {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

inline void begin_tiles() {
  static const TileShapes shapes;
  _tile_loadconfig(&shapes);
}

inline void end_tiles() { _tile_release(); }

// sums[n] = 16 rows of inputs times the weights of panel n, of up to four panels.
inline void multiply_16_rows(const Pair* rows, std::int64_t row_bytes, const float* weights, std::int64_t panel,
                             int depth, int num_panels, float (*sums)[kTile]) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int k = 0; k < depth; k += kSide, rows += kSide, weights += kTile) {
    _tile_loadd(4, rows, row_bytes);
    _tile_loadd(5, weights, kLine);
    _tile_dpbf16ps(0, 4, 5);
    if (num_panels < 2) continue;
    _tile_loadd(6, weights + panel, kLine);
    _tile_dpbf16ps(1, 4, 6);
    if (num_panels < 3) continue;
    _tile_loadd(7, weights + 2 * panel, kLine);
    _tile_dpbf16ps(2, 4, 7);
    if (num_panels < 4) continue;
    _tile_loadd(5, weights + 3 * panel, kLine);
    _tile_dpbf16ps(3, 4, 5);
  }
  _tile_stored(0, sums[0], kLine);
  _tile_stored(1, sums[1], kLine);
  _tile_stored(2, sums[2], kLine);
  _tile_stored(3, sums[3], kLine);
}

// The same of 32 rows and up to two panels: sums[n] of the first 16 rows, sums[2 + n] of the others.
inline void multiply_32_rows(const Pair* rows, std::int64_t row_bytes, const float* weights, std::int64_t panel,
                             int depth, int num_panels, float (*sums)[kTile]) {
  const Pair* others = rows + kSide * row_bytes / static_cast<std::int64_t>(sizeof(Pair));
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int k = 0; k < depth; k += kSide, rows += kSide, others += kSide, weights += kTile) {
    _tile_loadd(4, rows, row_bytes);
    _tile_loadd(5, others, row_bytes);
    _tile_loadd(6, weights, kLine);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(2, 5, 6);
    if (num_panels < 2) continue;
    _tile_loadd(7, weights + panel, kLine);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, sums[0], kLine);
  _tile_stored(1, sums[1], kLine);
  _tile_stored(2, sums[2], kLine);
  _tile_stored(3, sums[3], kLine);
}

// outs = activation(sums + bias + addends), of the panel at `column` and of up to 16 rows.
inline void finish_rows(const scanline::AffineCall& call, int row, int num, int column, const float* sums) {
  const Vector bias = Vector::load(call.bias + column);
  const int n = call.out_width - column;
  for (int m = row; m < row + num; ++m, sums += kSide) {
    Vector y = Vector::load(sums) + bias;
    for (int i = 0; i < call.num_addends; ++i) y = y + read(call.addends[i * call.stride + m] + column, n);
    write(call.activation == scanline::Activation::relu ? relu(y) : y, call.outs[m] + column, n);
  }
}

// All outputs of up to 32 rows, whose inputs lie in call.scratch.
inline void multiply_rows(const scanline::AffineCall& call, int row, int num) {
  alignas(64) float sums[4][kTile];
  const bool is_one_tile = num <= kSide;
  const int at_once = is_one_tile ? 4 : 2;
  const std::int64_t row_bytes = std::int64_t{sizeof(Pair)} * call.depth, panel = std::int64_t{kSide} * call.depth;
  for (int column = 0; column < call.out_width; column += at_once * kSide) {
    const int left = (call.out_width - column + kSide - 1) / kSide, num_panels = left < at_once ? left : at_once;
    (is_one_tile ? multiply_16_rows : multiply_32_rows)(static_cast<const Pair*>(call.scratch), row_bytes,
                                                        call.weights + std::int64_t{column} * call.depth, panel,
                                                        call.depth, num_panels, sums);
    for (int n = 0; n < num_panels; ++n) {
      finish_rows(call, row, is_one_tile ? num : kSide, column + n * kSide, sums[n]);
      if (!is_one_tile) finish_rows(call, row + kSide, num - kSide, column + n * kSide, sums[2 + n]);
    }
  }
}

// Rows lie `depth` pairs apart, filled up with zeros: what is not a number in a place that nobody wrote must not meet
// the zeros of the weights there.
inline void affine_amx(const scanline::AffineCall& call) {
  for (int row = 0; row < call.rows; row += scanline::kScratchRows) {
    const int left = call.rows - row, num = left < scanline::kScratchRows ? left : scanline::kScratchRows;
    Pair* out = static_cast<Pair*>(call.scratch);
    for (int m = 0; m < num; ++m) {
      Pair* const end = out + call.depth;
      out = round_row(call, row + m, out);
      while (out < end) *out++ = 0;
    }
    asm volatile("" ::: "memory");  // compilers do not see that tile loads read memory
    multiply_rows(call, row, num);
  }
}

}  // namespace
