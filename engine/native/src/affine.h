// Affine maps as matrix products over pointers: a row is a position (a column of the row phase, or a slot of the pixel
// phase), and each tap has its own pointer a row, so a convolution needs no copy of its input.
//
// Every output is one chain of multiply-adds in one order (bias, addends, tap after tap, input after input); only
// outputs and rows are spread over registers. So no result depends on the tile, the company or the register's width.
#pragma once

#include "tiles.h"

namespace {

// Weights are fetched this many bytes before they are needed: they come from the second or third cache, and a processor
// fetches ahead by itself only to the end of a page of 4 kB.
constexpr int kAhead = 4096;
// One row has so little to compute that fetching ahead costs it more than it gains (20.3 us a pixel against 18.6).
constexpr int kMinRowsToFetchAhead = 2;

template <int M, int N>
inline void tile(const scanline::AffineCall& call, const float* weights, int panel, int row, int column) {
  constexpr int L = Vector::size;
  Vector sum[M][N];
  begin_sums<M, N>(call, row, column, sum);
  for (int t = 0; t < call.num_taps; ++t) {
    const float* a[M];
    for (int m = 0; m < M; ++m) a[m] = call.sources[t * call.stride + row + m];
    const int width = call.tap_widths[t];
    for (int k = 0; k < width; ++k, weights += panel) {
      if constexpr (M >= kMinRowsToFetchAhead)
        for (int line = 0; line < N * L; line += scanline::kLanes)
          __builtin_prefetch(reinterpret_cast<const char*>(weights + line) + kAhead);
      Vector w[N];
      for (int n = 0; n < N; ++n) w[n] = Vector::load(weights + n * L);
      for (int m = 0; m < M; ++m) {
        const Vector x = Vector::all(a[m][k]);
        for (int n = 0; n < N; ++n) sum[m][n] = fma(x, w[n], sum[m][n]);
      }
    }
  }
  write_sums<M, N>(call, row, column, sum);
}

// The rows row..row+M of one panel, whose `vectors` vectors are cut into tiles of at most tile_vectors(M).
template <int M, int N = Vector::tile_vectors(M)>
inline void panel_rows(const scanline::AffineCall& call, const float* weights, int panel, int row, int column) {
  int vectors = panel / Vector::size;
  for (; vectors >= N; vectors -= N, column += N * Vector::size, weights += N * Vector::size)
    tile<M, N>(call, weights, panel, row, column);
  if constexpr (N > 1)
    if (vectors > 0) {
      // The rest of a panel, narrower than a tile.
      constexpr int half = N == 8 ? 4 : N == 4 ? 2 : 1;
      for (; vectors >= half; vectors -= half, column += half * Vector::size, weights += half * Vector::size)
        tile<M, half>(call, weights, panel, row, column);
      for (; vectors > 0; --vectors, column += Vector::size, weights += Vector::size)
        tile<M, 1>(call, weights, panel, row, column);
    }
}

template <int M = Vector::max_rows>
inline void rows_of_panel(const scanline::AffineCall& call, const float* weights, int panel, int row, int num,
                          int column) {
  if (num == M) panel_rows<M>(call, weights, panel, row, column);
  else if constexpr (M > 1) rows_of_panel<M - 1>(call, weights, panel, row, num, column);
}

inline void affine(const scanline::AffineCall& call) {
  const float* weights = call.weights;
  const int padded = padded_width(call);
  for (int column = 0; column < padded; column += scanline::kPanel) {
    const int panel = padded - column < scanline::kPanel ? padded - column : scanline::kPanel;
    over_tiles(call.rows, [&](int row, int num) {
      if (column == 0) fetch_rows(call, row + num, row + 2 * num);
      rows_of_panel(call, weights, panel, row, num, column);
    });
    weights += static_cast<std::int64_t>(panel) * call.depth;
  }
}

}  // namespace
