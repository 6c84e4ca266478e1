// Affine maps with weights and inputs rounded to bfloat16 and sums in single precision, by AVX512_BF16. Two inputs at a
// time; as in fp32, each output is one chain in one order.
#pragma once

#include "bfloat16.h"
#include "tiles.h"

namespace {

constexpr int kBf16Panel = 64;  // outputs
constexpr int kBf16Rows = 6;
static_assert(kBf16Rows <= scanline::kScratchRows, "call.scratch holds kScratchRows rows");

template <int M, int N>
inline void bf16_tile(const scanline::AffineCall& call, const float* weights, int panel, int row, int column) {
  Vector sum[M][N];
  begin_sums<M, N>(call, row, column, sum);
  const Pair* a[M];
  for (int m = 0; m < M; ++m) a[m] = static_cast<const Pair*>(call.scratch) + m * call.depth;
  for (int k = 0; k < call.depth; ++k, weights += panel) {
    if constexpr (M > 1)
      for (int n = 0; n < N; ++n) __builtin_prefetch(reinterpret_cast<const char*>(weights + n * 16) + kAhead);
    __m512bh w[N];
    for (int n = 0; n < N; ++n) w[n] = reinterpret_cast<__m512bh>(_mm512_loadu_ps(weights + n * 16));
    for (int m = 0; m < M; ++m) {
      const __m512bh x = reinterpret_cast<__m512bh>(_mm512_set1_epi32(a[m][k]));
      for (int n = 0; n < N; ++n) sum[m][n].v = _mm512_dpbf16_ps(sum[m][n].v, x, w[n]);
    }
  }
  write_sums<M, N>(call, row, column, sum);
}

template <int M>
inline void bf16_panels(const scanline::AffineCall& call, int row) {
  const float* weights = call.weights;
  const int padded = padded_width(call);
  for (int column = 0; column < padded; column += kBf16Panel) {
    const int panel = padded - column < kBf16Panel ? padded - column : kBf16Panel;
    switch (panel / 16) {
      case 4: bf16_tile<M, 4>(call, weights, panel, row, column); break;
      case 3: bf16_tile<M, 3>(call, weights, panel, row, column); break;
      case 2: bf16_tile<M, 2>(call, weights, panel, row, column); break;
      default: bf16_tile<M, 1>(call, weights, panel, row, column);
    }
    weights += static_cast<std::int64_t>(panel) * call.depth;
  }
}

template <int M = kBf16Rows>
inline void bf16_rows(const scanline::AffineCall& call, int row, int num) {
  if (num == M) bf16_panels<M>(call, row);
  else if constexpr (M > 1) bf16_rows<M - 1>(call, row, num);
}

// Inputs are rounded once a tile, so all panels of a tile come one after the other.
inline void affine_bf16(const scanline::AffineCall& call) {
  over_tiles(call.rows, kBf16Rows, [&](int row, int num) {
    fetch_rows(call, row + num, row + 2 * num);
    for (int m = 0; m < num; ++m) round_row(call, row + m, static_cast<Pair*>(call.scratch) + m * call.depth);
    bf16_rows(call, row, num);
  });
}

}  // namespace
