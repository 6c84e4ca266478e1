// Eight floats in an AVX register. See vector_portable.h for what each function must do, to the bit.
#pragma once

#include <immintrin.h>

namespace {

struct Vector {
  static constexpr int size = 8;
  static constexpr int panel = 16;          // outputs
  static constexpr int fetch_ahead = 1536;  // bytes
  static constexpr int max_rows = 6;
  // Of 16 registers 12 hold sums: few rows take a wide tile, many rows a narrow one. A chain of sums waits 4 cycles for
  // its last term, so 8 chains keep two multiply-add units busy.
  static constexpr int max_sums = 12;
  static constexpr int tile_vectors(int rows) { return rows == 1 ? 8 : rows <= 3 ? 4 : 2; }
  __m256 v;

  static Vector all(float x) { return {_mm256_set1_ps(x)}; }
  static Vector load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static __m256i first(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static Vector load_part(const float* p, int n) { return {_mm256_maskload_ps(p, first(n))}; }
  float first_lane() const { return _mm256_cvtss_f32(v); }
  void store(float* p) const { _mm256_storeu_ps(p, v); }
  void store_part(float* p, int n) const { _mm256_maskstore_ps(p, first(n), v); }
};

inline Vector operator+(Vector a, Vector b) { return {_mm256_add_ps(a.v, b.v)}; }
inline Vector operator-(Vector a, Vector b) { return {_mm256_sub_ps(a.v, b.v)}; }
inline Vector operator*(Vector a, Vector b) { return {_mm256_mul_ps(a.v, b.v)}; }
inline Vector operator/(Vector a, Vector b) { return {_mm256_div_ps(a.v, b.v)}; }
inline Vector fma(Vector a, Vector b, Vector c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
inline Vector less_product(Vector c, Vector a, Vector b) { return {_mm256_fnmadd_ps(a.v, b.v, c.v)}; }
inline Vector smaller(Vector a, Vector b) { return {_mm256_min_ps(a.v, b.v)}; }
inline Vector larger(Vector a, Vector b) { return {_mm256_max_ps(a.v, b.v)}; }
// Lane i gets lane i ^ distance.
template <int distance>
inline Vector exchanged(Vector x) {
  if constexpr (distance == 4) return {_mm256_permute2f128_ps(x.v, x.v, 1)};
  else return {_mm256_permute_ps(x.v, distance == 2 ? 0x4E : 0xB1)};
}
inline Vector where_positive(Vector x, Vector yes, Vector no) {
  const __m256 positive = _mm256_cmp_ps(x.v, _mm256_setzero_ps(), _CMP_GT_OQ);
  return {_mm256_blendv_ps(no.v, yes.v, positive)};
}
inline Vector power_of_two(Vector t) {
  const __m256i shifted = _mm256_slli_epi32(_mm256_castps_si256(t.v), 23);
  return {_mm256_castsi256_ps(_mm256_add_epi32(shifted, _mm256_set1_epi32(0x3F800000)))};
}
inline Vector times_power_of_two(Vector x, Vector t) {
  const __m256i shifted = _mm256_slli_epi32(_mm256_castps_si256(t.v), 23);
  return {_mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x.v), shifted))};
}

}  // namespace
