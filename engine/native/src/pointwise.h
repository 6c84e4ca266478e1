// Pointwise functions of the vocabulary (models/program.py says what each computes), row by row, vector by vector.
#pragma once

namespace {

// Part [i, i + n) of a row: whole vectors take the branch without masks.
inline Vector read(const float* p, int n) { return n >= Vector::size ? Vector::load(p) : Vector::load_part(p, n); }

inline void write(Vector x, float* p, int n) {
  if (n >= Vector::size) x.store(p);
  else x.store_part(p, n);
}

// out[i] = function(i, n) for the vectors of a row of `width` numbers.
template <class F>
inline void over_row(int width, F function) {
  for (int i = 0; i < width; i += Vector::size) function(i, width - i);
}

inline void lstm_row(int h, const float* u, const float* c_before, float* out, float* c_out) {
  over_row(h, [=](int i, int n) {
    const Vector o = read(u + i, n), f = read(u + h + i, n), in = read(u + 2 * h + i, n), g = read(u + 3 * h + i, n);
    const Vector c = fma(sigmoid(f), read(c_before + i, n), gated(g, in));
    write(c, c_out + i, n);
    write(gated(c, o), out + i, n);
  });
}

constexpr float kCellLimit = 16.0f;  // CELL_LIMIT of models/program.py

// The last tanh has a loop of its own: it waits for all that is before it, longer than the processor can look ahead.
inline void spatial_lstm_row(int h, const float* u, const float* c_left, const float* c_above, float* out,
                             float* c_out) {
  over_row(h, [=](int i, int n) {
    const Vector g = read(u + i, n), o = read(u + h + i, n), in = read(u + 2 * h + i, n);
    const Vector f_left = read(u + 3 * h + i, n), f_above = read(u + 4 * h + i, n);
    Vector c = fma(sigmoid(f_left), read(c_left + i, n), gated(g, in));
    c = fma(sigmoid(f_above), read(c_above + i, n), c);
    c = cut(c, -kCellLimit, kCellLimit);
    write(c, c_out + i, n);
    write(c * sigmoid(o), out + i, n);
  });
  over_row(h, [=](int i, int n) { write(tanh(read(out + i, n)), out + i, n); });
}

template <class F>
inline void unary(const scanline::PointwiseCall& call, F function) {
  for (int row = 0; row < call.rows; ++row) {
    const float* in = call.ins[row];
    float* out = call.outs[row];
    over_row(call.width, [=](int i, int n) { write(function(read(in + i, n)), out + i, n); });
  }
}

// The two halves of a row of 2h numbers.
template <class F>
inline void halves(const scanline::PointwiseCall& call, F function) {
  const int h = call.width;
  for (int row = 0; row < call.rows; ++row) {
    const float* in = call.ins[row];
    float* out = call.outs[row];
    over_row(h, [=](int i, int n) { write(function(read(in + i, n), read(in + h + i, n)), out + i, n); });
  }
}

template <class F>
inline void chain(const scanline::PointwiseCall& call, F function) {
  for (int row = 0; row < call.rows; ++row) {
    over_row(call.width, [&](int i, int n) {
      Vector total = read(call.ins[row] + i, n);
      for (int k = 1; k < call.num_ins; ++k) total = function(total, read(call.ins[k * call.stride + row] + i, n));
      write(total, call.outs[row] + i, n);
    });
  }
}

inline void concat_elu_row(int half, const float* in, float* out) {
  over_row(half, [=](int i, int n) {
    const Vector x = read(in + i, n);
    write(elu(x), out + i, n);
    write(elu(Vector::all(0.0f) - x), out + half + i, n);
  });
}

inline void pointwise(const scanline::PointwiseCall& call) {
  using scanline::Pointwise;
  const int s = call.stride;
  switch (call.kind) {
    case Pointwise::gate: return halves(call, [](Vector f, Vector g) { return gated(f, g); });
    case Pointwise::glu: return halves(call, [](Vector a, Vector b) { return a * sigmoid(b); });
    case Pointwise::relu: return unary(call, [](Vector x) { return relu(x); });
    case Pointwise::elu: return unary(call, [](Vector x) { return elu(x); });
    case Pointwise::tanh: return unary(call, [](Vector x) { return tanh(x); });
    case Pointwise::sigmoid: return unary(call, [](Vector x) { return sigmoid(x); });
    case Pointwise::add: return chain(call, [](Vector a, Vector b) { return a + b; });
    case Pointwise::multiply: return chain(call, [](Vector a, Vector b) { return a * b; });
    case Pointwise::concat_elu:
      for (int r = 0; r < call.rows; ++r) concat_elu_row(call.width / 2, call.ins[r], call.outs[r]);
      return;
    case Pointwise::lstm:
      for (int r = 0; r < call.rows; ++r)
        lstm_row(call.width, call.ins[r], call.ins[s + r], call.outs[r], call.outs[s + r]);
      return;
    case Pointwise::spatial_lstm:
      for (int r = 0; r < call.rows; ++r)
        spatial_lstm_row(call.width, call.ins[r], call.ins[s + r], call.ins[2 * s + r], call.outs[r], call.outs[s + r]);
      return;
  }
}

}  // namespace
