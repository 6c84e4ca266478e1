// Rows of float32 rounded to pairs of bfloat16, to the nearest, ties to even. Comes after vector_avx512.h.
#pragma once

#include <immintrin.h>

namespace {

using Pair = std::int32_t;  // two bfloat16 numbers, the first in the low half

// Rounds `width` floats to pairs, the last filled up with a zero; returns the end of them.
inline Pair* round_to_pairs(const float* p, int width, Pair* out) {
  for (; width >= 32; p += 32, width -= 32, out += 16)
    _mm512_storeu_ps(out, reinterpret_cast<__m512>(_mm512_cvtne2ps_pbh(_mm512_loadu_ps(p + 16), _mm512_loadu_ps(p))));
  for (; width > 0; p += 16, width -= 16) {
    const int n = width < 16 ? width : 16;
    const __m512 x = n == 16 ? _mm512_loadu_ps(p) : _mm512_maskz_loadu_ps(Vector::first(n), p);
    // The whole vector is written; what is too much of it, the next tap, the next row or nobody overwrites.
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x)));
    out += (n + 1) / 2;
  }
  return out;
}

// All taps of one row, one after the other; returns the end of them.
inline Pair* round_row(const scanline::AffineCall& call, int row, Pair* out) {
  for (int t = 0; t < call.num_taps; ++t)
    out = round_to_pairs(call.sources[t * call.stride + row], call.tap_widths[t], out);
  return out;
}

}  // namespace
