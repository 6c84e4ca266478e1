// Three taps side by side in a row, with two thirds of the multiplications: minimal filtering F(2, 3) (Winograd 1980;
// Lavin and Gray 2015). Outputs y at x and x + d, whose taps g0, g1, g2 read the inputs a, b, c, e at x - d, x, x + d and
// x + 2 d, share four products:
//
//   m0 = (a - c) g0     m1 = (b + c) (g0 + g1 + g2) / 2     m2 = (c - b) (g0 - g1 + g2) / 2     m3 = (b - e) g2
//   y(x) = m1 + m2 + m0     y(x + d) = m1 - m2 - m3
//
// Here is what comes before and after the products, which are affine maps of pairs of outputs (row_filter.h).
#pragma once

#include "pointwise.h"

namespace {

// inputs[product][pair] of all triples, one after the other.
inline void filter_inputs(const scanline::FilterCall& call) {
  for (int pair = 0; pair < call.pairs; ++pair) {
    float* out[4];
    for (int i = 0; i < 4; ++i) out[i] = call.inputs[i * call.stride + pair];
    for (int t = 0; t < call.num_triples; ++t) {
      const float* const* in = call.sources + 4 * t * call.stride + pair;
      const float *a = in[0], *b = in[call.stride], *c = in[2 * call.stride], *e = in[3 * call.stride];
      over_row(call.widths[t], [&](int k, int n) {
        const Vector va = read(a + k, n), vb = read(b + k, n), vc = read(c + k, n), ve = read(e + k, n);
        write(va - vc, out[0] + k, n);
        write(vb + vc, out[1] + k, n);
        write(vc - vb, out[2] + k, n);
        write(vb - ve, out[3] + k, n);
      });
      for (float*& row : out) row += call.widths[t];
    }
  }
}

// y = activation(y + addends) of one side: that of x, or that of x + d.
inline Vector finished(const scanline::FilterCall& call, Vector y, int side, int pair, int k, int n) {
  for (int i = 0; i < call.num_addends; ++i) y = y + read(call.addends[(2 * i + side) * call.stride + pair] + k, n);
  return call.activation == scanline::Activation::relu ? relu(y) : y;
}

inline void filter_outputs(const scanline::FilterCall& call) {
  for (int pair = 0; pair < call.pairs; ++pair) {
    const float* m[4];
    for (int i = 0; i < 4; ++i) m[i] = call.products[i * call.stride + pair];
    float *first = call.outs[pair], *second = call.outs[call.stride + pair];
    over_row(call.out_width, [&](int k, int n) {
      const Vector m1 = read(m[1] + k, n), m2 = read(m[2] + k, n);
      write(finished(call, m1 + m2 + read(m[0] + k, n), 0, pair, k, n), first + k, n);
      if (second) write(finished(call, m1 - m2 - read(m[3] + k, n), 1, pair, k, n), second + k, n);
    });
  }
}

}  // namespace
