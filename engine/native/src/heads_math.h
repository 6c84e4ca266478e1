// Functions of one double, for output distributions: as elementary.h, out of operations that round the same everywhere.
#pragma once

#include <cstdint>
#include <cstring>

namespace {

inline std::int64_t bits_of(double x) {
  std::int64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

inline double double_of(std::int64_t bits) {
  double x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

// e^x for x cut to [-700, 700]; Taylor series on |r| <= ln 2 / 2, error below 1e-15 of the value.
inline double exponential(double x) {
  x = x < -700 ? -700 : x;
  x = x > 700 ? 700 : x;
  const double magic = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to a whole number
  const double t = x * 1.4426950408889634 + magic;
  const double n = t - magic;
  const double r = (x - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10;
  double p = 1.0 / 6227020800.0;
  p = p * r + 1.0 / 479001600.0;
  p = p * r + 1.0 / 39916800.0;
  p = p * r + 1.0 / 3628800.0;
  p = p * r + 1.0 / 362880.0;
  p = p * r + 1.0 / 40320.0;
  p = p * r + 1.0 / 5040.0;
  p = p * r + 1.0 / 720.0;
  p = p * r + 1.0 / 120.0;
  p = p * r + 1.0 / 24.0;
  p = p * r + 1.0 / 6.0;
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  const std::int64_t scale = static_cast<std::int64_t>(static_cast<std::uint64_t>(bits_of(t)) << 52);
  return p * double_of(scale + 0x3FF0000000000000);
}

// ln x for normal x > 0: x = 2^n m with m in [0.7, 1.42); ln m = 2 atanh(s), s = (m - 1) / (m + 1).
inline double logarithm(double x) {
  const std::int64_t bits = bits_of(x);
  std::int64_t n = (bits >> 52) - 1023;
  double m = double_of((bits & 0x000FFFFFFFFFFFFF) | 0x3FF0000000000000);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    n += 1;
  }
  const double s = (m - 1) / (m + 1), z = s * s;
  double p = 1.0 / 21;
  for (int k = 19; k >= 1; k -= 2) p = p * z + 1.0 / k;
  return static_cast<double>(n) * 0.6931471805599453 + 2 * s * p + (x - x);  // not a number stays none
}

inline double sigmoid(double x) { return 1 / (1 + exponential(-x)); }

// log sigmoid(x).
inline double log_sigmoid(double x) { return (x < 0 ? x : 0) - logarithm(1 + exponential(x < 0 ? x : -x)); }

inline double tanh(double x) { return 2 * sigmoid(2 * x) - 1; }

// log(1 - e^-d) of log d. For small d, ln d - d / 2 + d^2 / 24, whose error is d^4 / 2880.
inline double log_one_minus_exp(double log_d) {
  const double d = exponential(log_d);
  return log_d < -9 ? log_d - d / 2 + d * d / 24 : logarithm(1 - exponential(-d));
}

inline double polynomial(const double (&c)[8], double x) {
  double p = c[7];
  for (int i = 6; i >= 0; --i) p = p * x + c[i];
  return p;
}

// The quantile of the normal distribution, error 1e-16 of the value: Wichura 1988, algorithm AS 241, PPND16.
inline double normal_quantile(double p) {
  constexpr double a[8] = {3.3871328727963666080e0, 1.3314166789178437745e+2, 1.9715909503065514427e+3,
                           1.3731693765509461125e+4, 4.5921953931549871457e+4, 6.7265770927008700853e+4,
                           3.3430575583588128105e+4, 2.5090809287301226727e+3};
  constexpr double b[8] = {1.0, 4.2313330701600911252e+1, 6.8718700749205790830e+2, 5.3941960214247511077e+3,
                           2.1213794301586595867e+4, 3.9307895800092710610e+4, 2.8729085735721942674e+4,
                           5.2264952788528545610e+3};
  constexpr double c[8] = {1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0,
                           3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1,
                           2.27238449892691845833e-2, 7.74545014278341407640e-4};
  constexpr double d[8] = {1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
                           1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
                           1.05075007164441684324e-9};
  constexpr double e[8] = {6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0,
                           2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                           2.71155556874348757815e-5, 2.01033439929228813265e-7};
  constexpr double f[8] = {1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
                           7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
                           2.04426310338993978564e-15};
  const double q = p - 0.5;
  if (q > -0.425 && q < 0.425) {
    const double r = 0.180625 - q * q;
    return q * polynomial(a, r) / polynomial(b, r);
  }
  const double r = __builtin_sqrt(-logarithm(q < 0 ? p : 1 - p));
  const double near = polynomial(c, r - 1.6) / polynomial(d, r - 1.6);
  const double x = r <= 5 ? near : polynomial(e, r - 5) / polynomial(f, r - 5);
  return q < 0 ? -x : x;
}

}  // namespace
