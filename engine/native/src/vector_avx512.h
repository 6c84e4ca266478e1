// Sixteen floats in an AVX-512 register. See vector_portable.h for what each function must do, to the bit.
#pragma once

#include <immintrin.h>

namespace {

struct Vector {
  static constexpr int size = 16;
  static constexpr int panel = 32;          // outputs
  static constexpr int fetch_ahead = 4096;  // bytes
  static constexpr int max_rows = 14;
  // Of 32 registers 28 hold sums. Many rows take a narrow tile: weights come once for all of them.
  static constexpr int max_sums = 28;
  static constexpr int tile_vectors(int rows) { return rows <= 2 ? 8 : rows <= 6 ? 4 : 2; }
  __m512 v;

  static Vector all(float x) { return {_mm512_set1_ps(x)}; }
  static Vector load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static __mmask16 first(int n) { return static_cast<__mmask16>((1u << n) - 1); }
  static Vector load_part(const float* p, int n) { return {_mm512_maskz_loadu_ps(first(n), p)}; }
  float first_lane() const { return _mm512_cvtss_f32(v); }
  void store(float* p) const { _mm512_storeu_ps(p, v); }
  void store_part(float* p, int n) const { _mm512_mask_storeu_ps(p, first(n), v); }
};

inline Vector operator+(Vector a, Vector b) { return {_mm512_add_ps(a.v, b.v)}; }
inline Vector operator-(Vector a, Vector b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline Vector operator*(Vector a, Vector b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline Vector operator/(Vector a, Vector b) { return {_mm512_div_ps(a.v, b.v)}; }
inline Vector fma(Vector a, Vector b, Vector c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
inline Vector less_product(Vector c, Vector a, Vector b) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
inline Vector smaller(Vector a, Vector b) { return {_mm512_min_ps(a.v, b.v)}; }
inline Vector larger(Vector a, Vector b) { return {_mm512_max_ps(a.v, b.v)}; }
// Lane i gets lane i ^ distance.
template <int distance>
inline Vector exchanged(Vector x) {
  if constexpr (distance >= 4) return {_mm512_shuffle_f32x4(x.v, x.v, distance == 8 ? 0x4E : 0xB1)};
  else return {_mm512_permute_ps(x.v, distance == 2 ? 0x4E : 0xB1)};
}
inline Vector where_positive(Vector x, Vector yes, Vector no) {
  const __mmask16 positive = _mm512_cmp_ps_mask(x.v, _mm512_setzero_ps(), _CMP_GT_OQ);
  return {_mm512_mask_blend_ps(positive, no.v, yes.v)};
}
inline Vector power_of_two(Vector t) {
  const __m512i shifted = _mm512_slli_epi32(_mm512_castps_si512(t.v), 23);
  return {_mm512_castsi512_ps(_mm512_add_epi32(shifted, _mm512_set1_epi32(0x3F800000)))};
}
inline Vector times_power_of_two(Vector x, Vector t) {
  const __m512i shifted = _mm512_slli_epi32(_mm512_castps_si512(t.v), 23);
  return {_mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(x.v), shifted))};
}

}  // namespace
