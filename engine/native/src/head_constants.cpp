#include "head_constants.h"

#include <algorithm>

#include "heads_math.h"

namespace scanline {
namespace {

// Appends to the head's constants; they are pointed at when all are there.
class Constants {
 public:
  explicit Constants(std::vector<double>& values) : values_(values) {}

  template <class Element>
  std::size_t add(int num, Element element) {
    const std::size_t start = values_.size();
    for (int i = 0; i < num; ++i) values_.push_back(element(i));
    return start;
  }

 private:
  std::vector<double>& values_;
};

// The parameters of an MCGSM, in the order of models/program.py: priors, scales, weights, features, linear features,
// predictors, Cholesky factors.
void prepare_mcgsm(Reader& reader, Head& head) {
  McgsmConstants& m = head.mcgsm;
  m.num_inputs = head.inputs[0].width;
  m.num_features = reader.number();
  m.num_components = reader.number();
  m.num_scales = reader.number();
  const int D = m.num_inputs, N = m.num_features, C = m.num_components, S = m.num_scales;
  const int sizes[7] = {C * S, C * S, C * N, N * D, C * D, C * D, C};
  const float* p[7];
  for (int i = 0; i < 7; ++i) p[i] = reader.span(reader.word(), sizes[i]);
  const float *priors = p[0], *scales = p[1], *weights = p[2], *factors = p[6];
  const auto log_precision = [=](int i) {
    const double factor = factors[i / S];
    return scales[i] + 2 * logarithm(factor < 0 ? -factor : factor);
  };
  Constants constants(head.constants);
  const int width = N + 2 * C;
  const std::size_t projection = constants.add(D * width, [=](int i) -> double {
    const int in = i / width, out = i % width;
    if (out < N) return p[3][out * D + in];
    return out < N + C ? p[4][(out - N) * D + in] : p[5][(out - N - C) * D + in];
  });
  const std::size_t squares = constants.add(N * C, [=](int i) {
    const double weight = weights[i % C * N + i / C];
    return weight * weight;
  });
  const std::size_t prior = constants.add(C * S, [=](int i) -> double { return priors[i]; });
  const std::size_t precision = constants.add(C * S, [=](int i) { return exponential(scales[i]); });
  const std::size_t factor = constants.add(C, [=](int i) -> double { return factors[i]; });
  const double log_two_pi = 1.8378770664093453;
  const std::size_t norm = constants.add(C * S, [=](int i) { return (log_precision(i) - log_two_pi) / 2; });
  const std::size_t deviation = constants.add(C * S, [=](int i) { return exponential(-log_precision(i) / 2); });
  const double* first = head.constants.data();
  m.projection = first + projection;
  m.squared_weights = first + squares;
  m.priors = first + prior;
  m.precisions = first + precision;
  m.cholesky_factors = first + factor;
  m.log_norms = first + norm;
  m.deviations = first + deviation;
  head.scratch_size = D + N + 3 * C + 3 * C * S;
}

}  // namespace

void prepare_head(Reader& reader, int num_levels, Head& head) {
  head.scratch_size = 2 * num_levels + 6 * head.inputs[0].width;
  if (head.kind == HeadKind::mcgsm) prepare_mcgsm(reader, head);
}

}  // namespace scanline
