// What a set of kernels offers to the rest of the interpreter. There is one set for each kind of processor, compiled
// from the same templates; nothing here depends on it.
#pragma once

#include <cstdint>

namespace scanline {

// Packed weights: panels of `Kernels::panel` outputs, in bf16 of `Bf16Kernels::panel`, the last one cut to a multiple of kLanes. A panel is
// [input][output].
constexpr int kLanes = 16;
constexpr int kScratchRows = 32;  // of AffineCall::scratch
constexpr int kMcgsmRows = 8;  // pixels that an MCGSM works at together

enum class Pointwise : std::int64_t {
  gate, glu, lstm, spatial_lstm, relu, elu, concat_elu, tanh, sigmoid, add, multiply
};

enum class Activation : std::int64_t { none, relu };

// outs[row] = activation(bias + addends[0][row] + ... + sum over taps of W_tap sources[tap][row]), in this order.
struct AffineCall {
  int rows;
  int stride;  // sources and addends hold `stride` pointers a tap, of which `rows` are used
  int num_taps;
  const int* tap_widths;
  const float* const* sources;
  int num_addends;
  const float* const* addends;
  const float* bias;  // padded with zeros to a multiple of kLanes
  const float* weights;
  int depth;  // inputs of all taps together; in bf16 pairs of them, filled up to `Bf16Kernels::block`
  int out_width;
  float* const* outs;
  Activation activation;
  void* scratch;  // for kScratchRows rows of inputs in bf16, `depth` pairs apart, and kLanes more
};

// Pairs of outputs of an affine map whose taps are triples, before and after its products (filter.h). Tables of pointers
// hold `stride` of them a line, one a pair.
struct FilterCall {
  int pairs;
  int stride;
  int num_triples;
  const int* widths;            // inputs of each triple
  const float* const* sources;  // [triple][a, b, c, e]
  float* const* inputs;         // [product], of all triples
  const float* const* products;  // [product]
  int out_width;
  int num_addends;
  const float* const* addends;  // [addend][side]
  float* const* outs;           // [side]; of the second side null where that column is outside the image
  Activation activation;
};

// A function of each row by itself: ins[input][row] -> outs[output][row]; `width` is that of the first output.
struct PointwiseCall {
  Pointwise kind;
  int rows;
  int stride;
  int width;
  int num_ins;
  const float* const* ins;
  float* const* outs;
};

enum class HeadKind : std::int64_t { bernoulli, categorical, logistic_mixture, mcgsm };

// The constants of an MCGSM head of C components and S scales. Tables are [scale][component], rows of `stride` floats,
// filled up so that what is beyond the last component counts for nothing.
struct McgsmConstants {
  int num_components, num_scales, stride;
  const float* priors;
  const float* precisions;         // of the gates
  const float* joint_priors;       // with the logarithm of the Gaussian's norm
  const float* cholesky_factors;   // [stride]
  const double* deviations;        // [component][scale]
  float low, high;                 // what is drawn is clipped to them
};

// The channels of one head at one pixel. Log-probabilities are in nats at temperature 1.
struct HeadRow {
  const float* inputs[2];
  double uniforms[3];  // one a channel; two for a density
  double temperature;
  const float* known;  // the channels' values, null where they are to be drawn
  float values[3];
  double log_probs[3];
};

// One head at many pixels.
struct HeadCall {
  int num_rows;
  HeadRow* rows;
  int input_widths[2];
  int num_channels;
  int num_levels;  // 0 for a density
  const McgsmConstants* mcgsm;
  double* scratch;
};

// Affine maps with weights and inputs rounded to bfloat16. Weights are packed as pairs: two inputs of one output in the
// place of a float.
struct Bf16Kernels {
  int panel;  // outputs of a panel
  int block;  // pairs: the inputs of an operation are filled up with zeros to a multiple of it
  void (*begin)();  // before a run of a program, in its thread; or null
  void (*affine)(const AffineCall&);
  void (*end)();  // after it; or null
};

struct Kernels {
  const char* name;
  int panel;  // outputs of a panel: a tile reads whole panels, so that what it reads lies together
  void (*affine)(const AffineCall&);
  const Bf16Kernels* bf16;  // or null
  void (*filter_inputs)(const FilterCall&);
  void (*filter_outputs)(const FilterCall&);
  void (*pointwise)(const PointwiseCall&);
  void (*heads[4])(const HeadCall&);  // by HeadKind
  // Runs `rounds` times 64 multiply-adds of a whole vector that do not wait for each other; returns flops done.
  double (*fma_work)(std::int64_t rounds);
};

// Null where this build or this processor lacks them.
const Kernels* portable_kernels();
const Kernels* avx2_kernels();
const Kernels* avx512_kernels();
const Kernels* avx512_bf16_kernels();
const Kernels* amx_bf16_kernels();

// The best first. Every processor runs the portable ones, so bfloat16, which comes after them, is never chosen unasked.
constexpr const char* kKernelNames[] = {"avx512", "avx2", "portable", "amx_bf16", "avx512_bf16"};

// The named set, for "" the best of float32 that this processor runs, for "bf16" the best of bfloat16; null if it cannot
// run the named one.
const Kernels* choose_kernels(const char* name);

}  // namespace scanline
