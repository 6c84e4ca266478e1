// Four floats in plain C++, for any processor; also the definition of what the other vectors must do, bit by bit:
// every function is one correctly rounded IEEE operation an element, or a choice between two values.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

namespace {

struct Vector {
  static constexpr int size = 4;
  static constexpr int panel = 16;        // outputs
  static constexpr int fetch_ahead = 768;  // bytes
  static constexpr int max_rows = 4;
  static constexpr int max_sums = 16;
  static constexpr int tile_vectors(int) { return 4; }
  float v[size];

  template <class F>
  static Vector make(F element) {
    Vector out;
    for (int i = 0; i < size; ++i) out.v[i] = element(i);
    return out;
  }
  static Vector all(float x) { return make([=](int) { return x; }); }
  static Vector load(const float* p) { return make([=](int i) { return p[i]; }); }
  // The first n floats; the others are zero and not touched in memory.
  static Vector load_part(const float* p, int n) { return make([=](int i) { return i < n ? p[i] : 0.0f; }); }
  float first_lane() const { return v[0]; }
  void store(float* p) const { store_part(p, size); }
  void store_part(float* p, int n) const {
    for (int i = 0; i < n; ++i) p[i] = v[i];
  }
};

inline Vector operator+(Vector a, Vector b) { return Vector::make([&](int i) { return a.v[i] + b.v[i]; }); }
inline Vector operator-(Vector a, Vector b) { return Vector::make([&](int i) { return a.v[i] - b.v[i]; }); }
inline Vector operator*(Vector a, Vector b) { return Vector::make([&](int i) { return a.v[i] * b.v[i]; }); }
inline Vector operator/(Vector a, Vector b) { return Vector::make([&](int i) { return a.v[i] / b.v[i]; }); }
// a * b + c with one rounding.
inline Vector fma(Vector a, Vector b, Vector c) {
  return Vector::make([&](int i) { return std::fma(a.v[i], b.v[i], c.v[i]); });
}
// c - a * b with one rounding.
inline Vector less_product(Vector c, Vector a, Vector b) {
  return Vector::make([&](int i) { return std::fma(-a.v[i], b.v[i], c.v[i]); });
}
// Of equal or unordered values the second, as x86 has it.
inline Vector smaller(Vector a, Vector b) {
  return Vector::make([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
}
inline Vector larger(Vector a, Vector b) {
  return Vector::make([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}
// Lane i gets lane i ^ distance, a power of two.
template <int distance>
inline Vector exchanged(Vector x) {
  return Vector::make([&](int i) { return x.v[i ^ distance]; });
}
inline Vector where_positive(Vector x, Vector yes, Vector no) {
  return Vector::make([&](int i) { return x.v[i] > 0 ? yes.v[i] : no.v[i]; });
}
// 2^n for t = 1.5 * 2^23 + n, where n stands in the low bits of t.
inline Vector power_of_two(Vector t) {
  return Vector::make([&](int i) {
    std::uint32_t bits;
    std::memcpy(&bits, &t.v[i], sizeof bits);
    bits = (bits << 23) + 0x3F800000u;
    float out;
    std::memcpy(&out, &bits, sizeof out);
    return out;
  });
}
// x * 2^n for such a t, where x and the product are normal numbers. What is not a number stays none: of one that was
// computed, not given, the low bits are zeros.
inline Vector times_power_of_two(Vector x, Vector t) {
  return Vector::make([&](int i) {
    std::uint32_t bits, power;
    std::memcpy(&bits, &x.v[i], sizeof bits);
    std::memcpy(&power, &t.v[i], sizeof power);
    bits += power << 23;
    float out;
    std::memcpy(&out, &bits, sizeof out);
    return out;
  });
}

}  // namespace
