#include "head_constants.h"

#include <algorithm>
#include <limits>

#include "heads_math.h"

namespace scanline {
namespace {

// What counts for nothing beside any other gate: beside the largest it is 2^-125, less than single precision can add.
constexpr float kNoGate = -1e30f;
constexpr double kBits = 1.4426950408889634;  // of a nat: tables are exponents of two

// The parameters of an MCGSM that its matrices leave over: priors, scales, Cholesky factors.
void prepare_mcgsm(Reader& reader, Head& head) {
  McgsmConstants& m = head.mcgsm;
  const int C = m.num_components = reader.number(), S = m.num_scales = reader.number();
  const int stride = m.stride = (C + kLanes - 1) / kLanes * kLanes;
  const float* priors = reader.span(reader.word(), C * S);
  const float* scales = reader.span(reader.word(), C * S);
  const float* factors = reader.span(reader.word(), C);
  const std::int64_t limits = reader.word();  // -1 where there are none
  m.low = limits < 0 ? -std::numeric_limits<float>::infinity() : reader.span(limits, 2)[0];
  m.high = limits < 0 ? std::numeric_limits<float>::infinity() : reader.span(limits, 2)[1];
  const int table = S * stride;
  head.tables.assign(static_cast<std::size_t>(3 * table + stride), 0.0f);
  float* prior = head.tables.data();
  float *precision = prior + table, *joint_prior = precision + table, *factor = joint_prior + table;
  std::fill(prior, prior + table, kNoGate);
  std::fill(joint_prior, joint_prior + table, kNoGate);
  for (int c = 0; c < C; ++c) {
    factor[c] = factors[c];
    for (int s = 0; s < S; ++s) {
      const int from = c * S + s, to = s * stride + c;
      const double size = factors[c] < 0 ? -factors[c] : factors[c];
      const double log_precision = scales[from] + 2 * logarithm(size), log_two_pi = 1.8378770664093453;
      prior[to] = static_cast<float>(priors[from] * kBits);
      precision[to] = static_cast<float>(exponential(scales[from]) * kBits);
      joint_prior[to] = static_cast<float>((priors[from] + (log_precision - log_two_pi) / 2) * kBits);
      head.deviations.push_back(exponential(-log_precision / 2));
    }
  }
  m.priors = prior;
  m.precisions = precision;
  m.joint_priors = joint_prior;
  m.cholesky_factors = factor;
  m.deviations = head.deviations.data();
  head.scratch_size = C + kMcgsmRows * (table + stride) / 2;  // cumulative probabilities, and tables of floats
}

}  // namespace

void prepare_head(Reader& reader, int num_levels, Head& head) {
  head.scratch_size = 2 * num_levels + 6 * head.inputs[0].width;
  if (head.kind == HeadKind::mcgsm) prepare_mcgsm(reader, head);
}

}  // namespace scanline
