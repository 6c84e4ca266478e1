// What fp32 and bf16 matrix products have in common: how the sums of a tile begin, where they go, and how rows are cut
// into tiles. `row` and `column` are the first of the tile.
#pragma once

namespace {

// Always inlined, or the sums would leave their registers.
#define SCANLINE_INLINE inline __attribute__((always_inline))

// sum[m][n] = bias + addends.
template <int M, int N>
SCANLINE_INLINE void begin_sums(const scanline::AffineCall& call, int row, int column, Vector (&sum)[M][N]) {
  constexpr int L = Vector::size;
  const int left = call.out_width - column;  // outputs from here on; the last vector may be cut, or empty
  for (int n = 0; n < N; ++n) {
    const Vector bias = Vector::load(call.bias + column + n * L);
    for (int m = 0; m < M; ++m) sum[m][n] = bias;
  }
  for (int i = 0; i < call.num_addends; ++i)
    for (int m = 0; m < M; ++m) {
      const float* addend = call.addends[i * call.stride + row + m] + column;
      for (int n = 0; n < N; ++n) {
        const int count = left - n * L;
        if (count >= L) sum[m][n] = sum[m][n] + Vector::load(addend + n * L);
        else if (count > 0) sum[m][n] = sum[m][n] + Vector::load_part(addend + n * L, count);
      }
    }
}

template <int M, int N>
SCANLINE_INLINE void write_sums(const scanline::AffineCall& call, int row, int column, const Vector (&sum)[M][N]) {
  constexpr int L = Vector::size;
  const int left = call.out_width - column;
  for (int m = 0; m < M; ++m) {
    float* out = call.outs[row + m] + column;
    for (int n = 0; n < N; ++n) {
      const Vector y = call.activation == scanline::Activation::relu ? relu(sum[m][n]) : sum[m][n];
      const int count = left - n * L;
      if (count >= L) y.store(out + n * L);
      else if (count > 0) y.store_part(out + n * L, count);
    }
  }
}

inline int padded_width(const scanline::AffineCall& call) {
  return (call.out_width + scanline::kLanes - 1) / scanline::kLanes * scanline::kLanes;
}

// Calls visit(first row, number of rows) for tiles of up to `max_rows`, of even height: with six at most eight rows are 4 + 4, since
// 6 + 2 would leave the units idle in the low one.
template <class Visit>
inline void over_tiles(int rows, int max_rows, Visit visit) {
  int row = 0;
  for (int tiles = (rows + max_rows - 1) / max_rows; tiles > 0; --tiles) {
    const int num = (rows - row + tiles - 1) / tiles;
    visit(row, num);
    row += num;
  }
}

inline void fetch(const float* p, int width) {
  for (int i = 0; i < width; i += scanline::kLanes) __builtin_prefetch(p + i);
}

// What a later tile will read: the rows of many slots together are larger than the caches near the core.
inline void fetch_rows(const scanline::AffineCall& call, int row, int end) {
  for (; row < end && row < call.rows; ++row) {
    for (int t = 0; t < call.num_taps; ++t) fetch(call.sources[t * call.stride + row], call.tap_widths[t]);
    for (int i = 0; i < call.num_addends; ++i) fetch(call.addends[i * call.stride + row], call.out_width);
  }
}

}  // namespace
