// The discretised logistic mixture (PixelCNN++); formulas in models/heads.py. Channels in turn, each given the earlier.
#pragma once

#include "heads.h"

namespace {

// One channel's components: level v has the mass between the edges around x = 2 v / (num_levels - 1) - 1.
struct Mixture {
  int num_components, num_levels;
  double* log_weights;
  double* means;
  double* log_scales;

  double edge(int v) const { return (2.0 * v + 1) / (num_levels - 1) - 1; }

  // Probability of the levels up to v.
  double cumulative(int v) const {
    double sum = 0;
    for (int k = 0; k < num_components; ++k)
      sum += exponential(log_weights[k]) * sigmoid((edge(v) - means[k]) * exponential(-log_scales[k]));
    return sum;
  }

  double log_mass(int v, int k) const {
    const double inverse = exponential(-log_scales[k]);
    const double above = v > 0 ? log_sigmoid((means[k] - edge(v - 1)) * inverse) : 0;
    const double below = v < num_levels - 1 ? log_sigmoid((edge(v) - means[k]) * inverse) : 0;
    if (v == 0 || v == num_levels - 1) return above + below;
    return above + below + log_one_minus_exp(logarithm(2.0 / (num_levels - 1)) - log_scales[k]);
  }

  // log probability of level v; `masses` gets each component's part of it.
  double log_prob(int v, double* masses, double* scratch) const {
    for (int k = 0; k < num_components; ++k) masses[k] = log_weights[k] + log_mass(v, k);
    return log_sum(masses, num_components, scratch);
  }

  // The first level whose cumulative probability exceeds u, by bisection: 8 sums instead of 256.
  int draw(double u) const {
    int low = 0, high = num_levels - 1;
    while (low < high) {
      const int middle = (low + high) / 2;
      if (cumulative(middle) > u) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  // Of p^(1/T): this takes the whole table. `scratch` holds 2 num_levels + 2 num_components numbers.
  int draw_tempered(double u, double temperature, double* scratch) const {
    double* masses = scratch + 2 * num_levels;
    for (int v = 0; v < num_levels; ++v) scratch[v] = log_prob(v, masses, masses + num_components);
    return draw_from_table(scratch, num_levels, u, temperature, scratch + num_levels);
  }
};

// Place of one channel's block and of its coefficients among the inputs; see models/program.py, class Head.
inline void logistic_mixture(const scanline::HeadCall& call, scanline::HeadRow& row) {
  const int channels = call.num_channels, K = call.input_widths[0] / (channels == 1 ? 3 : 10);
  const float* in = row.inputs[0];
  Mixture mixture{K, call.num_levels, call.scratch, call.scratch + K, call.scratch + 2 * K};
  double *masses = call.scratch + 3 * K, *rest = call.scratch + 4 * K;
  for (int k = 0; k < K; ++k) masses[k] = in[k];
  const double norm = log_sum(masses, K, rest);
  for (int k = 0; k < K; ++k) mixture.log_weights[k] = masses[k] - norm;
  const int block = channels == 1 ? 2 : 3;
  for (int c = 0; c < channels; ++c) {
    const float* means = in + K + c * block * K;
    for (int k = 0; k < K; ++k) {
      mixture.means[k] = means[k];
      mixture.log_scales[k] = means[K + k] < -7 ? -7 : means[K + k];
      for (int before = 0; before < c; ++before) {
        const double slope = tanh(static_cast<double>(in[K + (c * (c - 1) / 2 + before) * block * K + 2 * K + k]));
        mixture.means[k] += slope * (row.values[before] * (2.0 / (call.num_levels - 1)) - 1);
      }
    }
    const double u = row.uniforms[c];
    int level;
    if (row.known) level = static_cast<int>(row.known[c]);
    else level = row.temperature == 1 ? mixture.draw(u) : mixture.draw_tempered(u, row.temperature, rest);
    row.values[c] = static_cast<float>(level);
    row.log_probs[c] = mixture.log_prob(level, masses, rest);
    for (int k = 0; k < K; ++k) mixture.log_weights[k] = masses[k] - row.log_probs[c];  // the components' posterior
  }
}

}  // namespace
