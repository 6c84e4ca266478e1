// One set of kernels, compiled once for each kind of processor: a source file includes its vector_*.h, then this.
//
// Everything sits in unnamed namespaces and nothing of the standard library that is a template is used: a function
// compiled for AVX-512 under a name shared with the rest of the program could be called where there is no AVX-512.
#pragma once

#include "kernels.h"

#include "elementary.h"

#include "affine.h"
#include "filter.h"
#include "logistic_mixture.h"
#include "mcgsm.h"
#include "pointwise.h"

namespace {

// Uses the sums, or the compiler would leave out the loop that makes them. Returns 1.
inline double keep(const Vector (&sum)[8]) {
  Vector total = sum[0];
  for (int i = 1; i < 8; ++i) total = total + sum[i];
  float out[Vector::size];
  total.store(out);
  const volatile float kept = out[0];
  static_cast<void>(kept);
  return 1.0;
}

inline double fma_work(std::int64_t rounds) {
  Vector sum[8];
  for (int i = 0; i < 8; ++i) sum[i] = Vector::all(static_cast<float>(i));
  Vector a = Vector::all(0.999f), b = Vector::all(1e-3f);
  for (std::int64_t round = 0; round < rounds; ++round)
    for (int k = 0; k < 8; ++k)
      for (int i = 0; i < 8; ++i) sum[i] = fma(sum[i], a, b);
  return keep(sum) * 2.0 * 64 * Vector::size * static_cast<double>(rounds);
}

[[maybe_unused]] constexpr scanline::Kernels kernel_set(const char* name,
                                                        const scanline::Bf16Kernels* bf16 = nullptr) {
  return {name, Vector::panel, affine, bf16, filter_inputs, filter_outputs, pointwise,
          {each_row<bernoulli>, each_row<categorical>, each_row<logistic_mixture>, mcgsm}, fma_work};
}

}  // namespace
