// Affine maps with weights and inputs rounded to bfloat16 and sums in single precision: twice the multiply-adds a
// second, half the weights to fetch. Two inputs at a time; as in fp32, each output is one chain in one order.
#pragma once

#include "tiles.h"

namespace {

static_assert(Vector::max_rows <= scanline::kTileRows, "call.scratch holds kTileRows rows");

using Pair = std::int32_t;  // two bfloat16 numbers, the first in the low half

// Rounds `width` floats to pairs, the last filled up with a zero; returns the end of them.
inline Pair* round_to_pairs(const float* p, int width, Pair* out) {
  for (; width >= 32; p += 32, width -= 32, out += 16)
    _mm512_storeu_ps(out, reinterpret_cast<__m512>(_mm512_cvtne2ps_pbh(_mm512_loadu_ps(p + 16), _mm512_loadu_ps(p))));
  for (; width > 0; p += 16, width -= 16) {
    const int n = width < 16 ? width : 16;
    const __m512 x = n == 16 ? _mm512_loadu_ps(p) : _mm512_maskz_loadu_ps(Vector::first(n), p);
    // The whole vector is written; what is too much of it, the next tap or nobody overwrites.
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x)));
    out += (n + 1) / 2;
  }
  return out;
}

template <int M, int N>
inline void bf16_tile(const scanline::AffineCall& call, const float* weights, int panel, int row, int column) {
  Vector sum[M][N];
  begin_sums<M, N>(call, row, column, sum);
  const Pair* a[M];
  for (int m = 0; m < M; ++m) a[m] = static_cast<const Pair*>(call.scratch) + m * call.scratch_stride;
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
  for (int column = 0; column < padded; column += Vector::panel) {
    const int panel = padded - column < Vector::panel ? padded - column : Vector::panel;
    switch (panel / 16) {
      case 4: bf16_tile<M, 4>(call, weights, panel, row, column); break;
      case 3: bf16_tile<M, 3>(call, weights, panel, row, column); break;
      case 2: bf16_tile<M, 2>(call, weights, panel, row, column); break;
      default: bf16_tile<M, 1>(call, weights, panel, row, column);
    }
    weights += static_cast<std::int64_t>(panel) * call.depth;
  }
}

template <int M = Vector::max_rows>
inline void bf16_rows(const scanline::AffineCall& call, int row, int num) {
  if (num == M) bf16_panels<M>(call, row);
  else if constexpr (M > 1) bf16_rows<M - 1>(call, row, num);
}

// As fma_work, of the bf16 units.
inline double bf16_work(std::int64_t rounds) {
  Vector sum[8];
  for (int i = 0; i < 8; ++i) sum[i] = Vector::all(static_cast<float>(i));
  __m512bh a = reinterpret_cast<__m512bh>(_mm512_set1_epi32(0x3F803F80)), b = a;
  for (std::int64_t round = 0; round < rounds; ++round)
    for (int k = 0; k < 8; ++k)
      for (int i = 0; i < 8; ++i) sum[i].v = _mm512_dpbf16_ps(sum[i].v, a, b);
  return keep(sum) * 2.0 * 2 * 64 * Vector::size * static_cast<double>(rounds);
}

// Inputs are rounded once a tile, so all panels of a tile come one after the other.
inline void affine_bf16(const scanline::AffineCall& call) {
  over_tiles(call.rows, [&](int row, int num) {
    fetch_rows(call, row + num, row + 2 * num);
    for (int m = 0; m < num; ++m) {
      Pair* out = static_cast<Pair*>(call.scratch) + m * call.scratch_stride;
      for (int t = 0; t < call.num_taps; ++t)
        out = round_to_pairs(call.sources[t * call.stride + row + m], call.tap_widths[t], out);
    }
    bf16_rows(call, row, num);
  });
}

}  // namespace
