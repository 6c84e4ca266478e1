// Mixture of conditional Gaussian scale mixtures, a density (Theis et al. 2012); formulas in models/heads.py. Affine maps
// have made (v, means) of the features (engine/native/lowering.py); log p(c, s | h) is prior + e^scale v less its sum.
//
// Tables of components and scales are in bits, not nats, and in single precision, vector after vector. A sum has kLanes
// partial sums whatever the width of a vector, so that its bits do not depend on it. What is left of them is in double
// precision.
#pragma once

#include "heads.h"
#include "pointwise.h"

namespace {

constexpr int kMcgsmRows = scanline::kMcgsmRows;
constexpr int kParts = scanline::kLanes / Vector::size;

// A number for each of kLanes components.
struct Lanes {
  Vector part[kParts];

  static Lanes all(float x) {
    Lanes out;
    for (Vector& v : out.part) v = Vector::all(x);
    return out;
  }
  // lane[k] = function(lane[k], k) for whole vectors; k counts their first components.
  template <class F>
  void update(F function) {
    for (int i = 0; i < kParts; ++i) part[i] = function(part[i], i * Vector::size);
  }
  float largest() const {
    return reduce([](Vector a, Vector b) { return larger(a, b); });
  }
  float sum() const {
    return reduce([](Vector a, Vector b) { return a + b; });
  }

 private:
  // In pairs, then pairs of pairs, and so on.
  template <class F>
  float reduce(F function) const {
    Vector x[kParts];
    for (int i = 0; i < kParts; ++i) x[i] = part[i];
    for (int half = kParts / 2; half > 0; half /= 2)
      for (int i = 0; i < half; ++i) x[i] = function(x[i], x[i + half]);
    return reduce<Vector::size / 2>(x[0], function);
  }
  template <int half, class F>
  static float reduce(Vector x, F function) {
    x = function(x, exchanged<half>(x));
    if constexpr (half > 1) return reduce<half / 2>(x, function);
    else return x.first_lane();
  }
};

// table[s][c] = prior[s][c] + precision[s][c] v(c); returns the largest. v(c) is that of a vector of components from c.
template <class V>
inline float fill_table(const scanline::McgsmConstants& m, const float* priors, V v, float* table) {
  Lanes largest = Lanes::all(-3e38f);
  for (int block = 0; block < m.stride; block += scanline::kLanes)
    largest.update([&](Vector most, int part) {
      const int c = block + part;
      const Vector drive = v(c);
      for (int s = 0, at = c; s < m.num_scales; ++s, at += m.stride) {
        const Vector x = fma(Vector::load(m.precisions + at), drive, Vector::load(priors + at));
        x.store(table + at);
        most = larger(x, most);
      }
      return most;
    });
  return largest.largest();
}

// table = 2^(table - largest). Returns their sum; `sums`, where it is not null, gets that of each component.
inline float exponentiate(const scanline::McgsmConstants& m, float largest, float* table, float* sums) {
  Lanes total = Lanes::all(0);
  for (int block = 0; block < m.stride; block += scanline::kLanes)
    total.update([&](Vector before, int part) {
      const int c = block + part;
      Vector sum = Vector::all(0);
      for (int s = 0, at = c; s < m.num_scales; ++s, at += m.stride) {
        const Vector e = exponential_of_two(Vector::load(table + at) - Vector::all(largest));
        e.store(table + at);
        sum = sum + e;
      }
      if (sums) sum.store(sums + c);
      return before + sum;
    });
  return total.sum();
}

// The component and the scale, as c S + s, where the cumulative probability exceeds u.
inline int choose_gate(const scanline::McgsmConstants& m, const float* table, const float* sums, double* cumulative,
                       double u) {
  double total = 0;
  for (int c = 0; c < m.num_components; ++c) cumulative[c] = total += sums[c];
  const double wanted = u * total;
  int c = 0, s = 0;
  for (int i = 0; i < m.num_components - 1; ++i) c += cumulative[i] <= wanted;
  double below = (c ? cumulative[c - 1] : 0) + table[c];
  while (below <= wanted && s < m.num_scales - 1) below += table[++s * m.stride + c];
  return c * m.num_scales + s;
}

// What the steps of one pixel hand on.
struct McgsmRow {
  const float *v, *means;
  float* table;
  float* sums;
  float gates_most, gates, joint_most, joint;
  double prediction, log_scale, scale;
  float y;
};

inline void draw_or_keep(const scanline::McgsmConstants& m, scanline::HeadRow& out, McgsmRow& row, double* cumulative) {
  if (out.known) {
    out.values[0] = out.known[0];
  } else {
    const int chosen = choose_gate(m, row.table, row.sums, cumulative, out.uniforms[0]);
    const double y = row.means[chosen / m.num_scales] + normal_quantile(out.uniforms[1]) * m.deviations[chosen];
    const float value = static_cast<float>(row.prediction + row.scale * y);
    out.values[0] = value < m.low ? m.low : value > m.high ? m.high : value;
  }
  row.y = static_cast<float>((out.values[0] - row.prediction) / row.scale);
}

// Step by step for all of `num` pixels: while one waits for the end of a long chain of operations, the next begins.
inline void mcgsm_rows(const scanline::HeadCall& call, scanline::HeadRow* out, int num) {
  const scanline::McgsmConstants& m = *call.mcgsm;
  const int C = m.num_components;
  McgsmRow rows[kMcgsmRows];
  for (int i = 0; i < num; ++i) {
    McgsmRow& row = rows[i];
    row.v = out[i].inputs[0];
    row.means = row.v + C;
    row.table = reinterpret_cast<float*>(call.scratch + C) + i * (m.num_scales + 1) * m.stride;
    row.sums = row.table + m.num_scales * m.stride;
    row.prediction = out[i].inputs[1][0];
    row.log_scale = out[i].inputs[1][1];
    row.scale = exponential(row.log_scale);
    row.gates_most = fill_table(m, m.priors, [&](int c) { return read(row.v + c, C - c); }, row.table);
  }
  for (int i = 0; i < num; ++i) rows[i].gates = exponentiate(m, rows[i].gates_most, rows[i].table, rows[i].sums);
  for (int i = 0; i < num; ++i) draw_or_keep(m, out[i], rows[i], call.scratch);
  for (int i = 0; i < num; ++i) {
    McgsmRow& row = rows[i];
    const auto less_energy = [&](int c) {
      const Vector residual = (Vector::all(row.y) - read(row.means + c, C - c)) * Vector::load(m.cholesky_factors + c);
      return read(row.v + c, C - c) - residual * residual * Vector::all(0.5f);
    };
    row.joint_most = fill_table(m, m.joint_priors, less_energy, row.table);
  }
  for (int i = 0; i < num; ++i) rows[i].joint = exponentiate(m, rows[i].joint_most, rows[i].table, nullptr);
  for (int i = 0; i < num; ++i) {
    const McgsmRow& row = rows[i];
    const double ratio = double{row.joint} / double{row.gates};
    const double bits = double{row.joint_most} - double{row.gates_most};
    out[i].log_probs[0] = bits * 0.6931471805599453 + logarithm(ratio) - row.log_scale;
  }
}

inline void mcgsm(const scanline::HeadCall& call) {
  for (int i = 0; i < call.num_rows; i += kMcgsmRows) {
    const int left = call.num_rows - i;
    mcgsm_rows(call, call.rows + i, left < kMcgsmRows ? left : kMcgsmRows);
  }
}

}  // namespace
