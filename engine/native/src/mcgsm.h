// Mixture of conditional Gaussian scale mixtures, a density (Theis et al. 2012); formulas in models/heads.py.
#pragma once

#include "heads.h"

namespace {

// out[o] = sum over i of x[i] w[i][o], in order.
inline void product(const double* x, int num_ins, const double* w, int num_outs, double* out) {
  for (int o = 0; o < num_outs; ++o) out[o] = 0;
  for (int i = 0; i < num_ins; ++i)
    for (int o = 0; o < num_outs; ++o) out[o] += x[i] * w[std::int64_t{i} * num_outs + o];
}

inline void mcgsm(scanline::HeadCall& call) {
  const scanline::McgsmConstants& m = *call.mcgsm;
  const int D = m.num_inputs, N = m.num_features, C = m.num_components, S = m.num_scales;
  double* h = call.scratch;
  double* products = h + D;            // features [N], linear [C], means [C]
  double* drive = products + N + 2 * C;  // [C]
  double* gates = drive + C;           // [C S], log p(c, s | h)
  double* rest = gates + C * S;
  double* terms = rest + C * S;
  for (int i = 0; i < D; ++i) h[i] = call.inputs[0][i];
  product(h, D, m.projection, N + 2 * C, products);
  const double *linear = products + N, *means = linear + C;
  for (int n = 0; n < N; ++n) products[n] *= products[n];
  product(products, N, m.squared_weights, C, drive);
  for (int c = 0; c < C; ++c)
    for (int s = 0; s < S; ++s)
      gates[c * S + s] = m.priors[c * S + s] + m.precisions[c * S + s] * (linear[c] - drive[c] / 2);
  const double norm = log_sum(gates, C * S, rest);
  for (int i = 0; i < C * S; ++i) gates[i] -= norm;

  const double prediction = call.inputs[1][0], log_scale = call.inputs[1][1];
  if (call.known) {
    call.values[0] = call.known[0];
  } else {
    powers(gates, C * S, 0, 1, rest);
    const int chosen = choose(rest, C * S, call.uniforms[0]);
    const double y = means[chosen / S] + normal_quantile(call.uniforms[1]) * m.deviations[chosen];
    call.values[0] = static_cast<float>(prediction + exponential(log_scale) * y);
  }
  const double y = (call.values[0] - prediction) * exponential(-log_scale);
  for (int i = 0; i < C * S; ++i) {
    const double scaled = (y - means[i / S]) * m.cholesky_factors[i / S];
    terms[i] = gates[i] + m.log_norms[i] - m.precisions[i] * scaled * scaled / 2;
  }
  call.log_probs[0] = log_sum(terms, C * S, rest) - log_scale;
}

}  // namespace
