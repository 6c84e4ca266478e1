// Output distributions over levels whose parameters are logits, in double precision, and the level that a uniform
// number picks. Plain loops; the compiler may use vectors, which changes no bit, since sums stay in order.
#pragma once

#include "heads_math.h"

namespace {

// Level 1 where u < sigmoid(logit / T).
inline void bernoulli(scanline::HeadCall& call) {
  const double logit = call.inputs[0][0];
  const bool is_one = call.known ? call.known[0] > 0 : call.uniforms[0] < sigmoid(logit / call.temperature);
  call.values[0] = is_one;
  call.log_probs[0] = log_sigmoid(is_one ? logit : -logit);
}

// The first index whose cumulative weight exceeds u times the sum of all.
inline int choose(const double* weights, int num, double u) {
  double total = 0;
  for (int i = 0; i < num; ++i) total += weights[i];
  const double wanted = u * total;
  double cumulative = weights[0];
  int index = 0;
  while (cumulative <= wanted && index < num - 1) cumulative += weights[++index];
  return index;
}

inline double largest_of(const double* x, int num) {
  double largest = x[0];
  for (int i = 1; i < num; ++i) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

// out = e^((logits - largest) / T); returns their sum. `out` may be `logits`.
inline double powers(const double* logits, int num, double largest, double temperature, double* out) {
  double total = 0;
  for (int i = 0; i < num; ++i) out[i] = exponential((logits[i] - largest) / temperature);
  for (int i = 0; i < num; ++i) total += out[i];
  return total;
}

// log sum exp.
inline double log_sum(const double* x, int num, double* scratch) {
  const double largest = largest_of(x, num);
  return largest + logarithm(powers(x, num, largest, 1.0, scratch));
}

// A level of p^(1/T), p = softmax(logits).
inline int draw_from_table(const double* logits, int num, double u, double temperature, double* scratch) {
  powers(logits, num, largest_of(logits, num), temperature, scratch);
  return choose(scratch, num, u);
}

inline void categorical(scanline::HeadCall& call) {
  const int n = call.num_levels;
  double* logits = call.scratch;
  for (int i = 0; i < n; ++i) logits[i] = call.inputs[0][i];
  const double total = log_sum(logits, n, logits + n);
  const int level = call.known ? static_cast<int>(call.known[0])
                               : draw_from_table(logits, n, call.uniforms[0], call.temperature, logits + n);
  call.values[0] = static_cast<float>(level);
  call.log_probs[0] = logits[level] - total;
}

}  // namespace
