// exp, tanh and friends out of operations that round the same everywhere: a model must not depend on whose libm it met.
// Included after one of the vector_*.h. Errors, by tests/engine/test_native_kernels.py: below 3e-7.
#pragma once

namespace {

// e^(sign x) = scale * (1 + sign * rest): keeping the two apart gives e^x - 1 without cancellation.
template <int sign>
struct Exponential {
  Vector scale;
  Vector rest;
  Vector value() const { return sign > 0 ? fma(scale, rest, scale) : less_product(scale, scale, rest); }
  Vector minus_one() const {
    static_assert(sign > 0, "only e^x - 1 is asked for");
    return fma(scale, rest, scale - Vector::all(1.0f));
  }
};

// Of what is not a number `smaller` and `larger` take the second: x must be that, or it would count as a bound.
inline Vector cut(Vector x, float low, float high) { return larger(Vector::all(low), smaller(Vector::all(high), x)); }

// For sign * x in [-87, 88], where e^(sign x) is a normal number. A negative sign stands in the constants: that costs less
// than to take -x and gives the same bits, since r is that of -x with the other sign.
template <int sign>
inline Exponential<sign> exponential_inside(Vector x) {
  const Vector magic = Vector::all(12582912.0f);  // 1.5 * 2^23: adding it rounds to a whole number
  const Vector t = fma(x, Vector::all(sign * 1.44269504f), magic);
  const Vector n = t - magic;
  Vector r = fma(n, Vector::all(sign * -0.693359375f), x);  // ln 2 in two parts, the first with few bits
  r = fma(n, Vector::all(sign * 2.12194440e-4f), r);
  // e^r = 1 + r + r^2 p(r) on |r| <= ln 2 / 2; coefficients of Cephes' expf (Moshier).
  Vector p = Vector::all(1.9875691500e-4f);
  p = fma(p, r, Vector::all(sign * 1.3981999507e-3f));
  p = fma(p, r, Vector::all(8.3334519073e-3f));
  p = fma(p, r, Vector::all(sign * 4.1665795894e-2f));
  p = fma(p, r, Vector::all(1.6666665459e-1f));
  p = fma(p, r, Vector::all(sign * 5.0000001201e-1f));
  return {power_of_two(t), fma(p, r * r, r)};
}

// 2^x for x <= 0, and 2^-125 of all below -125; not a number stays none. The remainder is exact, so this takes two thirds
// of the operations of e^x.
inline Vector exponential_of_two(Vector x) {
  x = larger(Vector::all(-125.0f), x);
  const Vector magic = Vector::all(12582912.0f);  // 1.5 * 2^23, as above
  const Vector t = x + magic;
  const Vector r = x - (t - magic);
  // 2^r = 1 + r p(r) on |r| <= 1/2; coefficients of Cephes' exp2f (Moshier).
  Vector p = Vector::all(1.535336188319500e-4f);
  p = fma(p, r, Vector::all(1.339887440266574e-3f));
  p = fma(p, r, Vector::all(9.618437357674640e-3f));
  p = fma(p, r, Vector::all(5.550332471162809e-2f));
  p = fma(p, r, Vector::all(2.402264791363012e-1f));
  p = fma(p, r, Vector::all(6.931472028550421e-1f));
  return times_power_of_two(fma(p, r, Vector::all(1.0f)), t);
}

// e^2x - 1 for tanh = that / (that + 2); beyond |x| = 10 tanh is 1 in single precision.
inline Vector tanh_numerator(Vector x) {
  x = cut(x, -10.0f, 10.0f);
  return exponential_inside<1>(x + x).minus_one();
}

inline Vector sigmoid_denominator(Vector x) {
  return exponential_inside<-1>(cut(x, -88.0f, 87.0f)).value() + Vector::all(1.0f);
}

inline Vector tanh(Vector x) {
  const Vector a = tanh_numerator(x);
  return a / (a + Vector::all(2.0f));
}

inline Vector sigmoid(Vector x) { return Vector::all(1.0f) / sigmoid_denominator(x); }

// tanh(f) * sigmoid(g) with one division instead of two.
inline Vector gated(Vector f, Vector g) {
  const Vector a = tanh_numerator(f);
  return a / ((a + Vector::all(2.0f)) * sigmoid_denominator(g));
}

inline Vector elu(Vector x) {
  return where_positive(x, x, exponential_inside<1>(cut(x, -87.0f, 88.0f)).minus_one());
}

inline Vector relu(Vector x) { return larger(Vector::all(0.0f), x); }

}  // namespace
