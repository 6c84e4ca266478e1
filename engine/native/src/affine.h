// Affine maps as matrix products over pointers: a row is a position (a column of the row phase, or a slot of the pixel
// phase), and each tap has its own pointer a row, so a convolution needs no copy of its input.
//
// Every output is one chain of multiply-adds in one order (bias, addends, tap after tap, input after input); only
// outputs and rows are spread over registers. So no result depends on the tile, the company or the register's width.
#pragma once

#include "tiles.h"

namespace {

// Weights are fetched so many bytes before they are needed: they come from the second or third cache, and a processor
// fetches ahead by itself only to the end of a page of 4 kB.
constexpr int kAhead = Vector::fetch_ahead;
// One row has so little to compute that fetching ahead costs it more than it gains (20.3 us a pixel against 18.6).
constexpr int kMinRowsToFetchAhead = 2;

// A whole panel holds so many vectors; a tile is one panel or some of them, or a part of a panel that is cut.
constexpr int kPanelVectors = Vector::panel / Vector::size;
static_assert(Vector::tile_vectors(Vector::max_rows) >= kPanelVectors, "a whole panel is never cut into tiles");

// `weights` are those of output `column`; `panel` is how many outputs stand beside each other for an input.
template <int M, int N>
inline void tile(const scanline::AffineCall& call, const float* weights, int panel, int row, int column) {
  constexpr int L = Vector::size;
  const std::int64_t to_next_panel = std::int64_t{Vector::panel} * call.depth;
  Vector sum[M][N];
  begin_sums<M, N>(call, row, column, sum);
  for (int t = 0; t < call.num_taps; ++t) {
    const float* a[M];
    for (int m = 0; m < M; ++m) a[m] = call.sources[t * call.stride + row + m];
    const int width = call.tap_widths[t];
#pragma GCC unroll 4
    for (int k = 0; k < width; ++k, weights += panel) {
      Vector w[N];
      for (int n = 0; n < N; ++n) {
        const float* place = weights + n / kPanelVectors * to_next_panel + n % kPanelVectors * L;
        if (M >= kMinRowsToFetchAhead && n * L % scanline::kLanes == 0)
          __builtin_prefetch(reinterpret_cast<const char*>(place) + kAhead);
        w[n] = Vector::load(place);
      }
      for (int m = 0; m < M; ++m) {
        const Vector x = Vector::all(a[m][k]);
        for (int n = 0; n < N; ++n) sum[m][n] = fma(x, w[n], sum[m][n]);
      }
    }
  }
  write_sums<M, N>(call, row, column, sum);
}

template <int N, int M = Vector::max_rows>
inline void tile_of_rows(const scanline::AffineCall& call, const float* weights, int panel, int row, int num,
                         int column) {
  if constexpr (M * N <= Vector::max_sums)
    if (num == M) return tile<M, N>(call, weights, panel, row, column);
  if constexpr (M > 1) tile_of_rows<N, M - 1>(call, weights, panel, row, num, column);
}

// All rows of a tile's outputs before the next outputs: the weights of a narrow tile stay in the first cache meanwhile.
template <int N>
inline void columns(const scanline::AffineCall& call, const float* weights, int panel, int column) {
  constexpr int width = N * Vector::size;
  const int end = padded_width(call);
  for (; end - column >= width; column += width) {
    over_tiles(call.rows, Vector::max_rows, [&](int row, int num) {
      if (column == 0) fetch_rows(call, row + num, row + 2 * num);
      tile_of_rows<N>(call, weights, panel, row, num, column);
    });
    weights += N < kPanelVectors ? width : std::int64_t{width} * call.depth;
  }
  if constexpr (N > 1)
    if (column < end) columns<N / 2>(call, weights, N == kPanelVectors ? end - column : panel, column);
}

template <int M = Vector::max_rows>
inline void affine_rows(const scanline::AffineCall& call) {
  static_assert(M * Vector::tile_vectors(M) <= Vector::max_sums, "tile_of_rows knows no larger tile");
  if (call.rows == M || (M == Vector::max_rows && call.rows > M))
    return columns<Vector::tile_vectors(M)>(call, call.weights, Vector::panel, 0);
  if constexpr (M > 1) affine_rows<M - 1>(call);
}

inline void affine(const scanline::AffineCall& call) { affine_rows(call); }

}  // namespace
