// Output distributions over levels whose parameters are logits, in double precision, and the level that a uniform
// number picks. Plain loops; the compiler may use vectors, which changes no bit, since sums stay in order.
#pragma once

#include "heads_math.h"

namespace {

// A head that takes its pixels one after the other.
template <void (*one)(const scanline::HeadCall&, scanline::HeadRow&)>
inline void each_row(const scanline::HeadCall& call) {
  for (int i = 0; i < call.num_rows; ++i) one(call, call.rows[i]);
}

// Level 1 where u < sigmoid(logit / T).
inline void bernoulli(const scanline::HeadCall&, scanline::HeadRow& row) {
  const double logit = row.inputs[0][0];
  const bool is_one = row.known ? row.known[0] > 0 : row.uniforms[0] < sigmoid(logit / row.temperature);
  row.values[0] = is_one;
  row.log_probs[0] = log_sigmoid(is_one ? logit : -logit);
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

inline void categorical(const scanline::HeadCall& call, scanline::HeadRow& row) {
  const int n = call.num_levels;
  double* logits = call.scratch;
  for (int i = 0; i < n; ++i) logits[i] = row.inputs[0][i];
  const double total = log_sum(logits, n, logits + n);
  const int level = row.known ? static_cast<int>(row.known[0])
                               : draw_from_table(logits, n, row.uniforms[0], row.temperature, logits + n);
  row.values[0] = static_cast<float>(level);
  row.log_probs[0] = logits[level] - total;
}

}  // namespace
